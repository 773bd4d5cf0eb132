//! The layout of messages.

use super::*;

fn sample() -> Message {
    let mut builder = MessageBuilder::new(Encoding::Stomp);
    builder.persistent = true;
    builder.expiry = 99;
    builder.producer_sequence = 7;
    builder.group_sequence = -1;
    builder.body = Bytes::from_static(b"a\0b");
    let queue = Destination::new(DestinationKind::Queue, "A.B").unwrap();
    builder.destination(Field::Destination, &queue);
    builder.field(Field::MessageId, "ID:1").field(Field::CorrelationId, &b"c"[..]);
    builder.property("n", PropertyValue::Int(-3)).property("s", PropertyValue::String("x"));
    builder.build().unwrap()
}

#[test]
fn a_message_reads_back_as_it_was_built() {
    let message = Message::decode(sample().encoded().clone()).unwrap();
    assert!(message.persistent());
    assert_eq!((message.priority(), message.expiry(), message.producer_sequence()), (4, 99, 7));
    assert_eq!(message.group_sequence(), -1);
    assert_eq!(message.text(Field::MessageId), Some("ID:1"));
    assert_eq!(message.body(), Bytes::from_static(b"a\0b"));
    let names: Vec<_> = message.destinations(Field::Destination).map(|d| d.to_string()).collect();
    assert_eq!(names, ["queue://A.B"]);
    let properties: Vec<_> = message.properties().collect();
    assert_eq!(properties, [("n", PropertyValue::Int(-3)), ("s", PropertyValue::String("x"))]);
    assert_eq!(MessageBuilder::from_message(&message).build().unwrap(), message);
}

#[test]
fn an_unknown_field_survives_a_change_of_another() {
    let mut builder = MessageBuilder::from_message(&sample());
    builder.fields.push((200, Bytes::from_static(b"later")));
    let mut again = MessageBuilder::from_message(&builder.build().unwrap());
    again.remove(Field::CorrelationId);
    let message = again.build().unwrap();
    assert_eq!(message.fields().find(|(tag, _)| *tag == 200).map(|(_, v)| v), Some(&b"later"[..]));
    assert_eq!(message.field(Field::CorrelationId), None);
}

#[test]
fn damaged_bytes_are_refused_and_never_panic() {
    let good = sample().encoded().to_vec();
    for cut in 0..good.len() {
        assert!(Message::decode(Bytes::copy_from_slice(&good[..cut])).is_err(), "cut at {cut}");
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0xff;
        if let Ok(message) = Message::decode(bad.into()) {
            message.properties().count();
            message.destinations(Field::Destination).count();
        }
    }
}
