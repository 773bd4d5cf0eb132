//! One consumer: acknowledges each message by itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::client::connection::write_settled;
use crate::client::options::ClientError;
use crate::client::wire::{Wire, error_message};
use crate::protocol::stomp::{FrameWriter, Verb};

use super::{Load, LoadProgress};

/// A consumer's only subscription.
const SUBSCRIPTION: u64 = 1;

/// Consumes until it is dropped.
pub(super) async fn consume(
    shared: Arc<(Load, Arc<LoadProgress>)>,
    number: usize,
) -> Result<(), ClientError> {
    let (load, progress) = &*shared;
    let sources = if load.sources.is_empty() { &load.destinations } else { &load.sources };
    let Some(source) = sources.get(number % sources.len().max(1)) else { return Ok(()) };
    let mut first = load.first_address(number);
    let mut again = false;
    loop {
        let (mut wire, address) = Wire::connect(&load.addresses, first, &load.connect).await?;
        first = address;
        if again {
            progress.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        subscribe(&mut wire, load, source);
        match turns(&mut wire, progress, &mut again).await {
            Err(ClientError::Refused(message)) => return Err(ClientError::Refused(message)),
            Err(_) => {}
            Ok(never) => match never {},
        }
    }
}

fn subscribe(wire: &mut Wire, load: &Load, source: &str) {
    let mut frame = FrameWriter::new(&mut wire.output, Verb::Subscribe, wire.version);
    frame.number("id", SUBSCRIPTION as i64).header("destination", source);
    frame.plain("ack", "client-individual").plain("receipt", "subscribed");
    // ActiveMQ's name and RabbitMQ's.
    frame.number("activemq.prefetchSize", load.prefetch.into());
    frame.number("prefetch-count", load.prefetch.into());
    for (name, value) in &load.subscribe_headers {
        frame.header(name, value);
    }
    frame.end_empty();
}

async fn turns(
    wire: &mut Wire,
    progress: &LoadProgress,
    subscribed: &mut bool,
) -> Result<std::convert::Infallible, ClientError> {
    loop {
        let (mut consumed, mut redelivered) = (0, 0);
        while let Some(frame) = wire.decode()? {
            match frame.verb {
                Verb::Message => {
                    let mut ack = FrameWriter::new(&mut wire.output, Verb::Ack, wire.version);
                    write_settled(&mut ack, wire.version, &frame, SUBSCRIPTION);
                    ack.end_empty();
                    consumed += 1;
                    redelivered +=
                        u64::from(frame.header("redelivered").is_some_and(|value| value == "true"));
                }
                Verb::Receipt if !*subscribed => {
                    *subscribed = true;
                    progress.subscribed.fetch_add(1, Ordering::Release);
                }
                Verb::Error => return Err(ClientError::Refused(error_message(&frame))),
                _ => {}
            }
        }
        progress.consumed.fetch_add(consumed, Ordering::Relaxed);
        progress.redelivered.fetch_add(redelivered, Ordering::Relaxed);
        wire.step(true).await?;
    }
}
