//! ActiveMQ's verdicts: ours are the same but for a list of differences that are meant.

use super::super::Selector;
use super::message;

/// Questions with ActiveMQ's verdicts, see `classic/Judge.java`.
const KNOWN: &str = include_str!("classic/known.tsv");
const RANDOM: &str = include_str!("classic/random.tsv");

/// Where our verdict (behind the selector) is another one on purpose. The table in `selector/mod.rs` has the reasons.
const MEANT: &[(&str, char)] = &[
    ("NULL", 'E'),
    ("f AND NULL", 'E'),
    ("NULL IS NULL", 'E'),
    ("NOT (1 = missing)", 'F'),
    ("missing = missing", 'F'),
    ("(a = missing) IS NULL", 'T'),
    ("s <> 1", 'F'),
    ("1 <> s", 'F'),
    ("f <> 1", 'F'),
    ("n <> 6", 'F'),
    ("convert_string_expressions:s <> 5", 'F'),
    ("convert_string_expressions:big > 5", 'T'),
    ("convert_string_expressions:big > 5L", 'T'),
    ("s < t", 'F'),
    ("f > g", 'F'),
    ("-4 % 2 = 0", 'T'),
    ("-0.0 = 0", 'T'),
    ("-d = 0", 'T'),
    ("2147483647 + 1L > 0", 'T'),
    ("9223372036854775808 > 0", 'E'),
    ("a = -9223372036854775807 + 9223372036854775808", 'E'),
    ("a = 0L", 'F'),
    ("31 = 0x1fL", 'T'),
    ("1e999 > 1", 'E'),
    ("5f = 5", 'T'),
    ("5.0d = 5", 'T'),
    ("62F = 62", 'T'),
    ("TRUE = 1", 'F'),
    ("'a' + 1 = 'a1'", 'E'),
    ("s + 1 = 'x1'", 'F'),
    ("s * 2 = 1", 'F'),
    ("2 * s = 1", 'F'),
    ("f + 1 = 2", 'F'),
    ("f + 1 IS NULL", 'T'),
    ("+'x' = 'x'", 'E'),
    ("-'x' = 1", 'E'),
    ("XQUERY 'for $a'", 'E'),
    ("XPATH = 1", 'F'),
    ("xquery IS NULL", 'T'),
    ("INLIST(s, 'x')", 'E'),
    ("REGEX('a', s)", 'E'),
    ("REPLACE(s, 'a', 'b') = 'c'", 'E'),
    ("SPLIT(s, ',') = 'c'", 'E'),
    ("JMSXProducerTXID IS NULL", 'E'),
    ("JMSActiveMQBrokerInTime = 0", 'E'),
    ("JMSActiveMQBrokerOutTime = 0", 'E'),
    ("JMSActiveMQBrokerPath IS NULL", 'E'),
    ("JMSXGroupFirstForConsumer", 'E'),
    ("größe IS NULL", 'T'),
    ("a = NOT f", 'E'),
    ("f = NOT g", 'E'),
    ("a = 1 AND NOT b = 3", 'T'),
    ("s LIKE 'x' LIKE 'y'", 'E'),
    ("JMSDestination = 'queue://A,queue://B'", 'T'),
    ("JMSDestination = 'queue://A,topic://B'", 'T'),
    ("NOT a = 2", 'T'),
    ("NOT a = 2 AND NOT a = 3", 'T'),
    ("NOT a IS NULL", 'T'),
    ("NOT s LIKE 'y%'", 'T'),
    ("NOT a BETWEEN 2 AND 3", 'T'),
    ("NOT s IN ('y')", 'T'),
    ("convert_string_expressions:amount > 1000.0", 'F'),
    ("convert_string_expressions:amount > 1000.0", 'F'),
    ("convert_string_expressions:amount > 1000.0", 'F'),
    ("convert_string_expressions:flag = 'true'", 'T'),
    ("convert_string_expressions:TRUE = flag", 'T'),
];

/// The questions of a file: verdict, selector, properties.
fn questions(file: &str) -> impl Iterator<Item = (char, String, Vec<String>)> {
    let plain = |text: &str| text.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t");
    file.lines().filter(|line| !line.starts_with('#')).map(move |line| {
        let mut parts = line.split('\t');
        let verdict = parts.next().unwrap().chars().next().unwrap();
        (verdict, plain(parts.next().unwrap()), parts.map(plain).collect())
    })
}

fn ours(selector: &str, properties: &[String]) -> char {
    let Ok(selector) = Selector::parse(selector) else { return 'E' };
    let again = Selector::parse(&selector.to_string()).unwrap();
    assert_eq!(again, selector, "{selector}");
    let (message, failures) = message(&properties.iter().map(String::as_str).collect::<Vec<_>>());
    if selector.matches(&message, failures) { 'T' } else { 'F' }
}

#[test]
fn what_activemq_selects_is_selected_but_where_a_difference_is_meant() {
    let mut wrong = Vec::new();
    let mut meant = MEANT.to_vec();
    for (theirs, selector, properties) in questions(KNOWN) {
        let ours = ours(&selector, &properties);
        let at = meant.iter().position(|(text, verdict)| *text == selector && *verdict == ours);
        match at {
            Some(at) if ours != theirs => drop(meant.remove(at)),
            _ if ours != theirs => wrong.push(format!("    ({selector:?}, '{ours}'), // {theirs}")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(meant, [], "no differences any more");
}

#[test]
fn random_selectors_select_what_they_select_in_activemq() {
    let mut selected = 0;
    for (theirs, selector, properties) in questions(RANDOM) {
        assert_eq!(ours(&selector, &properties), theirs, "{selector} of {properties:?}");
        selected += usize::from(theirs == 'T');
    }
    assert!(selected > 500, "{selected} of them select anything");
}
