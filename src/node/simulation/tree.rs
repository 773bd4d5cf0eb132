//! The coordinator: one tree, and each node's session with it, which may be slow, lost or expired. A write whose answer
//! is lost may have been carried out or not; what the tree shows next tells.

use std::collections::BTreeMap;
use std::time::Duration;

use super::machine::NODES;
use super::world::{What, World, at_once};
use crate::coordination::{
    CoordinatorEvent, CoordinatorRequest, GroupRecord, Member, MemberId, MemberRecord, View,
};
use crate::env::random_u128;
use crate::model::{Promise, StoreId};

/// A session that is not heard of for so long ends.
const SESSION_TIME: Duration = Duration::from_secs(3);

#[derive(Default)]
pub(super) struct Tree {
    pub(super) group: Option<GroupRecord>,
    version: i32,
    pub(super) members: BTreeMap<MemberId, MemberRecord>,
    next_member: u64,
}

/// One node's session.
#[derive(Default)]
pub(super) struct Session {
    /// Its member and the random word of it.
    member: Option<(MemberId, StoreId)>,
    /// What the member is to say.
    record: Option<MemberRecord>,
    answered: u64,
    /// Since when nothing is heard of this node.
    pub(super) away: Option<Duration>,
    looking: bool,
}

impl Session {
    /// A process begins. The member of the one before may still be there for a while.
    pub(super) fn begin(&mut self) {
        *self = Session::default();
    }

    pub(super) fn ended(&mut self, now: Duration) {
        self.away.get_or_insert(now);
    }
}

impl World {
    pub(super) fn take_requests(&mut self, n: usize) {
        while let Some(request) =
            self.machines[n].running.as_mut().and_then(|running| running.requests.try_recv().ok())
        {
            match request {
                CoordinatorRequest::SetMember(record) => {
                    self.check_promise_told(n, &record);
                    self.sessions[n].record = Some(*record);
                    self.show_member(n);
                }
                CoordinatorRequest::WriteGroup { version, record } => {
                    let delay = if self.rng.chance(5) { self.rng.ms(1500) } else { self.rng.ms(8) };
                    self.after(delay, n, What::GroupWrite(version, record));
                }
                CoordinatorRequest::Leave => self.expire(n),
            }
        }
    }

    /// Writes the member's record, if the session stands.
    fn show_member(&mut self, n: usize) {
        let session = &mut self.sessions[n];
        let (None, Some(mut record)) = (session.away, session.record.clone()) else { return };
        let (id, guid) = *session.member.get_or_insert_with(|| {
            self.tree.next_member += 1;
            (MemberId(self.tree.next_member), StoreId(random_u128()))
        });
        record.guid = guid;
        self.tree.members.insert(id, record);
        self.tree_changed();
    }

    fn tree_changed(&mut self) {
        for n in 0..NODES {
            if !self.sessions[n].looking && self.up(n) {
                self.sessions[n].looking = true;
                let delay = self.rng.ms(12);
                self.after(delay, n, What::View);
            }
        }
    }

    pub(super) fn look(&mut self, n: usize) {
        self.sessions[n].looking = false;
        if self.sessions[n].away.is_some() {
            let lost = CoordinatorEvent::Unreachable("simulated".into());
            return self.drive(n, |core| at_once(core.take_coordinator(lost)));
        }
        let member = |(id, record): (&MemberId, &MemberRecord)| Member { id: *id, record: record.clone() };
        let view = View {
            group: self.tree.group.clone().map(|group| (group, self.tree.version)),
            version: self.tree.version,
            members: self.tree.members.iter().map(member).collect(),
            mine: self.sessions[n].member.map(|(id, _)| id),
            answered: self.sessions[n].answered,
        };
        self.tell_log(n);
        let view = CoordinatorEvent::View(Box::new(view));
        self.drive(n, |core| at_once(core.take_coordinator(view)));
    }

    /// A group write arrives. Without a connection it arrived before the loss or it never does.
    pub(super) fn write_group(&mut self, n: usize, life: u64, version: i32, record: GroupRecord) {
        let arrives = self.sessions[n].away.is_none() || self.rng.chance(50);
        if arrives && version == self.tree.version {
            self.note(|| {
                let master = record.master.as_ref().map(|m| m.node.clone());
                format!(
                    "n{n} writes epoch {} {:?} master {master:?}: {}",
                    record.epoch, record.state, record.cause
                )
            });
            self.tree.version += 1;
            self.tree.group = Some(record);
            self.tree_changed();
        }
        if self.machines[n].life == life {
            let delay = self.rng.ms(5);
            self.after(delay, n, What::Answered);
        }
    }

    pub(super) fn answered(&mut self, n: usize) {
        if self.sessions[n].away.is_some() {
            // Nothing is known of it before the tree is read again.
            self.after(Duration::from_millis(20), n, What::Answered);
            return;
        }
        self.sessions[n].answered += 1;
        self.look(n);
    }

    /// A node and the tree hear nothing of each other.
    pub(super) fn cut_session(&mut self, n: usize) {
        self.sessions[n].away.get_or_insert(self.now);
        if !self.sessions[n].looking && self.up(n) {
            self.sessions[n].looking = true;
            self.after(Duration::from_millis(5), n, What::View);
        }
    }

    pub(super) fn join_session(&mut self, n: usize) {
        if self.up(n) && self.sessions[n].away.take().is_some() {
            self.show_member(n);
            self.tree_changed();
        }
    }

    /// Ends a session; a running node makes a new one at once.
    pub(super) fn expire(&mut self, n: usize) {
        if let Some((id, _)) = self.sessions[n].member.take() {
            self.tree.members.remove(&id);
            self.tree_changed();
        }
        if self.up(n) {
            self.show_member(n);
        }
    }

    pub(super) fn expire_sessions(&mut self) {
        for n in 0..NODES {
            let over = self.sessions[n].away.is_some_and(|since| self.now - since > SESSION_TIME);
            if over && self.sessions[n].member.is_some() {
                self.note(|| format!("the session of n{n} expires"));
                self.expire(n);
            }
        }
        // Members of ended processes whose session has no successor.
        let live: Vec<MemberId> = self.sessions.iter().filter_map(|s| s.member.map(|(id, _)| id)).collect();
        if self.tree.members.keys().any(|id| !live.contains(id)) && self.rng.chance(1) {
            self.tree.members.retain(|id, _| live.contains(id));
            self.tree_changed();
        }
    }

    /// ZooKeeper comes back empty: versions and numbers begin again, and what was on its way to it never arrives.
    pub(super) fn empty_tree(&mut self) {
        self.note(|| "the tree is emptied".to_owned());
        for (_, _, what) in self.queue.values_mut() {
            if let What::GroupWrite(version, _) = what {
                *version = i32::MIN;
            }
        }
        self.tree = Tree::default();
        self.sessions.iter_mut().for_each(|session| session.member = None);
        for n in 0..NODES {
            if self.up(n) {
                self.show_member(n);
            }
        }
        self.tree_changed();
    }

    /// What was told of a promise must still be on the disk when the store is opened again (E2).
    fn check_promise_told(&mut self, n: usize, record: &MemberRecord) {
        let promise = Promise { epoch: record.promised, claim: record.claim };
        let (store, told) = self.machines[n].told;
        if store == record.store && promise.epoch < told.epoch {
            self.fail(&format!("E2: n{n} promised {promise} after {told}"));
        }
        self.machines[n].told = (record.store, promise);
    }

    pub(super) fn check_promise_kept(&mut self, n: usize) {
        let ((told_by, told), (store, now)) = (self.machines[n].told, self.machines[n].opened);
        if store == told_by && now.epoch < told.epoch {
            self.fail(&format!("E2: n{n} told {told} and has only {now} on its disk"));
        }
    }
}
