//! Who this store is and what it has promised. One small file, replaced as a whole: a promise that was told to anyone is
//! on the disk before.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crc_fast::{CrcAlgorithm, checksum};
use serde::{Deserialize, Serialize};

use super::StorageError;
use crate::env::{Disk, random_u128};
use crate::model::{FORMAT, Identity, Promise, StoreId};

const NAME: &str = "identity.json";
/// What a damaged one is called from then on, for whoever wants to look at it.
const DAMAGED: &str = "identity.damaged";
/// A longer file is no identity.
const BYTES_MAX: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Envelope {
    format: u32,
    #[serde(flatten)]
    identity: Identity,
}

/// The file that holds an [`Identity`]: a line of JSON and a line with its CRC-32C.
pub struct IdentityFile {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl IdentityFile {
    /// Reads the identity in `dir`, or formats a new store there when there is none, or none that can be read: what the
    /// store has promised is gone then, so that it is another one, without a vote until the group takes it in.
    ///
    /// # Errors
    /// [`StorageError::File`]: the file is of a newer version or another node's; the text says what to do.
    /// [`StorageError::Io`]: the disk.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        node: &str,
    ) -> Result<(IdentityFile, Identity), StorageError> {
        disk.create_dir_all(dir).map_err(StorageError::io("create", dir))?;
        let file = IdentityFile { disk, dir: dir.to_owned() };
        if let Some(identity) = file.read()? {
            if identity.node != node {
                let reason = format!(
                    "the store belongs to node {}, but this is node {node}: correct the data directory or the node's name",
                    identity.node
                );
                return Err(StorageError::File { path: dir.join(NAME), reason });
            }
            return Ok((file, identity));
        }
        let store = StoreId(random_u128());
        let identity = Identity { store, node: node.to_owned(), promise: Promise::default(), known: None };
        file.save(&identity)?;
        Ok((file, identity))
    }

    /// Whether `dir` holds an identity, readable or not.
    pub(super) fn exists(disk: &dyn Disk, dir: &Path) -> Result<bool, StorageError> {
        let names = disk.list(dir).map_err(StorageError::io("list", dir))?;
        Ok(names.iter().any(|name| name == NAME))
    }

    /// How many stores have a vote in the group that the store in `dir` knows; 1 when it knows of none.
    pub(super) fn voters(disk: Arc<dyn Disk>, dir: &Path) -> usize {
        let read = IdentityFile { disk, dir: dir.to_owned() }.read();
        read.ok().flatten().and_then(|identity| identity.known).map_or(1, |known| known.voters.len())
    }

    /// None when there is no identity; a damaged one is put aside.
    fn read(&self) -> Result<Option<Identity>, StorageError> {
        let path = self.dir.join(NAME);
        let read = || -> io::Result<Vec<u8>> {
            let file = self.disk.open(&path)?;
            let mut bytes = vec![0; file.len()?.min(BYTES_MAX) as usize];
            let read = file.read_at(0, &mut bytes)?;
            bytes.truncate(read);
            Ok(bytes)
        };
        let bytes = match read() {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(StorageError::io("read", &path)(e)),
        };
        let json = match sealed(&bytes) {
            Some(json) => json,
            None => {
                let aside = self.dir.join(DAMAGED);
                tracing::error!(
                    path = %path.display(),
                    kept = %aside.display(),
                    "the store's identity is damaged, and with it what this store has promised: it is another store from now on"
                );
                self.disk.rename(&path, &aside).map_err(StorageError::io("rename", &path))?;
                return Ok(None);
            }
        };
        decode(json).map(Some).map_err(|reason| StorageError::File { path, reason })
    }

    /// Durably replaces the identity. After an error it is unknown which one is on the disk: nothing may be promised
    /// any more in this process.
    ///
    /// # Errors
    /// [`StorageError::Io`]: the disk.
    pub fn save(&self, identity: &Identity) -> Result<(), StorageError> {
        let (path, draft) = (self.dir.join(NAME), self.dir.join("identity.tmp"));
        let envelope = Envelope { format: FORMAT, identity: identity.clone() };
        let write = || {
            let mut text = serde_json::to_string(&envelope)?;
            text.push_str(&format!("\n{:08x}\n", crc(text.as_bytes())));
            let file = self.disk.create(&draft)?;
            file.write_at(0, &mut [IoSlice::new(text.as_bytes())])?;
            file.sync_data()?;
            self.disk.rename(&draft, &path)?;
            self.disk.sync_dir(&self.dir)
        };
        write().map_err(StorageError::io("write", &path))
    }
}

fn crc(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// The line of JSON in the file's bytes, if they are as they were written.
fn sealed(bytes: &[u8]) -> Option<&[u8]> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (json, sum) = (lines.next()?, lines.next()?);
    let whole =
        sum == format!("{:08x}", crc(json)).as_bytes() && lines.next() == Some(b"") && lines.next().is_none();
    whole.then_some(json)
}

fn decode(json: &[u8]) -> Result<Identity, String> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let foreign = |e: serde_json::Error| format!("it is whole, but no identity that this program knows: {e}");
    let Version { format } = serde_json::from_slice(json).map_err(foreign)?;
    if format > FORMAT {
        return Err(format!(
            "it is of format {format}, this program knows {FORMAT}: start the newer version"
        ));
    }
    if format < FORMAT {
        return Err(format!(
            "it is of format {format}, which no release has written: begin with an empty folder"
        ));
    }
    let envelope: Envelope = serde_json::from_slice(json).map_err(foreign)?;
    Ok(envelope.identity)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::env::SystemDisk;
    use crate::model::{Claim, Epoch, GroupId, Known, Voter};

    fn open(dir: &Path) -> Result<(IdentityFile, Identity), StorageError> {
        IdentityFile::open(Arc::new(SystemDisk), dir, "n1")
    }

    #[test]
    fn a_store_keeps_its_identity_and_its_promise() {
        let dir = tempfile::tempdir().unwrap();
        let (file, mut identity) = open(dir.path()).unwrap();
        assert_eq!(open(dir.path()).unwrap().1, identity);
        identity.promise = Promise { epoch: Epoch(u64::MAX), claim: Claim(7) };
        identity.known = Some(Known {
            group_id: GroupId(1 << 100),
            epoch: Epoch(3),
            config: 4,
            voters: vec![Voter { node: "n1".into(), store: identity.store }],
        });
        file.save(&identity).unwrap();
        assert_eq!(open(dir.path()).unwrap().1, identity);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(open(other.path()).unwrap().1.store, identity.store);
    }

    #[test]
    fn a_store_whose_identity_is_damaged_is_another_one_and_stays_that() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path()).unwrap().1;
        let path = dir.path().join(NAME);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 1;
            for bad in [&flipped[..], &good[..at]] {
                fs::write(&path, bad).unwrap();
                let identity = open(dir.path()).unwrap().1;
                assert_ne!(identity.store, first.store, "byte {at}");
                assert_eq!((identity.promise, &identity.known), (Promise::default(), &None));
                assert_eq!(fs::read(dir.path().join(DAMAGED)).unwrap(), bad);
                assert_eq!(open(dir.path()).unwrap().1, identity);
            }
        }
    }

    #[test]
    fn another_nodes_store_and_another_version_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).unwrap();
        let Err(error) = IdentityFile::open(Arc::new(SystemDisk), dir.path(), "n2") else { panic!() };
        assert!(error.to_string().contains("belongs to node n1"), "{error}");
        for (format, answer) in [(FORMAT + 1, "newer version"), (FORMAT - 1, "no release has written")] {
            let json = format!(r#"{{"format":{format},"anything":"else"}}"#);
            fs::write(dir.path().join(NAME), format!("{json}\n{:08x}\n", crc(json.as_bytes()))).unwrap();
            let Err(error) = open(dir.path()) else { panic!() };
            assert!(error.to_string().contains(answer), "{error}");
        }
        fs::write(dir.path().join(NAME), format!("[]\n{:08x}\n", crc(b"[]"))).unwrap();
        let Err(error) = open(dir.path()) else { panic!() };
        assert!(error.to_string().contains("it is whole, but"), "{error}");
    }
}
