//! A small file system for each node of a cluster, and a file that fills it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::cluster::{Cluster, NODES};

/// One file system for each node, where its data is. To be dropped after the cluster.
pub(super) struct Volumes {
    root: PathBuf,
}

impl Volumes {
    /// Mounts `mib` MiB for each node of a cluster that does not run yet: tmpfs, or ext4 on a loop device if
    /// `QUORATE_VOLUMES=ext4` asks for it.
    pub(super) fn mount(cluster: &Cluster, name: &str, mib: u64) -> Volumes {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-volumes"));
        let volumes = Volumes { root };
        volumes.unmount();
        for node in 1..=NODES {
            let place = volumes.place(node);
            fs::create_dir_all(&place).unwrap();
            match std::env::var("QUORATE_VOLUMES").as_deref() {
                Ok("ext4") => {
                    let image = volumes.root.join(format!("image{node}"));
                    File::create(&image).unwrap().set_len(mib << 20).unwrap();
                    run("mkfs.ext4", &["-q", "-m", "0"], &[&image]);
                    run("mount", &["-o", "loop"], &[&image, &place]);
                }
                _ => run("mount", &["-t", "tmpfs", "-o", &format!("size={mib}m"), "quorate"], &[&place]),
            }
            symlink(&place, cluster.directory(node).join("data")).unwrap();
        }
        volumes
    }

    fn place(&self, node: usize) -> PathBuf {
        self.root.join(format!("node{node}"))
    }

    fn ballast(&self, node: usize) -> PathBuf {
        self.place(node).join("ballast")
    }

    /// Fills a node's file system to its last block; gives the bytes that this took.
    pub(super) fn fill(&self, node: usize) -> u64 {
        let mut ballast = File::create(self.ballast(node)).unwrap();
        let (zeros, mut filled) = (vec![0; 64 << 10], 0);
        for bytes in [zeros.len(), 4096] {
            loop {
                match ballast.write(&zeros[..bytes]).and_then(|written| ballast.flush().map(|()| written)) {
                    Ok(written) => filled += written as u64,
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("filling the volume of node {node}: {error}"),
                }
            }
        }
        ballast.sync_all().unwrap();
        filled
    }

    /// Gives the room back.
    pub(super) fn relieve(&self, node: usize) {
        fs::remove_file(self.ballast(node)).unwrap();
    }

    fn unmount(&self) {
        for node in 1..=NODES {
            // There may be none, of an earlier run or at all.
            Command::new("umount").arg(self.place(node)).stderr(std::process::Stdio::null()).status().ok();
        }
        fs::remove_dir_all(&self.root).ok();
    }
}

impl Drop for Volumes {
    fn drop(&mut self) {
        self.unmount();
    }
}

fn run(program: &str, arguments: &[&str], paths: &[&Path]) {
    let status = Command::new(program).args(arguments).args(paths).status();
    assert!(status.as_ref().is_ok_and(|it| it.success()), "{program} (as root): {status:?}");
}
