//! Text as Java's clients write it: a length of four bytes, then the "modified UTF-8" of the Java virtual machine
//! specification, section 4.4.7, in which NUL takes two bytes and what is beyond the basic plane two surrogates of three.

use bytes::{BufMut, Bytes, BytesMut};

use super::super::codec::{decode, is_alike, put_unit};

const LENGTH_BYTES: usize = 4;

/// The UTF-8 of a text message's content; nothing unless [`write`] would make the same content of it again. Almost always a
/// part of it, without a copy.
pub(crate) fn read(content: &Bytes) -> Option<Bytes> {
    let (length, text) = content.split_first_chunk::<LENGTH_BYTES>()?;
    if usize::try_from(i32::from_be_bytes(*length)).ok()? != text.len() {
        return None;
    }
    if is_alike(text) && std::str::from_utf8(text).is_ok() {
        return Some(content.slice(LENGTH_BYTES..));
    }
    let text = Bytes::from(decode(text)?);
    (write(&text) == *content).then_some(text)
}

/// The content of a text message that says this; what is no UTF-8 is written as it is.
pub(crate) fn write(text: &[u8]) -> Bytes {
    let mut content = BytesMut::with_capacity(LENGTH_BYTES + text.len());
    content.put_i32(0);
    match std::str::from_utf8(text) {
        Ok(chars) if !is_alike(text) => chars.encode_utf16().for_each(|unit| put_unit(&mut content, unit)),
        _ => content.put_slice(text),
    }
    let length = i32::try_from(content.len() - LENGTH_BYTES).unwrap_or(i32::MAX);
    content[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    content.freeze()
}

/// What can be shown of content that [`read`] gives nothing for.
pub(crate) fn read_lossy(content: &[u8]) -> String {
    String::from_utf8_lossy(content.get(LENGTH_BYTES..).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &[u8]) -> Bytes {
        let length = i32::try_from(text.len()).unwrap().to_be_bytes();
        [&length[..], text].concat().into()
    }

    #[test]
    fn plain_text_is_a_part_of_its_content() {
        let content = content("grün".as_bytes());
        let text = read(&content).unwrap();
        assert_eq!((&text[..], write(&text)), ("grün".as_bytes(), content.clone()));
        assert_eq!(text.as_ptr(), content[LENGTH_BYTES..].as_ptr());
        assert_eq!(write(b""), Bytes::from_static(&[0; 4]));
    }

    #[test]
    fn what_java_writes_in_its_own_way_is_utf8_here_and_the_same_again_there() {
        let java = content(b"a\xc0\x80\xed\xa0\xbd\xed\xb8\x80");
        let text = read(&java).unwrap();
        assert_eq!((&text[..], write(&text)), ("a\0😀".as_bytes(), java));
    }

    #[test]
    fn what_would_not_come_back_as_it_was_is_not_read() {
        for text in [&b"\xed\xa0\xbd"[..], b"a\0", "😀".as_bytes(), b"\xff", b"\xc3", b"\xc1\x81"] {
            assert_eq!(read(&content(text)), None, "{text:?}");
        }
        assert_eq!(read(&Bytes::from_static(b"\0\0\0\x02a")), None, "the length is another one");
        assert_eq!(read(&Bytes::from_static(b"\xff\xff\xff\xff")), None);
        assert_eq!(read(&Bytes::from_static(b"\0\0")), None);
        assert_eq!(read_lossy(b"\0\0\0\x02a\xff"), "a\u{fffd}");
    }
}
