//! What is no selector: where it stops to be one and what was expected, and how large one may be.

use super::super::like::{PIECES_MAX, WILD_PIECE_CHARS_MAX};
use super::super::parser::{DEPTH_MAX, NODES_MAX};
use super::super::{SELECTOR_BYTES_MAX, Selector, SelectorError};

fn refusal(text: &str) -> SelectorError {
    Selector::parse(text).err().unwrap_or_else(|| panic!("{text} is a selector"))
}

#[test]
fn a_refusal_names_the_place_and_what_was_expected() {
    for (text, position, problem) in [
        ("", 1, "a value was expected, found the end"),
        ("a = ", 5, "a value was expected, found the end"),
        ("é = ü AND", 10, "a value was expected, found the end"),
        ("a = 1)", 6, "an operator or the end was expected, found )"),
        ("(a = 1", 7, ") was expected, found the end"),
        ("a = 1 b = 2", 7, "found b"),
        ("a NOT = 1", 7, "LIKE, IN or BETWEEN was expected, found ="),
        ("a IS 1", 6, "NULL was expected, found 1"),
        ("a LIKE b", 8, "a string was expected, found b"),
        ("a LIKE 'b' ESCAPE 'cd'", 19, "one character was expected"),
        ("a IN (1)", 7, "a string was expected, found 1"),
        ("a IN ('b' 'c')", 11, ") was expected, found 'c'"),
        ("a + 1", 1, "a condition was expected"),
        ("a = 1 AND 'b'", 11, "a condition was expected"),
        ("a < 'b'", 5, "a number was expected, this is a string"),
        ("a < b AND c < d < e", 11, "a number was expected, this is true or false"),
        ("a * 'b' = 1", 5, "a number was expected, this is a string"),
        ("a BETWEEN 'b' AND 'c'", 11, "a number was expected"),
        ("a = NOT b", 5, "NOT stands in parentheses here"),
        ("a = NULL", 5, "NULL stands after IS"),
        ("a = 'b", 5, "this string has no end"),
        ("a = 1 /* b", 7, "this comment has no end"),
        ("a = 08", 5, "this is not an octal number"),
        ("a = 0x", 5, "this is not a hexadecimal number"),
        ("a = 9223372036854775808", 5, "out of the range of a long"),
        ("a = 1e400", 5, "out of the range of a double"),
        ("a = \"b\"", 5, "'\"' means nothing outside of a string"),
        ("a == 1", 4, "a value was expected, found ="),
        ("a = 1 AND XPATH '//b'", 11, "XPATH is not supported"),
        ("Xquery 'for'", 1, "Xquery is not supported"),
        ("a OR REGEX('b', c)", 6, "REGEX: functions are not supported"),
        ("JMSXProducerTXID = 'x'", 1, "JMSXProducerTXID is not supported"),
        ("convert_string_expressions:a = ", 32, "a value was expected"),
        ("no_convert_string_expressions:a = 1", 30, "':' means nothing"),
    ] {
        let refused = refusal(text);
        assert!(refused.problem.contains(problem), "{text}: {refused}");
        assert_eq!(refused.position, position, "{text}: {refused}");
    }
    let shown = refusal("a = ").to_string();
    assert_eq!(shown, "the selector is wrong at character 5: a value was expected, found the end");
}

#[test]
fn a_long_text_is_refused_before_it_is_read() {
    let of_bytes = |bytes: usize| format!("a = '{}'", "é".repeat((bytes - 6) / 2));
    assert!(Selector::parse(&of_bytes(SELECTOR_BYTES_MAX)).is_ok());
    let refused = refusal(&of_bytes(SELECTOR_BYTES_MAX + 2));
    assert!(refused.problem.contains("at most 16384 bytes"), "{refused}");
}

#[test]
fn many_conditions_are_one_level_and_their_number_is_bounded() {
    let of_terms = |terms: usize| vec!["a = 1"; terms].join(" OR ");
    // Three nodes each, and one for all.
    assert!(Selector::parse(&of_terms(NODES_MAX / 3)).is_ok());
    let refused = refusal(&of_terms(NODES_MAX / 3 + 1));
    assert!(refused.problem.contains("at most 1000"), "{refused}");
}

#[test]
fn nesting_is_bounded_however_it_is_written() {
    let nested = [
        |depth: usize| format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth)),
        |depth: usize| format!("{}a", "NOT ".repeat(depth)),
        |depth: usize| format!("{}a = 1", "- ".repeat(depth)),
        |depth: usize| format!("{}a = 1", "+".repeat(depth)),
        |depth: usize| format!("1 = 1{}", " + b".repeat(depth)),
        |depth: usize| format!("{}1{} = 2", "b - (".repeat(depth), ")".repeat(depth)),
        |depth: usize| format!("a{}", " = TRUE".repeat(depth)),
        |depth: usize| format!("a{}", " IS NULL".repeat(depth)),
        |depth: usize| format!("{}a{}", "(b AND ".repeat(depth), ")".repeat(depth)),
        |depth: usize| format!("{}a{}", "(".repeat(depth), " OR b)".repeat(depth)),
    ];
    // With the stack of a small thread, in a build without optimization too.
    let small = std::thread::Builder::new().stack_size(1 << 20);
    let checked = small.spawn(move || {
        for nested in nested {
            let most = (1..).find(|depth| Selector::parse(&nested(*depth)).is_err()).unwrap() - 1;
            assert!((DEPTH_MAX - 3..=2 * DEPTH_MAX + 1).contains(&most), "{most}: {}", nested(1));
            let deepest = Selector::parse(&nested(most)).unwrap();
            assert_eq!(Selector::parse(&deepest.to_string()), Ok(deepest));
            for depth in [most + 1, 2000] {
                let refused = refusal(&nested(depth));
                assert!(refused.problem.contains("nested at most 64 levels"), "{}: {refused}", nested(1));
            }
        }
    });
    checked.unwrap().join().unwrap();
}

#[test]
fn patterns_that_could_not_be_matched_in_one_pass_are_refused() {
    let wild = |chars: usize| format!("a LIKE '%{}_%'", "b".repeat(chars - 1));
    assert!(Selector::parse(&wild(WILD_PIECE_CHARS_MAX)).is_ok());
    assert_eq!(refusal(&wild(WILD_PIECE_CHARS_MAX + 1)).position, 8);
    let long = format!("a LIKE '_{0}%{0}%{0}_'", "b".repeat(1000));
    assert!(Selector::parse(&long).is_ok(), "without _ between two %, length does not matter");
    let pieces = |pieces: usize| format!("a LIKE '{}'", "%".repeat(pieces - 1));
    assert!(Selector::parse(&pieces(PIECES_MAX)).is_ok());
    assert!(refusal(&pieces(PIECES_MAX + 1)).problem.contains("at most 64 pieces"));
}

#[test]
fn a_text_form_reads_back_as_an_equal_selector() {
    for (text, shown) in [
        ("a=1 and not b <> 'it''s' or c", "((a = 1) AND (NOT (b <> 'it''s'))) OR c"),
        ("- - -a = - -1", "(-(-(-a))) = 1"),
        ("a = - 9223372036854775808 or b = -2147483648", "(a = -9223372036854775808L) OR (b = -2147483648L)"),
        ("a > 1 + 2 * 3.5e1", "a > (1 + (2 * 35.0))"),
        ("a in ('c', 'b', 'c') and d is not null", "(a IN ('b', 'c')) AND (NOT (d IS NULL))"),
        ("a not like 'x!%' escape '!'", "NOT (a LIKE 'x!%' ESCAPE '!')"),
        ("a not between 0x10 and 010 ", "a NOT BETWEEN 16 AND 8"),
        ("(a = true) = FALSE", "(a = TRUE) = FALSE"),
        ("convert_string_expressions:a = 5l", "convert_string_expressions:a = 5L"),
    ] {
        let selector = Selector::parse(text).unwrap();
        assert_eq!(selector.to_string(), shown);
        assert_eq!(Selector::parse(shown).unwrap(), selector);
    }
}
