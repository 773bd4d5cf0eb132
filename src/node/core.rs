//! The loop: one owner for everything that decides.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use crate::broker::{Broker, Inbound, Inboxes};
use crate::coordination::{Coordinator, CoordinatorEvent, CoordinatorRequest};
use crate::env::{Clock, Names};
use crate::model::{Offset, Position};
use crate::replication::{Event, LogState, PEER_EVENTS_MAX, PeerEvent, Replica, Streams};
use crate::state::State;
use crate::storage::{Batch, Damage, IdentityFile, IndexHandle, Log, LogEvent, StorageError, verify};

use super::reads::{Jobs, ReadDone, Reader, Reads};
use super::scrub::Scrub;
use super::spills::Spills;
use super::vigil::Vigil;
use super::{NodeError, NodeParts, Request, Snapshot};

/// How often time passes for the replica and the broker.
const TICK: Duration = Duration::from_millis(20);
/// A tick that comes so late says that the node was held up.
const LATE_TICK: Duration = Duration::from_millis(100);
/// From a socket to the node a frame takes so many turns of tasks, and some for good measure.
const CATCH_UP_TURNS: usize = 8;
/// How many submissions of sessions are taken in one round: enough for a full batch, few enough that durable offsets
/// and acknowledgements never wait long.
const ROUND_SUBMISSIONS: usize = 256;
/// Bytes that may be in the log's pipeline without being committed; then sessions wait at the gate.
const IN_FLIGHT_BYTES_MAX: u64 = 32 << 20;
/// How long a stopping master waits for its successor's epoch.
const HANDOVER_TIME_MAX: Duration = Duration::from_millis(1500);
/// How long the coordinator may take to end its session.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(2);

/// The other ends of what a [`super::Node`] holds.
pub(super) struct Outside {
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) snapshots: watch::Sender<Arc<Snapshot>>,
    pub(super) serving: watch::Sender<bool>,
    pub(super) listening: watch::Receiver<Vec<String>>,
    pub(super) stop: watch::Receiver<bool>,
}

/// What a simulation puts its own in the place of.
pub(super) struct Ports {
    pub(super) peers: Box<dyn Streams>,
    pub(super) peer_events: mpsc::Receiver<PeerEvent>,
    /// Has blocking work done beside the node's task.
    pub(super) jobs: Jobs,
    /// Looks for damage, and where it is told.
    pub(super) scrub: (Scrub, mpsc::UnboundedReceiver<Damage>),
}

/// Where things come in. Apart from the rest, so that a round can wait on it while the rest is at hand.
struct Inputs {
    coordinator: mpsc::UnboundedReceiver<CoordinatorEvent>,
    log: mpsc::UnboundedReceiver<LogEvent>,
    peers: mpsc::Receiver<PeerEvent>,
    gate: mpsc::Receiver<Inbound>,
    reads: mpsc::UnboundedReceiver<ReadDone>,
    damage: mpsc::UnboundedReceiver<Damage>,
}

impl Inputs {
    /// Whether something of the kinds that come often is at hand.
    fn have_some(&self) -> bool {
        !(self.peers.is_empty() && self.gate.is_empty() && self.log.is_empty() && self.reads.is_empty())
    }
}

/// What ends a wait.
enum Came {
    Log(LogEvent),
    Peer(PeerEvent),
    Coordinator(CoordinatorEvent),
    Time(Instant),
    Read(ReadDone),
    Damage(Damage),
    Request(Request),
    Inbound(Inbound),
    /// The node is to stop, or it has more to do anyway.
    Nothing,
}

/// The node's task.
pub(super) struct Core {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) replica: Replica,
    pub(super) broker: Broker,
    pub(super) log: Log,
    /// Checksum of the log's last record.
    pub(super) last: u32,
    pub(super) identity: IdentityFile,
    pub(super) index: IndexHandle,
    pub(super) coordinator: Coordinator,
    pub(super) coordinator_error: Option<String>,
    /// Another process that says that it is this node; names both.
    pub(super) twin: Option<String>,
    /// How the others' names are looked up.
    pub(super) names: Names,
    pub(super) peers: Box<dyn Streams>,
    pub(super) reads: Reads,
    pub(super) spills: Spills,
    scrub: Scrub,
    pub(super) inboxes: Inboxes,
    /// The records of the event at hand.
    pub(super) incoming: Option<Batch>,
    /// What was appended and is not applied yet, so that applying does not read it back.
    pub(super) unapplied: VecDeque<(Offset, Bytes)>,
    /// Visible in the state. `applied.offset <= replica.committed()`.
    pub(super) applied: Position,
    /// Records of a group whose last record has not been seen yet, and the epoch of the last.
    pub(super) open_group: Vec<(Offset, crate::model::Record)>,
    pub(super) cleaner: super::cleaner::Cleaner,
    /// When the cleaner looks again.
    pub(super) cleaner_looks_at: Duration,
    pub(super) weights: super::weights::Weights,
    /// A committed base, and the end of the record that said it, until that is durable here.
    pub(super) base_waiting: Option<(Offset, Offset)>,
    pub(super) segment_bytes: u64,
    /// Room on the disks.
    pub(super) space: super::space::Space,
    /// Where the index was written last.
    pub(super) indexed: Offset,
    /// When the broker wants to be asked again, at the latest.
    pub(super) again: Option<Duration>,
    /// The client ports are to be opened as soon as everything committed is applied.
    pub(super) serve_when_applied: bool,
    pub(super) outside: Outside,
    pub(super) status: super::status::StatusMaker,
    pub(super) failure: Option<NodeError>,
    inputs: Option<Inputs>,
}

impl Core {
    pub(super) fn new(parts: NodeParts, outside: Outside, ports: Ports) -> Core {
        let (log, recovered) = parts.log;
        let (identity_file, identity) = parts.identity;
        let (done, reads_done) = mpsc::unbounded_channel();
        let spills = Spills::new(parts.temporary, Arc::clone(&ports.jobs), done.clone());
        let reads = Reads::new(log.clone(), ports.jobs, done);
        let (scrub, damage) = ports.scrub;
        let (index, checkpoint) = parts.index;
        let (state, applied) = super::fold::restore(checkpoint, &recovered);
        let status = super::status::StatusMaker::new(
            parts.settings.clone(),
            identity.store,
            parts.store_path,
            parts.zk_path,
            parts.open_to_all,
            parts.clock.wall_ms(),
        );
        let log_state = LogState::recovered(&recovered, log.origin());
        Core {
            clock: parts.clock,
            replica: Replica::new(parts.settings, identity, log_state, crate::env::random_u64),
            broker: Broker::new(parts.broker, state),
            last: recovered.last,
            identity: identity_file,
            index,
            coordinator: parts.coordinator.0,
            coordinator_error: None,
            twin: None,
            names: parts.peers.names,
            peers: ports.peers,
            reads,
            spills,
            scrub,
            inboxes: Inboxes::default(),
            incoming: None,
            unapplied: VecDeque::new(),
            applied,
            open_group: Vec::new(),
            cleaner: super::cleaner::Cleaner::default(),
            cleaner_looks_at: Duration::ZERO,
            weights: super::weights::Weights::default(),
            base_waiting: None,
            segment_bytes: parts.segment_bytes,
            space: super::space::Space::default(),
            indexed: applied.offset,
            again: None,
            serve_when_applied: false,
            outside,
            status,
            failure: None,
            inputs: Some(Inputs {
                coordinator: parts.coordinator.1,
                log: parts.log_events,
                peers: ports.peer_events,
                gate: parts.gate,
                reads: reads_done,
                damage,
            }),
            log,
        }
    }

    /// Where the answers to reads come in, for a simulation, which is the loop.
    #[cfg(test)]
    pub(super) fn take_answers(&mut self) -> Option<mpsc::UnboundedReceiver<ReadDone>> {
        self.inputs.take().map(|inputs| inputs.reads)
    }

    /// Runs the node to its end.
    pub(super) async fn run(mut self) -> Result<(), NodeError> {
        let Some(mut inputs) = self.inputs.take() else { return Ok(()) };
        let mut ticker = tokio::time::interval(TICK);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The member record goes out at once; everything else waits for the tree.
        self.step(Event::Tick).await;
        let (mut vigil, mut stopping) = (Vigil::new(), None);
        while self.failure.is_none() {
            let busy = self.is_behind();
            vigil.keep(|| busy || inputs.have_some()).await;
            let came = self.wait(&mut inputs, &mut ticker).await;
            vigil.end();
            self.take(came, &mut inputs).await;
            self.drain(&mut inputs).await;
            self.conclude().await;
            let now = self.clock.now();
            if stopping.is_none() && *self.outside.stop.borrow() {
                stopping = Some(now + HANDOVER_TIME_MAX);
                if self.status.replicas() > 1 {
                    self.step(Event::StepDown("the node is stopping".into())).await;
                } else {
                    break;
                }
            }
            let serving = *self.outside.serving.borrow();
            if stopping.is_some_and(|until| now >= until || !serving) {
                break;
            }
        }
        self.end(inputs).await;
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Ends a round: what was taken has its effects.
    pub(super) async fn conclude(&mut self) {
        // A store that has failed in the middle of a cut may be without a segment: it is not asked for anything.
        if self.failure.is_some() {
            return;
        }
        self.fold_committed();
        self.let_go().await;
        self.clean().await;
        self.mind_space().await;
        // A process that was stopped in between may have lost its lease: ask at the last moment.
        self.broker.dispatch_allowed(self.replica.may_dispatch(self.clock.now()));
        self.write_proposals().await;
        self.checkpoint();
        self.show_status();
    }

    /// Whether something is committed and not applied.
    fn is_behind(&self) -> bool {
        self.applied.offset < self.replica.committed()
    }

    /// Waits for something to happen, what makes others wait first.
    async fn wait(&mut self, inputs: &mut Inputs, ticker: &mut tokio::time::Interval) -> Came {
        let room = self.has_room();
        let busy = self.is_behind();
        let again = self.again.map(|at| at.saturating_sub(self.clock.now()));
        tokio::select! {
            biased;
            Some(event) = inputs.log.recv() => Came::Log(event),
            Some(event) = inputs.peers.recv() => Came::Peer(event),
            Some(event) = inputs.coordinator.recv() => Came::Coordinator(event),
            at = ticker.tick() => Came::Time(at),
            Some(done) = inputs.reads.recv() => Came::Read(done),
            Some(damage) = inputs.damage.recv() => Came::Damage(damage),
            Some(request) = self.outside.requests.recv() => Came::Request(request),
            Some(inbound) = inputs.gate.recv(), if room => Came::Inbound(inbound),
            _ = self.outside.stop.changed() => Came::Nothing,
            () = tokio::time::sleep(again.unwrap_or_default()), if again.is_some() => Came::Nothing,
            // Much is committed and not applied: go on with it, nothing needs to happen first.
            () = std::future::ready(()), if busy => Came::Nothing,
        }
    }

    async fn take(&mut self, came: Came, inputs: &mut Inputs) {
        match came {
            Came::Log(event) => self.take_log(event).await,
            Came::Peer(event) => self.take_peer(event).await,
            Came::Coordinator(event) => self.take_coordinator(event).await,
            Came::Time(at) => {
                if at.elapsed() >= LATE_TICK {
                    self.catch_up(inputs).await;
                }
                self.tick().await;
            }
            Came::Read(done) => self.take_read(done).await,
            Came::Damage(damage) => self.take_damage(damage),
            Came::Request(request) => self.take_request(request).await,
            Came::Inbound(inbound) => self.take_inbound(inbound),
            Came::Nothing => {}
        }
    }

    /// The node was held up, by a slow disk or because the process was stopped: what the others said meanwhile comes
    /// before any conclusion from their silence.
    async fn catch_up(&mut self, inputs: &mut Inputs) {
        for _ in 0..CATCH_UP_TURNS {
            tokio::task::yield_now().await;
        }
        self.drain(inputs).await;
    }

    /// Time passes.
    pub(super) async fn tick(&mut self) {
        self.step(Event::Tick).await;
        let (now, wall) = self.time();
        if self.disk_has_room() {
            self.broker.tick(now, wall);
        }
    }

    pub(super) fn has_room(&self) -> bool {
        let in_flight = self.log.end().0.saturating_sub(self.replica.committed().0);
        in_flight < IN_FLIGHT_BYTES_MAX && self.disk_has_room() && !self.cleaner_holds()
    }

    /// Takes all that waits, so that it becomes one batch and one wake-up for each that is told something.
    async fn drain(&mut self, inputs: &mut Inputs) {
        while let Ok(event) = inputs.log.try_recv() {
            self.take_log(event).await;
        }
        for _ in 0..PEER_EVENTS_MAX {
            let Ok(event) = inputs.peers.try_recv() else { break };
            self.take_peer(event).await;
        }
        // Operators look at busy nodes too: a node that never rests must hear them.
        for _ in 0..super::REQUESTS_MAX {
            let Ok(request) = self.outside.requests.try_recv() else { break };
            self.take_request(request).await;
        }
        if self.has_room() {
            for _ in 0..ROUND_SUBMISSIONS {
                let Ok(inbound) = inputs.gate.try_recv() else { break };
                self.take_inbound(inbound);
            }
        }
    }

    pub(super) async fn take_read(&mut self, done: ReadDone) {
        if !matches!(done, ReadDone::Spilled(..) | ReadDone::Unspilled(..)) {
            self.reads.done();
        }
        let corrupt = |error: Option<&StorageError>| matches!(error, Some(StorageError::Corrupt { .. }));
        match &done {
            ReadDone::Window(_, result) if corrupt(result.as_ref().err()) => self.scrub.nudge(),
            ReadDone::Expired(_, result) if corrupt(result.as_ref().err()) => self.scrub.nudge(),
            _ => {}
        }
        match done {
            ReadDone::Look(damage) => damage.into_iter().for_each(|damage| self.take_damage(damage)),
            ReadDone::Spilled(spill, written) => self.broker.spilled(spill, written),
            ReadDone::Unspilled(spill, found) => self.broker.unspilled(spill, found),
            ReadDone::Weight(base, result) => self.weighed(base, result),
            ReadDone::Window(Reader::Cleaner, result) => self.moved(result).await,
            ReadDone::Window(Reader::Broker(read), result) => {
                self.broker.loaded(read, result.map_err(|e| e.to_string()));
            }
            ReadDone::Expired(read, result) => {
                self.broker.expired(read, result.map_err(|e| e.to_string()));
            }
        }
    }

    pub(super) fn time(&self) -> (Duration, i64) {
        (self.clock.now(), self.clock.wall_ms())
    }

    pub(super) async fn take_log(&mut self, event: LogEvent) {
        match event {
            // What was durable before a cut says nothing of what was appended after it.
            LogEvent::Durable(to) => self.step(Event::Durable(to.min(self.log.durable()))).await,
            LogEvent::Failed(reason) => self.fail(NodeError::Store(reason)),
            LogEvent::Space(short) => self.take_space(short).await,
        }
    }

    /// With other nodes, this one takes back its vote and repairs itself at its next start; alone it goes on with what is
    /// whole.
    pub(super) fn take_damage(&mut self, damage: Damage) {
        let Damage { at, reason } = damage;
        self.status.damage(format!("the log is damaged at offset {at}: {reason}"));
        if self.status.replicas() > 1 {
            return self.store_failed(StorageError::Corrupt { at, reason });
        }
        tracing::error!(%at, reason, "the log is damaged, and there is no other copy to repair it from");
    }

    /// The store cannot be used any more by this process.
    pub(super) fn store_failed(&mut self, error: StorageError) {
        match error {
            StorageError::Corrupt { at, reason } if self.status.replicas() > 1 => {
                if let Err(error) = self.log.distrust(at) {
                    tracing::warn!(%error, "the next start may not see the damage at once");
                }
                self.fail(NodeError::Damaged { at, reason });
            }
            error => self.fail(NodeError::Store(error.to_string())),
        }
    }

    pub(super) fn fail(&mut self, error: NodeError) {
        tracing::error!("{error}");
        self.failure.get_or_insert(error);
    }

    pub(super) async fn take_peer(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Event(event) => {
                if let Event::SlaveGone(connection) = &event {
                    self.peers.disconnected(*connection);
                }
                self.step(event).await;
            }
            PeerEvent::Slave(connection, hello, way) => {
                self.peers.connected(connection, way);
                self.step(Event::Hello(connection, hello)).await;
            }
            PeerEvent::Records { stream, bytes, .. } if self.skips(stream, bytes.len()) => {}
            PeerEvent::Records { stream, at, bytes, commit } => {
                let end = self.log.end();
                let batch = match verify(at, self.last, &bytes) {
                    Ok(batch) if at == end => batch,
                    // Out of place or damaged on the way: the replica gives the stream up, because it does not continue.
                    other => {
                        let reason = other.err().map_or("records out of place".to_owned(), |e| e.to_string());
                        tracing::warn!(%at, %end, reason, "records of the master are not taken");
                        self.peers.hang_up(stream);
                        return self.step(Event::MasterGone(stream, reason)).await;
                    }
                };
                let ends = super::fold::epoch_ends(&batch);
                self.incoming = Some(batch);
                let event = crate::replication::BatchExtent { at, ends, commit };
                self.step(Event::Records(stream, Box::new(event))).await;
                self.incoming = None;
            }
        }
    }

    pub(super) async fn take_coordinator(&mut self, event: CoordinatorEvent) {
        match event {
            CoordinatorEvent::View(view) => {
                self.coordinator_error = None;
                self.step(Event::View(view)).await;
            }
            CoordinatorEvent::Unreachable(reason) => {
                self.coordinator_error = Some(reason);
            }
            CoordinatorEvent::Twin(twin) => self.twin = twin,
            CoordinatorEvent::Refused(reason) => self.fail(NodeError::Group(reason)),
            CoordinatorEvent::Left => {}
        }
    }

    pub(super) fn take_inbound(&mut self, inbound: Inbound) {
        let (now, wall) = self.time();
        self.broker.take(now, wall, inbound, &mut self.inboxes);
    }

    async fn take_request(&mut self, request: Request) {
        match request {
            Request::Look { reply } => self.status.look(reply),
            Request::StepDown { dry, reply } => {
                let result = self.may_step_down();
                if result.is_ok() && !dry {
                    self.step(Event::StepDown("an operator asked for another master".into())).await;
                }
                // Whoever asked may have gone; the request stands all the same.
                let _ = reply.send(result);
            }
            Request::Recover { seen, reply } => {
                let plan = self.recovery_plan();
                let plan = plan.and_then(|plan| match &seen {
                    Some(seen) if !seen.does_the_same(&plan) => {
                        Err(super::RequestError::PlanChanged(Box::new(plan)))
                    }
                    _ => Ok(plan),
                });
                if plan.is_ok() && seen.is_some() {
                    self.step(Event::Recover).await;
                }
                let _ = reply.send(plan);
            }
            Request::CannotServe { reason } => self.step(Event::StepDown(reason)).await,
        }
    }

    /// Leaves the group and closes the store.
    async fn end(&mut self, mut inputs: Inputs) {
        self.broker.demote("the node is stopping");
        self.outside.serving.send_replace(false);
        self.write_proposals().await;
        self.peers.unbind();
        self.coordinator.request(CoordinatorRequest::Leave);
        let left = async {
            while let Some(event) = inputs.coordinator.recv().await {
                if matches!(event, CoordinatorEvent::Left) {
                    return;
                }
            }
        };
        if tokio::time::timeout(LEAVE_TIME_MAX, left).await.is_err() {
            tracing::warn!("ZooKeeper did not answer the farewell; the member goes with its session");
        }
        // What waits for room is durable nowhere here, and was confirmed by nobody on the strength of this node.
        if self.failure.is_none() && !self.log.waits_for_room() {
            self.checkpoint_now();
            if let Err(error) = tokio::task::block_in_place(|| self.log.sync()) {
                tracing::error!(%error, "the log could not be closed cleanly");
            }
        }
    }
}

/// A state that stands for nothing.
pub(super) fn blank_state() -> (State, Position) {
    (State::new(), Position::default())
}
