//! One store of the group that is damaged, cut short or gone.

use super::super::dice::Dice;
use super::super::disk::flip;
use super::super::group::{Group, NODES, Node, RECOVERY};
use super::hold;
use crate::harness::eventually;

/// Bytes at the end of a log that a killed node may not have synced: to cut them is its right.
const UNSURE: usize = 16 * 1024;

/// Bytes at the begin of a segment, and those of them that mean something.
const HEADER: usize = 4096;
const HEADER_FIELDS: usize = 44;

/// What is done to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// A bit of its log or of its identity changes.
    Flip,
    /// Its log becomes shorter.
    Truncate,
    /// All is gone.
    Wipe,
}

/// Damages the store of a node that was killed, and starts it. Seen: the store has another identity, which became a voter
/// without an operator.
pub(super) async fn strike(group: &Group, how: How, dice: &mut Dice) -> Option<String> {
    group.whole().await;
    let node = group.node(1 + dice.below(NODES as u64) as usize);
    let store = node.store()?;
    tokio::task::block_in_place(|| node.process.kill());
    let what = damage(node, how, dice);
    hold(dice, 0, 500).await;
    node.start();
    let (what, segment) = what?;
    let repaired = eventually(&format!("{} has repaired itself: {what}", node.name()), RECOVERY, || async {
        let status = node.get("/api/v1/broker")?;
        if status["store"] != store {
            return votes(group, &status["store"])?.then_some(true);
        }
        // The group needs nothing of that part of the log any more, and the node has let go of it.
        (status["role"] == "slave" && status["base"].as_u64()? > segment?).then_some(false)
    })
    .await;
    repaired.then(|| format!("{}: {what}", node.name()))
}

fn votes(group: &Group, store: &serde_json::Value) -> Option<bool> {
    let voters = group.serving()?.get("/api/v1/group")?["voters"].as_array()?.clone();
    Some(voters.iter().any(|voter| voter["store"] == *store))
}

/// What was done, in words, and where the segment begins to which it was done; nothing when the store held nothing to
/// damage.
fn damage(node: &Node, how: How, dice: &mut Dice) -> Option<(String, Option<u64>)> {
    if how == How::Wipe {
        node.disk.wipe();
        return Some(("wiped".to_owned(), None));
    }
    let files = node.disk.files();
    if how == How::Flip && dice.below(4) == 0 {
        let (path, _) = files.iter().find(|(path, _)| path.ends_with("identity.json"))?;
        node.disk.damage(path, |bytes| flip(bytes, usize::MAX, dice));
        return Some((format!("a bit of {path} turned over"), None));
    }
    let segments: Vec<&String> =
        files.iter().map(|(path, _)| path).filter(|path| path.ends_with(".log")).collect();
    // The oldest ones may be cleaned away before anybody looks at them.
    let path = dice.pick(&segments[segments.len() / 2..]).clone();
    let mut what = None;
    node.disk.damage(&path, |bytes| {
        // What follows the last record was reserved and is zero; the last ones may not have been synced.
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if written <= HEADER + UNSURE {
            return;
        }
        let records = written - HEADER - UNSURE;
        if how == How::Flip && dice.below(4) == 0 {
            flip(bytes, HEADER_FIELDS, dice);
            what = Some(format!("a bit of the header of {path} turned over"));
        } else if how == How::Flip {
            flip(&mut bytes[HEADER..], records, dice);
            what = Some(format!("a bit of {path} turned over"));
        } else {
            let len = HEADER + dice.below(records as u64) as usize;
            bytes.truncate(len);
            what = Some(format!("{path} cut to {len} bytes"));
        }
    });
    let segment = path.rsplit('/').next()?.strip_suffix(".log")?.parse().ok();
    what.map(|what| (what, segment))
}
