//! The rules of the house that no compiler checks. Each rule is tried on a planted breach below.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const FOLDER_ENTRIES_MAX: usize = 16;
const ROOTS: [&str; 3] = ["src", "integration", "proto"];
/// Pairs that the order of layers would allow: the first does not know the second.
const STRANGERS: [(&str, &str); 2] = [("coordination", "storage"), ("client", "broker")];
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

/// Path -> text of every Rust file.
type Tree = BTreeMap<String, String>;

fn tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    for folder in ROOTS {
        collect(root, &root.join(folder), &mut tree);
    }
    tree
}

fn collect(root: &Path, folder: &Path, tree: &mut Tree) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, tree);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            tree.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

/// Everything that breaks a rule.
fn breaches(tree: &Tree) -> Vec<String> {
    let mut out = Vec::new();
    for (path, text) in tree {
        if !text.starts_with("//! ") {
            out.push(format!("{path}:1: the first line does not say what the file is for (//!)"));
        }
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            out.push(format!("{path}: {lines} lines, at most {FILE_LINES_MAX}"));
        }
        marks(path, text, &mut out);
        names(path, &mut out);
        functions(path, text, &mut out);
        arrows(tree, path, text, &mut out);
        declared(tree, path, &mut out);
    }
    folders(tree, &mut out);
    out
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
    for part in path.trim_end_matches(".rs").split('/') {
        if part.split('_').any(|word| NAMES_BANNED.contains(&word.trim_end_matches('s'))) {
            out.push(format!("{path}: {part:?} says nothing about what is in it"));
        }
    }
}

/// Functions as rustfmt leaves them: the closing brace stands under the `fn`.
fn functions(path: &str, text: &str, out: &mut Vec<String>) {
    let lines: Vec<&str> = text.lines().collect();
    for (start, line) in lines.iter().enumerate() {
        let bare = line.trim_start();
        let words = ["fn ", "pub fn ", "pub(super) fn ", "pub(crate) fn ", "async fn ", "pub async fn "];
        if !words.iter().any(|word| bare.starts_with(word)) || bare.ends_with('}') || bare.ends_with(';') {
            continue;
        }
        let close = format!("{}}}", &line[..line.len() - bare.len()]);
        let Some(length) = lines[start..].iter().position(|line| *line == close) else { continue };
        if length > FUNCTION_LINES_MAX {
            out.push(format!(
                "{path}:{}: a function of {length} lines, at most {FUNCTION_LINES_MAX}",
                start + 1
            ));
        }
    }
}

/// Modules in layer order, from `src/lib.rs`.
fn layers(tree: &Tree) -> Vec<String> {
    let lib = tree.get("src/lib.rs").map_or("", String::as_str);
    let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    modules.map(str::to_owned).collect()
}

fn arrows(tree: &Tree, path: &str, text: &str, out: &mut Vec<String>) {
    let layers = layers(tree);
    let Some(own) = path.strip_prefix("src/").map(|rest| rest.split(['/', '.']).next().unwrap_or_default())
    else {
        return;
    };
    let Some(rank) = layers.iter().position(|layer| layer == own) else { return };
    // Tests may put strangers together.
    let tests = path.contains("/tests");
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
        for (at, _) in line.match_indices("crate::") {
            let target = &line[at + "crate::".len()..];
            let parts: Vec<&str> = target
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
                .next()
                .unwrap_or_default()
                .split("::")
                .collect();
            let Some(below) = layers.iter().position(|layer| layer == parts[0]) else { continue };
            if below > rank || (!tests && STRANGERS.contains(&(own, parts[0]))) {
                out.push(format!("{path}:{}: {own} must not know {}", number + 1, parts[0]));
            }
            if below == rank {
                continue;
            }
            // crate::storage::log names a file of another folder; crate::protocol::stomp names a folder.
            for depth in 2..=parts.len() {
                let file = format!("src/{}.rs", parts[..depth].join("/"));
                if tree.contains_key(&file) {
                    out.push(format!("{path}:{}: import the folder, not {file}", number + 1));
                }
            }
        }
    }
}

/// Every file is declared by the file above it.
fn declared(tree: &Tree, path: &str, out: &mut Vec<String>) {
    let roots =
        ["src/lib.rs", "src/main.rs", "integration/main.rs", "integration/fuzz/main.rs", "proto/build.rs"];
    if roots.contains(&path) {
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
    let in_folder = tree.iter().filter(|(other, _)| other.rsplit_once('/').is_some_and(|(f, _)| f == folder));
    let known = parents.iter().filter_map(|parent| tree.get(parent)).chain(in_folder.map(|(_, text)| text));
    let found = known.flat_map(|text| text.lines()).any(|line| {
        let line = line.trim();
        line == declaration || line.ends_with(&format!(" {declaration}")) || line == by_path
    });
    if !found {
        out.push(format!("{path}: nobody declares this file"));
    }
}

fn folders(tree: &Tree, out: &mut Vec<String>) {
    let mut folders: BTreeMap<&str, std::collections::BTreeSet<&str>> = BTreeMap::new();
    for path in tree.keys() {
        for (at, _) in path.match_indices('/') {
            let entry = path[at + 1..].split('/').next().unwrap_or_default();
            folders.entry(&path[..at]).or_default().insert(entry);
        }
    }
    for (folder, entries) in folders {
        // The folder of the layers has one entry for each.
        if entries.len() > FOLDER_ENTRIES_MAX && folder != "src" {
            out.push(format!("{folder}: {} entries, at most {FOLDER_ENTRIES_MAX}", entries.len()));
        }
    }
}

#[test]
fn the_house_is_tidy() {
    let found = breaches(&tree(Path::new(env!("CARGO_MANIFEST_DIR"))));
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn planted(files: &[(&str, &str)]) -> Vec<String> {
    let lib = "//! Lib.\npub mod model;\npub mod storage;\npub mod coordination;\npub mod broker;\npub mod client;\n";
    let mut tree = Tree::from([("src/lib.rs".to_owned(), lib.to_owned())]);
    for module in ["model", "storage", "coordination", "broker", "client"] {
        tree.insert(format!("src/{module}/mod.rs"), "//! M.\npub mod log;\n".to_owned());
        tree.insert(format!("src/{module}/log.rs"), "//! L.\n".to_owned());
    }
    for (path, text) in files {
        tree.insert((*path).to_owned(), (*text).to_owned());
    }
    breaches(&tree)
}

#[test]
fn a_tidy_tree_is_let_through() {
    let text = "//! L.\nuse crate::model::Epoch;\nuse crate::storage::{Log, open};\n";
    assert_eq!(planted(&[("src/broker/log.rs", text)]), [""; 0]);
}

#[test]
fn every_rule_finds_its_breach() {
    let long_file = format!("//! L.\n{}", "// x\n".repeat(FILE_LINES_MAX));
    let long_function = format!("//! L.\npub fn f() {{\n{}}}\n", "    x();\n".repeat(FUNCTION_LINES_MAX));
    let mark = format!("//! L.\n// {}{} later\n", "TO", "DO");
    let cases: [(&str, &str, &str); 9] = [
        (
            "src/model/log.rs",
            "//! L.\nuse crate::broker::Gate;",
            "src/model/log.rs:2: model must not know broker",
        ),
        (
            "src/coordination/log.rs",
            "//! L.\nuse crate::storage::Log;",
            "src/coordination/log.rs:2: coordination must not know storage",
        ),
        (
            "src/broker/log.rs",
            "//! L.\nuse crate::storage::log::Log;",
            "src/broker/log.rs:2: import the folder, not src/storage/log.rs",
        ),
        (
            "src/broker/log.rs",
            "fn f() {}",
            "src/broker/log.rs:1: the first line does not say what the file is for (//!)",
        ),
        ("src/broker/log.rs", &long_file, "src/broker/log.rs: 801 lines, at most 800"),
        ("src/broker/log.rs", &long_function, "src/broker/log.rs:2: a function of 71 lines, at most 70"),
        ("src/broker/log.rs", &mark, "src/broker/log.rs:2: TO"),
        ("src/broker/dead.rs", "//! D.", "src/broker/dead.rs: nobody declares this file"),
        (
            "src/broker/log_utils.rs",
            "//! U.",
            "src/broker/log_utils.rs: \"log_utils\" says nothing about what is in it",
        ),
    ];
    for (path, text, expected) in cases {
        let found = planted(&[(path, text)]);
        assert!(found.iter().any(|breach| breach.starts_with(expected)), "{expected}: {found:?}");
    }
    let names: Vec<String> = (0..FOLDER_ENTRIES_MAX).map(|n| format!("src/broker/a{n}.rs")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "//! A.")).collect();
    assert!(planted(&files).contains(&"src/broker: 18 entries, at most 16".to_owned()));
}
