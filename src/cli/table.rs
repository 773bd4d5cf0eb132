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

/// A table that is printed in parts. Columns are as wide as their widest cell so far; where all cells of the first part are
/// numbers they stand at the right.
pub(super) struct Columns {
    header: Vec<String>,
    widths: Vec<usize>,
    /// Which columns are of numbers; nothing was printed yet.
    numbers: Option<Vec<bool>>,
}

impl Columns {
    pub(super) fn new(header: &[&str]) -> Columns {
        Columns {
            header: header.iter().map(|name| (*name).to_owned()).collect(),
            widths: header.iter().map(|name| name.chars().count()).collect(),
            numbers: None,
        }
    }

    /// The next rows, before the first of them the header.
    pub(super) fn print(&mut self, rows: &[Vec<String>]) -> String {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let first = self.numbers.is_none().then_some(&self.header);
        let is_number =
            |index: usize| !rows.is_empty() && rows.iter().all(|row| row[index].parse::<f64>().is_ok());
        let numbers = self.numbers.get_or_insert_with(|| (0..self.header.len()).map(is_number).collect());
        let mut text = String::new();
        for row in first.into_iter().chain(rows) {
            let mut line = String::new();
            for ((cell, width), number) in row.iter().zip(&self.widths).zip(&*numbers) {
                let pad = " ".repeat(width - cell.chars().count());
                let (before, after) = if *number { (&*pad, "") } else { ("", &*pad) };
                line.push_str(&format!("{before}{cell}{after}  "));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A list that is printed page by page as it comes, so that neither the node nor the command holds all of it. For programs it
/// is one JSON array, for people one table.
pub(super) struct Listing {
    json: bool,
    columns: Columns,
    /// Whether anything was printed.
    begun: bool,
}

impl Listing {
    pub(super) fn new(json: bool, header: &[&str]) -> Listing {
        Listing { json, columns: Columns::new(header), begun: false }
    }

    /// Prints a page.
    pub(super) fn print<T: Serialize>(
        &mut self,
        page: &[T],
        row: impl Fn(&T) -> Vec<String>,
    ) -> Result<(), Failure> {
        if page.is_empty() {
            return Ok(());
        }
        let text = if self.json {
            self.items(page)?
        } else {
            let rows: Vec<_> = page.iter().map(row).collect();
            self.columns.print(&rows)
        };
        self.begun = true;
        print(&text)
    }

    /// The items as they stand in an array that is printed in the same form as other answers.
    fn items<T: Serialize>(&self, page: &[T]) -> Result<String, Failure> {
        let array = serde_json::to_string_pretty(page)?;
        let items = array.strip_prefix('[').and_then(|rest| rest.strip_suffix("\n]")).unwrap_or(&array);
        Ok(format!("{}{items}", if self.begun { "," } else { "[" }))
    }

    /// Prints what belongs behind the last page.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        match (self.json, self.begun) {
            (true, true) => print("\n]\n"),
            (true, false) => print("[]\n"),
            (false, true) => Ok(()),
            (false, false) => print(&self.columns.print(&[])),
        }
    }
}

/// A whole table.
pub(super) fn columns(header: &[&str], rows: &[Vec<String>]) -> String {
    Columns::new(header).print(rows)
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

    #[test]
    fn the_parts_of_a_table_have_one_header_and_columns_that_only_grow() {
        let mut table = Columns::new(&["name", "size"]);
        assert_eq!(
            table.print(&[vec!["LONG.NAME".to_owned(), "7".to_owned()]]),
            "name       size\nLONG.NAME     7\n"
        );
        assert_eq!(table.print(&[vec!["12".to_owned(), "1200".to_owned()]]), "12         1200\n");
    }

    #[test]
    fn pages_of_json_are_together_what_the_whole_list_is() {
        let whole = ["a\n]", "b", "c"];
        let mut listing = Listing::new(true, &[]);
        let mut text = String::new();
        for page in whole.chunks(2) {
            text += &listing.items(page).unwrap();
            listing.begun = true;
        }
        assert_eq!(text + "\n]", serde_json::to_string_pretty(&whole).unwrap());
    }
}
