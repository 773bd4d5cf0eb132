//! The state of a small world: nodes that hold real replicas and disks, one ZooKeeper, and what only the proof sees.

use std::cell::Cell;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use quorate::coordination::{GroupRecord, Member, MemberId, MemberRecord, View};
use quorate::model::{Claim, Epoch, Identity, Offset, Position, Promise, StoreId, Voter};
use quorate::replication::{
    Ack, ConnectionId, Heartbeat, Hello, History, Ignored, LogState, Replica, ReplicaSettings,
};

use super::bounds::Bounds;
use super::live::Calm;
use super::properties::HIDDEN;

/// Long enough for every lease to run out, not long enough for any other timer.
const LEAP: Duration = Duration::from_millis(600);
/// The only moment there is where leases do not matter; timers run out when the model says so.
const NOW: Duration = Duration::from_secs(3600);

/// A record of a log, one byte long: its epoch and its value; 0 starts the epoch.
pub(super) type Entry = (u8, u8);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Disk {
    pub(super) identity: Identity,
    pub(super) log: Vec<Entry>,
    pub(super) synced: usize,
}

impl Disk {
    pub(super) fn blank(node: usize, generation: u128) -> Disk {
        let store = StoreId(16 * (node as u128 + 1) + generation);
        let identity = Identity { store, node: format!("n{node}"), promise: Promise::default(), known: None };
        Disk { identity, log: Vec::new(), synced: 0 }
    }

    pub(super) fn position(&self, end: usize) -> Position {
        self.log[..end].last().map_or(Position::default(), |(epoch, _)| Position {
            epoch: Epoch(u64::from(*epoch)),
            offset: Offset(end as u64),
        })
    }

    pub(super) fn history(&self) -> History {
        let mut history = History::default();
        for (at, (epoch, _)) in self.log.iter().enumerate() {
            history.extend(Epoch(u64::from(*epoch)), Offset(at as u64 + 1));
        }
        history
    }
}

/// A slave's stream to its master.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Link {
    pub(super) master: usize,
    /// What it says first, until that was taken.
    pub(super) hello: Option<Hello>,
    /// Its name at the master, once the hello was taken.
    pub(super) connection: u64,
    /// The master's promise when it welcomed the slave.
    pub(super) promise: Promise,
    pub(super) standing: bool,
    /// Whether the master's end is open.
    pub(super) open: bool,
    /// The next record that it will carry.
    pub(super) next: usize,
    /// A sign of life and an acknowledgement under way.
    pub(super) beat: Option<Heartbeat>,
    pub(super) ack: Option<Ack>,
}

/// A stream that its slave has left, before its master knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stale {
    pub(super) master: usize,
    pub(super) connection: u64,
    pub(super) ack: Option<Ack>,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) replica: Replica,
    pub(super) disk: Disk,
    /// Disks that were lost; the last may return.
    pub(super) shelf: Vec<Disk>,
    pub(super) generation: u128,
    /// Its member and the random word of it.
    pub(super) session: Option<(MemberId, StoreId)>,
    /// How often it drew such a word.
    pub(super) guids: u128,
    /// What its member record should say.
    pub(super) told: Option<MemberRecord>,
    /// A group write that has not been answered, and one of unknown outcome that may still arrive.
    pub(super) writing: Option<(i32, GroupRecord)>,
    pub(super) late: Option<(i32, GroupRecord)>,
    pub(super) answered: u64,
    pub(super) bound: bool,
    pub(super) serving: bool,
    pub(super) link: Option<Link>,
    pub(super) stale: Option<Stale>,
}

impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.replica.hash(state);
        self.disk.hash(state);
        self.shelf.hash(state);
        self.generation.hash(state);
        self.session.hash(state);
        self.guids.hash(state);
        self.writing.hash(state);
        self.late.hash(state);
        self.answered.hash(state);
        self.bound.hash(state);
        self.serving.hash(state);
        self.link.hash(state);
        self.stale.hash(state);
    }
}

thread_local! {
    /// The word that the next bump draws.
    pub(super) static CLAIM: Cell<u64> = const { Cell::new(0) };
}

fn claim() -> u64 {
    CLAIM.get()
}

impl Node {
    /// A process that has just opened its disk.
    pub(super) fn replica_of(disk: &Disk, node: usize, bounds: &Bounds) -> Replica {
        let settings = ReplicaSettings {
            broker: "b".into(),
            node: format!("n{node}"),
            replicas: bounds.nodes,
            weight: 1,
            suspect_after: Duration::from_secs(1),
        };
        let end = Offset(disk.log.len() as u64);
        let log = LogState {
            base: Position::default(),
            base_previous: 0,
            end,
            durable: end,
            history: disk.history(),
        };
        Replica::new(settings, disk.identity.clone(), log, claim)
    }

    pub(super) fn new(node: usize, bounds: &Bounds) -> Node {
        let disk = Disk::blank(node, 1);
        Node {
            replica: Node::replica_of(&disk, node, bounds),
            disk,
            shelf: Vec::new(),
            generation: 1,
            session: None,
            guids: 0,
            told: None,
            writing: None,
            late: None,
            answered: 0,
            bound: false,
            serving: false,
            link: None,
            stale: None,
        }
    }
}

/// ZooKeeper: one linearizable object.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Tree {
    pub(super) group: Option<GroupRecord>,
    pub(super) version: i32,
    pub(super) members: Vec<Member>,
    pub(super) next: u64,
}

/// What only the proof sees.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Proof {
    /// Everything that was ever committed, and the lowest epoch that did so.
    pub(super) chosen: Vec<(Entry, u8)>,
    /// Epochs that somebody has led, by whom.
    pub(super) owners: Vec<(u8, u8)>,
    /// The voters of the newest group record ever written, and their count of changes.
    pub(super) voters: Vec<Voter>,
    pub(super) config: u64,
}

/// How much of each bound has been used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Used {
    pub(super) writes: u8,
    pub(super) crashes: u8,
    pub(super) expiries: u8,
    pub(super) wipes: u8,
    pub(super) returns: u8,
    pub(super) empties: u8,
    pub(super) cuts: u8,
    pub(super) deadlines: u8,
    pub(super) lost: u8,
    pub(super) claims: u8,
    pub(super) time: u8,
    pub(super) bumps: u8,
    pub(super) steps_down: u8,
    pub(super) calm: Option<Calm>,
}

/// Something shared between states until it changes, with its fingerprint.
#[derive(Clone)]
pub(super) struct Shared<T> {
    value: Arc<T>,
    print: u64,
    dirty: bool,
}

impl<T: Clone + Hash> Shared<T> {
    pub(super) fn new(value: T) -> Shared<T> {
        Shared { value: Arc::new(value), print: 0, dirty: true }
    }

    pub(super) fn edit(&mut self) -> &mut T {
        self.dirty = true;
        Arc::make_mut(&mut self.value)
    }

    pub(super) fn dirty(&self) -> bool {
        self.dirty
    }

    fn seal(&mut self) {
        if self.dirty {
            let mut hasher = DefaultHasher::new();
            self.value.hash(&mut hasher);
            self.print = hasher.finish();
            self.dirty = false;
        }
    }
}

impl<T> std::ops::Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// One state. Equality and hash go by the fingerprints of its parts.
#[derive(Clone)]
pub(super) struct World {
    pub(super) nodes: Vec<Shared<Node>>,
    pub(super) tree: Shared<Tree>,
    pub(super) proof: Shared<Proof>,
    pub(super) used: Used,
    /// Invariants that the last step broke, as bits.
    pub(super) broken: u32,
}

impl World {
    /// Blank disks and an empty ZooKeeper.
    pub(super) fn blank(bounds: &Bounds) -> World {
        let nodes = (0..bounds.nodes).map(|n| Shared::new(Node::new(n, bounds))).collect();
        World {
            nodes,
            tree: Shared::new(Tree::default()),
            proof: Shared::new(Proof::default()),
            used: Used::default(),
            broken: 0,
        }
    }

    pub(super) fn ids(&self) -> std::ops::Range<usize> {
        0..self.nodes.len()
    }

    /// The one clock; how far clocks drift apart is less than what is waited for.
    pub(super) fn now(&self) -> Duration {
        NOW + LEAP * u32::from(self.used.time)
    }

    /// Brings every part that has changed into its normal form.
    pub(super) fn seal(&mut self, bounds: &Bounds) {
        self.forget_old_news();
        if bounds.empties_matter() && self.used.empties >= bounds.empties && self.tree.version != 0 {
            self.forget_versions();
        }
        for n in self.ids() {
            if self.nodes[n].dirty() {
                let node = self.nodes[n].edit();
                if node.stale.as_ref().is_some_and(|stale| stale.ack.is_none()) && bounds.any_bump {
                    node.stale = None;
                }
                let ignored = Ignored { leases: !bounds.leases, suspicion: bounds.any_bump };
                // A write at a version that is gone fails whenever it arrives.
                if bounds.any_bump && node.writing.as_ref().is_some_and(|(version, _)| *version < 0) {
                    (node.writing, node.answered) = (None, node.answered + 1);
                }
                let answered = node.replica.forget_counters(ignored);
                node.answered -= answered;
                self.nodes[n].seal();
            }
        }
        if bounds.any_bump && self.tree.dirty() {
            self.forget_positions();
        }
        self.tree.seal();
        self.proof.seal();
    }

    /// An epoch that has a master never compares positions again.
    fn forget_positions(&mut self) {
        let tree = self.tree.edit();
        let Some(group) = tree.group.as_ref().filter(|group| group.master.is_some()) else { return };
        let of = |m: &&mut Member| m.record.promised < group.epoch || m.record.promise() == group.promise();
        for member in tree.members.iter_mut().filter(of) {
            (member.record.position, member.record.position_epoch) = (0, Epoch(0));
        }
    }

    /// In the last life of the tree only the distance to its version matters, and what is behind it never fits again.
    fn forget_versions(&mut self) {
        let base = self.tree.version;
        self.tree.edit().version = 0;
        let shift = |version: &mut i32| *version = if *version < base { -1 } else { *version - base };
        for n in self.ids() {
            let node = self.nodes[n].edit();
            if let Some(view) = node.replica.view_mut() {
                shift(&mut view.version);
                if let Some((_, version)) = &mut view.group {
                    shift(version);
                }
            }
            for (version, _) in node.writing.iter_mut().chain(&mut node.late) {
                shift(version);
            }
        }
    }

    /// An acknowledgement that tells its master nothing may as well not be under way.
    fn forget_old_news(&mut self) {
        for n in self.ids() {
            let node = &self.nodes[n];
            let old = |master: usize, connection: u64, ack: Option<Ack>| {
                let master = &self.nodes[master].replica;
                ack.is_some_and(|ack| !master.is_news(ConnectionId(connection), &ack))
            };
            let link = node.link.as_ref().is_some_and(|l| l.standing && old(l.master, l.connection, l.ack));
            let stale = node.stale.as_ref().is_some_and(|s| old(s.master, s.connection, s.ack));
            if link && let Some(link) = &mut self.nodes[n].edit().link {
                link.ack = None;
            }
            if stale && let Some(stale) = &mut self.nodes[n].edit().stale {
                stale.ack = None;
            }
        }
    }

    /// The store with this identity, wherever its disk is now.
    pub(super) fn disk_of(&self, store: StoreId) -> Option<&Disk> {
        self.nodes
            .iter()
            .flat_map(|n| std::iter::once(&n.disk).chain(&n.shelf))
            .find(|disk| disk.identity.store == store)
    }

    /// The member of a node in the tree as it is; another may have its number after an emptying.
    pub(super) fn member_of(&self, n: usize) -> Option<MemberId> {
        let (id, guid) = self.nodes[n].session?;
        self.tree.members.iter().any(|m| m.id == id && m.record.guid == guid).then_some(id)
    }

    /// Whether a rule looks at another's member at all.
    fn matters(&self, member: &Member, bounds: &Bounds) -> bool {
        let Some(group) = &self.tree.group else { return true };
        if !bounds.any_bump {
            return true;
        }
        let (r, promise) = (&member.record, group.promise());
        let ahead = r.promised >= promise.epoch && r.promise() != promise;
        let mastered = group.master.is_some();
        let master = group.master.as_ref().is_some_and(|master| master.guid == r.guid);
        // An older member of its node must not count instead of it.
        let hides = self.tree.members.iter().any(|o| o.id != member.id && o.record.node == r.node);
        ahead || master || hides || !mastered && r.promise() == promise
    }

    /// A member without what no rule looks at.
    fn relevant(&self, member: &Member, bounds: &Bounds) -> Member {
        let mut m = member.clone();
        let r = &mut m.record;
        let Some(group) = &self.tree.group else {
            (r.position, r.position_epoch, r.address, r.suspects) = (0, Epoch(0), None, Epoch(0));
            return m;
        };
        r.known = None;
        let electing = group.master.is_none();
        if !electing || r.promise() != group.promise() {
            (r.position, r.position_epoch) = (0, Epoch(0));
        }
        r.unfit &= electing;
        if r.promised < group.epoch || r.promise() == group.promise() && !electing {
            (r.promised, r.claim) = (Epoch(0), Claim(0));
        }
        if r.suspects != group.epoch {
            r.suspects = Epoch(0);
        }
        let master = group.master.as_ref().is_some_and(|master| master.guid == r.guid);
        if !master {
            r.address = None;
        } else if !bounds.lateness() {
            // It is dialled until it answers.
            r.address = Some(r.node.clone());
        }
        m
    }

    /// All that the tree shows.
    pub(super) fn shown(&self) -> View {
        let group = self.tree.group.clone().map(|group| (group, 0));
        View { group, members: self.tree.members.clone(), ..View::default() }
    }

    /// What node `n` would read in the tree now, without what no rule looks at.
    pub(super) fn view(&mut self, n: usize, bounds: &Bounds) -> View {
        let tree = &self.tree;
        let node = &self.nodes[n];
        let own = |member: &Member| self.member_of(n).is_some_and(|id| id == member.id);
        let kept = tree.members.iter().filter(|m| own(m) || self.matters(m, bounds));
        let members: Vec<Member> = kept.map(|m| self.relevant(m, bounds)).collect();
        let mine = self.member_of(n);
        let version = if bounds.empties_matter() { tree.version } else { 0 };
        let view = View {
            group: tree.group.clone().map(|group| (group, version)),
            members,
            version,
            mine,
            answered: node.answered,
        };
        if !self.same_to_rules(&view, bounds) {
            self.broken |= HIDDEN;
        }
        view
    }

    /// Whether every rule of election says the same of a view as of the whole tree: nothing it reads was left out.
    fn same_to_rules(&self, view: &View, bounds: &Bounds) -> bool {
        let whole = self.shown();
        let Some(group) = &self.tree.group else {
            return (view.lost_group(), view.may_found(bounds.nodes))
                == (whole.lost_group(), whole.may_found(bounds.nodes))
                && view.fresh_epoch() == whole.fresh_epoch();
        };
        let winner = |view: &View| view.winner(group).map(|member| member.id);
        let elects = group.master.is_some()
            || (winner(view), view.all_promised(group)) == (winner(&whole), whole.all_promised(group));
        elects
            && (view.due(group), view.master_present(group))
                == (whole.due(group), whole.master_present(group))
            && view.fresh_epoch() == whole.fresh_epoch()
    }

    /// One number for the whole state.
    pub(super) fn print(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

impl PartialEq for World {
    fn eq(&self, other: &World) -> bool {
        let same = |a: &World, b: &World| {
            a.nodes.iter().zip(&b.nodes).all(|(x, y)| x.print == y.print)
                && (a.tree.print, a.proof.print) == (b.tree.print, b.proof.print)
        };
        same(self, other) && (self.used, self.broken) == (other.used, other.broken)
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nodes.iter().for_each(|n| n.print.hash(state));
        self.tree.print.hash(state);
        self.proof.print.hash(state);
        self.used.hash(state);
        self.broken.hash(state);
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(g) = &self.tree.group {
            let master = g.master.as_ref().map_or("-", |m| &m.node);
            let voters: Vec<_> = g.voters.iter().map(|v| v.store.0).collect();
            write!(
                f,
                "record: epoch {} claim {} master {master} {:?} voters {voters:?}",
                g.epoch, g.claim.0, g.state
            )?;
        } else {
            write!(f, "no record")?;
        }
        for (n, node) in self.nodes.iter().enumerate() {
            write!(f, " | {}", Shown(n, node))?;
        }
        write!(f, " | committed {:?}", self.proof.chosen.iter().map(|c| c.0).collect::<Vec<_>>())
    }
}

/// One node in one line.
pub(super) struct Shown<'a>(pub(super) usize, pub(super) &'a Node);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.1;
        let role = match () {
            () if node.replica.serving() => "serves",
            () if node.replica.leads() => "leads",
            () if node.replica.follows() => "follows",
            () => "-",
        };
        let log: Vec<String> = node.disk.log.iter().map(|(e, v)| format!("{e}.{v}")).collect();
        let promise = node.disk.identity.promise;
        write!(
            f,
            "n{} store {} promised {}/{} {role} log [{}] synced {} committed {}",
            self.0,
            node.disk.identity.store.0,
            promise.epoch,
            promise.claim.0,
            log.join(" "),
            node.disk.synced,
            node.replica.committed()
        )
    }
}
