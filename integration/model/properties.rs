//! What must hold in every state, and what must be reached.
//!
//! Most invariants are checked where something happens (`shell`), against the truth on all disks, and leave a bit in the
//! state; properties read the bits. L7 and R2 to R4 speak of bytes, which these logs do not have: they are the matter of
//! the other layers.

use stateright::Property;

use super::bounds::Bounds;
use super::shell::agree;
use super::steps::Explored;
use super::world::{Node, World};

pub(super) const E1: u32 = 1;
pub(super) const E2: u32 = 2;
pub(super) const E3: u32 = 4;
pub(super) const E4: u32 = 8;
pub(super) const E5: u32 = 16;
pub(super) const L2: u32 = 32;
pub(super) const L3: u32 = 64;
pub(super) const L4: u32 = 128;
pub(super) const L5: u32 = 256;
pub(super) const R1: u32 = 512;
pub(super) const FATAL: u32 = 1024;
pub(super) const PANIC: u32 = 2048;
pub(super) const HIDDEN: u32 = 4096;
pub(super) const L6: u32 = 8192;

/// All properties of a world.
pub(super) fn properties(bounds: &Bounds) -> Vec<Property<Explored>> {
    let mut all: Vec<Property<Explored>> = vec![
        Property::always("E1 one run leads an epoch", |_, w: &World| w.broken & E1 == 0),
        Property::always("E2 promises only grow, on disk before they are told", |_, w: &World| {
            w.broken & E2 == 0
        }),
        Property::always("E3 nothing from or to a lower epoch", |_, w: &World| w.broken & E3 == 0),
        Property::always("E4 a master as high as a quorum of promises", |_, w: &World| w.broken & E4 == 0),
        Property::always("E5 durable on a quorum of voters", |_, w: &World| w.broken & E5 == 0),
        Property::always("L1 same position, same log", |_, w: &World| logs_match(w)),
        Property::always("L2 a serving master has all that was committed", |_, w: &World| w.broken & L2 == 0),
        Property::always("L3 one history", |_, w: &World| w.broken & L3 == 0),
        Property::always("L4 older epochs commit under the current one", |_, w: &World| w.broken & L4 == 0),
        Property::always("L5 nothing committed is cut", |_, w: &World| w.broken & L5 == 0),
        Property::always(
            "L6 a new store votes when all that was committed is safe with it",
            |_, w: &World| w.broken & L6 == 0,
        ),
        Property::always("R1 only the committed is visible", |_, w: &World| w.broken & R1 == 0),
        Property::always("no node stops for good", |_, w: &World| w.broken & FATAL == 0),
        Property::always("no assertion fails", |_, w: &World| w.broken & PANIC == 0),
        Property::always("the model hides nothing that a rule reads", |_, w: &World| w.broken & HIDDEN == 0),
        Property::always("a healed group can be reached", |m: &Explored, w: &World| {
            m.stuck.as_ref().is_none_or(|stuck| !stuck.contains(&w.print()))
        }),
    ];
    if bounds.leases {
        all.push(Property::always("M2 one node may dispatch", |_, w: &World| {
            w.nodes.iter().filter(|n| n.replica.may_dispatch(w.now())).count() <= 1
        }));
    }
    if !bounds.any_bump {
        all.push(Property::always("V1 a master that a quorum hears stays", |_, w: &World| healthy_stays(w)));
    }
    // Where the way back is looked at, that it was found says that there was something to be seen.
    if !bounds.live {
        all.extend(reached(bounds));
    }
    all
}

/// What an exploration must have met, or it has shown nothing.
fn reached(bounds: &Bounds) -> Vec<Property<Explored>> {
    fn last(m: &Explored, n: &Node) -> bool {
        n.replica.promise().epoch.0 == u64::from(m.bounds.epochs)
    }
    let mut all: Vec<Property<Explored>> =
        vec![Property::sometimes("reached: a master in the last epoch", |m: &Explored, w: &World| {
            w.nodes.iter().any(|n| n.replica.leads() && last(m, n))
        })];
    if bounds.streams {
        all.push(Property::sometimes("reached: serving in the last epoch", |m: &Explored, w: &World| {
            w.nodes.iter().any(|n| n.serving && last(m, n))
        }));
    }
    if bounds.writes > 0 {
        all.push(Property::sometimes("reached: every write committed", |m: &Explored, w: &World| {
            w.proof.chosen.iter().any(|((_, value), _)| *value == m.bounds.writes)
        }));
    }
    if bounds.wipes > 0 {
        all.push(Property::sometimes("reached: every wiped store replaced", |m: &Explored, w: &World| {
            let votes = |v: &quorate::model::StoreId| w.tree.group.as_ref().is_some_and(|g| g.votes(*v));
            w.used.wipes == m.bounds.wipes && w.nodes.iter().all(|n| votes(&n.disk.identity.store))
        }));
    }
    if bounds.leases {
        all.push(Property::sometimes(
            "reached: the master of the last epoch dispatches",
            |m: &Explored, w: &World| w.nodes.iter().any(|n| last(m, n) && n.replica.may_dispatch(w.now())),
        ));
    }
    all
}

fn logs_match(w: &World) -> bool {
    w.ids().all(|i| {
        (0..i).all(|j| {
            let (a, b) = (&w.nodes[i].disk.log, &w.nodes[j].disk.log);
            let top = (0..a.len().min(b.len())).rev().find(|&k| a[k].0 == b[k].0);
            top.is_none_or(|k| agree(a, b) > k)
        })
    })
}

/// Suspicion does not depose a master to which a quorum of voters streams, once withdrawals under way are done.
fn healthy_stays(w: &World) -> bool {
    let Some(group) = &w.tree.group else { return true };
    let Some(m) = group.master.as_ref().and_then(|master| w.ids().find(|n| master.node == format!("n{n}")))
    else {
        return true;
    };
    let master = &w.nodes[m];
    if !master.serving || master.replica.promise() != group.promise() {
        return true;
    }
    let hears = |n: usize| {
        n == m
            || w.nodes[n]
                .link
                .as_ref()
                .is_some_and(|l| l.master == m && l.standing && l.open && l.promise == group.promise())
    };
    let votes = |n: usize| group.votes(w.nodes[n].disk.identity.store);
    let heard = w.ids().filter(|&n| votes(n) && hears(n)).count();
    heard < quorate::model::quorum(group.replicas) || w.shown().due(group).is_none()
}
