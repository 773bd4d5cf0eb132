//! The driver: mutates what it knows, mends checksums, and keeps what led to an outcome that it had not seen.
//!
//! There is no coverage from the compiler: that needs either a nightly compiler or `unsafe` callbacks in this package.
//! A target's outcome (which error, how many frames, ..) takes its place.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs};

use rustix::time::{ClockId, clock_gettime};

use crate::mutate::{Chance, mutate};

/// CPU time that one input may take, in a build without optimisation too.
const CPU_MAX: Duration = Duration::from_secs(1);
/// Inputs that are kept for their outcome, beside the corpus.
const KEPT_MAX: usize = 2000;
/// How often a failing input is tried shorter.
const SHORTER_TRIES: usize = 2000;
/// How long.
const SHORTER_TIME_MAX: Duration = Duration::from_secs(20);

/// A decoder under test.
pub(crate) struct Target {
    /// Name of its folder of the corpus.
    pub(crate) name: &'static str,
    /// Decodes and asserts; gives a number for the kind of outcome.
    pub(crate) run: fn(&[u8]) -> u64,
    /// Makes checksums and lengths fit what a mutation left, so that more than the first check is reached.
    pub(crate) mend: fn(&mut Vec<u8>),
    /// What real encoders give.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// What such inputs are made of.
    pub(crate) words: &'static [&'static [u8]],
    /// A made-up defect, to see that the driver finds one: inputs that pass every check and are in no corpus.
    pub(crate) planted: fn(&[u8]) -> bool,
    /// Allocation at any moment: at most so many times the input, and so many bytes more.
    pub(crate) memory: (u64, u64),
    /// No input is made longer.
    pub(crate) bytes_max: usize,
}

thread_local! {
    /// Whether this thread drives targets: its panics outside of one are a test's own.
    static DRIVES: Cell<bool> = const { Cell::new(false) };
    static JUDGING: Cell<bool> = const { Cell::new(false) };
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What panicked on threads that a target started.
static STRAY: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if JUDGING.get() {
                SAID.set(Some(info.to_string()));
            } else if DRIVES.get() {
                usual(info);
            } else {
                STRAY.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
            }
        }));
    });
    DRIVES.set(true);
}

/// Runs the target on one input and holds it to its bounds.
pub(crate) fn judge(target: &Target, plant: bool, input: &[u8]) -> Result<u64, String> {
    listen();
    let cpu = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
    let before = cpu();
    let mut outcome = Ok(0);
    let memory = allocation_counter::measure(|| {
        JUDGING.set(true);
        outcome = catch_unwind(AssertUnwindSafe(|| {
            let kind = (target.run)(input);
            assert!(!(plant && (target.planted)(input)), "the planted defect");
            kind
        }));
        JUDGING.set(false);
    });
    let took = cpu() - before;
    let stray = std::mem::take(&mut *STRAY.lock().unwrap_or_else(PoisonError::into_inner));
    let kind = outcome.map_err(|_| SAID.take().unwrap_or_default())?;
    if let Some(first) = stray.first() {
        return Err(format!("on another thread: {first}"));
    }
    let (times, plus) = target.memory;
    let bound = times * input.len() as u64 + plus;
    if memory.bytes_max > bound {
        return Err(format!("{} bytes of memory, at most {bound}", memory.bytes_max));
    }
    if took > CPU_MAX {
        return Err(format!("{took:?} of CPU time"));
    }
    Ok(kind)
}

/// Where a target's inputs are kept.
pub(crate) fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/fuzz/corpus").join(target.name)
}

/// Every kept input with its file's name, in the order of the names.
pub(crate) fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = folder(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

/// What a search came to.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) executions: u64,
    pub(crate) kinds: usize,
    /// The input that failed, and how.
    pub(crate) failed: Option<(Vec<u8>, String)>,
}

/// Tries new inputs until one fails, `until` is past or `most` have been tried.
pub(crate) fn search(target: &Target, plant: bool, seed: u64, until: Instant, most: u64) -> Search {
    let mut chance = Chance::new(seed);
    let mut pool: Vec<Vec<u8>> = corpus(target).into_iter().map(|(_, input)| input).collect();
    let known = pool.len();
    let mut kinds: BTreeSet<u64> = pool.iter().filter_map(|input| judge(target, false, input).ok()).collect();
    let mut executions = 0;
    let mut failed = None;
    while executions < most && Instant::now() < until && failed.is_none() {
        let mut input = mutate(&mut chance, &pool, known, target.words, target.bytes_max);
        if chance.below(8) > 0 {
            (target.mend)(&mut input);
        }
        executions += 1;
        match judge(target, plant, &input) {
            Ok(kind) if kinds.insert(kind) && pool.len() < known + KEPT_MAX => pool.push(input),
            Ok(_) => {}
            Err(reason) => failed = Some(shorter(target, plant, input, reason)),
        }
    }
    Search { executions, kinds: kinds.len(), failed }
}

/// Leaves out of a failing input what it does not need to fail.
fn shorter(target: &Target, plant: bool, mut input: Vec<u8>, mut reason: String) -> (Vec<u8>, String) {
    let (mut piece, mut tries, until) = (input.len() / 2, 0, Instant::now() + SHORTER_TIME_MAX);
    let goes = |tries: usize| tries < SHORTER_TRIES && Instant::now() < until;
    while piece > 0 && goes(tries) {
        let mut at = 0;
        while at < input.len() && goes(tries) {
            let mut less = input.clone();
            less.drain(at..(at + piece).min(input.len()));
            (target.mend)(&mut less);
            tries += 1;
            match judge(target, plant, &less) {
                Err(same) if less.len() < input.len() => (input, reason) = (less, same),
                _ => at += piece,
            }
        }
        piece /= 2;
    }
    (input, reason)
}

/// The number in an environment variable.
pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// No mending: the format has no checksum.
pub(crate) fn as_it_is(_: &mut Vec<u8>) {}

/// A number for a kind of outcome.
pub(crate) fn kind(of: &impl std::hash::Hash) -> u64 {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
    BuildHasherDefault::<DefaultHasher>::default().hash_one(of)
}

/// The shape of a text: its words up to the first thing that is quoted, without numbers, so that two errors that differ
/// in an offset or a name are of one kind.
pub(crate) fn shape(text: &impl std::fmt::Display) -> String {
    let text = text.to_string();
    text.chars().take_while(|c| !"`\"'".contains(*c)).filter(|c| !c.is_ascii_digit()).take(60).collect()
}
