//! What destinations and sessions count of themselves, for operators. Only what is committed counts, and what never enters the
//! log.
//!
//! Who owns a counter holds it by an `Arc` and counts where the thing happens: a load and a store, no lock, no search.
//! [`Figures`] is the registry of them all: written when a destination or a session comes or goes, read page by page by
//! whoever shows them, without a word to the core task. A counter is written before the answer to what it counts goes out, so
//! figures that are read after an answer show what was answered.

mod book;
mod counters;
mod registry;
mod status;

pub(in crate::broker) use book::Book;
pub(in crate::broker) use counters::{DestinationFigures, SessionFigures};
pub use registry::{Figures, Gone, PAGE_ENTRIES_MAX};
pub use status::{ConnectionStatus, DestinationCounts, DestinationStatus, Page, SubscriptionStatus};
