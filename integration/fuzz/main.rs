//! Fuzz targets for every decoder, on the stable toolchain: one binary, a module per kind of decoder.
//!
//! Each test replays the corpus, then tries new inputs for `QUORATE_FUZZ_SECONDS` (1, or as many inputs as the target asks
//! for) from `QUORATE_FUZZ_SEED` (the time). An input that fails is shortened and added to the corpus. `QUORATE_FUZZ_PLANT=<target>` plants a defect in a
//! target; `QUORATE_FUZZ_SEEDS=write` writes the seeds again, after a format has changed.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on stops, and says what it measured"
)]

mod codec;
mod connections;
mod disk;
mod driver;
mod files;
mod mutate;
mod openwire;
mod peers;
mod records;
mod text;

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use driver::{Search, Target, corpus, folder, judge, number, search};

/// Executions within which a planted defect is to be found.
const PLANT_EXECUTIONS_MAX: u64 = 200_000;
/// How long that may take.
const PLANT_SECONDS_MAX: u64 = 30;

/// How long the executions may take that a target asks for, whatever the machine.
const LEAST_SECONDS_MAX: u64 = 600;

/// Every target with a test of its own, and how many executions it asks for.
macro_rules! targets {
    ($($test:ident: $target:expr $(, $least:literal)?;)*) => {
        const TARGETS: &[&Target] = &[$(&$target),*];
        $(
            #[test]
            fn $test() {
                hold(&$target, 0 $(+ $least)?);
            }
        )*
    };
}

targets! {
    bytes_that_a_client_sends_give_frames_or_an_error: codec::STOMP_SERVER;
    bytes_that_a_broker_sends_give_frames_or_an_error: codec::STOMP_CLIENT;
    a_message_of_any_bytes_reads_or_is_refused: records::MESSAGE;
    messages_of_a_temporary_file_read_as_they_were_written_or_not_at_all: records::SPILLED;
    a_record_of_any_bytes_reads_or_is_refused: records::RECORD;
    a_batch_of_any_bytes_is_whole_or_refused: records::BATCH;
    any_records_fold_to_a_state_that_its_snapshot_gives_back: records::FOLD;
    a_snapshot_of_any_bytes_restores_or_is_refused: records::SNAPSHOT;
    a_log_of_any_files_opens_again_as_it_opened: disk::LOG;
    a_sidecar_of_any_bytes_forges_no_message: disk::SIDECAR;
    a_hint_of_any_bytes_costs_no_record: disk::HINT;
    an_identity_of_any_bytes_reads_or_is_refused: disk::IDENTITY;
    an_index_of_any_entries_loads_or_is_wiped: disk::INDEX;
    a_configuration_of_any_text_reads_or_is_refused: text::CONFIG;
    sizes_and_durations_of_any_text_read_or_are_refused: text::UNITS;
    properties_of_any_text_read_back_as_they_were_or_are_refused: text::PROPERTIES;
    a_selector_of_any_text_judges_as_its_own_text_form_does_or_is_refused: text::SELECTOR;
    a_group_record_of_any_bytes_reads_or_is_refused: text::GROUP;
    a_member_record_of_any_bytes_reads_or_is_refused: text::MEMBER;
    commands_of_openwire_read_as_they_are_written_again_or_are_refused: openwire::OPENWIRE_COMMANDS;
    messages_of_openwire_read_as_they_are_written_again_or_are_refused: openwire::OPENWIRE_MESSAGES;
    what_brokers_tell_each_other_reads_as_it_is_written_again_or_is_refused: openwire::OPENWIRE_NETWORK;
    ids_and_destinations_of_openwire_read_as_they_are_written_again_or_are_refused: openwire::OPENWIRE_IDENTITIES;
    whole_connections_end_in_refusals_at_worst: connections::CONNECTIONS, 100_000;
    frames_of_a_slave_read_or_are_refused: peers::SLAVE;
    frames_of_a_master_read_or_are_refused: peers::MASTER;
}

/// Replays the corpus and tries new inputs: for a time, or as many as are asked for.
fn hold(target: &'static Target, least: u64) {
    let plant = std::env::var("QUORATE_FUZZ_PLANT").is_ok_and(|name| name == target.name);
    if std::env::var("QUORATE_FUZZ_SEEDS").is_ok() {
        write_seeds(target);
    }
    for (name, input) in corpus(target) {
        if let Err(reason) = judge(target, plant, &input) {
            panic!("corpus/{}/{name}: {reason}", target.name);
        }
    }
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
    let seed = number("QUORATE_FUZZ_SEED", time);
    let seconds = number("QUORATE_FUZZ_SECONDS", 0);
    println!("{}: QUORATE_FUZZ_SEED={seed}", target.name);
    let began = Instant::now();
    let all = match seconds {
        0 if least > 0 => search_together(target, plant, seed, least),
        _ => vec![search(target, plant, seed, began + Duration::from_secs(seconds.max(1)), u64::MAX)],
    };
    let executions: u64 = all.iter().map(|found| found.executions).sum();
    let kinds = all.iter().map(|found| found.kinds).max().unwrap_or_default();
    let rate = executions as f64 / began.elapsed().as_secs_f64();
    println!("{}: {executions} executions, {rate:.0}/s, {kinds} kinds of outcome", target.name);
    report(target, executions, rate, kinds);
    if let Some((input, reason)) = all.into_iter().find_map(|found| found.failed) {
        let path = folder(target).join(format!("found-{:016x}", driver::kind(&input)));
        // What a planted bug of the product lets fail is nothing to keep.
        if !plant && std::env::var_os("QUORATE_BUG").is_none_or(|bug| bug.is_empty()) {
            fs::write(&path, &input).unwrap();
        }
        let shown = input.escape_ascii().to_string();
        panic!("{}: {reason}\nseed {seed}, kept as {}: {shown:.400}", target.name, path.display());
    }
    assert!(seconds > 0 || executions >= least, "{executions} executions in {LEAST_SECONDS_MAX} s");
}

/// Searches from two seeds side by side until `least` inputs have been tried or one fails.
fn search_together(target: &'static Target, plant: bool, seed: u64, least: u64) -> Vec<Search> {
    let until = Instant::now() + Duration::from_secs(LEAST_SECONDS_MAX);
    let one = move |seed| move || search(target, plant, seed, until, least.div_ceil(2));
    let beside = std::thread::spawn(one(seed.wrapping_add(1)));
    let here = one(seed)();
    vec![here, beside.join().unwrap()]
}

/// A line of the long test's table.
fn report(target: &Target, executions: u64, rate: f64, kinds: usize) {
    let Ok(path) = std::env::var("QUORATE_RESULTS") else { return };
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    writeln!(file, "- {}: {executions} executions, {rate:.0}/s, {kinds} kinds of outcome", target.name)
        .unwrap();
}

fn write_seeds(target: &Target) {
    let folder = folder(target);
    fs::create_dir_all(&folder).unwrap();
    for (_, path) in corpus(target).iter().map(|(name, _)| (name, folder.join(name))) {
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("seed-")) {
            fs::remove_file(path).unwrap();
        }
    }
    for (number, seed) in (target.seeds)().iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:02}")), seed).unwrap();
    }
}

#[test]
fn a_planted_defect_in_each_target_is_found() {
    let mut missed = Vec::new();
    let only = std::env::var("QUORATE_FUZZ_PLANT").ok();
    for target in TARGETS.iter().filter(|target| only.as_ref().is_none_or(|name| name == target.name)) {
        let until = Instant::now() + Duration::from_secs(PLANT_SECONDS_MAX);
        let found = search(target, true, 1, until, PLANT_EXECUTIONS_MAX);
        match found.failed {
            Some((input, reason)) if reason.contains("the planted defect") => {
                println!(
                    "{}: found after {} executions: {} bytes",
                    target.name,
                    found.executions,
                    input.len()
                );
            }
            other => missed.push(format!("{} after {}: {other:?}", target.name, found.executions)),
        }
    }
    assert!(missed.is_empty(), "not found:\n{}", missed.join("\n"));
}

#[test]
fn seeds_pass_and_hold_no_planted_defect() {
    for target in TARGETS {
        let known = corpus(target);
        for seed in (target.seeds)() {
            assert_eq!(judge(target, true, &seed).err(), None, "{}", target.name);
            // What real encoders wrote once teaches nothing about what they write now.
            let kept = known.iter().any(|(_, input)| *input == seed);
            assert!(kept, "the corpus of {} is out of date: QUORATE_FUZZ_SEEDS=write renews it", target.name);
        }
    }
}
