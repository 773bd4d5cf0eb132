//! Whole nodes in a simulated world: the shipped core, replica, broker, state, log, store and recovery over a disk that
//! forgets, a network that delays and cuts, a coordinator that loses sessions, and clocks. One seed is one run.
//!
//! `QUORATE_SEED` is the first seed, `QUORATE_SEEDS` how many there are; `QUORATE_THREADS` how many at a time.

#![expect(clippy::print_stdout, reason = "a run says what it came to")]

mod checks;
mod clients;
mod crash_points;
mod faults;
mod machine;
mod network;
mod tree;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use self::machine::NODES;
use self::world::World;
use crate::broker::PAGE_ENTRIES_MAX;
use crate::env::seeded;
use crate::storage::by_hand;

/// Seeds that once failed, one in a line, with what they found.
const KEPT: &str = include_str!("kept.txt");
/// Faults in one run.
const FAULTS: u64 = 16;
/// How long a healed group may take until it serves and all is even.
const HEALING_MAX: Duration = Duration::from_secs(30);

/// What a run came to.
#[derive(Default, Debug)]
struct Outcome {
    confirmed: u64,
    settled: u64,
    dispatched: u64,
    epochs: u64,
    /// Digest of the state that the run ended with.
    digest: u64,
    faults: BTreeMap<&'static str, u64>,
}

impl World {
    /// Faults, one after the other and on top of each other.
    fn suffer(&mut self) {
        self.run(Duration::from_millis(1200), true);
        for _ in 0..FAULTS {
            self.fault();
            let time = Duration::from_millis(20 + self.rng.below(1200));
            self.run(time, true);
            if self.rng.chance(40) {
                self.mend();
            }
            if self.rng.chance(8) {
                self.heal();
            }
        }
    }

    /// Runs until this holds.
    fn until(&mut self, what: &str, load: bool, holds: impl Fn(&World) -> bool) {
        let limit = self.now + HEALING_MAX;
        while !holds(self) {
            if self.now > limit {
                let text = format!("V1: {what}, {HEALING_MAX:?} after all was mended; {}", self.stuck());
                self.fail(&text);
            }
            self.run(Duration::from_millis(200), load);
        }
    }

    /// What stands still, and where.
    fn stuck(&self) -> String {
        let node = |it: &machine::Machine| {
            let core = it.core()?;
            let queues = core.broker.figures().queues(None, PAGE_ENTRIES_MAX).items;
            let views: Vec<_> = queues.into_iter().map(|it| (it.size, it.in_flight)).collect();
            let (applied, end, cleaner) = (core.applied.offset, core.log.end(), &core.cleaner);
            Some(format!("n{} applied {applied} of {end}, queues {views:?}, {cleaner:?}", it.number))
        };
        let nodes: Vec<_> = self.machines.iter().filter_map(node).collect();
        let clients: Vec<_> = self.clients.iter().map(clients::Client::stuck).collect();
        format!("left {:?}; {}; {}", self.checks.left(), nodes.join("; "), clients.join("; "))
    }

    /// Liveness: a quorum is healed first, the rest stays as it is, and there must be progress; then all is healed and
    /// must become even and quiet.
    fn recover(&mut self) {
        let out = self.rng.below(NODES as u64) as usize;
        let alone = self.rng.chance(50) && self.may_do_without(out);
        self.heal();
        if alone {
            self.stop(out, crate::env::Keep::All);
        }
        let before = self.checks.confirmed.len();
        self.until("nothing is confirmed", true, |world| world.checks.confirmed.len() > before + 5);
        self.heal();
        self.calm = true;
        self.until("a store is no voter", true, |world| {
            let group = world.tree.group.as_ref();
            group.is_some_and(|group| {
                world.machines.iter().all(|it| it.core().is_some() && group.votes(it.opened.0))
            })
        });
        // Writes that are under way may take so long.
        self.run(Duration::from_secs(2), true);
        let epoch = self.epoch();
        self.run(Duration::from_secs(2), true);
        if self.epoch() != epoch {
            self.fail("V1: the healed group goes on electing");
        }
        // What was sent last may enter when nothing else is left.
        self.until("messages are left", false, |world| {
            world.checks.left().is_none() && world.clients.iter().all(clients::Client::is_answered)
        });
        self.until("the nodes are not even", false, |world| {
            let end = world.checks.chosen_end;
            world
                .machines
                .iter()
                .all(|it| it.core().is_some_and(|core| core.applied.offset == end && core.log.end() == end))
        });
        self.check_end();
    }

    /// Whether the other two have everything.
    fn may_do_without(&self, out: usize) -> bool {
        let group = self.tree.group.as_ref();
        group.is_some_and(|group| {
            let others = self.machines.iter().filter(|it| it.number != out);
            others.into_iter().all(|it| !it.hurt && group.votes(it.opened.0))
        })
    }
}

/// One run. An error says what broke, with the trace that led there.
fn run(seed: u64) -> Result<Outcome, String> {
    seeded::seed(Some(seed));
    by_hand::want(true);
    let mut world = None;
    let result = catch_unwind(AssertUnwindSafe(|| {
        let world = world.insert(World::new(seed));
        world.suffer();
        world.recover();
    }));
    seeded::seed(None);
    by_hand::want(false);
    let Some(world) = world else { return Err("no world".into()) };
    if let Err(panic) = result {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned()));
        return Err(format!("seed {seed}: {}\n{}", text.unwrap_or_default(), world.trace()));
    }
    let checks = &world.checks;
    Ok(Outcome {
        confirmed: checks.confirmed.len() as u64,
        settled: checks.settled.len() as u64,
        dispatched: checks.dispatched,
        epochs: world.epoch().0,
        digest: checks.reference.digest(),
        faults: world.faults.clone(),
    })
}

fn wish(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// The panics of runs are told with their seed, once.
fn quietly(work: impl FnOnce()) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    work();
    std::panic::set_hook(hook);
}

#[test]
fn whole_nodes_survive_random_faults_and_lose_nothing() {
    let (first, seeds, threads) =
        (wish("QUORATE_SEED", 1), wish("QUORATE_SEEDS", 2000), wish("QUORATE_THREADS", 2));
    let (next, stop) = (AtomicU64::new(first), AtomicBool::new(false));
    let (sum, failed) = (Mutex::new(Outcome::default()), Mutex::new(Vec::new()));
    let failures_max = wish("QUORATE_FAILURES", 1) as usize;
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                return;
            }
            match run(seed) {
                Ok(outcome) => {
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.confirmed += outcome.confirmed;
                    sum.settled += outcome.settled;
                    sum.dispatched += outcome.dispatched;
                    sum.epochs += outcome.epochs;
                    sum.digest ^= outcome.digest;
                    outcome.faults.iter().for_each(|(name, n)| *sum.faults.entry(name).or_default() += n);
                }
                Err(why) => {
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.push(why);
                    stop.store(failed.len() >= failures_max, Ordering::Relaxed);
                }
            }
        }
    };
    quietly(|| {
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            all.into_iter().for_each(|it| drop(it.join()));
        });
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    let last = next.load(Ordering::Relaxed).min(first + seeds) - 1;
    println!("seeds {first} to {last}: {sum:?}");
    for why in failed.iter().skip(1) {
        println!("{}", why.lines().next().unwrap_or_default());
    }
    assert!(failed.is_empty(), "{}", failed[0]);
    assert!(sum.confirmed > 100 * seeds.min(10), "a run that confirms nothing shows nothing: {sum:?}");
}

#[test]
fn seeds_that_failed_once_do_not_fail_again() {
    for line in KEPT.lines().filter(|line| !line.starts_with('#')) {
        let seed = line.split_whitespace().next().and_then(|word| word.parse().ok());
        if let Err(why) = run(seed.unwrap_or_else(|| panic!("no seed: {line}"))) {
            panic!("{why}");
        }
    }
}

#[test]
fn a_seed_repeats_itself() {
    for seed in [1, 2, 3] {
        let (one, two) = (run(seed), run(seed));
        assert_eq!(format!("{one:?}"), format!("{two:?}"));
    }
}
