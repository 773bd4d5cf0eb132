//! What a send takes once it stands in all its destinations: a message to many queues is written once for each.

use crate::bugs;
use crate::model::{HEAD_BYTES_MAX, Message};

use crate::broker::{BrokerOptions, Refusal};

/// Copies of one message, and the bytes of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) struct Spread {
    pub(in crate::broker) copies: usize,
    pub(in crate::broker) bytes: usize,
}

impl Spread {
    /// Of a message in each destination that it names.
    pub(in crate::broker) fn of(message: &Message) -> Spread {
        let copies = if bugs::on("composite_unbounded") { 1 } else { message.destination_count().max(1) };
        Spread { copies, bytes: message.encoded().len().saturating_mul(copies) }
    }

    /// Whether a message may be sent at all: its head fits a record, and its copies fit one group of the log. A single
    /// copy always does, as the connector bounds the body.
    pub(in crate::broker) fn admit(message: &Message, options: &BrokerOptions) -> Result<Spread, Refusal> {
        let spread = Spread::of(message);
        if message.head_bytes() > HEAD_BYTES_MAX {
            let bytes = message.head_bytes();
            return Err(Refusal::Limit(format!(
                "the headers take {bytes} bytes, and may take {HEAD_BYTES_MAX}"
            )));
        }
        if spread.copies > options.destinations_of_send_max {
            let (copies, max) = (spread.copies, options.destinations_of_send_max);
            return Err(Refusal::Limit(format!(
                "the message names {copies} destinations, and may name {max}"
            )));
        }
        if spread.copies > 1 && spread.bytes > options.transaction_bytes_max {
            let Spread { copies, bytes } = spread;
            let max = options.transaction_bytes_max;
            return Err(Refusal::Limit(format!(
                "{copies} copies of the message take {bytes} bytes, and may take {max}"
            )));
        }
        Ok(spread)
    }
}
