//! Files and directories in two editions: what processes see, and what the medium holds. Syncing makes them one.

use std::collections::{BTreeMap, HashMap};

use super::super::dice::Dice;

/// Number of a file or a directory, never given twice.
pub(super) type Number = u64;
/// The directory that is mounted.
pub(super) const ROOT: Number = 1;
/// What a medium writes at once: a write that was cut off has happened to some of these and not to others.
const BLOCK: usize = 512;

/// What was on its way to the medium and is gone; of files only those that were asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// Bytes of files.
    pub(crate) bytes: u64,
    /// Names that were made, changed or removed.
    pub(crate) names: u64,
}

/// How much of what was not synced is lost with the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// All of it.
    Whole,
    /// Of files every second block or so, of names the later ones.
    Torn(u64),
}

#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// As processes see it.
    pub(super) seen: Vec<u8>,
    /// As the medium holds it.
    kept: Vec<u8>,
    /// Where the two may differ and a sync would write, from and to.
    dirty: Vec<(usize, usize)>,
    /// The same where a failed sync has given up: later syncs do nothing about it.
    given_up: Vec<(usize, usize)>,
}

#[derive(Clone, Debug)]
enum Change {
    Put(String, Number),
    Drop(String),
    Rename(String, String),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    /// As processes see it.
    pub(super) seen: BTreeMap<String, Number>,
    kept: BTreeMap<String, Number>,
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
pub(super) enum Entry {
    File(File),
    Directory(Directory),
}

/// All files and directories of one disk.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    entries: HashMap<Number, Entry>,
    /// How many times each file is open: it outlives its name.
    opened: HashMap<Number, usize>,
    next: Number,
}

impl File {
    fn touch(&mut self, from: usize, to: usize) {
        if let Some(last) = self.dirty.last_mut()
            && last.1 == from
        {
            last.1 = to;
            return;
        }
        self.dirty.push((from, to));
    }

    /// Bytes that are not on the medium.
    pub(super) fn unsynced(&self) -> u64 {
        let all = self.dirty.iter().chain(&self.given_up);
        all.map(|(from, to)| (*to.min(&self.seen.len())).saturating_sub(*from) as u64).sum()
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if self.seen.len() < end {
            self.seen.resize(end, 0);
        }
        self.seen[at..end].copy_from_slice(bytes);
        self.touch(at, end);
    }

    pub(super) fn set_len(&mut self, bytes: usize) {
        let from = bytes.min(self.seen.len());
        let to = bytes.max(self.seen.len());
        self.seen.resize(bytes, 0);
        if from < to {
            self.touch(from, to);
        }
    }

    /// Everything seen is kept, but for what an earlier failure gave up.
    pub(super) fn sync(&mut self) {
        let seen = &self.seen;
        if self.kept.len() != seen.len() {
            self.kept.resize(seen.len(), 0);
        }
        for (from, to) in self.dirty.drain(..) {
            let to = to.min(seen.len());
            if from < to {
                self.kept[from..to].copy_from_slice(&seen[from..to]);
            }
        }
    }

    /// A sync that fails if there is something to write: the pages count as clean from now on, and the medium has none of
    /// them. Whether it failed.
    pub(super) fn fail_sync(&mut self) -> bool {
        let fails = !self.dirty.is_empty();
        self.given_up.append(&mut self.dirty);
        fails
    }

    /// The pages that count as clean are read from the medium again.
    fn evict(&mut self) {
        for (from, to) in self.given_up.drain(..) {
            for at in from..to.min(self.seen.len()) {
                self.seen[at] = self.kept.get(at).copied().unwrap_or(0);
            }
        }
    }

    fn cut(&mut self, dice: &mut Option<Dice>) -> u64 {
        let mut dropped = 0;
        for (from, to) in self.dirty.drain(..).chain(self.given_up.drain(..)) {
            let to = to.min(self.seen.len());
            let mut at = from;
            while at < to {
                let next = ((at / BLOCK + 1) * BLOCK).min(to);
                if dice.as_mut().is_some_and(|dice| dice.chance(2)) {
                    if self.kept.len() < next {
                        self.kept.resize(next, 0);
                    }
                    self.kept[at..next].copy_from_slice(&self.seen[at..next]);
                } else {
                    // What was only reserved is no loss.
                    let kept = self.kept.get(at..next.min(self.kept.len())).unwrap_or_default();
                    let same = self.seen[at..next]
                        .iter()
                        .enumerate()
                        .all(|(place, byte)| kept.get(place).copied().unwrap_or(0) == *byte);
                    dropped += if same { 0 } else { (next - at) as u64 };
                }
                at = next;
            }
        }
        self.seen.clone_from(&self.kept);
        dropped
    }
}

impl Directory {
    fn change(&mut self, change: Change) {
        apply(&mut self.seen, &change);
        self.changes.push(change);
    }

    fn cut(&mut self, dice: &mut Option<Dice>) -> u64 {
        // Names reach the medium in their order.
        let survive = dice.as_mut().map_or(0, |dice| dice.below(self.changes.len() as u64 + 1) as usize);
        let dropped = self.changes.len() - survive;
        for change in &self.changes[..survive] {
            apply(&mut self.kept, change);
        }
        self.changes.clear();
        self.seen.clone_from(&self.kept);
        dropped as u64
    }
}

fn apply(names: &mut BTreeMap<String, Number>, change: &Change) {
    match change {
        Change::Put(name, number) => drop(names.insert(name.clone(), *number)),
        Change::Drop(name) => drop(names.remove(name)),
        Change::Rename(from, to) => {
            if let Some(number) = names.remove(from) {
                names.insert(to.clone(), number);
            }
        }
    }
}

impl Tree {
    /// An empty one.
    pub(super) fn new() -> Tree {
        let root = (ROOT, Entry::Directory(Directory::default()));
        Tree { entries: HashMap::from([root]), opened: HashMap::new(), next: ROOT + 1 }
    }

    pub(super) fn entry(&self, number: Number) -> Option<&Entry> {
        self.entries.get(&number)
    }

    pub(super) fn file(&mut self, number: Number) -> Option<&mut File> {
        match self.entries.get_mut(&number)? {
            Entry::File(file) => Some(file),
            Entry::Directory(_) => None,
        }
    }

    fn directory(&mut self, number: Number) -> Option<&mut Directory> {
        match self.entries.get_mut(&number)? {
            Entry::Directory(directory) => Some(directory),
            Entry::File(_) => None,
        }
    }

    pub(super) fn find(&self, parent: Number, name: &str) -> Option<Number> {
        match self.entries.get(&parent)? {
            Entry::Directory(directory) => directory.seen.get(name).copied(),
            Entry::File(_) => None,
        }
    }

    /// A new file or directory under a name that nothing has.
    pub(super) fn create(&mut self, parent: Number, name: &str, is_directory: bool) -> Option<Number> {
        let number = self.next;
        self.directory(parent)?.change(Change::Put(name.to_owned(), number));
        self.next += 1;
        let entry =
            if is_directory { Entry::Directory(Directory::default()) } else { Entry::File(File::default()) };
        self.entries.insert(number, entry);
        Some(number)
    }

    pub(super) fn remove(&mut self, parent: Number, name: &str) {
        if let Some(directory) = self.directory(parent) {
            directory.change(Change::Drop(name.to_owned()));
        }
    }

    pub(super) fn rename(&mut self, from: (Number, &str), to: (Number, &str)) -> bool {
        let Some(number) = self.find(from.0, from.1) else { return false };
        if from.0 == to.0 {
            let change = Change::Rename(from.1.to_owned(), to.1.to_owned());
            return self.directory(from.0).map(|directory| directory.change(change)).is_some();
        }
        let Some(target) = self.directory(to.0) else { return false };
        target.change(Change::Put(to.1.to_owned(), number));
        self.remove(from.0, from.1);
        true
    }

    /// The names seen are kept.
    pub(super) fn sync_directory(&mut self, number: Number) {
        if let Some(directory) = self.directory(number) {
            directory.kept.clone_from(&directory.seen);
            directory.changes.clear();
        }
        self.forget_nameless();
    }

    /// The power goes: what is seen from now on is what the medium held, and whatever of the rest had reached it. Bytes are
    /// counted of files whose paths contain `counted`.
    pub(super) fn cut(&mut self, loss: Loss, counted: &str) -> Dropped {
        let counts: Vec<Number> = self
            .files()
            .into_iter()
            .filter(|(path, _)| path.contains(counted))
            .map(|(_, number)| number)
            .collect();
        let mut dice = match loss {
            Loss::Whole => None,
            Loss::Torn(seed) => Some(Dice::new(seed)),
        };
        let mut dropped = Dropped::default();
        let mut numbers: Vec<Number> = self.entries.keys().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            match self.entries.get_mut(&number) {
                Some(Entry::File(file)) => {
                    let bytes = file.cut(&mut dice);
                    dropped.bytes += if counts.contains(&number) { bytes } else { 0 };
                }
                Some(Entry::Directory(directory)) => dropped.names += directory.cut(&mut dice),
                None => {}
            }
        }
        self.forget_nameless();
        dropped
    }

    /// What a failed sync had given up is read from the medium from now on.
    pub(super) fn evict(&mut self) {
        for entry in self.entries.values_mut() {
            if let Entry::File(file) = entry {
                file.evict();
            }
        }
    }

    /// A process has opened a file.
    pub(super) fn open(&mut self, number: Number) {
        *self.opened.entry(number).or_default() += 1;
    }

    /// A process has closed a file.
    pub(super) fn close(&mut self, number: Number) {
        if let Some(count) = self.opened.get_mut(&number) {
            *count -= 1;
            if *count == 0 {
                self.opened.remove(&number);
            }
        }
    }

    /// Forgets what has no name any more, neither seen nor kept, and is open nowhere.
    fn forget_nameless(&mut self) {
        let (mut named, mut waiting) = (std::collections::HashSet::new(), vec![ROOT]);
        while let Some(number) = waiting.pop() {
            if named.insert(number)
                && let Some(Entry::Directory(directory)) = self.entries.get(&number)
            {
                waiting.extend(directory.seen.values().chain(directory.kept.values()));
            }
        }
        self.entries.retain(|number, _| named.contains(number) || self.opened.contains_key(number));
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        let files = self.entries.values().map(|entry| match entry {
            Entry::File(file) => file.seen.len() as u64,
            Entry::Directory(_) => 0,
        });
        files.sum()
    }

    /// Bytes that are not on the medium.
    pub(super) fn unsynced(&self) -> u64 {
        let files = self.entries.values().map(|entry| match entry {
            Entry::File(file) => file.unsynced(),
            Entry::Directory(_) => 0,
        });
        files.sum()
    }

    /// Path and number of every file, sorted by path.
    pub(super) fn files(&self) -> BTreeMap<String, Number> {
        let (mut files, mut waiting) = (BTreeMap::new(), vec![(String::new(), ROOT)]);
        while let Some((path, number)) = waiting.pop() {
            match self.entries.get(&number) {
                Some(Entry::Directory(directory)) => {
                    waiting.extend(directory.seen.iter().map(|(name, of)| (format!("{path}/{name}"), *of)));
                }
                Some(Entry::File(_)) => drop(files.insert(path, number)),
                None => {}
            }
        }
        files
    }

    /// Changes a file on the medium and in sight.
    pub(super) fn damage(&mut self, number: Number, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(file) = self.file(number) {
            file.sync();
            change(&mut file.kept);
            file.seen.clone_from(&file.kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(tree: &mut Tree, name: &str, bytes: &[u8]) -> Number {
        let number = tree.create(ROOT, name, false).unwrap();
        tree.file(number).unwrap().write(0, bytes);
        number
    }

    #[test]
    fn what_was_synced_survives_the_power_cut_and_the_rest_does_not() {
        let mut tree = Tree::new();
        let kept = file(&mut tree, "kept", b"one");
        tree.file(kept).unwrap().sync();
        tree.sync_directory(ROOT);
        tree.file(kept).unwrap().write(3, b"two");
        file(&mut tree, "gone", b"three");
        assert_eq!(tree.unsynced(), 8);
        assert_eq!(tree.cut(Loss::Whole, ""), Dropped { bytes: 8, names: 1 });
        assert_eq!(tree.files().into_keys().collect::<Vec<_>>(), ["/kept"]);
        assert_eq!(tree.file(kept).unwrap().seen, b"one");
    }

    #[test]
    fn a_synced_file_whose_name_was_not_is_gone() {
        let mut tree = Tree::new();
        let number = file(&mut tree, "nameless", b"one");
        tree.file(number).unwrap().sync();
        assert_eq!(tree.cut(Loss::Whole, ""), Dropped { bytes: 0, names: 1 });
        assert!(tree.files().is_empty());
    }

    #[test]
    fn after_a_failed_sync_the_next_one_succeeds_and_keeps_nothing() {
        let mut tree = Tree::new();
        let number = file(&mut tree, "log", b"one");
        tree.file(number).unwrap().sync();
        tree.sync_directory(ROOT);
        tree.file(number).unwrap().write(0, b"two");
        assert!(tree.file(number).unwrap().fail_sync(), "there was something to write");
        assert!(!tree.file(number).unwrap().fail_sync(), "it is told once");
        tree.file(number).unwrap().sync();
        assert_eq!(tree.file(number).unwrap().seen, b"two");
        let mut evicted = tree.clone();
        evicted.evict();
        assert_eq!(evicted.file(number).unwrap().seen, b"one");
        tree.cut(Loss::Whole, "");
        assert_eq!(tree.file(number).unwrap().seen, b"one");
    }

    #[test]
    fn a_torn_cut_keeps_some_blocks_and_loses_others() {
        let mut tree = Tree::new();
        let number = file(&mut tree, "log", &[1; 64 * BLOCK]);
        tree.sync_directory(ROOT);
        let dropped = tree.cut(Loss::Torn(7), "").bytes;
        assert!(dropped > 0 && dropped < 64 * BLOCK as u64, "{dropped}");
        let seen = &tree.file(number).unwrap().seen;
        assert!(seen.chunks(BLOCK).all(|block| block.iter().all(|byte| *byte == block[0])));
    }

    #[test]
    fn a_rename_that_was_not_synced_is_undone_as_a_whole() {
        let mut tree = Tree::new();
        file(&mut tree, "old", b"one");
        tree.sync_directory(ROOT);
        assert!(tree.rename((ROOT, "old"), (ROOT, "new")));
        assert!(tree.find(ROOT, "old").is_none());
        tree.cut(Loss::Whole, "");
        assert!(tree.find(ROOT, "old").is_some() && tree.find(ROOT, "new").is_none());
    }
}
