//! Runs: from a seed, and by hand.

use super::*;

fn run(seed: u64) {
    let mut world = World::new(seed);
    world.run(Duration::from_secs(2), true);
    if world.chosen.is_empty() {
        world.fail("three blank nodes found no group");
    }
    for _ in 0..30 {
        world.fault();
        let time = Duration::from_millis(50 + world.rng.next(1500));
        world.run(time, true);
        if world.rng.chance(20) {
            world.heal();
        }
    }
    world.heal();
    world.run(Duration::from_secs(25), true);
    let before = world.chosen.len();
    world.run(Duration::from_secs(1), true);
    if world.chosen.len() <= before {
        world.fail("V1: the healed group commits nothing");
    }
    let epoch = world.tree_group.as_ref().unwrap().epoch;
    world.run(Duration::from_secs(5), true);
    if world.tree_group.as_ref().unwrap().epoch != epoch {
        world.fail("V1: the healed group goes on electing");
    }
    world.run(Duration::from_secs(1), false);
    let logs: Vec<_> = world.nodes.iter().map(|n| n.disk.log.len()).collect();
    if world.nodes.iter().any(|n| n.disk.log != world.nodes[0].disk.log) {
        world.fail(&format!("the logs of the quiet group differ: {logs:?}"));
    }
    let group = world.tree_group.clone().unwrap();
    if !world.nodes.iter().all(|n| group.votes(n.disk.identity.store)) {
        world.fail("a replaced store did not become a voter");
    }
}

#[test]
fn a_group_survives_random_faults_and_serves_again() {
    let first: u64 = std::env::var("QUORATE_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let seeds: u64 = std::env::var("QUORATE_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(100);
    for seed in first..first + seeds {
        let result = std::panic::catch_unwind(|| run(seed));
        if let Err(error) = result {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(error);
        }
    }
}

#[test]
fn a_master_knows_who_has_no_room_and_a_slave_that_asks_again_suspects_nobody() {
    let mut world = World::new(3);
    world.run(Duration::from_secs(3), true);
    let epoch = world.tree_group.as_ref().unwrap().epoch;
    let master = (0..NODES).find(|n| world.nodes[*n].serving).unwrap();
    let slaves: Vec<usize> = (0..NODES).filter(|n| *n != master).collect();
    // (who, whether its disk is full now, whether producers are held then)
    let one_by_one = [
        (slaves[0], true, false),
        (slaves[1], true, true),
        (slaves[0], false, false),
        (master, true, true),
        (slaves[1], false, true),
        (master, false, false),
    ];
    for (n, full, held) in one_by_one {
        world.step(n, Event::Space(full.then(|| "the disk is full".to_owned())));
        world.run(Duration::from_millis(500), true);
        assert_eq!(world.nodes[n].member.as_ref().unwrap().reason.is_some(), full, "node {n} tells it");
        let lacks_room = world.nodes[master].replica.as_ref().unwrap().lacks_room();
        assert_eq!(lacks_room, held, "the disk of node {n} is full: {full}");
    }
    for n in slaves {
        let connection = world.connections.values().find(|it| it.slave == n).unwrap();
        world.step(n, Event::Redial(connection.stream));
    }
    let before = world.chosen.len();
    world.run(Duration::from_secs(2), true);
    assert_eq!(world.tree_group.as_ref().unwrap().epoch, epoch, "nobody suspects the master");
    assert!(world.chosen.len() > before, "and it goes on");
}
