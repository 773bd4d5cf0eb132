//! What the specification says: unknown truth, patterns, and that judging takes no memory.

use super::super::Selector;
use super::super::like::Like;
use super::{message, selects};

/// True, false and unknown, as flags of a message.
const FLAGS: [(&str, Option<bool>); 3] = [("t", Some(true)), ("f", Some(false)), ("missing", None)];

/// The truth of a condition of [`FLAGS`].
fn truth(condition: &str) -> Option<bool> {
    let flags = ["t:b=true", "f:b=false"];
    match (selects(condition, &flags), selects(&format!("NOT ({condition})"), &flags)) {
        (true, true) => panic!("{condition} is true and false"),
        (true, false) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

#[test]
fn and_or_and_not_know_the_unknown() {
    for (left, a) in FLAGS {
        assert_eq!(truth(&format!("NOT {left}")), a.map(|it| !it));
        for (right, b) in FLAGS {
            let and = if a == Some(false) || b == Some(false) { Some(false) } else { a.and(b) };
            let or = if a == Some(true) || b == Some(true) { Some(true) } else { a.and(b) };
            assert_eq!(truth(&format!("{left} AND {right}")), and, "{left} AND {right}");
            assert_eq!(truth(&format!("{left} OR {right}")), or, "{left} OR {right}");
            assert_eq!(truth(&format!("({left} AND {right}) OR {right}")), b.or(or.and(and)));
        }
    }
}

#[test]
fn what_is_said_of_a_missing_property_is_unknown() {
    for condition in [
        "missing = 1",
        "1 <> missing",
        "missing = missing",
        "missing < 1",
        "missing + 1 > 0",
        "-missing = 1",
        "missing BETWEEN 1 AND 2",
        "missing NOT BETWEEN 1 AND 2",
        "missing LIKE '%'",
        "missing NOT LIKE '%'",
        "missing IN ('a')",
        "missing NOT IN ('a')",
        "1 BETWEEN missing AND 2",
        "missing",
    ] {
        assert_eq!(truth(condition), None, "{condition}");
    }
    assert_eq!(truth("3 BETWEEN missing AND 2"), Some(false), "whatever the other bound is");
    assert_eq!((truth("missing IS NULL"), truth("t IS NULL")), (Some(true), Some(false)));
}

/// Whether a text is as a pattern says, by trying everything.
fn fits(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skipped| fits(rest, &text[skipped..])),
        ['_', rest @ ..] => !text.is_empty() && fits(rest, &text[1..]),
        [char, rest @ ..] => text.first() == Some(char) && fits(rest, &text[1..]),
    }
}

/// Every text of these characters with so many of them at most.
fn texts(chars: &[char], length: usize) -> Vec<Vec<char>> {
    let mut all = vec![Vec::new()];
    let mut last = 0;
    for _ in 0..length {
        let longer =
            |text: &Vec<char>| chars.iter().map(|it| [&text[..], &[*it]].concat()).collect::<Vec<_>>();
        let added: Vec<_> = all[last..].iter().flat_map(longer).collect();
        last = all.len();
        all.extend(added);
    }
    all
}

#[test]
fn patterns_match_as_trying_everything_does() {
    let among = texts(&['a', 'é'], 5);
    for pattern in texts(&['a', 'é', '%', '_'], 5) {
        let written: String = pattern.iter().collect();
        let like = Like::parse(&written, None).unwrap();
        for text in &among {
            let shown: String = text.iter().collect();
            assert_eq!(like.matches(&shown), fits(&pattern, text), "{shown} LIKE {written}");
        }
    }
}

#[test]
fn a_pattern_that_makes_others_try_everything_is_matched_in_one_pass() {
    let text = format!("s:s={}", "a".repeat(200_000));
    for pattern in ["%a%a%a%a%a%a%a%a%a%a%a%ab", "%a_a_a%a__%_a%a_a_b%", "%_%_%_%_%_%_%_%_%b_"] {
        assert!(!selects(&format!("s LIKE '{pattern}'"), &[&text]), "{pattern}");
    }
    assert!(selects("s LIKE '%a_a%_a_a%a'", &[&text]));
}

#[test]
fn a_message_is_judged_without_taking_memory() {
    let selector = "type = 'order' AND (amount > 1000 OR region IN ('EU', 'US')) AND NOT name LIKE '%a_c%' \
                    AND JMSPriority + 1 BETWEEN 2 AND 9 AND JMSType IS NULL AND JMSDeliveryMode <> 'PERSISTENT'";
    let selector = Selector::parse(selector).unwrap();
    let (message, _) = message(&["other:s=x", "type:s=order", "amount:l=1", "region:s=US", "name:s=abd"]);
    let mut selected = false;
    let memory = allocation_counter::measure(|| selected = selector.matches(&message, 0));
    assert!(selected);
    assert_eq!(memory.count_total, 0);
}
