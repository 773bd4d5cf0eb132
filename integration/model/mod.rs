//! The protocol, explored: every reachable state of small worlds whose nodes are the shipped replicas.
//!
//! `QUORATE_MODEL='core epochs=4'` explores one world with other bounds, `QUORATE_MODEL=large`
//! the larger ones; `QUORATE_MODEL_SECONDS` says for how long each. scripts/long model and bugs use it.

mod bounds;
mod live;
mod properties;
mod shell;
mod steps;
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use stateright::{Checker, Expectation, HasDiscoveries, Model, Path};

use bounds::Bounds;
use live::Graph;
use steps::{Explored, Step};
use world::{Shown, World};

/// What an exploration found.
struct Outcome {
    states: usize,
    /// How many of them are healed; counted where the way back is looked at.
    healed: usize,
    depth: usize,
    complete: bool,
    seconds: f64,
    /// Broken properties, each with the shortest way there.
    broken: Vec<(&'static str, String)>,
    /// What should have been reached and was not.
    unreached: Vec<&'static str>,
}

/// Every reachable state, and where the way back to service is looked at, whether each of them has one.
fn explore(bounds: Bounds, start: World, limit: Duration) -> Outcome {
    let graph = bounds.live.then(|| Arc::new(Graph::default()));
    let mut outcome =
        visit(Explored { bounds, start: start.clone(), graph: graph.clone(), stuck: None }, limit);
    let Some(graph) = graph.filter(|_| outcome.broken.is_empty() && outcome.complete) else { return outcome };
    let begun = Instant::now();
    let (stuck, healed) = graph.stuck();
    outcome.healed = healed;
    if !stuck.is_empty() {
        eprintln!("{}: {} states are stuck", bounds.name, stuck.len());
        let again = Explored { bounds, start, graph: None, stuck: Some(Arc::new(stuck)) };
        outcome.broken = visit(again, limit).broken;
    }
    outcome.seconds += begun.elapsed().as_secs_f64();
    outcome
}

fn visit(explored: Explored, limit: Duration) -> Outcome {
    let begun = Instant::now();
    let properties = properties::properties(&explored.bounds);
    let checker = explored
        .checker()
        .threads(2)
        .timeout(limit)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let found = checker.discoveries();
    let (mut broken, mut unreached) = (Vec::new(), Vec::new());
    for property in properties {
        match (&property.expectation, found.get(property.name)) {
            (Expectation::Sometimes, None) => unreached.push(property.name),
            (Expectation::Always, Some(path)) => broken.push((property.name, story(path))),
            _ => {}
        }
    }
    broken.sort_by_key(|(_, story)| story.len());
    Outcome {
        healed: 0,
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        complete: begun.elapsed() < limit,
        seconds: begun.elapsed().as_secs_f64(),
        broken,
        unreached,
    }
}

/// The steps of a path, each with what it changed.
fn story(path: &Path<World, Step>) -> String {
    let steps = path.clone().into_vec();
    let mut out = String::new();
    for (number, pair) in steps.windows(2).enumerate() {
        let ((old, step), (new, _)) = (&pair[0], &pair[1]);
        let step = step.map_or(String::new(), |step| format!("{step:?}"));
        out += &format!("{:3}. {step:24}", number + 1);
        if old.tree.group != new.tree.group {
            let shown = format!("{new:?}");
            out += shown.split(" | ").next().unwrap_or_default();
        }
        for (n, (a, b)) in old.nodes.iter().zip(&new.nodes).enumerate() {
            let (a, b) = (Shown(n, a).to_string(), Shown(n, b).to_string());
            if a != b {
                out += &format!(" | {b}");
            }
        }
        out.push('\n');
    }
    if let Some((last, _)) = steps.last() {
        out += &format!("{last:?}\n");
    }
    out
}

fn report(name: &str, outcome: &Outcome) {
    let verdict = match (outcome.broken.first(), outcome.complete) {
        (Some((rule, _)), _) => format!("BROKEN {rule}"),
        (None, true) => "all hold".to_owned(),
        (None, false) => "all hold so far (time limit)".to_owned(),
    };
    let healed = match outcome.healed {
        0 => String::new(),
        healed => format!(", from each to one of {healed} healed"),
    };
    let unreached =
        if outcome.unreached.is_empty() { String::new() } else { format!(" {:?}", outcome.unreached) };
    let line = format!(
        "{name:18} {:>9} states, depth {:>3}, {:>6.1} s: {verdict}{healed}{unreached}",
        outcome.states, outcome.depth, outcome.seconds
    );
    crate::harness::publish(&line);
    for (rule, story) in outcome.broken.iter().take(1) {
        eprintln!("{rule}\n{story}");
    }
}

#[test]
fn every_reachable_state_of_small_worlds_keeps_the_invariants() {
    let seconds = std::env::var("QUORATE_MODEL_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(300);
    let wish = std::env::var("QUORATE_MODEL").ok();
    let worlds = wish.as_deref().map_or_else(bounds::worlds, bounds::wished);
    let (mut failed, mut states) = (Vec::new(), 0);
    for bounds in worlds {
        let outcome = explore(bounds, bounds.start(), Duration::from_secs(seconds));
        report(bounds.name, &outcome);
        states += outcome.states;
        // What was wished for may be larger than time allows.
        let partial = wish.is_none() && (!outcome.complete || !outcome.unreached.is_empty());
        if !outcome.broken.is_empty() || partial {
            failed.push(bounds.name);
        }
    }
    eprintln!("{states} states");
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn a_group_that_may_not_elect_again_is_found_to_be_stuck() {
    let suspects = bounds::worlds().into_iter().find(|bounds| bounds.name == "live-suspects").unwrap();
    let bounds = Bounds { cuts: 0, epochs: 1, further: 0, ..suspects };
    let outcome = explore(bounds, bounds.start(), Duration::from_secs(60));
    let rules: Vec<_> = outcome.broken.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(rules, ["a healed group can be reached"]);
}

#[cfg(bugs)]
#[test]
fn every_planted_bug_yields_a_counterexample() {
    // Assertions are one way in which bugs show; what they say is not wanted here.
    std::panic::set_hook(Box::new(|_| {}));
    let wish = std::env::var("QUORATE_BUG").unwrap_or_default();
    let mut missed = Vec::new();
    for (bug, bounds) in bounds::planted().into_iter().filter(|(bug, _)| wish.is_empty() || wish == *bug) {
        let start = bounds.start();
        quorate::bugs::plant(bug);
        let outcome = explore(bounds, start, Duration::from_secs(180));
        quorate::bugs::plant("");
        let (states, seconds, world) = (outcome.states, outcome.seconds, bounds.name);
        crate::harness::publish(&match outcome.broken.first() {
            Some((rule, _)) => format!("{bug}: model, {world}, {rule}, {states} states, {seconds:.1} s"),
            None => format!("{bug}: NOT CAUGHT by the model in {world}, {states} states, {seconds:.1} s"),
        });
        if let Some((_, story)) = outcome.broken.first().filter(|_| !wish.is_empty()) {
            eprintln!("{story}");
        }
        if outcome.broken.is_empty() {
            missed.push(bug);
        }
    }
    let _ = std::panic::take_hook();
    assert!(missed.is_empty(), "{missed:?}");
}
