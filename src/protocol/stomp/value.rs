//! Values of headers. What cannot be read is refused with the header's name; it never counts as the default.

/// Whether a header says yes; in any case of letters, as some languages write their truth.
pub(super) fn flag(name: &str, value: &str) -> Result<bool, String> {
    match value.trim() {
        yes if yes.eq_ignore_ascii_case("true") => Ok(true),
        no if no.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(format!("header {name} is neither true nor false: {value}")),
    }
}

/// The whole number in a header.
pub(super) fn number(name: &str, value: &str) -> Result<i64, String> {
    value.trim().parse().map_err(|_| format!("header {name} is no number: {value}"))
}

/// The whole number in a header, if it is not above `most`, nor negative.
pub(super) fn bounded(name: &str, value: &str, most: u32) -> Result<u32, String> {
    let number = number(name, value)?;
    let fits = u32::try_from(number).ok().filter(|number| *number <= most);
    fits.ok_or_else(|| format!("header {name} is out of range: {value}; expected 0 to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_read_in_any_case_and_nothing_else_is_taken_for_it() {
        for (text, expected) in
            [("true", true), ("True", true), ("TRUE", true), ("False", false), (" false", false)]
        {
            assert_eq!(flag("persistent", text), Ok(expected), "{text}");
        }
        for text in ["1", "0", "yes", "", "t"] {
            assert!(flag("persistent", text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert_eq!((number("expires", "-1"), bounded("priority", " 9", 9)), (Ok(-1), Ok(9)));
        for text in ["10", "-1", "1.0", "", "99999999999999999999"] {
            assert!(bounded("priority", text, 9).is_err(), "{text}");
        }
    }
}
