//! What a master knows of its mastership and its slaves.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bugs;
use crate::model::{Epoch, Offset, StoreId, Voter, quorum};
use crate::replication::ConnectionId;

/// How far along a mastership is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// The epoch-start record is not committed yet.
    Starting,
    Serving,
    /// Serving stopped for want of a quorum.
    Suspended,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Leading {
    pub(super) stage: Stage,
    pub(super) since: Duration,
    /// Published address of the replication port, once it is open.
    pub(super) address: Option<String>,
    /// End of this epoch's first record, once it is in the log.
    pub(super) start: Option<Offset>,
    pub(super) voters: Vec<Voter>,
    pub(super) config: u64,
    pub(super) slaves: BTreeMap<ConnectionId, Slave>,
    /// The store that is about to take the place of its node's old one. Until the record that names it has been read,
    /// a quorum of both lists is needed.
    pub(super) change: Option<Voter>,
    /// Not before then, so that every older lease has run out.
    pub(super) dispatch_from: Duration,
    pub(super) dispatching: bool,
    /// Why this mastership is being given away, with the epoch whose lease was released for it. It is, until it has
    /// ended: nothing is dispatched any more, so a write that was lost must be followed by another.
    pub(super) leaving: Option<(Epoch, String)>,
    pub(super) heartbeat_at: Duration,
    /// Since when fewer voters than the group has nodes are in step, and what was said of it.
    pub(super) reduced: Option<(Duration, String)>,
}

/// A slave's stream. What it holds is keyed by node, store and epoch: a stale stream or a new store never counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slave {
    pub(super) node: String,
    pub(super) store: StoreId,
    /// `durable <= log.end`, as acknowledged on this stream.
    pub(super) durable: Offset,
    /// When the newest heartbeat that it has answered was sent.
    pub(super) heard: Option<Duration>,
    /// The voter list that is durable there.
    pub(super) config: u64,
    /// Its disk should take nothing but what makes room.
    pub(super) short: bool,
    /// Whether it has held all that was committed since its stream stands.
    pub(super) in_step: bool,
}

impl Leading {
    pub(super) fn serving(&self) -> bool {
        self.stage == Stage::Serving
    }

    /// The slaves with a standing stream.
    pub(super) fn slaves(&self) -> impl Iterator<Item = &Slave> {
        self.slaves.values()
    }

    pub(super) fn slave_of(&self, store: StoreId) -> Option<&Slave> {
        if bugs::on("wiped_disk_votes") {
            let voter = self.voters.iter().find(|v| v.store == store);
            return self.slaves.values().find(|s| voter.is_some_and(|v| v.node == s.node));
        }
        self.slaves.values().find(|s| s.store == store)
    }

    /// A planted bug's idea of a quorum: streams are counted, whoever is at their other end.
    pub(super) fn quorum_of_streams(&self, own: Offset) -> Offset {
        let any = bugs::on("non_voter_counted");
        let counts = |s: &&Slave| any || self.voters.iter().any(|v| v.store == s.store);
        let mut held: Vec<_> = self.slaves.values().filter(counts).map(|s| s.durable).collect();
        held.push(own);
        held.sort_unstable_by(|a, b| b.cmp(a));
        held.get(quorum(self.voters.len()) - 1).copied().unwrap_or_default()
    }

    /// The voters with the store under change in its node's place, or beside them if its node has none.
    pub(super) fn next_voters(&self) -> Option<Vec<Voter>> {
        let new = self.change.as_ref()?;
        let swap = |v: &Voter| if v.node == new.node { new.clone() } else { v.clone() };
        let mut next: Vec<Voter> = self.voters.iter().map(swap).collect();
        if !next.contains(new) {
            next.push(new.clone());
        }
        Some(next)
    }

    /// Whether this slave's store should be a voter and is none: it takes the place of its node's lost one, or one that is
    /// free since a recovery.
    pub(super) fn wants_vote(&self, slave: &Slave, replicas: usize) -> bool {
        let of_node = self.voters.iter().find(|v| v.node == slave.node);
        of_node.map_or(self.voters.len() < replicas, |voter| voter.store != slave.store)
    }
}
