//! What the commands `produce`, `consume` and `browse` do, without their terminal.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::handle::{Client, Receipt};
use super::message::{Incoming, Outgoing};
use super::options::ClientError;
use super::requests::{AckMode, Event, SubscriptionOptions};

/// What to send.
#[derive(Clone, Debug)]
pub struct ProduceOptions {
    /// Where to, in STOMP's form.
    pub destination: String,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// Whether the messages are persistent.
    pub persistent: bool,
    /// Whether consumers see text.
    pub text: bool,
    /// Sends that may be without an answer at a time.
    pub outstanding: usize,
}

/// What became of the sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Produced {
    /// Confirmed by the broker.
    pub confirmed: u64,
    /// The connection was lost before the answer came.
    pub unknown: u64,
}

/// Sends each body, calls `progress` after each answer.
///
/// # Errors
/// The broker refuses a message, or cannot be reached any more.
pub async fn produce(
    client: &Client,
    options: &ProduceOptions,
    bodies: impl Iterator<Item = Bytes>,
    mut progress: impl FnMut(Produced),
) -> Result<Produced, ClientError> {
    let mut produced = Produced::default();
    let mut open: VecDeque<Receipt> = VecDeque::new();
    let mut headers = options.headers.clone();
    if options.persistent {
        headers.push(("persistent".to_owned(), "true".to_owned()));
    }
    for body in bodies {
        let (destination, headers) = (options.destination.clone(), headers.clone());
        open.push_back(client.send(Outgoing { destination, headers, body, text: options.text }).await?);
        while open.len() >= options.outstanding.max(1) {
            answer(&mut open, &mut produced).await?;
            progress(produced);
        }
    }
    while !open.is_empty() {
        answer(&mut open, &mut produced).await?;
        progress(produced);
    }
    Ok(produced)
}

async fn answer(open: &mut VecDeque<Receipt>, produced: &mut Produced) -> Result<(), ClientError> {
    let Some(receipt) = open.pop_front() else { return Ok(()) };
    match receipt.await {
        Ok(()) => produced.confirmed += 1,
        Err(ClientError::OutcomeUnknown) => produced.unknown += 1,
        Err(error) => return Err(error),
    }
    Ok(())
}

/// What to receive.
#[derive(Clone, Debug)]
pub struct ConsumeOptions {
    /// Where from, in STOMP's form.
    pub destination: String,
    /// Only messages that match.
    pub selector: Option<String>,
    /// More headers of the SUBSCRIBE frame.
    pub headers: Vec<(String, String)>,
    /// Unacknowledged messages at a time.
    pub prefetch: Option<u32>,
    /// Stop after so many messages.
    pub count: Option<u64>,
    /// Stop when nothing has come for so long.
    pub idle: Option<Duration>,
}

/// What was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumed {
    /// Messages acknowledged.
    pub messages: u64,
    /// Of these, marked redelivered.
    pub redelivered: u64,
    /// How often the connection was lost.
    pub interruptions: u64,
}

/// Receives messages and acknowledges each that `show` has taken. When it takes one no more, that one stays unacknowledged
/// and this ends.
///
/// # Errors
/// The broker refuses the subscription, or cannot be reached any more.
pub async fn consume(
    client: &Client,
    options: &ConsumeOptions,
    mut show: impl FnMut(&Incoming) -> bool,
) -> Result<Consumed, ClientError> {
    let subscription = SubscriptionOptions {
        ack: AckMode::Individual,
        prefetch: options.prefetch,
        selector: options.selector.clone(),
        browse: false,
        headers: options.headers.clone(),
    };
    let mut subscription = client.subscribe(&options.destination, subscription).await?;
    let mut consumed = Consumed::default();
    while options.count.is_none_or(|count| consumed.messages < count) {
        let event = match options.idle {
            Some(idle) => timeout(idle, subscription.next()).await.unwrap_or(None),
            None => subscription.next().await,
        };
        match event {
            None => break,
            Some(Event::Message(message)) => {
                if !show(&message) {
                    break;
                }
                client.ack(&message).await?;
                consumed.messages += 1;
                consumed.redelivered += u64::from(message.redelivered());
            }
            Some(Event::Interrupted) => consumed.interruptions += 1,
            Some(Event::BrowseEnd) => {}
            Some(Event::Ended(error)) => return Err(error),
        }
    }
    // Its answer says that the acknowledgements before it have arrived.
    match subscription.unsubscribe().await {
        Ok(()) | Err(ClientError::OutcomeUnknown) => Ok(consumed),
        Err(error) => Err(error),
    }
}

/// What to look at.
#[derive(Clone, Debug)]
pub struct BrowseOptions {
    /// Which queue, in STOMP's form.
    pub destination: String,
    /// Only messages that match.
    pub selector: Option<String>,
    /// Stop after so many messages.
    pub count: Option<u64>,
}

/// Shows the messages of a queue without taking them; gives how many there were.
///
/// # Errors
/// The broker refuses, or the connection is lost: a broken-off look is not repeated.
pub async fn browse(
    client: &Client,
    options: &BrowseOptions,
    mut show: impl FnMut(&Incoming),
) -> Result<u64, ClientError> {
    let selector = options.selector.clone();
    let subscription = SubscriptionOptions { browse: true, selector, ..SubscriptionOptions::default() };
    let mut subscription = client.subscribe(&options.destination, subscription).await?;
    let mut seen = 0;
    while options.count.is_none_or(|count| seen < count) {
        match subscription.next().await {
            Some(Event::Message(message)) => {
                show(&message);
                seen += 1;
            }
            Some(Event::Interrupted) => return Err(ClientError::Lost("while browsing".to_owned())),
            Some(Event::Ended(error)) => return Err(error),
            Some(Event::BrowseEnd) | None => break,
        }
    }
    Ok(seen)
}
