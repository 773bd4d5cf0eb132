//! The rules of the house that no compiler checks. Each rule is tried on a planted breach in `planted`.

mod arrows;
mod definitions;
mod modules;
mod parts;
mod planted;
mod ratchet;
mod surface;
mod syntax;
mod texts;
mod tree;
mod words;

use std::path::Path;

use ratchet::Ratchets;
use tree::Tree;

/// Everything that breaks a rule.
fn breaches(tree: &Tree, ratchets: &Ratchets) -> Vec<String> {
    let mut out = Vec::new();
    texts::judge(tree, ratchets, &mut out);
    words::judge(tree, ratchets, &mut out);
    let files = syntax::parse(tree, &mut out);
    let sources = syntax::sources(&files);
    definitions::judge(&sources, ratchets, &mut out);
    arrows::judge(&sources, ratchets, &mut out);
    parts::judge(&files, &sources, ratchets, &mut out);
    surface::judge(tree, &files, &sources, ratchets, &mut out);
    out
}

#[test]
fn the_house_is_tidy() {
    let found = breaches(&Tree::read(Path::new(env!("CARGO_MANIFEST_DIR"))), &Ratchets::TODAY);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}
