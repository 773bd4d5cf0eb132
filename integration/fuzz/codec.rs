//! STOMP as the broker reads it and as the client reads it: fed whole and byte by byte.

use bytes::{Bytes, BytesMut};
use quorate::protocol::Output;
use quorate::protocol::stomp::{CodecError, Decoder, Frame, FrameWriter, Limits, Verb, Version};

use crate::driver::{Target, as_it_is, kind};

/// Body bound of the simulated connector.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// The client's own.
const CLIENT_BODY_BYTES_MAX: usize = 1 << 30;

pub(crate) const STOMP_SERVER: Target = Target {
    name: "stomp_server",
    run: |input| both(input, true),
    mend: as_it_is,
    seeds: server_seeds,
    words: WORDS,
    planted: |input| {
        let found = |frame: &Frame| frame.verb == Verb::Begin && frame.headers().count() > 1;
        read(input, true, usize::MAX).0.iter().any(found)
    },
    memory: (64, 64 * 1024),
    bytes_max: 32 * 1024,
};

pub(crate) const STOMP_CLIENT: Target = Target {
    name: "stomp_client",
    run: |input| both(input, false),
    mend: as_it_is,
    seeds: client_seeds,
    words: WORDS,
    planted: |input| {
        let found =
            |frame: &Frame| frame.verb == Verb::Error && frame.headers().count() > 3 && frame.body.len() > 40;
        read(input, false, usize::MAX).0.iter().any(found)
    },
    memory: (64, 64 * 1024),
    bytes_max: 32 * 1024,
};

const WORDS: &[&[u8]] = &[
    b"CONNECT\n",
    b"CONNECTED\nversion:1.1\n\n\0",
    b"SEND\n",
    b"NACK\n",
    b"ERROR\n",
    b"MESSAGE\r\n",
    b"STOMP\naccept-version:1.1\n\n\0",
    b"content-length:",
    b"content-length:3\n",
    b"content-length:1000000000\n",
    b"\ncontent-length: 2 \n",
    b"\n\n\0",
    b"\n",
    b"\r\n",
    b"\0",
    b"\\n",
    b"\\c",
    b"\\\\",
    b"\\r",
    b":",
    b"a:b\n",
    b"\xc3\xa9",
    b"\xff",
];

type Decoded = (Vec<Frame>, Option<CodecError>);

/// Reads as the connection does: strict limits until the version is settled.
fn read(input: &[u8], server: bool, step: usize) -> Decoded {
    let limits = if server { Limits::BEFORE_CONNECT } else { Limits::connected(CLIENT_BODY_BYTES_MAX) };
    let (mut decoder, mut buffer, mut frames) = (Decoder::new(limits), BytesMut::new(), Vec::new());
    for piece in input.chunks(step.min(input.len()).max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => {
                    if frames.is_empty() {
                        settle(&mut decoder, &frame, server);
                    }
                    frames.push(frame);
                }
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

fn settle(decoder: &mut Decoder, first: &Frame, server: bool) {
    if server {
        let version = Version::negotiate(first.header("accept-version").as_deref());
        decoder.settle(version.unwrap_or(Version::V1_0), Limits::connected(BODY_BYTES_MAX));
    } else {
        let version = first.header("version").and_then(|text| Version::from_text(&text));
        decoder.settle(version.unwrap_or(Version::V1_0), Limits::connected(CLIENT_BODY_BYTES_MAX));
    }
}

fn both(input: &[u8], server: bool) -> u64 {
    let whole = read(input, server, usize::MAX);
    assert_eq!(whole, read(input, server, 1), "byte by byte");
    assert_eq!(whole, read(input, server, 7), "in pieces of seven");
    for frame in &whole.0 {
        again(frame);
    }
    let verbs: Vec<&str> = whole.0.iter().take(3).map(|frame| frame.verb.text()).collect();
    let error = whole.1.map(|error| std::mem::discriminant(&error));
    let last = whole
        .0
        .last()
        .map(|frame| (frame.headers().count().min(8), frame.body.len().min(64) / 8, frame.measured));
    kind(&(verbs, whole.0.len().min(8), error, last))
}

/// A frame's headers without its content-length, which the encoder writes itself.
fn pairs(frame: &Frame) -> Vec<(String, String)> {
    let pairs = frame.headers().map(|header| (header.name().into_owned(), header.value().into_owned()));
    pairs.filter(|(name, _)| name.trim_ascii() != "content-length").collect()
}

/// What was read can be written and reads the same. Only in 1.2, the one version that can say everything; frames that
/// settle the version are never escaped.
fn again(frame: &Frame) {
    let unescaped = matches!(frame.verb, Verb::Connect | Verb::Stomp | Verb::Connected);
    let pairs_before = pairs(frame);
    let plain = pairs_before.iter().all(|(name, value)| !name.contains('\0') && !value.contains('\0'));
    if unescaped || !plain {
        return;
    }
    let mut output = Output::new();
    let mut writer = FrameWriter::new(&mut output, frame.verb, Version::V1_2);
    for (name, value) in &pairs_before {
        writer.header(name, value);
    }
    writer.end(&frame.body, true);
    let limits = Limits {
        header_bytes_max: 1 << 20,
        head_bytes_max: 1 << 22,
        headers_max: 4096,
        ..Limits::connected(1 << 20)
    };
    let mut decoder = Decoder::new(limits);
    decoder.settle(Version::V1_2, limits);
    let mut input = BytesMut::from(&output.take()[..]);
    let written = decoder.decode(&mut input).expect("written by the encoder").expect("written whole");
    assert_eq!((written.verb, &written.body, pairs(&written)), (frame.verb, &frame.body, pairs_before));
}

/// Verb, headers and body.
type Written<'a> = (Verb, &'a [(&'a str, &'a str)], &'a [u8]);

fn frames(of: &[Written<'_>], version: Version) -> Vec<u8> {
    let mut output = Output::new();
    for (verb, headers, body) in of {
        let mut frame = FrameWriter::new(&mut output, *verb, version);
        for (name, value) in *headers {
            frame.header(name, value);
        }
        if body.is_empty() { frame.end_empty() } else { frame.end(&Bytes::copy_from_slice(body), true) }
    }
    output.take().to_vec()
}

fn server_seeds() -> Vec<Vec<u8>> {
    let of = |accept: &'static str, version: Version| {
        let connect: &[(&str, &str)] = &[("accept-version", accept), ("host", "h"), ("heart-beat", "1000,0")];
        let send: &[(&str, &str)] =
            &[("destination", "/queue/a"), ("receipt", "r\n:\\1"), ("persistent", "true")];
        let subscribe: &[(&str, &str)] =
            &[("id", "1"), ("destination", "/topic/a.>"), ("ack", "client-individual")];
        frames(
            &[
                (Verb::Connect, connect, b""),
                (Verb::Send, send, b"body\0with\xfe"),
                (Verb::Subscribe, subscribe, b""),
                (Verb::Begin, &[("transaction", "t")], b""),
                (Verb::Ack, &[("id", "1"), ("transaction", "t")], b""),
                (Verb::Commit, &[("transaction", "t")], b""),
                (Verb::Nack, &[("id", "2")], b""),
                (Verb::Disconnect, &[("receipt", "bye")], b""),
            ],
            version,
        )
    };
    vec![
        of("1.0", Version::V1_0),
        of("1.0,1.1", Version::V1_1),
        of("1.0,1.1,1.2", Version::V1_2),
        b"CONNECT\r\naccept-version:1.2\r\n\r\n\0\r\nSEND\r\ndestination:/queue/a\r\n\r\nunmeasured\0\n\n"
            .to_vec(),
    ]
}

fn client_seeds() -> Vec<Vec<u8>> {
    let of = |text: &'static str, version: Version| {
        let message: &[(&str, &str)] =
            &[("message-id", "m:1"), ("subscription", "1"), ("destination", "/queue/a")];
        frames(
            &[
                (Verb::Connected, &[("version", text), ("heart-beat", "0,1000"), ("server", "q")], b""),
                (Verb::Receipt, &[("receipt-id", "1")], b""),
                (Verb::Message, message, b"a body\0"),
                (Verb::Error, &[("message", "no: such\\ thing")], b"why"),
            ],
            version,
        )
    };
    vec![
        of("1.0", Version::V1_0),
        of("1.1", Version::V1_1),
        of("1.2", Version::V1_2),
        b"\n\n\r\nERROR\nmessage:x\n\n\0".to_vec(),
    ]
}
