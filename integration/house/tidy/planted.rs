//! Planted breaches: each rule finds its own, and a tidy tree is let through.

use super::breaches;
use super::definitions::{FUNCTION_LINES_MAX, STRUCT_FIELDS_MAX};
use super::parts::PARTS_MAX;
use super::ratchet::{Count, Ratchet, Ratchets};
use super::texts::{FILE_LINES_LONG, FILE_LINES_MAX, FOLDER_ENTRIES_MAX, SURFACE_LINES_MAX};
use super::tree::{MAP, Tree};

fn tree(files: &[(&str, &str)]) -> Tree {
    let lib = "//! Lib.\npub mod model;\npub mod storage;\npub mod coordination;\npub mod broker;\npub mod client;\n";
    let mut tree = Tree::default();
    tree.files.insert("src/lib.rs".to_owned(), lib.to_owned());
    for module in ["model", "storage", "coordination", "broker", "client"] {
        tree.files.insert(format!("src/{module}/mod.rs"), "//! M.\nmod log;\n".to_owned());
        tree.files.insert(format!("src/{module}/log.rs"), "//! L.\n".to_owned());
    }
    for (path, text) in files {
        tree.files.insert((*path).to_owned(), (*text).to_owned());
    }
    tree
}

fn planted(files: &[(&str, &str)]) -> Vec<String> {
    breaches(&tree(files), &Ratchets::NONE)
}

/// The breach is found where it was planted.
fn assert_found(files: &[(&str, &str)], expected: &str) {
    let found = planted(files);
    assert!(found.iter().any(|breach| breach.starts_with(expected)), "{expected}: {found:?}");
}

#[test]
fn a_tidy_tree_is_let_through() {
    let text = "//! L.\nuse crate::model::Epoch;\nuse crate::storage::{Log, open};\n";
    assert_eq!(planted(&[("src/broker/log.rs", text)]), [""; 0]);
}

#[test]
fn every_rule_for_texts_finds_its_breach() {
    let of_lines = |lines: usize| format!("//! L.\n{}", "// x\n".repeat(lines - 1));
    let mark = format!("//! L.\n// {}{} later\n", "TO", "DO");
    let no_title = "the first line does not say what the file is for";
    let cases = [
        ("src/broker/log.rs", "fn f() {}", no_title),
        ("src/broker/log.rs", "//! \nfn f() {}", no_title),
        ("scripts/run", "#!/usr/bin/env bash\nset -e\n", no_title),
        ("scripts/run.bash", "run() { :; }\n", no_title),
        ("zk/four.cfg", "port = 1\n", no_title),
        ("src/broker/log.rs", &of_lines(FILE_LINES_MAX + 1), " 801 lines, at most 800"),
        ("src/broker/log.rs", &of_lines(FILE_LINES_LONG + 1), " 501 lines, more than 500"),
        ("src/broker/mod.rs", &of_lines(SURFACE_LINES_MAX + 1), " 201 lines, a mod.rs has at most 200"),
        ("src/broker/log.rs", &mark, "2: TO"),
        ("src/broker/dead.rs", "//! D.", " nobody declares this file"),
        ("src/broker/log_utils.rs", "//! U.", " \"log_utils\" says nothing"),
        ("scripts/common.bash", "# C.", " \"common\" says nothing"),
    ];
    for (path, text, expected) in cases {
        let at =
            if expected == no_title { format!("{path}:1: {expected}") } else { format!("{path}:{expected}") };
        assert_found(&[(path, text)], &at);
    }
}

#[test]
fn a_folder_is_full_whatever_its_files_are() {
    for ending in ["rs", "txt"] {
        let names: Vec<String> =
            (0..FOLDER_ENTRIES_MAX).map(|n| format!("src/broker/a{n}.{ending}")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "//! A.")).collect();
        assert_found(&files, "src/broker: 18 entries, at most 16");
    }
}

#[test]
fn a_stray_file_in_the_root_is_found() {
    let mut tree = tree(&[]);
    tree.root.extend(["Cargo.toml", "src", "left_over.deb"].map(str::to_owned));
    assert_eq!(breaches(&tree, &Ratchets::NONE), ["left_over.deb: does not belong into the root"]);
}

#[test]
fn an_import_that_runs_the_wrong_way_is_found_however_it_is_written() {
    let imports = [
        "use crate::broker::Gate;",
        "use crate::{broker::Gate};",
        "use crate::{model::{self, Epoch}, broker::Gate};",
        "use crate::broker as b;",
        "use super::super::broker::Gate;",
        "fn f() { crate::broker::open(); }",
        "fn f() { assert!(matches!(crate::broker::open(), Some(_))); }",
        "fn f() -> crate::broker::Gate { g() }",
        "#[cfg(test)] mod tests { use crate::broker::Gate; }",
        "#[cfg(test)] mod tests { use super::super::super::broker::Gate; }",
    ];
    for import in imports {
        let text = format!("//! L.\n{import}");
        assert_found(&[("src/model/log.rs", &text)], "src/model/log.rs:2: model must not know broker");
    }
}

#[test]
fn strangers_do_not_know_each_other_but_in_tests() {
    let file = "src/coordination/log.rs";
    let breach = format!("{file}:2: coordination must not know storage");
    assert_found(&[(file, "//! L.\nuse crate::storage::Log;")], &breach);
    let text = "//! L.\n#[cfg(test)]\nmod tests { use crate::storage::Log; }";
    assert_eq!(planted(&[(file, text)]), [""; 0]);
}

#[test]
fn a_file_of_another_folder_is_not_imported() {
    for import in ["use crate::storage::log::Log;", "use crate::{storage::{log::Log}};"] {
        let text = format!("//! L.\n{import}");
        let breach = "src/broker/log.rs:2: import the folder, not src/storage/log.rs";
        assert_found(&[("src/broker/log.rs", &text)], breach);
    }
}

#[test]
fn a_long_function_is_found_whatever_stands_before_it() {
    let body = "    x();\n".repeat(FUNCTION_LINES_MAX);
    let heads = [
        "fn f()",
        "pub fn f()",
        "pub(super) async fn f()",
        "pub(in crate::broker) fn f()",
        "pub const fn f()",
        "unsafe extern \"C\" fn f()",
    ];
    let free = heads.map(|head| format!("//! L.\n{head} {{\n{body}}}\n"));
    let methods = ["struct S; impl S {", "trait T {", "impl T for S {", "fn g() {", "mod m {"]
        .map(|around| format!("//! L.\n{around} fn f() {{\n{body}}} }}\n"));
    for text in free.iter().chain(&methods) {
        let breach = "src/broker/log.rs:2: a function of 71 lines, at most 70";
        assert_found(&[("src/broker/log.rs", text)], breach);
    }
}

#[test]
fn files_that_import_each_other_are_a_circle() {
    let declares = ("src/broker/mod.rs", "//! M.\nmod gate;\nmod log;\nmod seat;\npub use gate::Gate;\n");
    let gate = ("src/broker/gate.rs", "//! G.\nuse super::log::Log;\npub struct Gate;\n");
    let log = ("src/broker/log.rs", "//! L.\nuse super::seat;\npub struct Log;\nfn f() { seat::take(); }\n");
    // By a name that the folder hands on.
    let seat = ("src/broker/seat.rs", "//! S.\nuse super::Gate;\npub fn take() {}\n");
    let way = "src/broker/gate.rs -> src/broker/log.rs -> src/broker/seat.rs -> src/broker/gate.rs";
    assert_found(&[declares, gate, log, seat], &format!("src/broker/gate.rs: stands in a circle: {way}"));
    let seat_of_tests =
        ("src/broker/seat.rs", "//! S.\npub fn take() {}\n#[cfg(test)]\nmod t { use super::super::Gate; }\n");
    let outside = ("integration/main.rs", "//! I.\nuse quorate::broker::{Gate, Log, take};\n");
    assert_eq!(planted(&[declares, gate, log, seat_of_tests, outside]), [""; 0]);
}

#[test]
fn two_public_types_of_one_name_are_found() {
    let one = ("src/broker/log.rs", "//! L.\npub struct Log;\n");
    let two = ("src/client/log.rs", "//! L.\npub(crate) enum Log {}\n");
    assert_found(&[one, two], "src/broker/log.rs:2, src/client/log.rs:2: Log is the name of 2 types");
    let in_the_folder = ("src/client/log.rs", "//! L.\npub(super) enum Log {}\n");
    let outside = ("integration/main.rs", "//! I.\nuse quorate::broker::Log;\n");
    assert_eq!(planted(&[one, in_the_folder, outside]), [""; 0]);
}

#[test]
fn a_struct_of_many_fields_is_found() {
    let fields: String = (0..=STRUCT_FIELDS_MAX).map(|n| format!("    a{n}: u8,\n")).collect();
    let text = format!("//! L.\nstruct Log {{\n{fields}}}\n");
    assert_found(&[("src/broker/log.rs", &text)], "src/broker/log.rs:2: Log has 16 fields, at most 15");
}

#[test]
fn fields_of_what_somebody_changes_are_seen_in_its_file_only() {
    let breach = "src/broker/log.rs:2: 1 fields of Log can be changed from outside of the file";
    for changes in ["impl Log { fn f(&mut self) {} }", "fn f(_: &mut Log) {}", "fn f(_: Vec<&mut Log>) {}"] {
        let text = format!("//! L.\nstruct Log {{ a: u8, pub(super) b: u8 }}\n{changes}\n");
        assert_found(&[("src/broker/log.rs", &text)], breach);
    }
    let plain = "//! L.\nstruct Log { a: u8, pub(super) b: u8 }\nimpl Log { fn f(&self) {} }\n";
    assert_eq!(planted(&[("src/broker/log.rs", plain)]), [""; 0]);
}

#[test]
fn functions_of_a_struct_stand_in_its_file() {
    let declares = ("src/broker/mod.rs", "//! M.\nmod log;\nmod seat;\nstruct Desk { a: u8 }\n");
    let seat = ("src/broker/seat.rs", "//! S.\nuse super::Desk;\nimpl Desk { fn f(&self) {} }\n");
    let breach = "src/broker/seat.rs:3: functions of Desk, which src/broker/mod.rs defines";
    assert_found(&[declares, seat], breach);
}

#[test]
fn a_function_that_changes_many_parts_is_found() {
    let text = |parts: usize| {
        let structs: String = (0..parts).map(|n| format!("struct P{n}; ")).collect();
        let taken: String = (1..parts).map(|n| format!(", p{n}: &mut P{n}")).collect();
        format!("//! L.\n{structs}\nimpl P0 {{\n fn f(&mut self, a: &mut u8, b: &P1{taken}) {{}} }}\n")
    };
    let breach = "src/broker/log.rs:4: a function changes 4 parts, at most 3: P0, P1, P2, P3";
    assert_found(&[("src/broker/log.rs", &text(PARTS_MAX + 1))], breach);
    assert_eq!(planted(&[("src/broker/log.rs", &text(PARTS_MAX))]), [""; 0]);
}

#[test]
fn what_is_offered_and_taken_by_nobody_is_found() {
    let taker = ("integration/main.rs", "//! I.\nfn f() { quorate::broker::g(); }\n");
    let offers = [
        ("pub fn h() {}", "h is pub, and no other layer has this name"),
        ("pub const H: u8 = 1;", "H is pub, and no other layer has this name"),
        ("struct S; impl S { pub fn h() {} }", "h is pub, and no other layer has this name"),
        ("pub(super) struct H;", "H is for other files, of which none has this name"),
        (
            "struct S; impl S { pub(crate) const fn h() {} }",
            "h is for other files, of which none has this name",
        ),
    ];
    for (offer, breach) in offers {
        let text = format!("//! L.\n{offer}\n");
        assert_found(&[("src/broker/log.rs", &text), taker], &format!("src/broker/log.rs:2: {breach}"));
    }
    let handed_on = [("src/broker/mod.rs", "//! M.\nmod log;\npub use log::h as g;\n"), taker];
    assert_eq!(
        planted(&[&handed_on[..], &[("src/broker/log.rs", "//! L.\npub fn h() {}\n")]].concat()),
        [""; 0]
    );
    // Who calls a function need not name its types; tests may look in.
    for taken in ["pub fn g() -> H {}\npub struct H;", "#[cfg(test)]\nmod t { pub(super) fn h() {} }"] {
        let text = format!("//! L.\n{taken}\n");
        assert_eq!(planted(&[("src/broker/log.rs", &text), taker]), [""; 0]);
    }
}

#[test]
fn a_word_more_in_the_glossary_is_found() {
    let map = "# A.\n\n## Glossary\n\n| word | meaning |\n|---|---|\n| log, base | x, y |\n\n## Next\n\n| a | b |\n";
    let ratchets = Ratchets { words: Count { rule: "words", known: 1 }, ..Ratchets::NONE };
    let breaches = breaches(&tree(&[(MAP, map)]), &ratchets);
    assert_eq!(breaches, ["ARCHITECTURE.md: log", "ARCHITECTURE.md: base", "2 of words, at most 1"]);
}

#[test]
fn a_ratchet_lets_through_what_it_names_and_wants_it_out_when_it_is_mended() {
    let long = format!("//! L.\n{}", "// x\n".repeat(FILE_LINES_LONG));
    let known = Ratchet { rule: "a long file", known: &["src/broker/log.rs"] };
    let ratchets = Ratchets { long_files: known, ..Ratchets::NONE };
    assert_eq!(breaches(&tree(&[("src/broker/log.rs", &long)]), &ratchets), [""; 0]);
    let mended = "src/broker/log.rs: is mended (a long file); take it out of the ratchet";
    assert_eq!(breaches(&tree(&[]), &ratchets), [mended]);
}

#[test]
fn a_count_lets_through_as_many_as_it_knows_and_wants_to_be_lowered() {
    let map = "# A.\n\n## Glossary\n\n| word | meaning |\n|---|---|\n| log, base | x |\n";
    let judged = |known| {
        let ratchets = Ratchets { words: Count { rule: "words", known }, ..Ratchets::NONE };
        breaches(&tree(&[(MAP, map)]), &ratchets)
    };
    assert_eq!(judged(2), [""; 0]);
    assert_eq!(judged(3), ["2 of words, and not 3 any more; lower the ratchet"]);
}
