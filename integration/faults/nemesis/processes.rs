//! Processes that are killed, stopped and restarted.

use std::time::Duration;

use super::super::dice::Dice;
use super::super::group::Group;
use super::{hold, target};

/// How long a later master may take to appear.
const ELECTION: Duration = Duration::from_secs(6);

/// kill -9 and, a little later, a start. Seen: the process was alive, and a later master serves.
pub(super) async fn kill(group: &Group, master: bool, dice: &mut Dice) -> Option<String> {
    let node = target(group, master, dice).await;
    let epoch = group.epoch();
    let killed = node.process.kill();
    let moved = !master || group.epoch_moves(epoch, ELECTION).await;
    hold(dice, 0, 1500).await;
    node.start();
    (killed && moved).then(|| node.name())
}

/// SIGSTOP and SIGCONT. Seen: the process stood still, and a later master serves.
pub(super) async fn pause(group: &Group, master: bool, dice: &mut Dice) -> Option<String> {
    let node = target(group, master, dice).await;
    let epoch = group.epoch();
    node.process.pause(true);
    hold(dice, 200, 1500).await;
    let stood = node.process.paused();
    let moved = !master || group.epoch_moves(epoch, ELECTION).await;
    node.process.pause(false);
    (stood && moved).then(|| node.name())
}

/// One node after the other is ended decently and started again. Seen: each ended well.
pub(super) async fn rolling_restart(group: &Group) -> Option<String> {
    let mut well = true;
    for node in &group.nodes {
        well &= node.process.end();
        node.start();
        group.whole().await;
    }
    well.then(|| "all nodes".to_owned())
}
