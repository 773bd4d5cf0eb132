//! What is wrong with a configuration: where, which key, what was expected, and what may have been meant.

use std::fmt;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line and column of the file, both from 1.
    File {
        /// Line.
        line: usize,
        /// Column, in characters.
        column: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A `--set` argument: what stands before its `=`, because a secret may follow.
    Argument(String),
    /// Nowhere: the value is the default.
    Default,
}

/// One thing wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Origin,
    /// Dotted path of the key; empty if no key could be told.
    pub key: String,
    /// What is wrong and what was expected.
    pub message: String,
}

/// Everything that is wrong with a configuration, in the order of the file. Prints one line for each fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Name of the file as given; `None` when there is none.
    pub file: Option<String>,
    /// What is wrong; at least one.
    pub faults: Vec<Fault>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            describe(f, self.file.as_deref(), &fault.place, &fault.key, &fault.message)?;
        }
        Ok(())
    }
}

/// Writes `place: key: message`.
pub(super) fn describe(
    f: &mut impl fmt::Write,
    file: Option<&str>,
    place: &Origin,
    key: &str,
    message: &str,
) -> fmt::Result {
    match (place, file) {
        (Origin::File { line, column }, file) => {
            write!(f, "{}:{line}:{column}: ", file.unwrap_or("configuration"))?;
        }
        (Origin::Environment(name), _) => write!(f, "environment variable {name}: ")?,
        (Origin::Argument(path), _) if path == key => write!(f, "--set ")?,
        (Origin::Argument(path), _) => write!(f, "--set {path}: ")?,
        (Origin::Default, file) => write!(f, "{}: ", file.unwrap_or("configuration"))?,
    }
    if !key.is_empty() {
        write!(f, "{key}: ")?;
    }
    f.write_str(message)
}

/// The candidate that is most like `word`, if one is alike enough to have been meant. Case, `-` and ActiveMQ's
/// camelCase do not count as differences, a missing end counts little.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = snake(word);
    let bound = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| {
            let other = snake(candidate);
            let begins =
                word.len().min(other.len()) > 3 && (word.starts_with(&other) || other.starts_with(&word));
            (if begins { 1 } else { distance(&word, &other) }, candidate)
        })
        .filter(|(distance, _)| *distance <= bound)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `zkSessionTimeout` and `zk-session-timeout` as `zk_session_timeout`.
fn snake(word: &str) -> String {
    let mut out = String::with_capacity(word.len() + 4);
    let mut lower_before = false;
    for c in word.chars() {
        if c.is_uppercase() && lower_before {
            out.push('_');
        }
        lower_before = c.is_lowercase() || c.is_ascii_digit();
        out.extend(if c == '-' { '_' } else { c }.to_lowercase());
    }
    out
}

/// Edit distance: insertions, deletions, substitutions and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (above[j - 1] + same).min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_key() {
        let keys = ["zk_address", "zk_path", "zk_session_timeout", "replicas"];
        assert_eq!(nearest("zk_adress", keys), Some("zk_address"));
        assert_eq!(nearest("zkSessionTmeout", keys), Some("zk_session_timeout"));
        assert_eq!(nearest("zk-path", keys), Some("zk_path"));
        assert_eq!(nearest("relpicas", keys), Some("replicas"));
        assert_eq!(nearest("colour", keys), None);
    }
}
