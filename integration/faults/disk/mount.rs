//! The file system as the kernel asks for it.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::tree::{Entry, File, Number, Tree};
use super::{Shared, State, Syncs};

/// Nothing is remembered by the kernel: a power cut changes names and lengths behind its back.
const REMEMBERED: Duration = Duration::ZERO;
const BLOCK: u64 = 4096;

/// Answers the kernel.
pub(super) struct Mounted(pub(super) Arc<Shared>);

fn attributes(tree: &Tree, number: Number) -> Option<FileAttr> {
    let (kind, size) = match tree.entry(number)? {
        Entry::File(file) => (FileType::RegularFile, file.seen.len() as u64),
        Entry::Directory(_) => (FileType::Directory, 0),
    };
    Some(FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm: 0o755,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: BLOCK as u32,
        flags: 0,
    })
}

impl State {
    /// Whether a file may become that long.
    fn room(&mut self, number: Number, len: u64) -> Result<(), Errno> {
        let has = self.tree.file(number).ok_or(Errno::ENOENT)?.seen.len() as u64;
        // A disk that is full was full at what it held then.
        if len > has && self.tree.bytes() + (len - has) > self.capacity {
            self.shown.full += 1;
            return Err(Errno::ENOSPC);
        }
        Ok(())
    }

    fn lit(&self) -> Result<(), Errno> {
        if self.dark { Err(Errno::EIO) } else { Ok(()) }
    }

    fn write(&mut self, number: Number, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.lit()?;
        self.room(number, at + bytes.len() as u64)?;
        self.tree.file(number).ok_or(Errno::ENOENT)?.write(at as usize, bytes);
        Ok(())
    }

    fn set_len(&mut self, number: Number, len: u64) -> Result<(), Errno> {
        self.lit()?;
        self.room(number, len)?;
        self.tree.file(number).ok_or(Errno::ENOENT)?.set_len(len as usize);
        Ok(())
    }

    fn allocate(&mut self, number: Number, len: u64) -> Result<(), Errno> {
        let has = self.tree.file(number).ok_or(Errno::ENOENT)?.seen.len() as u64;
        if len > has { self.set_len(number, len) } else { self.lit() }
    }

    fn make(&mut self, parent: Number, name: &OsStr, is_directory: bool) -> Result<FileAttr, Errno> {
        self.lit()?;
        let name = name.to_str().ok_or(Errno::EINVAL)?;
        if self.tree.find(parent, name).is_some() {
            return Err(Errno::EEXIST);
        }
        let number = self.tree.create(parent, name, is_directory).ok_or(Errno::ENOENT)?;
        attributes(&self.tree, number).ok_or(Errno::ENOENT)
    }

    fn remove(&mut self, parent: Number, name: &OsStr) -> Result<(), Errno> {
        self.lit()?;
        let name = name.to_str().ok_or(Errno::EINVAL)?;
        self.tree.find(parent, name).ok_or(Errno::ENOENT)?;
        self.tree.remove(parent, name);
        Ok(())
    }
}

impl Mounted {
    fn synced(&self, number: Number, is_directory: bool, reply: ReplyEmpty) {
        let mut state = self.0.lock();
        if state.dark {
            return reply.error(Errno::EIO);
        }
        match state.syncs {
            Syncs::Well => {
                state.sync(number, is_directory);
                reply.ok();
            }
            Syncs::Fail => {
                // Told once, as Linux does: the pages count as clean then, and another sync has nothing to do for them.
                if state.tree.file(number).is_none_or(File::fail_sync) {
                    state.shown.failed += 1;
                    reply.error(Errno::EIO);
                } else {
                    reply.ok();
                }
            }
            Syncs::Slow(time) => {
                state.shown.slow += 1;
                let shared = Arc::clone(&self.0);
                std::thread::spawn(move || {
                    std::thread::sleep(time);
                    let mut state = shared.lock();
                    if state.dark {
                        return reply.error(Errno::EIO);
                    }
                    state.sync(number, is_directory);
                    reply.ok();
                });
            }
            Syncs::Stuck => {
                state.stuck.push((number, is_directory, reply));
                self.0.changed.notify_all();
            }
        }
    }
}

fn answer(result: Result<(), Errno>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Mounted {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let state = self.0.lock();
        let found = name.to_str().and_then(|name| state.tree.find(parent.0, name));
        match found.and_then(|number| attributes(&state.tree, number)) {
            Some(attributes) => reply.entry(&REMEMBERED, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match attributes(&self.0.lock().tree, ino.0) {
            Some(attributes) => reply.attr(&REMEMBERED, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut state = self.0.lock();
        let done = size.map_or(Ok(()), |len| state.set_len(ino.0, len));
        match done.and_then(|()| attributes(&state.tree, ino.0).ok_or(Errno::ENOENT)) {
            Ok(attributes) => reply.attr(&REMEMBERED, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        match self.0.lock().make(parent.0, name, true) {
            Ok(attributes) => reply.entry(&REMEMBERED, &attributes, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        let mut state = self.0.lock();
        match state.make(parent.0, name, false) {
            Ok(attributes) => {
                state.tree.open(attributes.ino.0);
                let (handle, flags) = (FileHandle(0), FopenFlags::empty());
                reply.created(&REMEMBERED, &attributes, Generation(0), handle, flags);
            }
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.0.lock().tree.open(ino.0);
        reply.opened(FileHandle(0), FopenFlags::empty());
    }

    fn release(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.0.lock().tree.close(ino.0);
        reply.ok();
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(self.0.lock().remove(parent.0, name), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(self.0.lock().remove(parent.0, name), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        to: INodeNo,
        new: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let mut state = self.0.lock();
        let renamed = state.lit().and_then(|()| {
            let (name, new) = (name.to_str().ok_or(Errno::EINVAL)?, new.to_str().ok_or(Errno::EINVAL)?);
            state.tree.rename((parent.0, name), (to.0, new)).then_some(()).ok_or(Errno::ENOENT)
        });
        answer(renamed, reply);
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut state = self.0.lock();
        if state.dark {
            return reply.error(Errno::EIO);
        }
        match state.tree.file(ino.0) {
            Some(file) => {
                let from = (offset as usize).min(file.seen.len());
                let to = (from + size as usize).min(file.seen.len());
                reply.data(&file.seen[from..to]);
            }
            None => reply.error(Errno::ENOENT),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.0.lock().write(ino.0, offset, data) {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.synced(ino.0, false, reply);
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.synced(ino.0, true, reply);
    }

    fn fallocate(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        if mode != 0 {
            return reply.error(Errno::EOPNOTSUPP);
        }
        answer(self.0.lock().allocate(ino.0, offset + length), reply);
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let state = self.0.lock();
        let Some(Entry::Directory(directory)) = state.tree.entry(ino.0) else {
            return reply.error(Errno::ENOENT);
        };
        let names = directory.seen.iter().map(|(name, number)| (name.as_str(), *number));
        let all = [(".", ino.0), ("..", ino.0)].into_iter().chain(names);
        for (place, (name, number)) in all.enumerate().skip(offset as usize) {
            let kind = match state.tree.entry(number) {
                Some(Entry::File(_)) => FileType::RegularFile,
                _ => FileType::Directory,
            };
            if reply.add(INodeNo(number), place as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let state = self.0.lock();
        let (all, used) = (state.capacity / BLOCK, state.tree.bytes() / BLOCK);
        let free = all.saturating_sub(used);
        reply.statfs(all, free, free, 1 << 20, 1 << 20, BLOCK as u32, 255, BLOCK as u32);
    }
}
