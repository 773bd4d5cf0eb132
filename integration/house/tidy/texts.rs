//! Rules that need no syntax: names, first lines, lengths, marks, folders, the root.

use std::collections::{BTreeMap, BTreeSet};

use super::ratchet::{Found, Ratchets};
use super::tree::{ROOTS, Tree};

pub(super) const FILE_LINES_MAX: usize = 800;
/// A file that is longer does not get any company: the ratchet names those that there are.
pub(super) const FILE_LINES_LONG: usize = 500;
/// What a folder's `mod.rs` holds is the folder's surface; its work stands in files with names.
pub(super) const SURFACE_LINES_MAX: usize = 200;
pub(super) const FOLDER_ENTRIES_MAX: usize = 16;
/// What stands in the root beside the folders that are judged; the last row is what a build and a run leave there.
const ROOT: [&str; 19] = [
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "RELIABILITY.md",
    "SECURITY.md",
    "Cargo.lock",
    "Cargo.toml",
    "build.rs",
    "clippy.toml",
    "rustfmt.toml",
    ".gitignore",
    ".ci",
    ".git",
    // What stays on one machine.
    ".cargo",
    "run",
    "target",
];
/// Marks that mean "not finished" or "not looked at"; in two parts, so that this file does not name itself.
const MARKS: [(&str, &str); 7] = [
    ("TO", "DO"),
    ("FIX", "ME"),
    ("X", "XX:"),
    ("todo", "!("),
    ("unimplemented", "!("),
    ("#[", "ignore"),
    ("#[", "allow("),
];
const NAMES_BANNED: [&str; 6] = ["util", "common", "helper", "manager", "misc", "impl"];
/// Folders of data: a file for each case.
const CASES: [&str; 1] = ["integration/fuzz/corpus"];
/// Endings of files that have comments, and what a comment begins with.
const COMMENTS: [(&str, &[&str]); 7] = [
    (".rs", &["//! "]),
    (".proto", &["// "]),
    (".bash", &["# "]),
    (".toml", &["# "]),
    (".cfg", &["# "]),
    (".py", &["\"\"\"", "# "]),
    (".md", &["# "]),
];
/// Quoted to the letter, or written by a command.
const WITHOUT_TITLE: [&str; 2] = ["integration/clients/article.py", "integration/results/long.md"];

pub(super) fn judge(tree: &Tree, ratchets: &Ratchets, out: &mut Vec<String>) {
    let (mut long, mut surfaces) = (Vec::new(), Vec::new());
    for (path, text) in &tree.files {
        first_line(path, text, out);
        names(path, out);
    }
    for (path, text) in tree.rust() {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            out.push(format!("{path}: {lines} lines, at most {FILE_LINES_MAX}"));
        } else if lines > FILE_LINES_LONG {
            long.push(Found::new(path, format!("{path}: {lines} lines, more than {FILE_LINES_LONG}")));
        }
        if path.ends_with("/mod.rs") && lines > SURFACE_LINES_MAX {
            let breach = format!("{path}: {lines} lines, a mod.rs has at most {SURFACE_LINES_MAX}");
            surfaces.push(Found::new(path, breach));
        }
        marks(path, text, out);
        declared(tree, path, out);
    }
    ratchets.long_files.judge(long, out);
    ratchets.surfaces.judge(surfaces, out);
    folders(tree, out);
    for name in
        tree.root.iter().filter(|name| !ROOT.contains(&name.as_str()) && !ROOTS.contains(&name.as_str()))
    {
        out.push(format!("{name}: does not belong into the root"));
    }
}

/// The first line says what a file is for; a line for the interpreter or the language may stand before it.
fn first_line(path: &str, text: &str, out: &mut Vec<String>) {
    let script = text.starts_with("#!");
    let ending = COMMENTS.iter().find(|(ending, _)| path.ends_with(ending) || (script && *ending == ".bash"));
    let Some((ending, openings)) = ending.filter(|_| !WITHOUT_TITLE.contains(&path)) else { return };
    let mut lines = text.lines();
    if *ending != ".rs" {
        let before =
            |line: &&str| ["#!", "syntax ", "# shellcheck "].iter().any(|word| line.starts_with(word));
        lines = text[lines.clone().take_while(before).map(|line| line.len() + 1).sum::<usize>()..].lines();
    }
    let first = lines.next().unwrap_or_default();
    if !openings.iter().any(|opening| first.strip_prefix(opening).is_some_and(|rest| !rest.trim().is_empty()))
    {
        let opening = openings[0].trim();
        out.push(format!("{path}:1: the first line does not say what the file is for ({opening})"));
    }
}

fn marks(path: &str, text: &str, out: &mut Vec<String>) {
    for (number, line) in text.lines().enumerate() {
        for (one, two) in MARKS {
            // What a generator wrote cannot be mended here.
            if line.contains(&format!("{one}{two}")) && !line.contains("reason = \"generated code\"") {
                out.push(format!("{path}:{}: {one}{two}", number + 1));
            }
        }
    }
}

fn names(path: &str, out: &mut Vec<String>) {
    for part in path.split('/').map(|part| part.split('.').next().unwrap_or_default()) {
        if part.split(['_', '-']).any(|word| NAMES_BANNED.contains(&word.trim_end_matches('s'))) {
            out.push(format!("{path}: {part:?} says nothing about what is in it"));
        }
    }
}

/// Every Rust file is declared by the file above it.
fn declared(tree: &Tree, path: &str, out: &mut Vec<String>) {
    let roots = ["src/lib.rs", "src/main.rs", "integration/main.rs", "integration/fuzz/main.rs"];
    if roots.contains(&path) || path.starts_with("scripts/") {
        return;
    }
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let (folder, name) = match file {
        "mod.rs" => folder.rsplit_once('/').unwrap_or(("", folder)),
        _ => (folder, file.trim_end_matches(".rs")),
    };
    let parents = [
        format!("{folder}/mod.rs"),
        format!("{folder}/lib.rs"),
        format!("{folder}/main.rs"),
        format!("{folder}.rs"),
    ];
    let declaration = format!("mod {name};");
    let by_path = format!("#[path = \"{file}\"]");
    let in_folder = tree.rust().filter(|(other, _)| other.rsplit_once('/').is_some_and(|(f, _)| f == folder));
    let known = parents.iter().filter_map(|parent| tree.files.get(parent).map(String::as_str));
    let found = known.chain(in_folder.map(|(_, text)| text)).flat_map(str::lines).any(|line| {
        let line = line.trim();
        line == declaration || line.ends_with(&format!(" {declaration}")) || line == by_path
    });
    if !found {
        out.push(format!("{path}: nobody declares this file"));
    }
}

fn folders(tree: &Tree, out: &mut Vec<String>) {
    let mut folders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for path in tree.files.keys() {
        for (at, _) in path.match_indices('/') {
            let entry = path[at + 1..].split('/').next().unwrap_or_default();
            folders.entry(&path[..at]).or_default().insert(entry);
        }
    }
    for (folder, entries) in folders {
        // The folder of the layers has one entry for each.
        let free = folder == "src" || CASES.iter().any(|cases| folder.starts_with(cases));
        if entries.len() > FOLDER_ENTRIES_MAX && !free {
            out.push(format!("{folder}: {} entries, at most {FOLDER_ENTRIES_MAX}", entries.len()));
        }
    }
}
