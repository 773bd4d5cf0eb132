//! Power that goes, syncs that fail or dawdle, disks that are full.

use std::time::Duration;

use super::super::dice::Dice;
use super::super::disk::{Loss, Syncs};
use super::super::group::{Group, NODES, Node};
use super::hold;

/// How long to wait for something unsynced.
const UNSYNCED: Duration = Duration::from_millis(500);
/// What a sync takes on a disk that is not quick.
const SLOW: Duration = Duration::from_millis(5);

fn any<'a>(group: &'a Group, dice: &mut Dice) -> &'a Node {
    group.node(1 + dice.below(NODES as u64) as usize)
}

/// The power of one node goes, or of all at the same time, while they write; half of the time with disks that are slow
/// already. Seen: unsynced bytes of the log are gone, of the one or of two at least.
pub(super) async fn power_cut(group: &Group, all: bool, dice: &mut Dice) -> Option<String> {
    let one = any(group, dice);
    let nodes: Vec<&Node> = if all { group.nodes.iter().collect() } else { vec![one] };
    // A node waits itself for a disk that was quick so far. A slow one is left to the writer's thread, so that the node goes on and
    // could tell of more than is synced.
    if dice.chance(2) {
        for node in &nodes {
            node.disk.syncs(Syncs::Slow(SLOW));
        }
        hold(dice, 200, 400).await;
    }
    for node in &nodes {
        node.disk.syncs(Syncs::Stuck);
    }
    for node in &nodes {
        tokio::task::block_in_place(|| node.disk.unsynced_within(UNSYNCED));
    }
    // More is written that is not synced. Whoever acknowledges it all the same has this long to do so.
    hold(dice, 0, 400).await;
    let loss = if dice.chance(2) { Loss::Whole } else { Loss::Torn(dice.roll()) };
    for node in &nodes {
        node.process.strike();
    }
    let dropped: Vec<u64> = nodes.iter().map(|node| node.disk.cut(loss).bytes).collect();
    for node in &nodes {
        tokio::task::block_in_place(|| node.process.kill());
    }
    hold(dice, 0, 1000).await;
    for node in &nodes {
        node.start();
        hold(dice, 1, 300).await;
    }
    let lost = if all { dropped.iter().filter(|bytes| **bytes > 0).count() >= 2 } else { dropped[0] > 0 };
    lost.then(|| format!("{loss:?}: {dropped:?} bytes dropped"))
}

/// The next syncs of a node fail. Seen: EIO was returned, and the process ended by itself.
pub(super) async fn sync_fails(group: &Group, dice: &mut Dice) -> Option<String> {
    let node = any(group, dice);
    let (before, ends) = (node.disk.shown().failed, node.process.ends().len());
    node.disk.syncs(Syncs::Fail);
    hold(dice, 200, 800).await;
    node.disk.syncs(Syncs::Well);
    hold(dice, 500, 1000).await;
    let failed = node.disk.shown().failed - before;
    let ended: Vec<Option<i32>> = node.process.ends()[ends..].iter().map(|end| end.code()).collect();
    (failed > 0 && !ended.is_empty())
        .then(|| format!("{}: {failed} failed, exit codes {ended:?}", node.name()))
}

/// Every sync of a node takes long. Seen: syncs were late.
pub(super) async fn sync_slow(group: &Group, dice: &mut Dice) -> Option<String> {
    let node = any(group, dice);
    let before = node.disk.shown().slow;
    node.disk.syncs(Syncs::Slow(Duration::from_millis(dice.pick(&[20, 100, 400]))));
    hold(dice, 1500, 4000).await;
    node.disk.syncs(Syncs::Well);
    let slow = node.disk.shown().slow - before;
    (slow > 0).then(|| format!("{}: {slow} late", node.name()))
}

/// A node's disk takes nothing any more, or those of all nodes. Seen: writes found no room.
pub(super) async fn full(group: &Group, dice: &mut Dice) -> Option<String> {
    let one = any(group, dice);
    let nodes: Vec<&Node> = if dice.chance(3) { group.nodes.iter().collect() } else { vec![one] };
    let before: u64 = nodes.iter().map(|node| node.disk.shown().full).sum();
    for node in &nodes {
        node.disk.fill(true);
    }
    // What is reserved already can still be written: the fault begins when that is used up.
    let refused = || nodes.iter().map(|node| node.disk.shown().full).sum::<u64>() - before;
    for _ in 0..10 {
        hold(dice, 900, 1100).await;
        if refused() > 0 {
            break;
        }
    }
    hold(dice, 1000, 3000).await;
    for node in &nodes {
        node.disk.fill(false);
    }
    let full = refused();
    (full > 0).then(|| format!("{} of {NODES} disks, {full} writes refused", nodes.len()))
}
