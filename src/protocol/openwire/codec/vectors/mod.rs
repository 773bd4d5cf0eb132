//! What ActiveMQ's own marshallers wrote, byte for byte: `java.txt`, by the program in `integration/jms/vectors`. Each line says
//! "first-last encoding cache variant type hex" for a span of versions in which the bytes are the same; with a cache the structure
//! was sent twice.

use std::collections::BTreeSet;

use bytes::BytesMut;

use crate::protocol::Output;

use super::chance::Chance;
use super::{Blob, Codec, Settings, Structure, VERSION_MAX};

const FRAME_BYTES_MAX: usize = 1 << 20;
/// ActiveMQ's size of a cache about which nothing was agreed.
const CACHE_SIZE: u16 = 16_383;
/// The size in the conversations that are too long for their cache.
const CACHE_SIZE_SMALL: u16 = 112;

/// One line, for one version of its span.
struct Vector {
    settings: Settings,
    variant: &'static str,
    type_name: &'static str,
    frames: Vec<u8>,
}

/// All lines, with all versions of each.
fn vectors() -> impl Iterator<Item = Vector> {
    include_str!("java.txt").lines().flat_map(|line| {
        let [versions, encoding, cache, variant, type_name, hex] =
            line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let (first, last): (&str, &str) = versions.split_once('-').unwrap();
        let size = if variant == "small" { CACHE_SIZE_SMALL } else { CACHE_SIZE };
        let frames = bytes(hex);
        (first.parse().unwrap()..=last.parse().unwrap()).map(move |version| Vector {
            settings: Settings {
                version,
                tight: encoding == "tight",
                cache_size: (cache == "cached").then_some(size),
                stack_traces: true,
            },
            variant,
            type_name,
            frames: frames.clone(),
        })
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).unwrap() as u8;
    hex.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn codec(settings: Settings) -> Codec {
    let mut codec = Codec::new(FRAME_BYTES_MAX);
    codec.agree(settings, FRAME_BYTES_MAX);
    codec
}

impl Vector {
    fn read(&self) -> Vec<Structure> {
        let (mut codec, mut arrived) = (codec(self.settings), BytesMut::from(&self.frames[..]));
        let mut all = Vec::new();
        while !arrived.is_empty() {
            let read = codec.decode(&mut arrived);
            all.push(read.unwrap_or_else(|error| panic!("{error}: {self}")).unwrap());
        }
        all
    }

    fn written(&self, structures: &[Structure]) -> Vec<u8> {
        let (mut codec, mut output) = (codec(self.settings), Output::new());
        structures.iter().for_each(|structure| codec.encode(structure, &mut output));
        output.take().to_vec()
    }
}

impl std::fmt::Display for Vector {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {} {:?}", self.variant, self.type_name, self.settings)
    }
}

#[test]
fn what_java_wrote_is_read_and_written_as_the_same_bytes() {
    // Traces are read and dropped.
    for vector in vectors().filter(|it| it.variant != "traced") {
        let read = vector.read();
        assert!(vector.written(&read) == vector.frames, "{vector}: {read:#?}");
    }
}

#[test]
fn what_java_sends_a_second_time_is_read_as_the_first_time() {
    for vector in vectors().filter(|it| it.settings.cache_size.is_some() && it.variant != "small") {
        let read = vector.read();
        assert!(matches!(&read[..], [first, second] if first == second), "{vector}");
    }
}

#[test]
fn every_structure_has_vectors_of_both_encodings_with_and_without_a_cache() {
    let newest = vectors().filter(|it| it.variant == "full" && it.settings.version == VERSION_MAX);
    let kinds: BTreeSet<(&str, bool, bool)> =
        newest.map(|it| (it.type_name, it.settings.tight, it.settings.cache_size.is_some())).collect();
    // All but the null and the first frame of a connection.
    let structures = Structure::one_of_each(&mut Chance::new(VERSION_MAX, 1)).len() - 1;
    assert_eq!(kinds.len(), 4 * structures);
    let versions: BTreeSet<u8> = vectors().map(|it| it.settings.version).collect();
    assert!(versions.into_iter().eq(1..=VERSION_MAX));
}

/// Texts that Java set are their property's name, so that a value in another field's place is noticed.
#[test]
fn every_field_that_java_set_is_read_as_its_value() {
    for vector in vectors().filter(|it| it.variant == "full" && it.settings.version == VERSION_MAX) {
        for structure in vector.read() {
            // A field that this version no longer has, one that would hold its own type again, and what only a blob has.
            let no_blob = format!("{:?}", Blob::default());
            let shown = ["network_ttl: 0", "peer_broker_infos: None", &no_blob]
                .iter()
                .fold(format!("{structure:?}"), |shown, unset| shown.replace(unset, ""));
            let unset = ["None", "false", ": 0,", ": 0 "].into_iter().find(|unset| shown.contains(unset));
            assert_eq!(unset, None, "{vector}: {shown}");
        }
    }
}

#[test]
fn fields_hold_what_java_put_into_them() {
    let full = |name: &str| {
        let found = vectors()
            .find(|it| (it.variant, it.type_name, it.settings.version) == ("full", name, VERSION_MAX));
        found.unwrap().read().remove(0)
    };
    let Structure::ConnectionInfo(info) = full("ConnectionInfo") else { panic!("another type") };
    let texts = [&info.client_id, &info.password, &info.user_name, &info.client_ip];
    assert_eq!(texts.map(|text| text.as_deref().unwrap()), ["ClientId", "Password", "UserName", "ClientIp"]);
    assert_eq!(info.connection_id.unwrap().value.as_deref(), Some("Value"));
    assert_eq!(info.broker_path.map(|path| path.len()), Some(2));
    let Structure::ConsumerInfo(info) = full("ConsumerInfo") else { panic!("another type") };
    let texts = [&info.selector, &info.client_id, &info.subscription_name];
    assert_eq!(texts.map(|text| text.as_deref().unwrap()), ["Selector", "ClientId", "SubscriptionName"]);
    let Structure::Message(message) = full("ActiveMQBlobMessage") else { panic!("another type") };
    let texts = [&message.group_id, &message.correlation_id, &message.r#type, &message.user_id];
    assert_eq!(texts.map(|text| text.as_deref().unwrap()), ["GroupID", "CorrelationId", "Type", "UserID"]);
    assert_eq!(message.content.as_deref(), Some(&b"Content"[..]));
    assert_eq!(message.marshalled_properties.as_deref(), Some(&b"MarshalledProperties"[..]));
    assert_eq!(message.blob.remote_blob_url.as_deref(), Some("RemoteBlobUrl"));
    let Structure::ConnectionControl(control) = full("ConnectionControl") else { panic!("another type") };
    assert_eq!(control.connected_brokers.as_deref(), Some("ConnectedBrokers"));
    assert_eq!(control.reconnect_to.as_deref(), Some("ReconnectTo"));
    assert_eq!(control.token.as_deref(), Some(&b"Token"[..]));
}

#[test]
fn texts_and_exceptions_of_java_are_read_by_value() {
    for vector in vectors().filter(|it| it.variant == "unicode") {
        let Structure::ConsumerInfo(info) = vector.read().remove(0) else { panic!("another type") };
        assert_eq!(info.selector.as_deref(), Some("grün = '€' OR 😀 OR \0"), "{vector}");
    }
    for vector in vectors().filter(|it| it.variant == "traced") {
        let Structure::ExceptionResponse(response) = vector.read().remove(0) else { panic!("another type") };
        let exception = response.exception.unwrap();
        assert_eq!(exception.class_name.as_deref(), Some("java.lang.IllegalStateException"));
        assert_eq!(exception.message.as_deref(), Some("Exception"));
    }
}
