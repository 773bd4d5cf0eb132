//! The codec by itself: what is written reads back, however it arrives, and hostile bytes end in an error.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use crate::protocol::Output;

use super::{CodecError, Decoder, Frame, FrameWriter, Limits, Verb, Version};

fn decoder(version: Version) -> Decoder {
    let mut decoder = Decoder::new(Limits::BEFORE_CONNECT);
    decoder.settle(version, Limits::connected(1 << 20));
    decoder
}

fn all(decoder: &mut Decoder, bytes: &[u8]) -> Result<Vec<Frame>, CodecError> {
    let mut input = BytesMut::from(bytes);
    let mut frames = Vec::new();
    while let Some(frame) = decoder.decode(&mut input)? {
        frames.push(frame);
    }
    Ok(frames)
}

fn one_by_one(decoder: &mut Decoder, bytes: &[u8]) -> Result<Vec<Frame>, CodecError> {
    let mut input = BytesMut::new();
    let mut frames = Vec::new();
    for byte in bytes {
        input.extend_from_slice(&[*byte]);
        while let Some(frame) = decoder.decode(&mut input)? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

fn pairs(frame: &Frame) -> Vec<(String, String)> {
    frame.headers().map(|h| (h.name().into_owned(), h.value().into_owned())).collect()
}

#[test]
fn special_characters_in_headers_survive_as_far_as_the_version_can_say_them() {
    for (version, name, value) in [
        (Version::V1_0, "plain", "a\\b"),
        (Version::V1_1, "a:b", "x\ny\\z:\\n"),
        (Version::V1_2, "a:b\r", "x\r\ny\\z:"),
    ] {
        let mut output = Output::new();
        let mut frame = FrameWriter::new(&mut output, Verb::Message, version);
        frame.header(name, value).number("n", -12);
        frame.end(&Bytes::from_static(b"a\0b"), false);
        let frames = all(&mut decoder(version), &output.take()).unwrap();
        let expected = [(name, value), ("n", "-12"), ("content-length", "3")];
        assert_eq!(pairs(&frames[0]), expected.map(|(n, v)| (n.to_owned(), v.to_owned())), "{version:?}");
        assert_eq!(frames[0].body, &b"a\0b"[..]);
    }
}

#[test]
fn a_value_never_passes_for_another_header_in_1_0() {
    let mut output = Output::new();
    let mut frame = FrameWriter::new(&mut output, Verb::Message, Version::V1_0);
    frame.header("a:b\nc", "1\nadmin:true");
    frame.end(&Bytes::new(), false);
    let frames = all(&mut decoder(Version::V1_0), &output.take()).unwrap();
    assert_eq!(pairs(&frames[0]), [("a_b_c".to_owned(), "1_admin:true".to_owned())]);
}

#[test]
fn the_frames_that_settle_the_version_are_never_escaped() {
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        let mut output = Output::new();
        let mut frame = FrameWriter::new(&mut output, Verb::Connected, version);
        frame.header("session", "a\\c:b");
        frame.end(&Bytes::new(), false);
        assert_eq!(&output.take()[..], b"CONNECTED\nsession:a\\c:b\n\n\0");
    }
}

#[test]
fn lines_may_end_with_carriage_return_and_newline_before_connect_and_in_1_2() {
    let text = b"\r\n\nSEND\r\ndestination:/queue/a\r\n\r\nbody\0\r\n";
    for mut decoder in [Decoder::new(Limits::BEFORE_CONNECT), decoder(Version::V1_2)] {
        let frames = all(&mut decoder, text).unwrap();
        assert_eq!(frames[0].header("destination").unwrap(), "/queue/a");
        assert_eq!(frames[0].body, &b"body"[..]);
    }
}

#[test]
fn the_first_of_repeated_headers_counts() {
    let frames =
        all(&mut decoder(Version::V1_2), b"SEND\nfoo:1\nfoo:2\ncontent-length:1\ncontent-length:9\n\nx\0")
            .unwrap();
    assert_eq!(frames[0].header("foo").unwrap(), "1");
    assert_eq!(frames[0].body, &b"x"[..]);
}

#[test]
fn blanks_around_headers_are_trimmed_in_1_0_only() {
    let text = b"SEND\nfoo: 1 \n\n\0";
    assert_eq!(all(&mut decoder(Version::V1_0), text).unwrap()[0].header("foo").unwrap(), "1");
    assert_eq!(all(&mut decoder(Version::V1_1), text).unwrap()[0].header("foo").unwrap(), " 1 ");
}

#[test]
fn hostile_frames_are_refused_with_their_reason() {
    let long = |n: usize| "x".repeat(n);
    let table: Vec<(String, CodecError)> = vec![
        ("GET / HTTP/1.1\r\n".into(), CodecError::UnknownVerb("GET / HTTP/1.1".into())),
        ("send\n\n\0".into(), CodecError::UnknownVerb("send".into())),
        (long(1025), CodecError::CommandTooLong),
        (format!("SEND\na:{}", long(10_240)), CodecError::HeaderTooLong),
        (format!("SEND\n{}", "a:b\n".repeat(1_000_000)), CodecError::TooManyHeaders),
        (format!("SEND\n{}", format!("a:{}\n", long(9_000)).repeat(1_000)), CodecError::HeaderTooLong),
        ("SEND\nno colon\n\n\0".into(), CodecError::BadHeader),
        ("SEND\n:no name\n\n\0".into(), CodecError::BadHeader),
        ("SEND\nfoo\0:bar\n\n\0".into(), CodecError::BadHeader),
        ("SEND\nfoo:a\\tb\n\n\0".into(), CodecError::BadEscape),
        ("SEND\nfoo:a\\\n\n\0".into(), CodecError::BadEscape),
        ("SEND\ncontent-length:-1\n\n\0".into(), CodecError::BadLength),
        ("SEND\ncontent-length:+1\n\na\0".into(), CodecError::BadLength),
        ("SEND\ncontent-length:\n\n\0".into(), CodecError::BadLength),
        ("SEND\ncontent-length:0x10\n\n\0".into(), CodecError::BadLength),
        ("SEND\ncontent-length:1048577\n\n".into(), CodecError::BodyTooLong(1 << 20)),
        ("SEND\ncontent-length:99999999999999999999999999\n\n".into(), CodecError::BodyTooLong(1 << 20)),
        (format!("SEND\n\n{}", long((1 << 20) + 1)), CodecError::BodyTooLong(1 << 20)),
        ("SEND\ncontent-length:1\n\nab\0".into(), CodecError::NoEnd),
    ];
    for (text, expected) in table {
        let shown = &text[..text.len().min(40)];
        assert_eq!(all(&mut decoder(Version::V1_2), text.as_bytes()), Err(expected.clone()), "{shown}");
        assert_eq!(one_by_one(&mut decoder(Version::V1_2), text.as_bytes()), Err(expected), "{shown}");
    }
    let not_utf8 = b"SEND\nfoo:\xff\n\n\0";
    assert_eq!(all(&mut decoder(Version::V1_2), not_utf8), Err(CodecError::NotUtf8));
}

#[test]
fn an_announced_length_allocates_nothing() {
    let mut input = BytesMut::from(&b"SEND\ncontent-length:1048576\n\nab"[..]);
    let before = input.capacity();
    assert_eq!(decoder(Version::V1_2).decode(&mut input), Ok(None));
    assert_eq!(input.capacity(), before);
}

#[test]
fn a_large_body_is_written_without_a_copy() {
    let body = Bytes::from(vec![7; 64 * 1024]);
    let mut output = Output::new();
    FrameWriter::new(&mut output, Verb::Message, Version::V1_2).end(&body, true);
    FrameWriter::new(&mut output, Verb::Receipt, Version::V1_2).end(&Bytes::new(), false);
    let mut slices = [std::io::IoSlice::new(&[]); 8];
    assert_eq!(output.slices(&mut slices), 3);
    assert_eq!(slices[1].as_ptr(), body.as_ptr());
    let first: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
    output.advance(40_000);
    let mut slices = [std::io::IoSlice::new(&[]); 8];
    output.slices(&mut slices);
    let rest: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
    assert_eq!(rest, first[40_000..]);
    output.advance(rest.len());
    assert!(output.is_empty());
}

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V1_0), Just(Version::V1_1), Just(Version::V1_2)]
}

/// Text made of what frames are made of, so that random input gets far into the decoder.
fn frame_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"SEND\n".to_vec()),
        Just(b"MESSAGE\r\n".to_vec()),
        Just(b"content-length:3\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\0".to_vec()),
        Just(b"\\n".to_vec()),
        Just(b"a:b\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn random_frames_read_back_as_they_were_written(
        version in version(),
        headers in proptest::collection::vec(("[a-z\\\\:\n]{1,8}", "[ -~\n\\\\:é]{0,12}"), 0..6),
        body in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        prop_assume!(version != Version::V1_0);
        let mut output = Output::new();
        for _ in 0..2 {
            let mut frame = FrameWriter::new(&mut output, Verb::Send, version);
            for (name, value) in &headers {
                frame.header(name, value);
            }
            frame.end(&Bytes::from(body.clone()), true);
        }
        let bytes = output.take();
        let frames = all(&mut decoder(version), &bytes).unwrap();
        prop_assert_eq!(frames.len(), 2);
        for frame in &frames {
            let mut read = pairs(frame);
            prop_assert_eq!(read.pop().map(|(name, _)| name), Some("content-length".to_owned()));
            prop_assert_eq!(&read, &headers);
            prop_assert_eq!(&frame.body[..], &body[..]);
        }
        prop_assert_eq!(one_by_one(&mut decoder(version), &bytes).unwrap(), frames);
    }

    #[test]
    fn bytes_that_arrive_one_by_one_give_the_same_frames_or_the_same_error(
        version in version(),
        bytes in frame_like(),
    ) {
        prop_assert_eq!(all(&mut decoder(version), &bytes), one_by_one(&mut decoder(version), &bytes));
    }
}
