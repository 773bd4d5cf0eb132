//! Carries out what the replica decides, in its order.

use crate::coordination::CoordinatorRequest;
use crate::model::{Epoch, Offset, Record};
use crate::replication::{Action, Event};
use crate::storage::{Batch, BatchBuilder};

use super::NodeError;
use super::core::Core;

impl Core {
    /// Gives an event to the replica and carries out what follows, events that follow from that included.
    pub(super) async fn step(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let now = self.clock.now();
            for action in self.replica.step(now, event) {
                events.extend(self.carry_out(action));
                if self.failure.is_some() {
                    return;
                }
            }
        }
    }

    /// Carries out one action. What must be durable is durable when this returns.
    fn carry_out(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::SyncLog | Action::SaveIdentity(_) | Action::Truncate(_) | Action::Reset(..) => {
                if let Err(error) = tokio::task::block_in_place(|| self.make_durable(action)) {
                    self.store_failed(error);
                }
            }
            Action::Append => {
                if let Some(batch) = self.incoming.take() {
                    self.keep(&batch);
                    // A slave has nothing better to do than to make it durable and say so.
                    self.log.append_deferred(batch);
                    self.log.write_deferred();
                    // A log that has failed took nothing, so that the replica must not go on from there.
                    if let Err(error) = self.log.check() {
                        self.store_failed(error);
                        return None;
                    }
                    return Some(Event::Durable(self.log.durable()));
                }
            }
            Action::AppendEpochStart(epoch) => return Some(self.append_epoch_start(epoch)),
            Action::Commit(to) => self.peers.advance(self.log.end(), to),
            Action::Dial(stream, address, hello) => self.peers.dial(stream, &address, &hello),
            Action::HangUp(stream) => self.peers.hang_up(stream),
            Action::Ack(stream, ack) => self.peers.ack(stream, ack),
            Action::Bind => return Some(self.peers.bind()),
            Action::Unbind => self.peers.unbind(),
            Action::Welcome(connection, welcome) => {
                // It may come again and again because it cannot be sent what it lacks.
                self.reads.look(welcome.truncate_to);
                self.peers.welcome(connection, welcome);
            }
            Action::Refuse(connection, reason) => self.peers.refuse(connection, reason),
            Action::Heartbeat(heartbeat) => self.peers.heartbeat(&heartbeat),
            Action::SetMember(record) => self.coordinator.request(CoordinatorRequest::SetMember(record)),
            Action::WriteGroup(version, record) => {
                self.coordinator.request(CoordinatorRequest::WriteGroup { version, record });
            }
            Action::Serve => self.serve_when_applied = true,
            Action::Suspend(reason) => self.suspend(&reason),
            // The node asks for the lease before each round of dispatch.
            Action::AllowDispatch(_) => {}
            Action::Fatal(reason) => self.fail(NodeError::Group(reason)),
        }
        None
    }

    fn make_durable(&mut self, action: Action) -> Result<(), crate::storage::StorageError> {
        match action {
            Action::SyncLog => self.log.sync().map(|_| ()),
            Action::SaveIdentity(identity) => {
                self.log.make_way();
                self.identity.save(&identity)
            }
            Action::Truncate(to) => {
                self.last = self.log.truncate(to)?.last;
                self.forget_above(to);
                Ok(())
            }
            Action::Reset(base, previous) => {
                self.last = self.log.reset(base, previous)?.last;
                self.forget_everything(base);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What was appended and never committed is gone.
    fn forget_above(&mut self, to: Offset) {
        assert!(self.applied.offset <= to, "applied {} and cut at {to}", self.applied.offset);
        self.unapplied.clear();
        self.open_group.retain(|(at, _)| *at < to);
    }

    fn append_epoch_start(&mut self, epoch: Epoch) -> Event {
        let record =
            Record::EpochStart { epoch, master: self.status.node().to_owned(), time: self.clock.wall_ms() };
        let mut builder = BatchBuilder::new(self.log.end(), self.last, epoch);
        builder.push(&record, false);
        self.append(builder.finish());
        Event::Appended(self.log.end())
    }

    /// Hands a batch to the log and to the slaves at the same moment.
    pub(super) fn append(&mut self, batch: Batch) {
        self.keep(&batch);
        self.log.append(batch);
        self.peers.advance(self.log.end(), self.replica.committed());
    }

    /// Does the same, and writes a small batch while the slaves have it, unless the log has other work: there is
    /// nothing else to do then.
    pub(super) async fn append_last(&mut self, batch: Batch) {
        self.keep(&batch);
        self.log.append_deferred(batch);
        self.peers.advance(self.log.end(), self.replica.committed());
        self.step(Event::Appended(self.log.end())).await;
        // The streams to the slaves come first.
        tokio::task::yield_now().await;
        self.log.write_deferred();
        self.step(Event::Durable(self.log.durable())).await;
    }

    /// Keeps a batch that goes into the log until it is committed and applied.
    fn keep(&mut self, batch: &Batch) {
        self.last = batch.last;
        self.unapplied.push_back((batch.at, batch.bytes.clone()));
    }

    /// Closes the client ports: clients are told nothing about what is open, its outcome is unknown.
    fn suspend(&mut self, reason: &str) {
        self.serve_when_applied = false;
        self.broker.demote(reason);
        self.outside.serving.send_replace(false);
    }

    /// Opens the client ports once everything committed is visible.
    pub(super) fn serve_if_ready(&mut self) {
        if self.serve_when_applied && self.applied.offset == self.replica.committed() {
            self.serve_when_applied = false;
            let (now, wall) = self.time();
            if let Some(group) = self.replica.group_id() {
                self.broker.belongs_to(group);
            }
            self.broker.promote(now, wall);
            self.outside.serving.send_replace(true);
        }
    }
}
