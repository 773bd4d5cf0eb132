//! The language of inputs: what clients write as it is, and bytes that never occur in UTF-8 for all else.

/// The bytes of directives, from the lowest on.
const DEAFEN: u8 = 0xf6;
const HOLD: u8 = 0xf7;
const TURN: u8 = 0xf8;
const FILL: u8 = 0xf9;
const HEADER: u8 = 0xfa;
const COMPOSITE: u8 = 0xfb;
const SETTLE: u8 = 0xfc;
const CLOSE: u8 = 0xfd;
const DELIVERY: u8 = 0xfe;
const PASS: u8 = 0xff;

/// Names of a composite destination have this length.
const NAME: &str = "/queue/n000";

/// Sizes at which something changes in the codec, the record format or the gate.
const SIZES: [usize; 16] = [
    0, 1, 20, 250, 1000, 4000, 9_900, 10_200, 10_240, 65_000, 66_000, 262_000, 262_144, 262_145, 600_000,
    1_048_576,
];
/// Sizes of a header, up to just over the longest.
const HEADER_SIZES: [usize; 8] = [1, 10, 100, 1000, 5000, 9_900, 10_200, 10_240];
/// How many headers.
const HEADERS: [usize; 10] = [1, 3, 10, 40, 85, 100, 102, 105, 990, 1000];
/// How many names; the last are just too many for one header.
const NAMES: [usize; 12] = [1, 2, 3, 8, 32, 33, 64, 65, 200, 500, 840, 900];

/// What the clients do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Bytes as they are.
    Say(&'a [u8]),
    /// So many bytes of filling.
    Fill(usize),
    /// So many headers of so many bytes.
    Headers(usize, usize),
    /// So many names of queues, with commas between them.
    Names(usize),
    /// The name by which one of the latest deliveries is acknowledged.
    Name(usize),
    /// What was said arrives and takes effect.
    Settle,
    /// The client is gone without a word.
    Close,
    /// Speak on this connection; version 0 says nothing, the others CONNECT first if it is new.
    Turn(usize, u8),
    /// So many ms pass.
    Pass(u64),
    /// Whether appended records are held back changes.
    Hold,
    /// Whether the client reads changes.
    Deafen,
}

fn among(table: &[usize], byte: u8) -> usize {
    table[usize::from(byte) % table.len()]
}

/// The steps of an input.
pub(super) fn steps(input: &[u8]) -> impl Iterator<Item = Step<'_>> {
    let mut rest = input;
    std::iter::from_fn(move || {
        let first = *rest.first()?;
        if first < DEAFEN {
            let end = rest.iter().position(|byte| *byte >= DEAFEN).unwrap_or(rest.len());
            let (said, after) = rest.split_at(end);
            rest = after;
            return Some(Step::Say(said));
        }
        let argument = |at: usize| rest.get(at).copied().unwrap_or_default();
        let (one, two) = (argument(1), argument(2));
        let (step, taken) = match first {
            FILL => (Step::Fill(among(&SIZES, one)), 2),
            HEADER => (Step::Headers(among(&HEADERS, one), among(&HEADER_SIZES, two)), 3),
            COMPOSITE => (Step::Names(among(&NAMES, one)), 2),
            DELIVERY => (Step::Name(usize::from(one)), 2),
            SETTLE => (Step::Settle, 1),
            CLOSE => (Step::Close, 1),
            TURN => (Step::Turn(usize::from(one & 3), one >> 2 & 3), 2),
            PASS => (Step::Pass(u64::from(one) * 40), 2),
            HOLD => (Step::Hold, 1),
            _ => (Step::Deafen, 1),
        };
        rest = &rest[taken.min(rest.len())..];
        Some(step)
    })
}

impl Step<'_> {
    /// The bytes that a step stands for; none for one that is no text.
    pub(super) fn text(&self) -> Vec<u8> {
        match self {
            Step::Say(said) => said.to_vec(),
            Step::Fill(bytes) => vec![b'x'; *bytes],
            Step::Headers(count, bytes) => {
                let mut text = Vec::with_capacity(count * (bytes + 1));
                for number in 0..*count {
                    let from = text.len();
                    text.extend(format!("h{number}:").into_bytes());
                    text.resize(text.len().max(from + bytes), b'v');
                    text.push(b'\n');
                }
                text
            }
            Step::Names(count) => {
                let mut text = Vec::with_capacity(count * (NAME.len() + 1));
                for number in 0..*count {
                    let comma = if number == 0 { "" } else { "," };
                    text.extend(format!("{comma}/queue/n{number:03}").into_bytes());
                }
                text
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_meaning() {
        let input = b"SEND\n\xfa\x07\x05\n\xf9\x04\0\xfc\xf8\x0d\xfe";
        let all: Vec<_> = steps(input).collect();
        let wanted = [
            Step::Say(b"SEND\n"),
            Step::Headers(105, 9_900),
            Step::Say(b"\n"),
            Step::Fill(1000),
            Step::Say(b"\0"),
            Step::Settle,
            Step::Turn(1, 3),
            Step::Name(0),
        ];
        assert_eq!(all, wanted);
        assert_eq!(Step::Headers(2, 10).text().len(), 22);
        assert_eq!(Step::Names(2).text(), b"/queue/n000,/queue/n001");
    }
}
