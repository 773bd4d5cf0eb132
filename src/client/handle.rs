//! What users hold: the client, receipts, subscriptions.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::sync::{mpsc, oneshot};

use super::connection::Connection;
use super::message::{Incoming, Outgoing};
use super::options::{ClientError, ConnectOptions};
use super::requests::{AckMode, Answer, ClientEvent, Request, SubscriptionOptions, Transaction};
use super::wire::Wire;

/// Requests that wait for the connection; more make their callers wait.
const REQUESTS_MAX: usize = 1024;
/// Messages that wait for the user of a subscription in auto mode; more stay in the socket.
const EVENTS_MAX: usize = 1024;
/// The broker's default prefetch is not above this; so many fit without stopping the connection.
const PREFETCH_ASSUMED: usize = 32_767;

/// A client. Clones share the connection; the last one to go disconnects.
#[derive(Clone, Debug)]
pub struct Client {
    requests: mpsc::Sender<Request>,
    subscriptions: Arc<AtomicU64>,
}

impl Client {
    /// Connects to the first of the addresses (`host:port`, with or without a scheme) that answers.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if none does in time, [`ClientError::Refused`] if a broker refuses.
    pub async fn connect(addresses: &[String], options: ConnectOptions) -> Result<Client, ClientError> {
        let (wire, address) = Wire::connect(addresses, 0, &options).await?;
        let (requests, taken) = mpsc::channel(REQUESTS_MAX);
        let connection = Connection::new(addresses.to_vec(), address, options, wire, taken);
        tokio::spawn(connection.run());
        Ok(Client { requests, subscriptions: Arc::new(AtomicU64::new(1)) })
    }

    /// Sends with a receipt. Returns once the message is on its way; the receipt tells what became of it, so that
    /// many can be under way at once.
    ///
    /// # Errors
    /// [`ClientError::Closed`] if the client has given up.
    pub async fn send(&self, message: Outgoing) -> Result<Receipt, ClientError> {
        let (answer, receipt) = oneshot::channel();
        self.ask(Request::Send { message, transaction: None, answer: Some(answer) }).await?;
        Ok(Receipt { answer: receipt })
    }

    /// Sends without wanting to know what becomes of it.
    ///
    /// # Errors
    /// [`ClientError::Closed`] if the client has given up.
    pub async fn post(&self, message: Outgoing) -> Result<(), ClientError> {
        self.ask(Request::Send { message, transaction: None, answer: None }).await
    }

    /// Sends as part of a transaction.
    ///
    /// # Errors
    /// [`ClientError::Closed`] if the client has given up.
    pub async fn send_in(&self, transaction: Transaction, message: Outgoing) -> Result<Receipt, ClientError> {
        let (answer, receipt) = oneshot::channel();
        self.ask(Request::Send { message, transaction: Some(transaction), answer: Some(answer) }).await?;
        Ok(Receipt { answer: receipt })
    }

    /// Subscribes; returns once the broker has confirmed.
    ///
    /// # Errors
    /// [`ClientError::Refused`] by the broker.
    pub async fn subscribe(
        &self,
        destination: impl Into<String>,
        options: SubscriptionOptions,
    ) -> Result<Subscription, ClientError> {
        let number = self.subscriptions.fetch_add(1, Ordering::Relaxed);
        let capacity = match (options.ack, options.prefetch) {
            (AckMode::Auto, _) => EVENTS_MAX,
            (_, Some(prefetch)) => prefetch as usize + 2,
            (_, None) => PREFETCH_ASSUMED + 2,
        };
        let (sender, events) = mpsc::channel(capacity);
        let destination = destination.into();
        self.answered(|answer| Request::Subscribe { number, destination, options, events: sender, answer })
            .await?;
        Ok(Subscription { client: self.clone(), number, events })
    }

    /// Acknowledges a message; returns before the broker has it. What is lost with the connection comes again.
    ///
    /// # Errors
    /// [`ClientError::Closed`] if the client has given up.
    pub async fn ack(&self, message: &Incoming) -> Result<(), ClientError> {
        let message = message.clone();
        self.ask(Request::Settle { message, consumed: true, transaction: None, answer: None }).await
    }

    /// Acknowledges a message and waits until the broker has committed it.
    ///
    /// # Errors
    /// [`ClientError::OutcomeUnknown`] or [`ClientError::Stale`]: the message may come again.
    pub async fn ack_confirmed(&self, message: &Incoming) -> Result<(), ClientError> {
        let message = message.clone();
        let settle =
            |answer| Request::Settle { message, consumed: true, transaction: None, answer: Some(answer) };
        self.answered(settle).await
    }

    /// Acknowledges a message as part of a transaction.
    ///
    /// # Errors
    /// [`ClientError::Stale`] if message or transaction belong to an earlier connection.
    pub async fn ack_in(&self, transaction: Transaction, message: &Incoming) -> Result<(), ClientError> {
        let (message, transaction) = (message.clone(), Some(transaction));
        self.answered(|answer| Request::Settle { message, consumed: true, transaction, answer: Some(answer) })
            .await
    }

    /// Refuses a message, and waits until the broker has committed that.
    ///
    /// # Errors
    /// [`ClientError::OutcomeUnknown`] or [`ClientError::Stale`]: the message may come again.
    pub async fn nack(&self, message: &Incoming) -> Result<(), ClientError> {
        let message = message.clone();
        let settle =
            |answer| Request::Settle { message, consumed: false, transaction: None, answer: Some(answer) };
        self.answered(settle).await
    }

    /// Opens a transaction.
    ///
    /// # Errors
    /// [`ClientError::Stale`] if the connection was lost meanwhile.
    pub async fn begin(&self) -> Result<Transaction, ClientError> {
        let (answer, begun) = oneshot::channel();
        self.ask(Request::Begin { answer }).await?;
        begun.await.map_err(|_| ClientError::Closed)?
    }

    /// Commits a transaction.
    ///
    /// # Errors
    /// [`ClientError::OutcomeUnknown`]: all of it has happened, or nothing. [`ClientError::Stale`]: nothing has.
    pub async fn commit(&self, transaction: Transaction) -> Result<(), ClientError> {
        self.answered(|answer| Request::Finish { transaction, commit: true, answer }).await
    }

    /// Rolls a transaction back.
    ///
    /// # Errors
    /// As for [`Client::commit`]; nothing of the transaction has happened in any case.
    pub async fn abort(&self, transaction: Transaction) -> Result<(), ClientError> {
        self.answered(|answer| Request::Finish { transaction, commit: false, answer }).await
    }

    /// Says goodbye and waits until the broker has answered everything before it.
    ///
    /// # Errors
    /// [`ClientError::OutcomeUnknown`] if the connection is lost first.
    pub async fn disconnect(self) -> Result<(), ClientError> {
        self.answered(|answer| Request::Disconnect { answer }).await
    }

    async fn ask(&self, request: Request) -> Result<(), ClientError> {
        self.requests.send(request).await.map_err(|_| ClientError::Closed)
    }

    async fn answered(&self, request: impl FnOnce(Answer) -> Request) -> Result<(), ClientError> {
        let (answer, receipt) = oneshot::channel();
        self.ask(request(answer)).await?;
        Receipt { answer: receipt }.await
    }
}

/// Becomes ready when the broker has answered.
#[derive(Debug)]
pub struct Receipt {
    answer: oneshot::Receiver<Result<(), ClientError>>,
}

impl Future for Receipt {
    type Output = Result<(), ClientError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.answer).poll(context);
        answer.map(|answer| answer.unwrap_or(Err(ClientError::Closed)))
    }
}

/// A subscription. It survives the loss of the connection; dropping it ends it with the next message.
#[derive(Debug)]
pub struct Subscription {
    client: Client,
    number: u64,
    events: mpsc::Receiver<ClientEvent>,
}

impl Subscription {
    /// What happens next; `None` once nothing more can. Cancel-safe.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        self.events.recv().await
    }

    /// Ends the subscription; the broker gives what is not acknowledged to others.
    ///
    /// # Errors
    /// [`ClientError::OutcomeUnknown`] if the connection is lost first.
    pub async fn unsubscribe(self) -> Result<(), ClientError> {
        let number = self.number;
        self.client.answered(|answer| Request::Unsubscribe { number, answer }).await
    }
}
