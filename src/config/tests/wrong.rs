//! Wrong configurations and the exact text that each must give: `wrong.txt` holds them.

use crate::config::Config;

/// A case: title, `--set` arguments, variables, file, expected output.
struct Case<'a> {
    title: &'a str,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    file: &'a str,
    expected: &'a str,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    text.split("\n== ").skip(1).map(case).collect()
}

fn case(text: &str) -> Case<'_> {
    let (head, rest) = text.split_once("\n---\n").expect("a line --- before the file");
    let (file, expected) = rest.split_once("\n---\n").expect("a line --- before the expected text");
    let mut head = head.lines();
    let mut case = Case {
        title: head.next().unwrap_or_default(),
        arguments: Vec::new(),
        environment: Vec::new(),
        file,
        expected: expected.trim_end(),
    };
    for line in head {
        if let Some(argument) = line.strip_prefix("set ") {
            case.arguments.push(argument.to_owned());
        } else if let Some((name, value)) = line.strip_prefix("env ").and_then(|v| v.split_once('=')) {
            case.environment.push((name.to_owned(), value.to_owned()));
        } else {
            panic!("{:?} is neither set nor env", line);
        }
    }
    case
}

#[test]
fn every_mistake_is_told_with_its_place_its_key_and_what_was_expected() {
    let cases = cases(include_str!("wrong.txt"));
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let mut failed = String::new();
    for case in cases {
        let told = match Config::parse(Some("node.toml"), case.file, &case.arguments, &case.environment) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        };
        if told != case.expected {
            failed.push_str(&format!("\n== {}\nsays\n{told}\nexpected\n{}\n", case.title, case.expected));
        }
    }
    assert!(failed.is_empty(), "{failed}");
}
