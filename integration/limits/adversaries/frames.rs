//! What hostile clients write, by chance from a seed.

use std::time::Duration;

/// Queues and topics that they use.
pub(super) const PLACES: u64 = 12;
/// Names of one composite destination.
pub(super) const NAMES_MAX: u64 = 800;

/// Numbers that repeat for a seed (splitmix64).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    /// Mostly a little, seldom very much.
    pub(super) fn size(&mut self, most_bits: u64) -> usize {
        let bits = self.below(most_bits + 1);
        self.below(1 << bits) as usize
    }

    pub(super) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }

    pub(super) fn ms(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.below(most))
    }

    pub(super) fn place(&mut self) -> String {
        let kind = self.of(&["queue", "queue", "queue", "topic"]);
        format!("/{kind}/hostile.{}", self.below(PLACES))
    }
}

pub(super) fn garbage(chance: &mut Chance) -> Vec<u8> {
    let count = chance.size(16);
    match chance.below(3) {
        0 => b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
        1 => vec![b'\n'; count],
        _ => chance.bytes(count),
    }
}

pub(super) fn send(chance: &mut Chance, to: &str, body: usize, more: &str) -> Vec<u8> {
    let persistent = chance.below(3) == 0;
    let expires = if chance.below(2) == 0 { "expires:1\n" } else { "" };
    let head =
        format!("SEND\ndestination:{to}\npersistent:{persistent}\n{expires}{more}content-length:{body}\n\n");
    let mut frame = head.into_bytes();
    frame.resize(frame.len() + body, b'h');
    frame.push(0);
    frame
}

pub(super) fn sends(chance: &mut Chance, count: usize) -> Vec<u8> {
    (0..count)
        .flat_map(|_| {
            let (place, body) = (chance.place(), chance.size(20));
            send(chance, &place, body, "")
        })
        .collect()
}

/// Up to 1 MiB of headers, and a body.
pub(super) fn head(chance: &mut Chance) -> Vec<u8> {
    let (count, bytes) = chance.of(&[(104, 9_900), (1000, 10), (90, 10_200), (101, 10_300), (1001, 1)]);
    let mut more = String::with_capacity(count * bytes);
    for number in 0..count {
        more += &format!("h{number}:{}\n", "v".repeat(bytes));
    }
    let (place, body) = (chance.place(), chance.of(&[0, 10, 200_000, 262_144, 300_000]));
    send(chance, &place, body, &more)
}

pub(super) fn composite(chance: &mut Chance) -> Vec<u8> {
    let count = chance.of(&[2, 10, 65, 200, 257, NAMES_MAX]);
    let names: Vec<String> = (0..count).map(|number| format!("/queue/hostile.{number}")).collect();
    let body = chance.of(&[0, 100, 10_000, 260_000, 2 << 20]);
    send(chance, &names.join(","), body, "")
}

pub(super) fn transaction(chance: &mut Chance) -> Vec<u8> {
    let mut frames = b"BEGIN\ntransaction:t\n\n\0".to_vec();
    for _ in 0..chance.size(8) {
        let (place, body) = (chance.place(), chance.size(14));
        frames.extend(send(chance, &place, body, "transaction:t\n"));
    }
    let end: &[u8] = chance.of(&[b"COMMIT\ntransaction:t\n\n\0", b"ABORT\ntransaction:t\n\n\0", b"BEGIN\n"]);
    frames.extend(end);
    frames
}

pub(super) fn subscription(chance: &mut Chance, ack: &str, browser: bool) -> String {
    let (place, prefetch) = (chance.place(), chance.of(&[1, 100, 65_535]));
    format!(
        "SUBSCRIBE\nid:{}\ndestination:{place}\nack:{ack}\nbrowser:{browser}\nactivemq.prefetchSize:{prefetch}\n\n\0",
        chance.below(1 << 40)
    )
}

/// What cannot be done.
pub(super) fn nonsense(chance: &mut Chance) -> Vec<u8> {
    let all: [&[u8]; 7] = [
        b"ACK\nid:1-1-1\n\n\0",
        b"NACK\nsubscription:1\nmessage-id:ID:1\n\n\0",
        b"COMMIT\ntransaction:none\n\n\0",
        b"UNSUBSCRIBE\nid:none\n\n\0",
        b"SUBSCRIBE\nid:1\ndestination:/queue/a,/queue/b\n\n\0",
        b"SEND\ndestination:/queue/hostile.1\\x\n\n\0",
        b"SEND\ndestination:/queue/hostile.1\ncontent-length:-1\n\n\0",
    ];
    chance.of(&all).to_vec()
}

/// Temporary destinations, long names and many transactions.
pub(super) fn many_names(chance: &mut Chance) -> Vec<u8> {
    let mut frames = Vec::new();
    for number in 0..chance.size(10) {
        frames.extend(
            match chance.below(3) {
                0 => format!("SEND\ndestination:/temp-queue/t{number}\n\nx\0"),
                1 => format!("BEGIN\ntransaction:t{number}\n\n\0"),
                _ => format!("SUBSCRIBE\nid:s{number}\ndestination:/topic/hostile.>\n\n\0"),
            }
            .into_bytes(),
        );
    }
    frames
}
