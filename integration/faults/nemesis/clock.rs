//! The wall clock of one node is put wrong and right again while it runs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::dice::Dice;
use super::super::group::{Group, Node, comes};
use super::{hold, target};

/// How far, in seconds: ahead and back, an hour and some years.
const JUMPS: [i64; 4] = [3600, -3600, 100_000_000, -100_000_000];
/// How near a clock must be to what was set.
const NEAR: Duration = Duration::from_secs(60);
/// How long a node may take to see it.
const SEEN: Duration = Duration::from_secs(5);

/// Puts a clock ahead or back, and right again, which is the opposite jump. Seen: the node tells the wrong time, then the
/// right one.
pub(super) async fn jump(group: &Group, dice: &mut Dice) -> Option<String> {
    let master = dice.chance(2);
    let node = target(group, master, dice).await;
    let seconds = dice.pick(&JUMPS);
    node.clock.set(seconds);
    let wrong = tells(node, seconds).await;
    hold(dice, 200, 1500).await;
    node.clock.set(0);
    let right = tells(node, 0).await;
    (wrong && right).then(|| format!("{} by {seconds} s", node.name()))
}

/// Whether the node comes to tell a time so many seconds from ours.
async fn tells(node: &Node, seconds: i64) -> bool {
    comes(SEEN, || {
        let ours = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        let theirs = node.get("/api/v1/broker").and_then(|status| status["time_ms"].as_i64());
        theirs.is_some_and(|theirs| theirs.abs_diff(ours + seconds * 1000) < NEAR.as_millis() as u64)
    })
    .await
}
