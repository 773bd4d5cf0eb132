//! Which way imports run: layers, strangers, folders, and circles of files.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::{Modules, module_of};
use super::ratchet::{Found, Ratchets};
use super::syntax::{Mention, Source};

/// Pairs that the order of layers would allow: the first does not know the second.
const STRANGERS: [(&str, &str); 2] = [("coordination", "storage"), ("client", "broker")];

pub(super) fn judge(sources: &BTreeMap<String, Source>, ratchets: &Ratchets, out: &mut Vec<String>) {
    let modules = Modules::new(sources);
    let layers: Vec<&str> = sources
        .get("src/lib.rs")
        .map_or(Vec::new(), |lib| lib.modules.iter().map(|(name, _)| name.as_str()).collect());
    for (module, path) in modules.files() {
        let mentions = sources[path].mentions.iter();
        for mention in mentions.chain(sources[path].imports.iter().map(|import| &import.mention)) {
            let test = mention.test || modules.is_test(module);
            if let Some(target) = modules.absolute(module, mention) {
                arrow(sources, &layers, path, (mention, test), &target, out);
            }
        }
    }
    ratchets.circles.judge(circles(sources, &modules), out);
}

fn arrow(
    sources: &BTreeMap<String, Source>,
    layers: &[&str],
    path: &str,
    (mention, test): (&Mention, bool),
    target: &[String],
    out: &mut Vec<String>,
) {
    let rank = |name: Option<&String>| name.and_then(|name| layers.iter().position(|layer| layer == name));
    let module = module_of(path).unwrap_or_default();
    let (Some(own), Some(other)) = (rank(module.first()), rank(target.first())) else { return };
    // Tests may put strangers together.
    if other > own || (!test && STRANGERS.contains(&(layers[own], layers[other]))) {
        out.push(format!("{path}:{}: {} must not know {}", mention.line, layers[own], layers[other]));
    }
    if own == other {
        return;
    }
    // crate::storage::log names a file of another folder; crate::protocol::stomp names a folder.
    for depth in 2..=target.len() {
        let file = format!("src/{}.rs", target[..depth].join("/"));
        let folder = sources.get(&format!("src/{}/mod.rs", target[..depth - 1].join("/")));
        // A function may have its file's name.
        let handed_on =
            folder.is_some_and(|it| it.imports.iter().any(|it| it.public && it.name == target[depth - 1]));
        if sources.contains_key(&file) && !(depth == target.len() && handed_on) {
            out.push(format!("{path}:{}: import the folder, not {file}", mention.line));
        }
    }
}

/// Files each of which can be reached from itself by what it names. What a file only hands on does not count.
fn circles(sources: &BTreeMap<String, Source>, modules: &Modules<'_>) -> Vec<Found> {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (module, path) in modules.files().filter(|(module, _)| !modules.is_test(module)) {
        let imports = sources[path].imports.iter().filter(|import| !import.public);
        let mentions = sources[path].mentions.iter().chain(imports.map(|import| &import.mention));
        let targets = mentions.filter(|mention| !mention.test).filter_map(|it| modules.file_of(module, it));
        edges.insert(path, targets.filter(|target| *target != path).collect());
    }
    let mut found = Vec::new();
    for start in edges.keys() {
        if let Some(circle) = way_back(&edges, start) {
            found.push(Found::new(start, format!("{start}: stands in a circle: {}", circle.join(" -> "))));
        }
    }
    found
}

/// The shortest way from a file to itself.
fn way_back<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next = std::collections::VecDeque::from([start]);
    while let Some(file) = next.pop_front() {
        for target in edges.get(file).into_iter().flatten() {
            if *target == start {
                let mut way = vec![start, file];
                while way[way.len() - 1] != start {
                    way.push(from[way[way.len() - 1]]);
                }
                way.reverse();
                return Some(way);
            }
            if !from.contains_key(target) {
                from.insert(target, file);
                next.push_back(target);
            }
        }
    }
    None
}
