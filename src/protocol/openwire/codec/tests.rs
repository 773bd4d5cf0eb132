//! Every structure in every version and encoding; and bytes of any kind.

use bytes::BytesMut;
use proptest::prelude::*;

use crate::protocol::Output;

use super::chance::Chance;
use super::{Codec, ExceptionResponse, FrameError, Settings, Structure, Text, Throwable, VERSION_MAX};

const FRAME_BYTES_MAX: usize = 1 << 20;

/// All that two sides can agree on.
fn all_settings() -> impl Iterator<Item = Settings> {
    (1..=VERSION_MAX).flat_map(|version| {
        (0..8).map(move |bits| Settings {
            version,
            tight: bits & 1 == 1,
            cache_size: (bits & 2 == 2).then_some(256),
            stack_traces: bits & 4 == 4,
        })
    })
}

fn codec(settings: Settings) -> Codec {
    let mut codec = Codec::new(FRAME_BYTES_MAX);
    codec.agree(settings, FRAME_BYTES_MAX);
    codec
}

#[test]
fn every_structure_is_read_as_it_was_written_in_every_version_and_encoding() {
    for settings in all_settings() {
        let (mut told, mut heard) = (codec(settings), codec(settings));
        for seed in 1..20 {
            let mut chance = Chance::new(settings.version, seed);
            for structure in Structure::one_of_each(&mut chance) {
                let mut output = Output::new();
                told.encode(&structure, &mut output);
                let mut arrived = BytesMut::from(&output.take()[..]);
                assert_eq!(heard.announced(&arrived), arrived.len());
                let read = heard.decode(&mut arrived);
                assert_eq!(read, Ok(Some(structure)), "{settings:?}, seed {seed}");
                assert!(arrived.is_empty());
            }
        }
    }
}

#[test]
fn a_frame_that_is_cut_is_waited_for_or_refused_and_never_read() {
    for settings in all_settings().filter(|it| it.version == VERSION_MAX) {
        let mut chance = Chance::new(settings.version, 7);
        for structure in Structure::one_of_each(&mut chance) {
            let mut output = Output::new();
            codec(settings).encode(&structure, &mut output);
            let whole = output.take();
            for cut in
                [0, 3, 4, 5, whole.len() / 2, whole.len() - 1].into_iter().filter(|it| *it < whole.len())
            {
                let mut arrived = BytesMut::from(&whole[..cut]);
                assert_eq!(codec(settings).decode(&mut arrived), Ok(None));
                // The same with a length that fits.
                let Some(length) = cut.checked_sub(4).filter(|it| *it > 0) else { continue };
                arrived[..4].copy_from_slice(&(length as u32).to_be_bytes());
                assert!(codec(settings).decode(&mut arrived).is_err(), "{cut} of {structure:?}");
            }
        }
    }
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    let mut codec = codec(Settings { version: 12, ..Settings::FIRST });
    for length in [FRAME_BYTES_MAX as u32 + 1, u32::MAX, 1 << 31] {
        let mut arrived = BytesMut::from(&length.to_be_bytes()[..]);
        assert_eq!(codec.decode(&mut arrived), Err(FrameError::TooLarge(length)));
    }
    // A message whose content is longer than the frame, and one with a negative length.
    for length in [i32::MAX, -1] {
        let content = [&[1][..], &length.to_be_bytes()].concat();
        let frame = [&[0, 0, 0, 6, 18][..], &content].concat();
        assert!(codec.decode(&mut BytesMut::from(&frame[..])).is_err());
    }
    assert_eq!(codec.decode(&mut BytesMut::from(&[0, 0, 0, 1, 77][..])), Err(FrameError::Unknown(77)));
    assert_eq!(codec.decode(&mut BytesMut::from(&[0, 0, 0, 0][..])), Err(FrameError::Short));
}

/// A loose frame of the newest version, with a cache.
fn loose(code: u8, fields: &[u8]) -> (Codec, BytesMut) {
    let settings = Settings { version: VERSION_MAX, tight: false, cache_size: Some(256), stack_traces: true };
    let frame = [&(fields.len() as u32 + 1).to_be_bytes()[..], &[code], fields].concat();
    (codec(settings), BytesMut::from(&frame[..]))
}

/// Of a command: its number, and that nobody waits for an answer.
const COMMAND: [u8; 5] = [0, 0, 0, 1, 0];

#[test]
fn cve_2023_46604_an_exception_of_any_class_is_two_texts() {
    let class_name: Text = "org.springframework.context.support.ClassPathXmlApplicationContext".into();
    let exception =
        Throwable { class_name: Some(class_name), message: Some("http://127.0.0.1/evil.xml".into()) };
    let response = Structure::ExceptionResponse(Box::new(ExceptionResponse {
        exception: Some(exception),
        ..ExceptionResponse::default()
    }));
    for settings in all_settings() {
        let mut output = Output::new();
        codec(settings).encode(&response, &mut output);
        let read = codec(settings).decode(&mut BytesMut::from(&output.take()[..]));
        assert_eq!(read, Ok(Some(response.clone())), "{settings:?}");
    }
}

#[test]
fn cve_2025_27533_a_length_takes_no_memory_before_its_bytes_have_come() {
    const MEMORY_MAX: u64 = 8 * 1024;
    let text = [&COMMAND[..], &[1, 0xff, 0xff]].concat();
    let bytes = [&[0, 0, 0, 1, 1][..], &i32::MAX.to_be_bytes()].concat();
    let array = [&COMMAND[..], &[0, 0, 0, 1, 1, 0xff, 0xff, 1, 124, 0]].concat();
    let frames = [&COMMAND[..], &[0, 0, 0, 1, 1, 0, 0, 0xff, 0xff]].concat();
    for (code, fields) in [(14, text), (112, bytes), (33, array), (31, frames)] {
        let (mut codec, mut arrived) = loose(code, &fields);
        let memory = allocation_counter::measure(|| {
            assert_eq!(codec.decode(&mut arrived), Err(FrameError::Short), "{code}");
        });
        assert!(memory.bytes_max < MEMORY_MAX, "{code}: {} bytes", memory.bytes_max);
    }
}

#[test]
fn what_is_nested_without_end_is_refused() {
    let response = [&COMMAND[..], &[0, 0, 0, 1, 1, 32]].concat();
    let (mut codec, mut arrived) = loose(32, &response.repeat(10_000));
    assert_eq!(codec.decode(&mut arrived), Err(FrameError::Deep));
    // Without class, message and stack.
    let causes = [&COMMAND[..], &[0, 0, 0, 1], &[1, 0, 0, 0, 0].repeat(10_000)].concat();
    let (mut codec, mut arrived) = loose(31, &causes);
    assert_eq!(codec.decode(&mut arrived), Err(FrameError::Deep));
}

#[test]
fn a_number_that_the_peer_never_gave_is_refused() {
    let session = [&COMMAND[..], &[0, 0, 5]].concat();
    let (mut codec, mut arrived) = loose(4, &session);
    assert_eq!(codec.decode(&mut arrived), Err(FrameError::NotCached(5)));
}

proptest! {
    #[test]
    fn bytes_of_any_content_are_refused_or_read_as_something_that_can_be_written(
        version in 1..=VERSION_MAX, tight: bool, caches: bool, stack_traces: bool,
        code in prop_oneof![1..=34u8, 90..=92u8, 100..=124u8],
        content in prop::collection::vec(prop_oneof![3 => 0..4u8, 1 => any::<u8>()], 0..200),
    ) {
        let settings = Settings { version, tight, cache_size: caches.then_some(256), stack_traces };
        let frame = [&(content.len() as u32 + 1).to_be_bytes()[..], &[code], &content].concat();
        if let Ok(Some(read)) = codec(settings).decode(&mut BytesMut::from(&frame[..])) {
            let mut output = Output::new();
            codec(settings).encode(&read, &mut output);
            let mut again = BytesMut::from(&output.take()[..]);
            let read_again = codec(settings).decode(&mut again);
            prop_assert_eq!(read_again, Ok(Some(read)));
        }
    }
}
