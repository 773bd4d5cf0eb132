//! Bodies that a client has deflated (`useCompression`), for those who need to see inside.

use std::io::Read;

use bytes::Bytes;
use flate2::read::ZlibDecoder;

/// Most bytes that a body inflates to; a longer one is not shown. As many as the largest body that is let in by default.
const INFLATED_BYTES_MAX: u64 = 100 << 20;

/// The body that was deflated; nothing if it is damaged or becomes too large.
pub(super) fn inflate(deflated: &[u8]) -> Option<Bytes> {
    let mut body = Vec::new();
    let count = ZlibDecoder::new(deflated).take(INFLATED_BYTES_MAX + 1).read_to_end(&mut body).ok()?;
    (count as u64 <= INFLATED_BYTES_MAX).then(|| body.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn deflate(parts: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        parts.for_each(|part| encoder.write_all(&part).unwrap());
        encoder.finish().unwrap()
    }

    #[test]
    fn a_body_comes_back_and_what_is_none_or_has_no_end_does_not() {
        let deflated = deflate([b"abc".to_vec()].into_iter());
        assert_eq!(inflate(&deflated), Some(Bytes::from_static(b"abc")));
        assert_eq!(inflate(&deflated[..deflated.len() / 2]), None);
        assert_eq!(inflate(b"abc"), None);
        let bomb = deflate(std::iter::repeat_with(|| vec![0; 1 << 20]).take(101));
        assert!(bomb.len() < 1 << 20);
        assert_eq!(inflate(&bomb), None);
    }
}
