//! The glossary: words that a newcomer has to learn may become fewer, not more.

use super::ratchet::Ratchets;
use super::tree::{MAP, Tree};

pub(super) fn judge(tree: &Tree, ratchets: &Ratchets, out: &mut Vec<String>) {
    let text = tree.files.get(MAP).map_or("", String::as_str);
    let glossary = text.split("\n## ").find_map(|section| section.strip_prefix("Glossary\n"));
    let rows = glossary.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| "));
    // Head and rule of the table are no words.
    let words =
        rows.filter(|row| !row.starts_with("word |")).map(|row| row.split(" |").next().unwrap_or_default());
    let mut found: Vec<(usize, String)> = Vec::new();
    for word in words.flat_map(|words| words.split(", ")) {
        if found.iter().any(|(_, known)| *known == format!("{MAP}: {word}")) {
            out.push(format!("{MAP}: {word} stands twice in the glossary"));
        }
        found.push((1, format!("{MAP}: {word}")));
    }
    ratchets.words.judge(&found, out);
}
