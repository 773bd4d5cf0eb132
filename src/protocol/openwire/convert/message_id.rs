//! Ids of messages: the text that every client sees, and the parts that OpenWire's clients find repetitions by.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::broker::DeliveryId;
use crate::model::{Field, Message};

use super::super::codec::{MessageId, ProducerId};
use super::super::consumer::Reference;

/// The text of a producer's id: `ID:host-1-2-0:1:1:1`.
pub(crate) fn producer_text(producer: &ProducerId) -> String {
    let connection = producer.connection_id.as_deref().unwrap_or_default();
    format!("{connection}:{}:{}", producer.session_id, producer.value)
}

/// The text of a message's id, which JMS calls `JMSMessageID`.
pub(crate) fn text(id: &MessageId) -> String {
    match &id.text_view {
        Some(text) if text.starts_with("ID:") => text.to_string(),
        Some(text) => format!("ID:{text}"),
        None => {
            let producer = id.producer_id.as_ref().map(producer_text).unwrap_or_default();
            format!("{producer}:{}", id.producer_sequence_id)
        }
    }
}

/// What a client says to name a delivery.
pub(crate) fn reference(id: &MessageId) -> Reference {
    let delivery = DeliveryId(u64::try_from(id.broker_sequence_id).unwrap_or_default());
    let mut hasher = DefaultHasher::new();
    if let Some(producer) = &id.producer_id {
        let connection = producer.connection_id.as_deref().unwrap_or_default();
        (connection, producer.session_id, producer.value).hash(&mut hasher);
    }
    id.producer_sequence_id.hash(&mut hasher);
    Reference { delivery, message: hasher.finish() }
}

/// The id of a message of the broker's, in a delivery of this number.
pub(crate) fn of(message: &Message, delivery: DeliveryId) -> MessageId {
    let text = message.text(Field::MessageId).unwrap_or_default();
    let named = message.text(Field::ProducerId).and_then(producer);
    let (producer, sequence) = match (named, i64::try_from(message.producer_sequence())) {
        (Some(producer), Ok(sequence)) if sequence > 0 => (producer, sequence),
        _ => split(text),
    };
    let mut id = MessageId {
        text_view: None,
        producer_id: Some(producer),
        producer_sequence_id: sequence,
        broker_sequence_id: i64::try_from(delivery.0).unwrap_or_default(),
    };
    if !text.is_empty() && self::text(&id) != text {
        id.text_view = Some(text.into());
    }
    id
}

/// Reads [`producer_text`].
fn producer(text: &str) -> Option<ProducerId> {
    let (text, value) = number_behind(text, ':')?;
    let (connection, session_id) = number_behind(text, ':')?;
    Some(ProducerId { connection_id: Some(connection.into()), session_id, value })
}

/// The parts of an id whose text is all that is known. Those of two texts are never the same, or a client would take one
/// message for the repetition of another.
fn split(text: &str) -> (ProducerId, i64) {
    if let Some((front, sequence)) = number_behind(text, ':')
        && let Some(producer) = producer(front)
    {
        return (producer, sequence);
    }
    let (front, sequence) = number_behind(text, '-').unwrap_or((text, 0));
    (ProducerId { connection_id: Some(front.into()), session_id: 0, value: 0 }, sequence)
}

/// The number behind the last `mark`, if it is written as numbers are.
fn number_behind(text: &str, mark: char) -> Option<(&str, i64)> {
    let (front, number) = text.rsplit_once(mark)?;
    let value: i64 = number.parse().ok()?;
    (value.to_string() == number).then_some((front, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Encoding, MessageBuilder};

    fn message(id: &str) -> Message {
        let mut builder = MessageBuilder::new(Encoding::OpenWire);
        builder.field(Field::MessageId, id.to_owned());
        builder.build().unwrap()
    }

    #[test]
    fn an_id_is_read_from_its_text_and_makes_the_same_again() {
        for (id, producer, sequence) in [
            ("ID:host-1-2-0:1:-1:4:5", "ID:host-1-2-0:1:-1:4", 5),
            ("ID:0123456789abcdef-17", "ID:0123456789abcdef:0:0", 17),
            ("ID:odd", "ID:odd:0:0", 0),
            ("ID:a-007", "ID:a-007:0:0", 0),
        ] {
            let read = of(&message(id), DeliveryId(3));
            assert_eq!(producer_text(read.producer_id.as_ref().unwrap()), producer, "{id}");
            assert_eq!((read.producer_sequence_id, read.broker_sequence_id), (sequence, 3), "{id}");
            assert_eq!(text(&read), id);
        }
    }

    #[test]
    fn a_producers_id_that_is_known_counts_more_than_the_text() {
        let mut builder = MessageBuilder::from_message(&message("ID:seen"));
        builder.field(Field::ProducerId, "ID:c:1:2");
        builder.producer_sequence = 9;
        let id = of(&builder.build().unwrap(), DeliveryId(1));
        assert_eq!(text(&id), "ID:seen");
        assert_eq!(
            (producer_text(id.producer_id.as_ref().unwrap()), id.producer_sequence_id),
            ("ID:c:1:2".into(), 9)
        );
    }

    #[test]
    fn a_reference_is_of_the_number_and_of_the_message() {
        let one = of(&message("ID:c:1:1:1"), DeliveryId(1));
        let other = of(&message("ID:c:1:1:2"), DeliveryId(1));
        assert_eq!(reference(&one), reference(&one.clone()));
        assert_ne!(reference(&one), reference(&other));
        assert_eq!(reference(&one).delivery, DeliveryId(1));
    }
}
