//! What a client connection can ask of the broker, in the words of no protocol, and what it is told.
//!
//! An adapter turns frames into [`Command`]s and [`SessionEvent`]s into frames. It holds correlation ids and the
//! mapping of its protocol's acknowledgement modes to deliveries, and nothing durable.

use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Destination, Message};
use crate::security::{Account, Password};

/// A connection, for as long as it lasts; never given twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What a client shows to be let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The client's name for itself; empty if it has none.
    pub client_id: String,
    /// The client's name for its connection, which it keeps when it connects again; empty if it has none.
    pub connection: String,
    /// The user's name; empty for none.
    pub user: String,
    /// The password; empty for none.
    pub password: Password,
}

/// Whose a session is, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The user's name as the client gave it, empty for none. Nothing has checked it: it may stand in logs and views, and
    /// allows nothing.
    Claimed(String),
    /// It was checked.
    Known(Arc<Account>),
}

impl Default for Principal {
    fn default() -> Principal {
        Principal::Claimed(String::new())
    }
}

impl Principal {
    /// The user's name; empty for none.
    pub fn user(&self) -> &str {
        match self {
            Principal::Claimed(user) => user,
            Principal::Known(account) => account.name(),
        }
    }
}

/// Who a session belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionInfo {
    /// The client's name for itself; empty if it has none.
    pub client_id: String,
    /// Whose it is.
    pub principal: Principal,
    /// Address of the peer, for operators.
    pub remote: String,
    /// The client's name for its connection, or one that the broker made; unique among those that are open.
    pub connection: String,
}

/// The adapter's own name for a subscription, unique within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionKey(pub u64);

/// One delivery of one message to one subscription; unique within a session, ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u64);

/// The adapter's own name for an open transaction, unique within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionKey(pub u64);

/// The adapter's own name for a producer, unique within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerKey(pub u64);

/// The adapter's own number of a request that wants an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Correlation(pub u64);

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done with; final once it is committed.
    Consumed,
    /// Given back, to be delivered again; `counted` if the attempt counts as a failed delivery.
    Released {
        /// Whether the delivery counter grows.
        counted: bool,
    },
    /// Given back by a client that never looked at it: as if it had not been delivered.
    Unseen,
    /// The client failed with it and tries again: the delivery stays, and the delivery counter grows.
    Retried,
    /// Refused for good: to the dead-letter queue (STOMP NACK, AMQP rejected, a poison acknowledgement).
    Rejected,
    /// The client found it expired.
    Expired,
}

/// How a subscription wants its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// How many unsettled deliveries it may hold.
    pub prefetch: u32,
    /// Selector text, blank for none; of topics and browsers.
    pub selector: String,
    /// Only one exclusive consumer of a queue is served at a time.
    pub exclusive: bool,
    /// Consumer priority, 0 to 127; higher is served first.
    pub priority: i8,
    /// Do not deliver what the same session sent (topics).
    pub no_local: bool,
    /// A snapshot of a queue, without taking anything; ends with [`SessionEvent::BrowseEnd`].
    pub browse: bool,
    /// Name of a durable subscription (topics), together with the session's client id.
    pub durable_name: Option<String>,
    /// Whether the durable subscription may have other consumers too. Without a client id it belongs to nobody.
    pub shared: bool,
    /// What a bridge to another broker says of it, see [`ToldConsumer::bridge`](crate::model::ToldConsumer::bridge); empty if it
    /// is no bridge's.
    pub bridge: Bytes,
}

/// Which of the messages that wait somewhere go where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Where they go.
    pub way: Way,
    /// Selector text, blank for all.
    pub selector: String,
    /// At most so many.
    pub messages_max: u64,
}

/// Where messages go that an operator transfers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// To this queue.
    Move(Destination),
    /// Copies of them to this queue.
    Copy(Destination),
    /// Dead letters go back to where they came from; what came from nowhere stays.
    Retry,
}

/// What an adapter asks. Commands of one session are carried out in order; answers to those with a correlation come
/// as [`SessionEvent::Done`], not necessarily in order.
#[derive(Clone, Debug)]
pub enum Command {
    /// Sends a message to every destination in its `Destination` fields. Persistent: answered once it is committed.
    Send {
        /// The message.
        message: Message,
        /// The transaction that it is part of.
        transaction: Option<TransactionKey>,
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
    /// Begins to consume.
    Subscribe {
        /// The adapter's name for it.
        subscription: SubscriptionKey,
        /// From where; may hold wildcards.
        destination: Destination,
        /// How.
        options: SubscribeOptions,
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
    /// Ends a subscription; what it has not settled is released, redelivered as not counted. What an open transaction
    /// has settled belongs to that transaction until it ends.
    Unsubscribe {
        /// Which.
        subscription: SubscriptionKey,
        /// Deliveries that open transactions have settled; the gate fills this in.
        transacted: Vec<DeliveryId>,
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
    /// Ends a durable subscription that nobody consumes from: what it kept is gone.
    RemoveSubscription {
        /// The client that it belongs to; the session's own without.
        client_id: Option<String>,
        /// Its name.
        name: String,
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
    /// A producer begins to send to a destination, which is made, or to any. It is counted and told of; sending needs none.
    Produce {
        /// The adapter's name for it.
        producer: ProducerKey,
        /// Where to.
        destination: Option<Destination>,
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
    /// A producer ends.
    EndProducer {
        /// Which.
        producer: ProducerKey,
    },
    /// Lets a subscription hold so many unsettled deliveries from now on (AMQP flow, MQTT receive maximum).
    Credit {
        /// Which.
        subscription: SubscriptionKey,
        /// The new bound.
        prefetch: u32,
    },
    /// Answered once nothing more can be delivered to a subscription now, or it has as many unsettled deliveries as it may hold
    /// (a pull that does not wait, AMQP drain).
    Drain {
        /// Which.
        subscription: SubscriptionKey,
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
    /// Settles deliveries. Unknown or settled ones are ignored.
    Settle {
        /// Which.
        deliveries: Vec<DeliveryId>,
        /// What became of them.
        verdict: Verdict,
        /// The transaction that it is part of; the deliveries stay held until it ends.
        transaction: Option<TransactionKey>,
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
    /// Opens a transaction.
    Begin {
        /// The adapter's name for it.
        transaction: TransactionKey,
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
    /// Ends a transaction: all of it becomes visible, or nothing. After a rollback its settled deliveries are held as
    /// before they were settled.
    Finish {
        /// Which.
        transaction: TransactionKey,
        /// Commit or roll back.
        commit: bool,
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
    /// A transaction was rolled back: of the deliveries that it had settled, those whose subscription has ended meanwhile
    /// are released, not counted. The gate makes this.
    Abandon {
        /// All that it had settled.
        deliveries: Vec<DeliveryId>,
    },
    /// Makes a temporary destination that lives as long as the session.
    Create {
        /// Its kind and name.
        destination: Destination,
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
    /// Removes a destination that has no consumers.
    Delete {
        /// Which.
        destination: Destination,
        /// Only if no messages are in it.
        if_empty: bool,
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
    /// Takes out of a queue what waits in it; what consumers hold stays. Before the answer comes [`SessionEvent::Affected`].
    Purge {
        /// Which.
        destination: Destination,
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
    /// Has messages that wait in a queue, or for a durable subscription, enter another place; what consumers hold stays.
    /// Before the answer, also before a refusal on the way, comes [`SessionEvent::Affected`].
    Transfer {
        /// Where they wait.
        from: Destination,
        /// Which, and where they go.
        transfer: Transfer,
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
    /// Ends or begins again the dispatch of a queue, or of a durable subscription. It goes on to take messages.
    Pause {
        /// Which.
        destination: Destination,
        /// Whether dispatch ends.
        paused: bool,
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
    /// The last command of a session: answered once nothing before it is under way any more.
    Leave {
        /// Who wants to know.
        correlation: Option<Correlation>,
    },
}

impl Command {
    /// Whether it makes room and takes none: it settles, gives credit or gives back.
    pub(super) fn is_light(&self) -> bool {
        matches!(
            self,
            Command::Settle { transaction: None, .. }
                | Command::Credit { .. }
                | Command::Drain { .. }
                | Command::Abandon { .. }
        )
    }
}

/// Why a command was not carried out. Nothing of it happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request makes no sense: unknown subscription or transaction, a name already in use, a bad selector.
    #[error("{0}")]
    Invalid(String),
    /// Not allowed.
    #[error("{0}")]
    Denied(String),
    /// A limit is reached; the same request may succeed later.
    #[error("{0}")]
    Limit(String),
    /// Not built yet in this version.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
}

/// What a session is told. After [`SessionEvent::Closed`] nothing follows.
#[derive(Clone, Debug)]
pub enum SessionEvent {
    /// The answer to a command with this correlation.
    Done {
        /// Whose answer.
        correlation: Correlation,
        /// What happened.
        result: Result<(), Refusal>,
    },
    /// How many messages the command with this correlation is about; its answer follows.
    Affected {
        /// Which command.
        correlation: Correlation,
        /// How many.
        messages: u64,
    },
    /// A message.
    Delivery {
        /// For which subscription.
        subscription: SubscriptionKey,
        /// Name it when settling.
        delivery: DeliveryId,
        /// Where it comes from, if the message names several destinations; otherwise the message says so itself.
        destination: Option<Box<Destination>>,
        /// The message.
        message: Message,
        /// Whether a consumer may have seen it before.
        redelivered: bool,
        /// Whether it is the first message of its group that this consumer gets.
        first_of_group: bool,
        /// Deliveries of it before this one that count as failed.
        failures: u32,
    },
    /// A browsing subscription has seen all there was.
    BrowseEnd {
        /// Which.
        subscription: SubscriptionKey,
    },
    /// The broker ends the connection: close the socket, answer nothing that is open (its outcome is unknown).
    Closed {
        /// For the log.
        reason: String,
    },
}
