//! Files in the form of Java's properties, as ActiveMQ's `users.properties` and `groups.properties` are.

use std::iter::Peekable;
use std::str::Chars;

/// Longest file in bytes: some ten thousand users.
pub(super) const BYTES_MAX: usize = 4 << 20;

/// One `key = value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyLine {
    /// Line of its key, from 1.
    pub line: usize,
    /// The key.
    pub key: String,
    /// The value; empty if there is none.
    pub value: String,
}

/// Reads all entries in the order of the file.
///
/// # Errors
/// The line, and what is wrong with it. The text of a value is never in it: it may be a secret.
pub fn parse(text: &str) -> Result<Vec<PropertyLine>, (usize, String)> {
    if text.len() > BYTES_MAX {
        return Err((1, format!("the file has more than {} MiB", BYTES_MAX >> 20)));
    }
    let mut entries: Vec<PropertyLine> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, first)) = lines.next() {
        let first = first.trim_start();
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while is_continued(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start());
        }
        let (key, value) = split(&logical).map_err(|message| (index + 1, message))?;
        entries.push(PropertyLine { line: index + 1, key, value });
    }
    Ok(entries)
}

/// Whether the line ends in a backslash that is not escaped itself.
fn is_continued(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn split(line: &str) -> Result<(String, String), String> {
    let mut chars = line.chars().peekable();
    let mut key = String::new();
    while let Some(next) = chars.next_if(|c| !matches!(c, '=' | ':') && !c.is_whitespace()) {
        key.push(if next == '\\' { escaped(&mut chars)? } else { next });
    }
    while chars.next_if(|c| c.is_whitespace()).is_some() {}
    if chars.next_if(|c| matches!(c, '=' | ':')).is_some() {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
    }
    let mut value = String::new();
    while let Some(next) = chars.next() {
        value.push(if next == '\\' { escaped(&mut chars)? } else { next });
    }
    if key.is_empty() {
        return Err("a line without a name; expected name=value".to_owned());
    }
    if key.contains('\0') || value.contains('\0') {
        return Err("a null character".to_owned());
    }
    // Java keeps blanks at the end, and nobody means them.
    value.truncate(value.trim_end().len());
    Ok((key, value))
}

fn escaped(chars: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    Ok(match chars.next() {
        Some('t') => '\t',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('f') => '\u{c}',
        Some('u') => {
            let mut code = 0;
            for _ in 0..4 {
                let digit = chars.next().and_then(|c| c.to_digit(16));
                code = code * 16 + digit.ok_or("\\u without four hexadecimal digits")?;
            }
            char::from_u32(code).ok_or("\\u with half of a character; write the character itself")?
        }
        Some(other) => other,
        None => return Err("a backslash at the end of the file".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_java_writes_is_read() {
        let text =
            "# c\n! c\n\nsystem=manager\n user : pass word \nempty\nlong = a,\\\n   b\nq\\=r\\u00e9=\\:x\n";
        let entries = parse(text).unwrap();
        let found: Vec<_> = entries.iter().map(|it| (it.line, it.key.as_str(), it.value.as_str())).collect();
        let expected = [
            (4, "system", "manager"),
            (5, "user", "pass word"),
            (6, "empty", ""),
            (7, "long", "a,b"),
            (9, "q=r\u{e9}", ":x"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_none_is_told_by_its_line_and_never_by_its_value() {
        for text in ["a=b\n=secret", "a=b\nx=secret\\u12", "a=b\nx=secret\\ud800", "a=b\nx\\u0000=secret"] {
            let (line, message) = parse(text).unwrap_err();
            assert!(line == 2 && !message.contains("secret"), "{text}: {message}");
        }
        assert!(parse(&"x".repeat(BYTES_MAX + 1)).is_err());
    }
}
