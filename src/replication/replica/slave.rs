//! The replica as a slave: dial it, cut what it says, append what it sends, acknowledge what is durable.

use std::time::Duration;

use super::following::Following;
use super::machine::{Replica, Role};
use crate::bugs;
use crate::model::{Epoch, FORMAT, Known, Offset, Position};
use crate::replication::{Ack, Action, BatchExtent, Heartbeat, Hello, History, StreamId, Welcome};

/// How long a slave waits before it dials again, and how long an answer to its hello may take.
const DIAL_PAUSE: Duration = Duration::from_millis(50);
const WELCOME_TIME_MAX: Duration = Duration::from_secs(2);

impl Replica {
    fn following(&mut self, stream: StreamId) -> Option<&mut Following> {
        match &mut self.role {
            Role::Following(following) if following.stream == Some(stream) => Some(following),
            _ => None,
        }
    }

    /// Dials when it is time to, and gives up a silent stream.
    pub(super) fn follow_on(&mut self) {
        let (now, silence) = (self.now, self.settings.suspect_after);
        let Role::Following(following) = &mut self.role else { return };
        if let Some(stream) = following.stream {
            let limit = if following.standing { silence } else { WELCOME_TIME_MAX };
            if now.saturating_sub(following.heard_at) > limit {
                self.act(Action::HangUp(stream));
                self.master_gone(stream, &format!("no sign of life for {limit:?}"));
            }
            return;
        }
        let Some(address) = following.address.clone().filter(|_| following.dial_at <= now) else { return };
        let stream = self.next_stream();
        let hello = self.hello_to_master();
        if let Role::Following(following) = &mut self.role {
            following.stream = Some(stream);
            following.heard_at = now;
        }
        self.act(Action::Dial(stream, address, Box::new(hello)));
    }

    fn hello_to_master(&self) -> Hello {
        Hello {
            group_id: self.identity.known.as_ref().map(|k| k.group_id),
            broker: self.settings.broker.clone(),
            node: self.settings.node.clone(),
            store: self.identity.store,
            promised: self.identity.promise,
            base: self.log.base.offset,
            history: self.log.history.clone(),
            config: self.identity.known.as_ref().map_or(0, |k| k.config),
            replicas: self.settings.replicas,
            format: FORMAT,
        }
    }

    pub(super) fn master_gone(&mut self, stream: StreamId, reason: &str) {
        let next = self.now + DIAL_PAUSE;
        let Some(following) = self.following(stream) else { return };
        if following.standing {
            tracing::warn!(reason, "the stream to the master is broken");
        } else {
            tracing::debug!(reason, "the master cannot be reached");
        }
        following.stream = None;
        following.standing = false;
        following.caught_up = false;
        following.dial_at = next;
    }

    /// Ends the stream in order to begin another one where this log ends.
    pub(super) fn redial(&mut self, stream: StreamId) {
        if self.following(stream).is_none() {
            return;
        }
        self.act(Action::HangUp(stream));
        self.master_gone(stream, "this node asks again for what it could not take");
        // It was this node's own wish. Should the master go meanwhile, its member's end will tell.
        self.stood_in = Epoch(0);
    }

    /// What is said of the disk goes to the member record, and to the master at once.
    pub(super) fn space(&mut self, short: Option<String>) {
        self.short = short;
        self.acknowledge();
    }

    pub(super) fn welcomed(&mut self, stream: StreamId, welcome: &Welcome) {
        if self.following(stream).is_none_or(|f| f.standing) {
            return;
        }
        let (epoch, config) = (welcome.promise.epoch, welcome.config);
        let known = Known { group_id: welcome.group_id, epoch, config, voters: welcome.voters.clone() };
        if welcome.promise.epoch > self.identity.promise.epoch {
            // The master of a newer epoch than ZooKeeper has shown here yet: promise it, then dial again.
            self.make_promise(welcome.promise, known);
            return;
        }
        if welcome.promise != self.identity.promise {
            self.give_up(
                stream,
                &format!("it leads {}, this node promised {}", welcome.promise, self.identity.promise),
            );
            return;
        }
        if let Some((epoch, previous)) = welcome.reset {
            self.reset(Position { epoch, offset: welcome.truncate_to }, previous);
        } else if welcome.truncate_to < self.committed && !bugs::on("truncate_below_commit")
            || welcome.truncate_to > self.log.end
        {
            let (to, from) = (welcome.truncate_to, self.committed);
            self.act(Action::Fatal(format!(
                "the master wants the log cut at {to}, below what is committed ({from})"
            )));
            return;
        } else if welcome.truncate_to < self.log.end {
            self.truncate(welcome.truncate_to);
        }
        self.remember(known);
        self.stood_in = self.identity.promise.epoch;
        let now = self.now;
        let Some(following) = self.following(stream) else { return };
        following.standing = true;
        following.heard_at = now;
        tracing::info!(master = %following.master.node, from = %welcome.truncate_to, "Slave started: attached to the master");
        self.content();
        self.learn_commit(welcome.commit);
        self.acknowledge();
    }

    /// A master that cannot be followed is left alone; ZooKeeper decides what comes next.
    fn give_up(&mut self, stream: StreamId, reason: &str) {
        self.act(Action::HangUp(stream));
        self.master_gone(stream, reason);
    }

    fn truncate(&mut self, to: Offset) {
        tracing::info!(from = %self.log.end, %to, "cutting what the master does not have");
        self.act(Action::Truncate(to));
        self.log.end = to;
        self.log.durable = self.log.durable.min(to);
        self.log.history.truncate(to);
    }

    fn reset(&mut self, base: Position, previous: u32) {
        tracing::warn!(%base, "this log ends before the master's begins; it starts anew");
        self.act(Action::Reset(base, previous));
        self.log = super::LogState {
            base,
            base_previous: previous,
            end: base.offset,
            durable: base.offset,
            history: History::new(vec![(base.epoch, base.offset)]).unwrap_or_default(),
        };
    }

    pub(super) fn records(&mut self, stream: StreamId, batch: &BatchExtent) {
        let (now, end, epoch) = (self.now, self.log.end, self.identity.promise.epoch);
        let Some(following) = self.following(stream).filter(|f| f.standing) else { return };
        following.heard_at = now;
        if batch.at != end || batch.ends.iter().any(|(e, _)| *e > epoch) {
            self.give_up(
                stream,
                &format!("records at {} of the wrong place or epoch; the log ends at {end}", batch.at),
            );
            return;
        }
        self.act(Action::Append);
        for (epoch, end) in &batch.ends {
            self.log.history.extend(*epoch, *end);
            self.log.end = *end;
        }
        self.learn_commit(batch.commit);
    }

    pub(super) fn heartbeat(&mut self, stream: StreamId, heartbeat: &Heartbeat) {
        let now = self.now;
        let Some(following) = self.following(stream).filter(|f| f.standing) else { return };
        following.heard_at = now;
        following.ack.heard = following.ack.heard.max(heartbeat.sent);
        let promise = self.identity.promise;
        if let Some(known) = self.identity.known.clone()
            && known.epoch == promise.epoch
            && known.config < heartbeat.config
        {
            self.remember(Known { config: heartbeat.config, voters: heartbeat.voters.clone(), ..known });
        }
        self.learn_commit(heartbeat.commit);
        self.acknowledge();
    }

    /// What the master has committed is committed here as far as it is here.
    fn learn_commit(&mut self, commit: Offset) {
        let here = commit.min(self.log.end);
        if here > self.committed {
            self.committed = here;
            self.act(Action::Commit(here));
        }
        let complete = self.log.end >= commit;
        if let Role::Following(following) = &mut self.role
            && complete
            && following.standing
            && !following.caught_up
        {
            following.caught_up = true;
            self.show_position();
        }
    }

    /// Tells the master what is durable here, on the current stream only.
    pub(super) fn acknowledge(&mut self) {
        let (durable, config) = (self.log.durable, self.identity.known.as_ref().map_or(0, |k| k.config));
        let durable = if bugs::on("slave_acks_before_fsync") { self.log.end } else { durable };
        let short = self.short.is_some();
        let Role::Following(following) = &mut self.role else { return };
        let Some(stream) = following.stream.filter(|_| following.standing) else { return };
        following.ack = Ack { durable, config, short, ..following.ack };
        let ack = following.ack;
        self.act(Action::Ack(stream, ack));
    }
}
