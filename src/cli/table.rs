//! What commands print: JSON for programs, columns for people.

use std::io::{self, Write};

use serde::Serialize;

use super::exit::Failure;

/// Prints one JSON document.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(&text)
}

/// Prints text as it is, and returns once it is written: a reader that went away is a failure, because what it has not
/// read is done for nobody.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| {
        let context = match error.kind() {
            io::ErrorKind::BrokenPipe => "nobody reads the standard output any more",
            _ => "cannot write to the standard output",
        };
        anyhow::Error::new(error).context(context).into()
    })
}

/// What went wrong, as it is told on stderr.
pub(super) fn complaint(json: bool, failure: &Failure) -> String {
    let told = told(&failure.error);
    if json {
        fault(&told, failure.exit)
    } else {
        format!(
            "quorate: {told}
"
        )
    }
}

/// Tells it.
pub(super) fn complain(text: &str) {
    // Nobody is left to tell if this fails.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// An error as one line of JSON.
pub(super) fn fault(error: &str, exit: u8) -> String {
    format!("{}\n", serde_json::json!({ "error": error, "exit_code": exit }))
}

/// The error and what caused it, each once: many errors have their cause in their own text.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Columns, as wide as their widest cell; numbers stand at the right.
pub(super) fn columns(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|name| name.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    for row in std::iter::once(&header).chain(rows) {
        let mut line = String::new();
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let number = rows.iter().all(|row| row[index].parse::<f64>().is_ok());
            let pad = " ".repeat(width - cell.chars().count());
            let (before, after) =
                if number && !rows.is_empty() { (pad, String::new()) } else { (String::new(), pad) };
            line.push_str(&format!("{before}{cell}{after}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `key  value` lines, values in one column.
pub(super) fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    pairs.iter().map(|(key, value)| format!("{key:width$}  {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_the_error_has_in_its_own_text_is_told_once() {
        let error = anyhow::anyhow!("in use").context("cannot open: in use").context("no start");
        assert_eq!(told(&error), "no start: cannot open: in use");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_numbers_stand_right() {
        let rows = [vec!["A.LONG.NAME".to_owned(), "7".to_owned()], vec!["B".to_owned(), "1200".to_owned()]];
        assert_eq!(
            columns(&["name", "size"], &rows),
            "name         size\nA.LONG.NAME     7\nB            1200\n"
        );
    }
}
