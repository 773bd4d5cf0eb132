//! How numbers and times are written on pages.

use std::fmt::Display;

use form_urlencoded::Serializer;

/// With spaces between thousands, which no language takes for anything else.
pub(super) fn number(number: impl Display) -> String {
    let digits = number.to_string();
    let grouped = digits.bytes().enumerate().flat_map(|(index, digit)| {
        let space = index > 0 && (digits.len() - index).is_multiple_of(3);
        space.then_some('\u{202f}').into_iter().chain([char::from(digit)])
    });
    grouped.collect()
}

/// Wall-clock time in ms since 1970 as UTC; empty for none.
pub(super) fn time(ms: &i64) -> String {
    let ms = *ms;
    if ms <= 0 {
        return String::new();
    }
    let (seconds, millis) = (ms.div_euclid(1000), ms.rem_euclid(1000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}.{millis:03} UTC", second % 60)
}

/// Days since 1970 as year, month and day: years are counted from March, so that the leap day comes last.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// How long something takes or lasts, from ms, in its two largest units.
pub(super) fn span(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// A path with a query.
pub(super) fn link(path: &str, query: &[(&str, &str)]) -> String {
    format!("{path}?{}", Serializer::new(String::new()).extend_pairs(query).finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_written_for_people() {
        assert_eq!((number(7), number(1234)), ("7".to_owned(), "1\u{202f}234".to_owned()));
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(time(&0), "");
        assert_eq!(time(&951_782_400_000), "2000-02-29 00:00:00.000 UTC");
        assert_eq!(time(&1_798_761_599_999), "2026-12-31 23:59:59.999 UTC");
        assert_eq!(time(&4_107_542_400_000), "2100-03-01 00:00:00.000 UTC");
        assert!(!time(&i64::MAX).is_empty());
        for (ms, text) in
            [(-5, "0 s"), (61_000, "1 min 1 s"), (7_260_000, "2 h 1 min"), (90_000_000, "1 d 1 h")]
        {
            assert_eq!(span(ms), text);
        }
        assert_eq!(link("/a", &[("name", "x y/&=+")]), "/a?name=x+y%2F%26%3D%2B");
    }
}
