//! Messages cross the broker unharmed, and are shown to clients of other protocols as ActiveMQ shows them.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::super::codec::{
    ActiveMQQueue, ConsumerId, Message, MessageId, MessageKind, ProducerId, Structure,
};
use super::{Heading, dispatch, message, plain_body};
use crate::broker::DeliveryId;
use crate::model::{
    BodyKind, Destination, DestinationKind, Encoding, Field, Message as Stored, MessageBuilder,
};

const WALL: i64 = 1_000_000;

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn sent(kind: MessageKind, content: Option<&[u8]>, compressed: bool) -> Message {
    let queue = ActiveMQQueue { physical_name: Some("A".into()) };
    let producer_id = Some(ProducerId { connection_id: Some("ID:c".into()), session_id: 1, value: 2 });
    Message {
        kind,
        destination: Some(Box::new(Structure::ActiveMQQueue(queue.into()))),
        message_id: Some(MessageId {
            producer_id: producer_id.clone(),
            producer_sequence_id: 3,
            ..Default::default()
        }),
        producer_id,
        persistent: true,
        priority: 7,
        expiration: 2 * WALL,
        timestamp: WALL,
        r#type: Some("kind".into()),
        correlation_id: Some("c".into()),
        group_id: Some("g".into()),
        group_sequence: -1,
        content: content.map(Bytes::copy_from_slice),
        marshalled_properties: Some(Bytes::from_static(b"\0\0\0\x01\0\x01n\x05\0\0\0\x07")),
        compressed,
        ..Message::default()
    }
}

fn shown(stored: &Stored) -> Message {
    let heading = Heading {
        consumer: &ConsumerId::default(),
        delivery: DeliveryId(9),
        destination: None,
        redeliveries: 2,
        first_of_group: true,
        wall: WALL + 1,
    };
    let (dispatch, _) = dispatch(&heading, stored);
    assert_eq!(dispatch.redelivery_counter, 2);
    match dispatch.message.as_deref() {
        Some(Structure::Message(message)) => (**message).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_comes_out_as_it_came_in() {
    let deflated = deflated(b"\0\0\0\x01a");
    for (kind, content, compressed) in [
        (MessageKind::Plain, None, false),
        (MessageKind::Bytes, Some(&b"a\0\xff"[..]), false),
        (MessageKind::Map, Some(b"\0\0\0\0"), false),
        (MessageKind::Object, Some(b"\xac\xed\0\x05"), false),
        (MessageKind::Stream, Some(b"\x05\0\0\0\x01"), false),
        (MessageKind::Text, Some(b"\0\0\0\x03a\xc0\x80"), false),
        (MessageKind::Text, Some(b"\0\0\0\x03\xed\xa0\xbd"), false),
        (MessageKind::Text, Some(b"\0\0\0\0"), false),
        (MessageKind::Text, None, false),
        (MessageKind::Text, Some(&deflated), true),
    ] {
        let before = sent(kind, content, compressed);
        let after = shown(&message(before.clone(), WALL).unwrap());
        let mut expected = Message {
            redelivery_counter: 2,
            arrival: WALL,
            broker_in_time: WALL,
            broker_out_time: WALL + 1,
            jmsx_group_first_for_consumer: true,
            ..before
        };
        if let Some(id) = &mut expected.message_id {
            id.broker_sequence_id = 9;
        }
        assert_eq!(after, expected, "{kind:?}");
    }
}

#[test]
fn others_see_text_and_bytes_and_nothing_of_what_only_java_can_read() {
    let with_length = [&8u32.to_be_bytes()[..], &deflated(b"inflatedand more")].concat();
    for (kind, content, compressed, plain) in [
        (MessageKind::Text, Some(&b"\0\0\0\x02ab"[..]), false, &b"ab"[..]),
        (MessageKind::Text, Some(&deflated(b"\0\0\0\x02ab")), true, b"ab"),
        (MessageKind::Text, None, false, b""),
        (MessageKind::Text, Some(b"no zlib"), true, b""),
        (MessageKind::Bytes, Some(b"a\0b"), false, b"a\0b"),
        (MessageKind::Bytes, Some(&with_length), true, b"inflated"),
        (MessageKind::Map, Some(b"\0\0\0\0"), false, b""),
        (MessageKind::Object, Some(b"\xac\xed"), false, b""),
    ] {
        let stored = message(sent(kind, content, compressed), WALL).unwrap();
        assert_eq!(&plain_body(&stored)[..], plain, "{kind:?}");
    }
}

#[test]
fn a_message_of_stomp_is_text_or_bytes() {
    for (body_kind, kind, content) in [
        (BodyKind::Text, MessageKind::Text, Some(&b"\0\0\0\x02ab"[..])),
        (BodyKind::Bytes, MessageKind::Bytes, Some(b"ab")),
    ] {
        let mut builder = MessageBuilder::new(Encoding::Stomp);
        builder.destination(Field::Destination, &Destination::new(DestinationKind::Queue, "A").unwrap());
        builder.field(Field::MessageId, "ID:s-1");
        builder.body_kind = body_kind;
        builder.body = Bytes::from_static(b"ab");
        let after = shown(&builder.build().unwrap());
        assert_eq!((after.kind, after.content.as_deref()), (kind, content));
        assert_eq!(after.message_id.unwrap().text_view.as_deref(), Some("ID:s-1"));
    }
}

#[test]
fn what_is_not_served_is_refused() {
    assert!(message(sent(MessageKind::Blob, None, false), WALL).is_err());
    assert!(message(Message { destination: None, ..sent(MessageKind::Plain, None, false) }, WALL).is_err());
    let damaged = Some(Bytes::from_static(b"\0\0\0\x01"));
    assert!(
        message(Message { marshalled_properties: damaged, ..sent(MessageKind::Plain, None, false) }, WALL)
            .is_err()
    );
    let scheduled = Bytes::from_static(b"\0\0\0\x01\0\x14AMQ_SCHEDULED_DELAYx\x00");
    let sent = Message { marshalled_properties: Some(scheduled), ..sent(MessageKind::Plain, None, false) };
    assert!(message(sent, WALL).is_err(), "a property without a type");
}
