//! The replica as a state machine: what it is, what it does with each event, what it tells of itself.

use std::time::Duration;

use super::following::Following;
use super::leading::Leading;
use super::{LACK_TIME, LogState, ReplicaSettings, UNFIT_TIME, WINNER_TIME_MAX};
use crate::bugs;
use crate::coordination::{Due, GroupRecord, GroupState, Master, Member, MemberId, MemberRecord, View};
use crate::model::{Claim, Epoch, FORMAT, GroupId, Identity, Known, Offset, Position, Promise, StoreId};
use crate::replication::{Action, Event, StreamId};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// No master to follow.
    Idle,
    Following(Following),
    Leading(Box<Leading>),
}

/// What a node would write into the group record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Intent {
    Found,
    Recreate,
    Bump(Epoch, Due),
    Choose(Epoch),
}

/// Why this node does not serve, as told in its member record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reason {
    pub(super) text: String,
    /// Until when it excludes this node from being chosen; `None` if it does not.
    pub(super) unfit_until: Option<Duration>,
}

/// One node's replica. See the module's documentation for how it is driven.
#[derive(Clone, Debug)]
pub struct Replica {
    pub(super) settings: ReplicaSettings,
    pub(super) identity: Identity,
    pub(super) log: LogState,
    /// Everything below is known to be committed. `committed <= log.end`; volatile.
    pub(super) committed: Offset,
    pub(super) role: Role,
    pub(super) view: Option<Box<View>>,
    /// How many group writes were sent. One is under way while the view has answered fewer.
    pub(super) writes: u64,
    /// What this node would do once it has been due for long enough, and since when.
    pub(super) intent: Option<(Intent, Duration)>,
    /// The epoch in which a stream of this node last stood.
    pub(super) stood_in: Epoch,
    /// Since when the record has named the current master.
    pub(super) chosen_since: Option<(Promise, Duration)>,
    pub(super) reason: Option<Reason>,
    /// Why this node's disk should take nothing but what makes room.
    pub(super) short: Option<String>,
    /// Since when something has been missing.
    pub(super) lacking_since: Option<Duration>,
    /// The log's end as told in the member record.
    pub(super) shown: Position,
    pub(super) published: Option<MemberRecord>,
    pub(super) streams: u64,
    pub(super) now: Duration,
    pub(super) claims: fn() -> u64,
    pub(super) actions: Vec<Action>,
}

impl Replica {
    /// A replica of what the disk holds. It does nothing until the coordinator shows it the tree; `claims` draws the
    /// random words of its bumps.
    pub fn new(settings: ReplicaSettings, identity: Identity, log: LogState, claims: fn() -> u64) -> Replica {
        let shown = log.history.position();
        Replica {
            settings,
            identity,
            log,
            committed: Offset(0),
            role: Role::Idle,
            view: None,
            writes: 0,
            intent: None,
            stood_in: Epoch(0),
            chosen_since: None,
            reason: None,
            short: None,
            lacking_since: None,
            shown,
            published: None,
            streams: 0,
            now: Duration::ZERO,
            claims,
            actions: Vec::new(),
        }
    }

    /// Takes one event. The actions are to be carried out in their order before the next event is taken.
    pub fn step(&mut self, now: Duration, event: Event) -> Vec<Action> {
        self.now = now;
        match event {
            Event::View(view) => {
                self.view = Some(view);
                self.look();
            }
            Event::Durable(to) => self.durable(to),
            Event::Appended(end) => self.appended(end),
            Event::Rebased(base, previous) => (self.log.base, self.log.base_previous) = (base, previous),
            Event::Space(short) => self.space(short),
            Event::Redial(stream) => self.redial(stream),
            Event::Recover => self.recover(),
            Event::StepDown(reason) => self.step_down(&reason),
            Event::Tick => {
                self.tick();
                self.look();
            }
            Event::Bound(address) => self.bound(address),
            Event::BindFailed(reason) => self.resign(&reason),
            Event::Hello(connection, hello) => self.hello(connection, &hello),
            Event::Ack(connection, ack) => self.acknowledged(connection, ack),
            Event::SlaveGone(connection) => self.slave_gone(connection),
            Event::Welcome(stream, welcome) => self.welcomed(stream, &welcome),
            Event::Records(stream, batch) => self.records(stream, &batch),
            Event::Heartbeat(stream, heartbeat) => self.heartbeat(stream, &heartbeat),
            Event::MasterGone(stream, reason) => self.master_gone(stream, &reason),
        }
        self.publish();
        std::mem::take(&mut self.actions)
    }

    /// What this node promised.
    pub fn promise(&self) -> Promise {
        self.identity.promise
    }

    /// Everything below is known to be committed.
    pub fn committed(&self) -> Offset {
        self.committed
    }

    /// The group that the store belongs to, once that is known.
    pub fn group_id(&self) -> Option<GroupId> {
        self.identity.known.as_ref().map(|known| known.group_id)
    }

    /// The log as the replica knows it.
    pub fn log(&self) -> &LogState {
        &self.log
    }

    /// The tree as it was last shown.
    pub fn view(&self) -> Option<&View> {
        self.view.as_deref()
    }

    /// Why this node does not serve, if it knows.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_ref().map(|r| r.text.as_str()).or(self.short.as_deref())
    }

    /// Its member record as it was last told.
    pub fn member(&self) -> Option<&MemberRecord> {
        self.published.as_ref()
    }

    /// Whether this node serves as master now.
    pub fn serving(&self) -> bool {
        matches!(&self.role, Role::Leading(leading) if leading.serving())
    }

    /// The slaves that stream from this master: node, store and what is durable there.
    pub fn slaves(&self) -> impl Iterator<Item = (&str, StoreId, Offset)> {
        let leading = match &self.role {
            Role::Leading(leading) => Some(leading),
            _ => None,
        };
        leading.into_iter().flat_map(|l| l.slaves()).map(|s| (s.node.as_str(), s.store, s.durable))
    }

    /// Whether this node leads an epoch, serving or not.
    pub fn leads(&self) -> bool {
        matches!(self.role, Role::Leading(_))
    }

    /// Whether this node follows a master with a standing stream.
    pub fn follows(&self) -> bool {
        matches!(&self.role, Role::Following(following) if following.standing)
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn next_stream(&mut self) -> StreamId {
        self.streams += 1;
        StreamId(self.streams)
    }

    /// The group record and its version, if there is one in sight.
    pub(super) fn group(&self) -> Option<(&GroupRecord, i32)> {
        self.view.as_ref()?.group.as_ref().map(|(record, version)| (record, *version))
    }

    /// This node's member as the tree shows it.
    pub(super) fn mine(&self) -> Option<&Member> {
        let view = self.view.as_ref()?;
        view.members.iter().find(|m| Some(m.id) == view.mine)
    }

    /// Tries to replace the group record; the next view tells what came of it.
    pub(super) fn write_group(&mut self, version: i32, record: GroupRecord) {
        self.writes += 1;
        self.intent = None;
        self.act(Action::WriteGroup(version, Box::new(record)));
    }

    /// Whether a group write has been sent whose outcome has not been read yet.
    pub(super) fn writing(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.answered < self.writes)
    }

    /// Promises a mastership. The order is what makes it a promise: the own role and every older stream end first, then
    /// the log is fsynced, then the promise is durable, and only then is the position read and both are told.
    pub(super) fn make_promise(&mut self, to: Promise, known: Known) {
        assert!(to.epoch > self.identity.promise.epoch, "promise {to} after {}", self.identity.promise);
        if !(bugs::on("lower_epoch_accepted") && matches!(self.role, Role::Following(_))) {
            self.end_role(&format!("epoch {} has begun", to.epoch));
        }
        self.act(Action::SyncLog);
        self.log.durable = self.log.end;
        self.identity.promise = to;
        self.identity.known = Some(known);
        if !bugs::on("promise_not_fsynced") {
            self.act(Action::SaveIdentity(Box::new(self.identity.clone())));
        }
        if !bugs::on("position_read_before_promise") {
            self.show_position();
        }
        tracing::info!(epoch = %to.epoch, position = %self.shown, "promised");
    }

    /// Ends what this node is: its streams close, nothing is acknowledged on them any more.
    pub(super) fn end_role(&mut self, why: &str) {
        match std::mem::replace(&mut self.role, Role::Idle) {
            Role::Idle => {}
            Role::Following(following) => {
                if let Some(stream) = following.stream {
                    self.act(Action::HangUp(stream));
                }
            }
            Role::Leading(_) => {
                tracing::info!(why, "Demoted to slave");
                self.act(Action::AllowDispatch(false));
                self.act(Action::Suspend(why.to_owned()));
                self.act(Action::Unbind);
            }
        }
    }

    /// Remembers a newer group record of the promised epoch.
    pub(super) fn remember(&mut self, known: Known) {
        if self.identity.known.as_ref() != Some(&known) {
            self.identity.known = Some(known);
            self.act(Action::SaveIdentity(Box::new(self.identity.clone())));
        }
    }

    /// Excludes this node from elections for a while, so that it does not win for ever.
    pub(super) fn unfit(&mut self, text: String) {
        self.reason = Some(Reason { text, unfit_until: Some(self.now + UNFIT_TIME) });
    }

    /// Says why nothing happens, once that has lasted for a moment; an unfitness stands until its time is over.
    pub(super) fn explain(&mut self, text: String) {
        let since = *self.lacking_since.get_or_insert(self.now);
        let unfit = self.reason.as_ref().is_some_and(|r| r.unfit_until.is_some());
        let told = self.reason.as_ref().is_some_and(|r| r.text == text);
        if unfit || told || self.now.saturating_sub(since) < LACK_TIME {
            return;
        }
        tracing::info!("{text}");
        self.reason = Some(Reason { text, unfit_until: None });
    }

    /// All is well again.
    pub(super) fn content(&mut self) {
        self.lacking_since = None;
        self.reason = None;
    }

    fn durable(&mut self, to: Offset) {
        // A notice that was under way while the log was cut may speak of more than there is.
        self.log.durable = self.log.durable.max(to.min(self.log.end));
        match &self.role {
            Role::Leading(_) => self.advance(),
            Role::Following(_) => self.acknowledge(),
            Role::Idle => {}
        }
    }

    fn tick(&mut self) {
        if self.reason.as_ref().is_some_and(|r| r.unfit_until.is_some_and(|until| until <= self.now)) {
            self.reason = None;
        }
        match &self.role {
            Role::Leading(_) => self.lead_on(),
            Role::Following(_) => self.follow_on(),
            Role::Idle => {}
        }
    }

    /// Takes the log's end into the member record.
    pub(super) fn show_position(&mut self) {
        self.shown = self.log.history.position();
    }

    /// Tells the member record if it has changed.
    fn publish(&mut self) {
        let record = self.member_record();
        if self.published.as_ref() != Some(&record) {
            self.act(Action::SetMember(Box::new(record.clone())));
            self.published = Some(record);
        }
    }

    fn member_record(&self) -> MemberRecord {
        let (role, address, elected) = match &self.role {
            Role::Idle if self.identity.known.is_some() => ("candidate", None, None),
            Role::Idle => ("waiting", None, None),
            Role::Following(following) => (following.role(), None, Some(following.master.member)),
            Role::Leading(leading) => (
                if leading.serving() { "master" } else { "starting" },
                leading.address.clone(),
                self.own_member(),
            ),
        };
        MemberRecord {
            id: self.settings.broker.clone(),
            container: None,
            address,
            position: self.shown.offset.0,
            weight: self.settings.weight,
            elected,
            guid: StoreId(0),
            node: self.settings.node.clone(),
            store: self.identity.store,
            promised: self.identity.promise.epoch,
            claim: self.identity.promise.claim,
            position_epoch: self.shown.epoch,
            role: role.to_owned(),
            suspects: if self.suspects() { self.identity.promise.epoch } else { Epoch(0) },
            reason: self.reason().map(str::to_owned),
            unfit: self.reason.as_ref().is_some_and(|r| r.unfit_until.is_some()),
            replicas: self.settings.replicas,
            format: FORMAT,
            known: self.identity.known.clone(),
            process: None,
        }
    }

    fn own_member(&self) -> Option<MemberId> {
        self.view.as_ref()?.mine
    }

    /// Whether this voter suspects the master of the epoch that it promised. Not because it has yet to connect: only
    /// when a stream that stood is gone, when the winner's time is over, or when the master's member is gone too.
    fn suspects(&self) -> bool {
        let Some((group, _)) = self.group() else { return false };
        if group.master.is_none() || group.promise() != self.identity.promise {
            return false;
        }
        match &self.role {
            Role::Leading(_) => false,
            Role::Following(following) if following.standing => {
                bugs::on("suspicion_not_withdrawn")
                    && self.published.as_ref().is_some_and(|p| p.suspects == group.epoch)
            }
            _ => {
                self.stood_in == group.epoch
                    || self.view.as_ref().is_some_and(|view| !view.master_present(group))
                    || self.winner_is_late(group)
            }
        }
    }

    fn winner_is_late(&self, group: &GroupRecord) -> bool {
        let since = self.chosen_since.filter(|(promise, _)| *promise == group.promise());
        group.state == GroupState::Electing
            && since.is_some_and(|(_, since)| self.now.saturating_sub(since) > WINNER_TIME_MAX)
    }

    /// A fresh random word for a bump.
    pub(super) fn claim(&self) -> Claim {
        Claim((self.claims)())
    }

    /// Whether the record's master is this process's current member.
    pub(super) fn is_me(&self, master: &Master) -> bool {
        self.mine().is_some_and(|m| m.record.guid == master.guid)
    }
}
