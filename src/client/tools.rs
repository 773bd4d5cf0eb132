//! What the commands `produce`, `consume` and `browse` do, without their terminal.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::handle::{Client, Receipt};
use super::message::{Incoming, Outgoing};
use super::options::ClientError;
use super::requests::{AckMode, ClientEvent, SubscriptionOptions};

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Produced {
    /// Confirmed by the broker.
    pub confirmed: u64,
    /// Sends whose answer did not come.
    pub unknown: u64,
    /// Why no more was sent, if that was no decision of the caller.
    pub failure: Option<ClientError>,
}

/// After it was told to stop, a command waits so long for the answers that it still lacks.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Sends each body, calls `progress` after each answer. Sends no more once `stop` completes or something fails, and waits for
/// the answers to what was sent.
pub async fn produce(
    client: &Client,
    options: &ProduceOptions,
    bodies: impl Iterator<Item = Bytes>,
    stop: impl Future<Output = ()>,
    mut progress: impl FnMut(&Produced),
) -> Produced {
    tokio::pin!(stop);
    let mut produced = Produced::default();
    let mut open: VecDeque<Receipt> = VecDeque::new();
    let mut headers = options.headers.clone();
    if options.persistent {
        headers.push(("persistent".to_owned(), "true".to_owned()));
    }
    let sending = async {
        for body in bodies {
            let (destination, headers) = (options.destination.clone(), headers.clone());
            match client.send(Outgoing { destination, headers, body, text: options.text }).await {
                Ok(receipt) => open.push_back(receipt),
                Err(error) => produced.failure = Some(error),
            }
            while open.len() >= options.outstanding.max(1) {
                answer(&mut open, &mut produced).await;
                progress(&produced);
            }
            if produced.failure.is_some() {
                break;
            }
        }
        while !open.is_empty() {
            answer(&mut open, &mut produced).await;
            progress(&produced);
        }
    };
    let stopped = tokio::select! {
        () = sending => false,
        () = &mut stop => true,
    };
    if stopped {
        let answers = async {
            while !open.is_empty() {
                answer(&mut open, &mut produced).await;
            }
        };
        // What is not answered by then is counted below.
        let _ = timeout(LAST_ANSWERS, answers).await;
        produced.unknown += open.len() as u64;
    }
    produced
}

/// Waits for the oldest answer. Cancel-safe.
async fn answer(open: &mut VecDeque<Receipt>, produced: &mut Produced) {
    let Some(receipt) = open.front_mut() else { return };
    let outcome = receipt.await;
    open.pop_front();
    match outcome {
        Ok(()) => produced.confirmed += 1,
        Err(ClientError::OutcomeUnknown) => produced.unknown += 1,
        Err(error) => {
            // What was refused is known not to have happened.
            produced.unknown += u64::from(!matches!(error, ClientError::Refused(_)));
            produced.failure.get_or_insert(error);
        }
    }
}

/// What to receive.
#[derive(Clone, Debug)]
pub struct ConsumeOptions {
    /// Where from, in STOMP's form.
    pub destination: String,
    /// More headers of the SUBSCRIBE frame.
    pub headers: Vec<(String, String)>,
    /// Only messages that match.
    pub selector: Option<String>,
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
    /// The broker did not confirm the last acknowledgements: their messages may come again.
    pub unconfirmed: bool,
}

/// Receives messages and acknowledges each that `show` has taken, until `stop` completes. When `show` takes one no more, that
/// one and what came after it go back to the broker, and this ends.
///
/// # Errors
/// The broker refuses the subscription, or cannot be reached any more.
pub async fn consume(
    client: &Client,
    options: &ConsumeOptions,
    stop: impl Future<Output = ()>,
    mut show: impl FnMut(&Incoming) -> bool,
) -> Result<Consumed, ClientError> {
    tokio::pin!(stop);
    let subscription = SubscriptionOptions {
        ack: AckMode::Individual,
        prefetch: options.prefetch,
        selector: options.selector.clone(),
        headers: options.headers.clone(),
        ..SubscriptionOptions::default()
    };
    let mut consumed = Consumed::default();
    let mut subscription = tokio::select! {
        subscription = client.subscribe(&options.destination, subscription) => subscription?,
        () = &mut stop => return Ok(consumed),
    };
    let mut stopped = false;
    while options.count.is_none_or(|count| consumed.messages < count) {
        let next = async {
            match options.idle {
                Some(idle) => timeout(idle, subscription.next()).await.unwrap_or(None),
                None => subscription.next().await,
            }
        };
        let event = tokio::select! {
            biased;
            () = &mut stop => {
                stopped = true;
                None
            }
            event = next => event,
        };
        match event {
            None => break,
            Some(ClientEvent::Message(message)) => {
                if !show(&message) {
                    break;
                }
                client.ack(&message).await?;
                consumed.messages += 1;
                consumed.redelivered += u64::from(message.redelivered());
            }
            Some(ClientEvent::Interrupted) => consumed.interruptions += 1,
            Some(ClientEvent::BrowseEnd) => {}
            Some(ClientEvent::Ended(error)) => return Err(error),
        }
    }
    // Its answer says that the acknowledgements before it have arrived.
    let patience = if stopped { LAST_ANSWERS } else { Duration::MAX };
    match timeout(patience, subscription.unsubscribe()).await {
        Ok(Ok(())) => {}
        Ok(Err(ClientError::OutcomeUnknown | ClientError::Ended(_))) | Err(_) => {
            consumed.unconfirmed = consumed.messages > 0;
        }
        Ok(Err(error)) => return Err(error),
    }
    Ok(consumed)
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

/// Shows the messages of a queue without taking them, as long as `show` takes them; gives how many it took.
///
/// # Errors
/// The broker refuses, or the connection is lost: a broken-off look is not repeated.
pub async fn browse(
    client: &Client,
    options: &BrowseOptions,
    mut show: impl FnMut(&Incoming) -> bool,
) -> Result<u64, ClientError> {
    let subscription = SubscriptionOptions {
        browse: true,
        selector: options.selector.clone(),
        ..SubscriptionOptions::default()
    };
    let mut subscription = client.subscribe(&options.destination, subscription).await?;
    let mut seen = 0;
    while options.count.is_none_or(|count| seen < count) {
        match subscription.next().await {
            Some(ClientEvent::Message(message)) => {
                if !show(&message) {
                    break;
                }
                seen += 1;
            }
            Some(ClientEvent::Interrupted) => return Err(ClientError::Lost("while browsing".to_owned())),
            Some(ClientEvent::Ended(error)) => return Err(error),
            Some(ClientEvent::BrowseEnd) | None => break,
        }
    }
    Ok(seen)
}
