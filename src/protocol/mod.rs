//! Wire protocols: listeners, codecs, and adapters from frames to sessions.

pub mod stomp;
