//! The way from an adapter's task to the core task and back.
//!
//! Nothing waits for the core: a session holds what the channel has no place for, and its adapter goes on with what it
//! owes its client. Three bounds hold: the gate's channel has [`GATE_COMMANDS`] places; a session has at most [`SESSION_SUBMISSIONS`]
//! submissions on their way that the broker has not carried out, so that one whose commands wait for room (producer
//! flow control) stops its own socket and nobody else's; events are bounded by the session's prefetch and outbox, and by
//! what it asked. What all sessions have submitted and the broker has not carried out is bounded too: beyond that, a
//! session that waits already reads no further. An open transaction stays on this side, in the memory of its connection, until it is committed.

mod bounds;
mod client_ids;
mod transaction;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::env::random_u64;
use crate::security::{Login, LoginError, Logins};

use super::limits::{Budget, Outbox, Outboxes, Pool, Share, Spread};
use super::names::BrokerNames;
use super::{
    Command, Correlation, Credentials, DeliveryId, Principal, Refusal, SessionEvent, SessionId, SessionInfo,
    TransactionKey,
};

use bounds::{Bounds, Denial};
use client_ids::{ClientId, ClientIds};
use transaction::Open;

/// Places in the channel to the core task: some rounds of its loop, not more, because what waits here is not counted
/// against any other bound.
pub const GATE_COMMANDS: usize = 1024;
/// Submissions of one session that are not carried out: enough to keep the core busy while the adapter reads on.
pub const SESSION_SUBMISSIONS: usize = 8;

/// Open transactions of one session; a client has one for each of its sessions, and rarely more than some dozens.
const TRANSACTIONS_MAX: usize = 1_000;

/// The core task is gone, or it ended this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the broker closed the session")]
pub struct Closed;

/// Why a session was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// The core task is gone.
    #[error("{0}")]
    Closed(#[from] Closed),
    /// The client is not who it says, or does not say who it is.
    #[error("{0}")]
    Login(#[from] LoginError),
    /// Another session has the client id; it may be free later.
    #[error("Client id in use: {client_id} is connected from {remote}")]
    ClientIdInUse {
        /// The id.
        client_id: String,
        /// Where the client is that has it.
        remote: String,
    },
}

/// A slot of the channel to the core task, kept for one submission.
#[derive(Debug)]
pub struct Slot(mpsc::OwnedPermit<Inbound>);

/// A place among its session's submissions; free again when dropped.
#[derive(Debug)]
pub struct Turn {
    _permit: OwnedSemaphorePermit,
    _share: Share,
}

/// Commands that a session submits at once.
#[derive(Debug)]
pub struct Submission {
    /// In order.
    pub commands: Vec<Command>,
    /// Held until the last of them is carried out.
    pub turn: Option<Turn>,
}

impl From<Vec<Command>> for Submission {
    fn from(commands: Vec<Command>) -> Submission {
        Submission { commands, turn: None }
    }
}

/// What the core task receives. The order of one session's is kept.
#[derive(Debug)]
pub enum Inbound {
    /// A session begins.
    Open {
        /// Its number.
        session: SessionId,
        /// Who.
        info: SessionInfo,
        /// Where its events go; each send is one batch. Dropping it ends the session for the adapter.
        events: mpsc::UnboundedSender<Vec<SessionEvent>>,
        /// Counts what is delivered until it has reached the socket.
        outbox: Outbox,
    },
    /// Its client has read what was too much.
    Drained {
        /// Who.
        session: SessionId,
    },
    /// It asks.
    Commands {
        /// Who.
        session: SessionId,
        /// For `Broker::submit`.
        submission: Submission,
    },
    /// It ends.
    Close {
        /// Who.
        session: SessionId,
    },
}

/// Where adapters open sessions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate {
    core: mpsc::Sender<Inbound>,
    next: Arc<AtomicU64>,
    pool: Arc<Pool>,
    outboxes: Arc<Outboxes>,
    frames: Budget,
    transactions: Budget,
    client_ids: ClientIds,
    /// What the broker is called, and what the names of connections begin with that have none.
    names: BrokerNames,
    run: Arc<str>,
    /// Who may come in; everybody without.
    logins: Option<Arc<Logins>>,
}

impl Gate {
    /// A gate, and the core task's end of it. Its sessions together may have so many bytes of messages waiting to be
    /// carried out; half as many delivered and not read or settled, in large frames on their way in, and in open
    /// transactions, each.
    pub fn bounded(bytes_max: usize) -> (Gate, mpsc::Receiver<Inbound>) {
        let (core, inbound) = mpsc::channel(GATE_COMMANDS);
        let (frames, transactions) = (Budget::new(bytes_max / 2), Budget::new(bytes_max / 2));
        let next = Arc::new(AtomicU64::new(1));
        let (pool, outboxes) = (Pool::new(bytes_max), Outboxes::new(bytes_max / 2));
        let client_ids = ClientIds::default();
        let (names, run) = (BrokerNames::default(), format!("ID:quorate-{:016x}", random_u64()).into());
        let gate =
            Gate { core, next, pool, outboxes, frames, transactions, client_ids, names, run, logins: None };
        (gate, inbound)
    }

    /// The gate of a broker that is called so.
    #[must_use]
    pub fn of(self, names: BrokerNames) -> Gate {
        Gate { names, ..self }
    }

    /// What the broker is called.
    pub fn names(&self) -> &BrokerNames {
        &self.names
    }

    /// The gate with somebody at it who asks for a login.
    #[must_use]
    pub fn asking(self, logins: Arc<Logins>) -> Gate {
        Gate { logins: Some(logins), ..self }
    }

    /// Memory for large frames on their way in.
    pub fn frames(&self) -> Budget {
        self.frames.clone()
    }

    /// Who a client at the address `remote` is, which has shown a certificate of this subject. Without users everybody is
    /// let in, under the name that it gives. May take as long as a hash, and some seconds after failures. Cancel-safe.
    ///
    /// # Errors
    /// [`NotOpened::Login`]: nothing has happened.
    pub async fn identify(
        &self,
        remote: &str,
        credentials: &Credentials,
        certificate: Option<&str>,
        allow_anonymous: bool,
    ) -> Result<Principal, NotOpened> {
        let Credentials { user, password, .. } = credentials;
        let Some(logins) = &self.logins else { return Ok(Principal::Claimed(user.clone())) };
        // The port is another one each time.
        let address = remote.rsplit_once(':').map_or(remote, |(address, _)| address);
        let login = Login { address, user, password, certificate, allow_anonymous };
        Ok(Principal::Known(logins.identify(login).await?))
    }

    /// Opens a session for a client at the address `remote`, in the place of one of the same user's connection of that name. The
    /// core may hear of it later; nothing waits for that.
    ///
    /// # Errors
    /// [`NotOpened`]: nothing has happened.
    pub fn open(
        &self,
        remote: &str,
        credentials: &Credentials,
        principal: Principal,
    ) -> Result<Session, NotOpened> {
        let Credentials { client_id, connection, .. } = credentials;
        let named = Some(client_id).filter(|id| !id.is_empty());
        // Another user who knows the connection's name takes nothing with it.
        let connection = match &**connection {
            "" => String::new(),
            name => format!("{}\n{name}", principal.user()),
        };
        let taken = named.map(|id| self.client_ids.take(id, remote, &connection)).transpose();
        let client_id = client_id.clone();
        let taken =
            taken.map_err(|remote| NotOpened::ClientIdInUse { client_id: client_id.clone(), remote })?;
        let id = SessionId(self.next.fetch_add(1, Ordering::Relaxed));
        let info = SessionInfo {
            client_id,
            principal: principal.clone(),
            remote: remote.to_owned(),
            connection: match &*credentials.connection {
                "" => format!("{}:{}", self.run, id.0),
                name => name.to_owned(),
            },
        };
        let (events, inbox) = mpsc::unbounded_channel();
        let mut session = Session {
            id,
            bounds: Bounds::of(&principal),
            principal,
            client_id: taken,
            core: self.core.clone(),
            held: VecDeque::new(),
            inbox,
            outbox: Outbox::counted(&self.outboxes),
            told_bytes: 0,
            pool: Arc::clone(&self.pool),
            budget: self.transactions.clone(),
            turns: Arc::new(Semaphore::new(SESSION_SUBMISSIONS)),
            answers: Vec::new(),
            transactions: Vec::new(),
        };
        let outbox = session.outbox.clone();
        session.post(Inbound::Open { session: id, info, events, outbox })?;
        Ok(session)
    }
}

/// An adapter's end of one session. Dropping it closes the session.
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    principal: Principal,
    /// What it may do; everything without.
    bounds: Option<Bounds>,
    client_id: Option<ClientId>,
    core: mpsc::Sender<Inbound>,
    /// What the core has no place for yet, in order. An adapter takes nothing more from its client while there is any, so
    /// that it is what one read gave, and settles of what was delivered.
    held: VecDeque<Inbound>,
    inbox: mpsc::UnboundedReceiver<Vec<SessionEvent>>,
    outbox: Outbox,
    /// Bytes of the outbox that were told and have not reached the socket.
    told_bytes: usize,
    pool: Arc<Pool>,
    turns: Arc<Semaphore>,
    /// Answers that are given on this side.
    answers: Vec<SessionEvent>,
    budget: Budget,
    transactions: Vec<Open>,
}

impl Session {
    /// Whose it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Submits commands; waits for a turn, but not for the core: what that has no place for stays here until
    /// [`Session::advance`]. An adapter that also consumes must not wait for a turn, or it cannot settle what would make
    /// room: it reads its socket only when [`Session::ready`], and not while [`Session::holds`]. Commands that only settle
    /// or give credit never wait for a turn. Not cancel-safe: commands may be lost.
    ///
    /// # Errors
    /// [`Closed`]: close the socket; what is open has an unknown outcome.
    pub async fn submit(&mut self, commands: Vec<Command>) -> Result<(), Closed> {
        let mut through = Vec::with_capacity(commands.len());
        for command in commands {
            self.sort(command, &mut through);
        }
        if through.is_empty() {
            return Ok(());
        }
        let turn = if through.iter().all(Command::is_light) {
            None
        } else {
            let permit = self.turns.clone().acquire_owned().await.map_err(|_| Closed)?;
            let share = self.pool.take(through.iter().map(message_bytes).sum());
            Some(Turn { _permit: permit, _share: share })
        };
        let submission = Submission { commands: through, turn };
        self.post(Inbound::Commands { session: self.id, submission })
    }

    /// Gives something to the core, behind what is held.
    fn post(&mut self, inbound: Inbound) -> Result<(), Closed> {
        if !self.held.is_empty() {
            self.held.push_back(inbound);
            return Ok(());
        }
        match self.core.try_send(inbound) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(inbound)) => {
                self.held.push_back(inbound);
                Ok(())
            }
            Err(TrySendError::Closed(_)) => Err(Closed),
        }
    }

    /// Whether something waits for a place in the core's channel.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Waits for a place in the core's channel, for [`Session::advance`]. Cancel-safe; borrows nothing.
    ///
    /// # Errors
    /// [`Closed`]: close the socket.
    pub fn place(&self) -> impl Future<Output = Result<Slot, Closed>> + Send + use<> {
        let core = self.core.clone();
        async move { core.reserve_owned().await.map(Slot).map_err(|_| Closed) }
    }

    /// Gives the core what is held, as far as it has places now.
    ///
    /// # Errors
    /// [`Closed`]: close the socket.
    pub fn advance(&mut self, place: Slot) -> Result<(), Closed> {
        if let Some(first) = self.held.pop_front() {
            place.0.send(first);
        }
        let rest = std::mem::take(&mut self.held);
        rest.into_iter().try_for_each(|inbound| self.post(inbound))
    }

    /// Completes when [`Session::submit`] would find a turn, and when the memory for what waits has room, unless nothing
    /// of this session waits: one that only consumes is never held up. Cancel-safe; borrows nothing, so that it can be
    /// awaited beside [`Session::events`].
    pub fn ready(&self) -> impl Future<Output = ()> + Send + use<> {
        let (turns, pool) = (self.turns.clone(), Arc::clone(&self.pool));
        async move {
            let _ = turns.acquire().await;
            tokio::select! {
                biased;
                () = pool.room() => {}
                _ = turns.acquire_many(SESSION_SUBMISSIONS as u32) => {}
            }
        }
    }

    /// All events that were taken have reached the socket.
    ///
    /// # Errors
    /// [`Closed`]: close the socket.
    pub fn sent(&mut self) -> Result<(), Closed> {
        let bytes = std::mem::take(&mut self.told_bytes);
        if bytes > 0 && self.outbox.take(bytes) {
            self.post(Inbound::Drained { session: self.id })?;
        }
        Ok(())
    }

    /// Whether what this session has been told and its client has not read for so long takes room that others lack.
    pub fn is_in_the_way(&self, unread_for: Duration) -> bool {
        self.outbox.is_in_the_way(unread_for)
    }

    /// Whether its client has come again, in another session.
    pub fn is_replaced(&self) -> bool {
        self.client_id.as_ref().is_some_and(ClientId::is_replaced)
    }

    /// The next events, at least one; `None` when the broker is gone, or the client has come again. Cancel-safe.
    pub async fn events(&mut self) -> Option<Vec<SessionEvent>> {
        if !self.answers.is_empty() {
            return Some(std::mem::take(&mut self.answers));
        }
        let events = match &self.client_id {
            None => self.inbox.recv().await?,
            Some(client_id) => tokio::select! {
                biased;
                () = client_id.replaced() => return None,
                events = self.inbox.recv() => events?,
            },
        };
        self.told_bytes += events.iter().map(delivered_bytes).sum::<usize>();
        Some(events)
    }

    /// Keeps what belongs to an open transaction here, lets everything else through.
    fn sort(&mut self, command: Command, through: &mut Vec<Command>) {
        if let Some(Err(denial)) = self.bounds.as_mut().map(|bounds| bounds.check(&command)) {
            return self.deny(denial);
        }
        match command {
            Command::Begin { transaction, correlation } => {
                let result = match self.position(transaction) {
                    Some(_) => Err(Refusal::Invalid("the transaction is open already".into())),
                    None if self.transactions.len() >= TRANSACTIONS_MAX => Err(Refusal::Limit(format!(
                        "a connection has at most {TRANSACTIONS_MAX} open transactions"
                    ))),
                    None => {
                        self.transactions.push(Open::new(transaction));
                        Ok(())
                    }
                };
                self.answer(correlation, result);
            }
            Command::Send { message, transaction: Some(key), correlation } => {
                let spread = Spread::of(&message);
                let kept = Command::Send { message, transaction: Some(key), correlation: None };
                let result = self.keep(key, kept, spread);
                self.answer(correlation, result);
            }
            Command::Settle { deliveries, verdict, transaction: Some(key), correlation } => {
                let spread = Spread { copies: 1, bytes: deliveries.len() * size_of::<DeliveryId>() };
                let kept = Command::Settle { deliveries, verdict, transaction: Some(key), correlation: None };
                let result = self.keep(key, kept, spread);
                self.answer(correlation, result);
            }
            Command::Finish { transaction, commit, correlation } => {
                let Some(at) = self.position(transaction) else {
                    return self
                        .answer(correlation, Err(Refusal::Invalid("the transaction is not open".into())));
                };
                let open = self.transactions.swap_remove(at);
                match open.spoilt().cloned() {
                    None if commit => {
                        through.push(Command::Begin { transaction, correlation: None });
                        through.extend(open.into_operations());
                        through.push(Command::Finish { transaction, commit, correlation });
                    }
                    refusal => {
                        through.extend(open.abandoned());
                        self.answer(correlation, refusal.filter(|_| commit).map_or(Ok(()), Err));
                    }
                }
            }
            Command::Unsubscribe { subscription, mut transacted, correlation } => {
                transacted.extend(self.transactions.iter().flat_map(Open::settled));
                through.push(Command::Unsubscribe { subscription, transacted, correlation });
            }
            other => through.push(other),
        }
    }

    /// Answers what is not allowed; a transaction that it was to be part of cannot be committed any more.
    fn deny(&mut self, Denial { transaction, correlation, refusal }: Denial) {
        if let Some(at) = transaction.and_then(|key| self.position(key)) {
            self.transactions[at].spoil(refusal.clone());
        }
        self.answer(correlation, Err(refusal));
    }

    fn keep(&mut self, key: TransactionKey, command: Command, spread: Spread) -> Result<(), Refusal> {
        let at = self.position(key).ok_or_else(|| Refusal::Invalid("the transaction is not open".into()))?;
        // The bytes of all open transactions count: it is one connection's memory.
        let held: usize = self.transactions.iter().map(Open::bytes).sum();
        self.transactions[at].add(command, spread, held, &self.budget)
    }

    fn position(&self, key: TransactionKey) -> Option<usize> {
        self.transactions.iter().position(|open| open.key() == key)
    }

    fn answer(&mut self, correlation: Option<Correlation>, result: Result<(), Refusal>) {
        if let Some(correlation) = correlation {
            self.answers.push(SessionEvent::Done { correlation, result });
        }
    }
}

fn message_bytes(command: &Command) -> usize {
    if let Command::Send { message, .. } = command { Spread::of(message).bytes } else { 0 }
}

fn delivered_bytes(event: &SessionEvent) -> usize {
    if let SessionEvent::Delivery { message, .. } = event { message.encoded().len() } else { 0 }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The core has not heard of it.
        if matches!(self.held.front(), Some(Inbound::Open { .. })) {
            return;
        }
        let close = Inbound::Close { session: self.id };
        if let Err(mpsc::error::TrySendError::Full(close)) = self.core.try_send(close)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let core = self.core.clone();
            runtime.spawn(async move { core.send(close).await });
        }
    }
}
