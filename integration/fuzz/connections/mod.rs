//! Whole connections against a real broker: whatever bytes arrive, the worst is a refusal to their sender.
//!
//! An input is what up to four clients write, see `script`. The shipped connection, codec, adapter, gate, broker and record
//! format carry it out on one thread; when it is over, somebody who behaves must be served.

mod client;
mod core;
mod script;
mod words;
mod world;

use quorate::protocol::stomp::Verb;

use crate::driver::{Target, as_it_is, kind};

use core::Written;
use world::run;

/// Memory of one run: the broker's bounds in `core`, and a few copies of what was said.
const MEMORY_BYTES_MAX: u64 = 32 << 20;

pub(crate) const CONNECTIONS: Target = Target {
    name: "connections",
    run: |input| {
        let seen = run(input);
        let size = |bytes: usize| bytes.checked_ilog2().unwrap_or(0);
        let verbs = seen.clients.iter().fold(0, |all, (verbs, _)| all | verbs);
        let error = seen.clients.iter().map(|(_, error)| error).find(|error| !error.is_empty());
        let Written { kinds, record, group, spills } = seen.written;
        kind(&(verbs, error, kinds, size(record).max(12), size(group).max(12) / 2, spills.min(1)))
    },
    mend: as_it_is,
    seeds: words::seeds,
    words: words::WORDS,
    planted: |input| {
        let heard = |verbs: u32, verb: Verb| verbs & (1 << (verb as u32)) != 0;
        run(input).clients.iter().any(|(verbs, _)| heard(*verbs, Verb::Receipt) && heard(*verbs, Verb::Error))
    },
    memory: (0, MEMORY_BYTES_MAX),
    bytes_max: 4 * 1024,
};
