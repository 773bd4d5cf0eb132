//! Whole groups of replicas over a simulated coordinator, network and disk: one seed, one run.

mod runs;
mod shell;
mod world;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::coordination::{GroupRecord, Member, MemberId, MemberRecord, View};
use crate::model::{Epoch, Identity, Offset, Position, Promise, StoreId};

use super::{
    Action, BatchExtent, ConnectionId, Event, History, LogState, Replica, ReplicaSettings, StreamId,
};

/// Every record of the simulated log takes so many bytes.
const RECORD: u64 = 10;
const NODES: usize = 3;
type Entry = (Epoch, u64);

struct Rng(u64);

impl Rng {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next(100) < percent
    }

    fn ms(&mut self, most: u64) -> Duration {
        Duration::from_micros(self.next(most * 1000))
    }
}

#[derive(Clone)]
struct Disk {
    identity: Identity,
    log: Vec<Entry>,
    synced: usize,
}

impl Disk {
    fn blank(store: u128, node: usize) -> Disk {
        let node = format!("n{node}");
        let identity = Identity { store: StoreId(store), node, promise: Promise::default(), known: None };
        Disk { identity, log: Vec::new(), synced: 0 }
    }

    fn history(&self) -> Vec<(Epoch, Offset)> {
        let mut ends: Vec<(Epoch, Offset)> = Vec::new();
        for (n, (epoch, _)) in self.log.iter().enumerate() {
            let end = Offset((n as u64 + 1) * RECORD);
            match ends.last_mut() {
                Some(last) if last.0 == *epoch => last.1 = end,
                _ => ends.push((*epoch, end)),
            }
        }
        ends
    }
}

struct Node {
    disk: Disk,
    replica: Option<Replica>,
    /// Counts the lives of this node: events for an earlier life are dropped.
    life: u64,
    /// Counts the cuts of this log: the shell drains notices of syncs from before a cut.
    log_life: u64,
    bound: bool,
    serving: bool,
    paused: bool,
    session: Option<(MemberId, StoreId)>,
    member: Option<MemberRecord>,
    answered: u64,
    dispatching: bool,
}

struct Connection {
    slave: usize,
    master: usize,
    stream: StreamId,
    next: Option<Offset>,
    /// When the last thing on this connection arrives, in either direction: nothing overtakes.
    to_slave: Duration,
    to_master: Duration,
}

enum What {
    Event(usize, u64, Event),
    /// Records under way: their content is what the master had when it sent them.
    Records(usize, u64, StreamId, Offset, Vec<Entry>, Offset),
    /// A node looks at the tree.
    Look(usize, u64),
    Synced(usize, u64, u64, usize),
}

struct World {
    rng: Rng,
    now: Duration,
    nodes: Vec<Node>,
    queue: BTreeMap<(Duration, u64), What>,
    sequence: u64,
    tree_group: Option<GroupRecord>,
    tree_version: i32,
    members: BTreeMap<MemberId, (StoreId, MemberRecord)>,
    next_member: u64,
    connections: BTreeMap<ConnectionId, Connection>,
    next_connection: u64,
    /// Everything that was ever committed by anybody.
    chosen: Vec<Entry>,
    leaders: BTreeMap<Epoch, (usize, u64)>,
    /// Streams that are cut now, by slave and master.
    cut: BTreeSet<(usize, usize)>,
    written: u64,
    stores: u128,
    trace: VecDeque<String>,
}
