//! The tree that is judged: every file as text, and the Rust files as syntax too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Folders of the root whose files are judged.
pub(super) const ROOTS: [&str; 6] = ["src", "integration", "proto", "scripts", "config", "zk"];

/// The map, which has the glossary.
pub(super) const MAP: &str = "ARCHITECTURE.md";

/// What is judged.
#[derive(Default)]
pub(super) struct Tree {
    /// Path -> text of every file below [`ROOTS`], and of the [`MAP`].
    pub(super) files: BTreeMap<String, String>,
    /// What else stands in the root: files and folders.
    pub(super) root: BTreeSet<String>,
}

impl Tree {
    /// The tree as it stands on the disk.
    pub(super) fn read(root: &Path) -> Tree {
        let mut tree = Tree::default();
        for entry in fs::read_dir(root).unwrap() {
            tree.root.insert(entry.unwrap().file_name().into_string().unwrap());
        }
        tree.files.insert(MAP.to_owned(), fs::read_to_string(root.join(MAP)).unwrap());
        for folder in ROOTS {
            collect(root, &root.join(folder), &mut tree.files);
        }
        tree
    }

    /// The Rust files.
    pub(super) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        files.filter(|(path, _)| path.ends_with(".rs"))
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // What Python leaves behind is not ours.
            if !path.ends_with("__pycache__") {
                collect(root, &path, files);
            }
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned());
        }
    }
}
