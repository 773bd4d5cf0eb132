//! The broker's bounds. Each bounds a map, a queue or a buffer; at the bound the caller waits or is refused.

use crate::config::Policies;
use crate::model::Destination;
use crate::selector::SELECTOR_BYTES_MAX;

use super::BrokerNames;

/// What an operator may set, and what tests set small.
#[derive(Clone, Debug)]
pub struct BrokerOptions {
    /// What the broker is called.
    pub names: BrokerNames,
    /// Bytes of non-persistent messages held in the master's memory; at the limit their senders wait. From 70 % of it on
    /// the ends of long queues go to temporary files.
    pub memory_limit: usize,
    /// Bytes of messages in temporary files.
    pub temp_limit: u64,
    /// What clients may make that stays.
    pub census: CensusOptions,
    /// How many subscriptions one session may have.
    pub subscriptions_max: usize,
    /// How many unanswered commands one session may have in the log's pipeline; then its later commands wait.
    pub pending_max: usize,
    /// How many bytes of messages one session may have in the log's pipeline; then its later commands wait.
    pub pending_bytes_max: usize,
    /// How many bytes of messages all sessions together may have in the log's pipeline; then sends wait.
    pub pipeline_bytes_max: usize,
    /// Destinations of one send; a longer list is refused.
    pub destinations_of_send_max: usize,
    /// Operations in one transaction, a send counting once for each of its destinations; the next one is refused.
    pub transaction_operations_max: usize,
    /// Bytes of messages in one transaction, or of the copies of one send to several destinations; more is refused.
    pub transaction_bytes_max: usize,
    /// Messages in a queue's window.
    pub window_entries_max: usize,
    /// Bytes of messages in a queue's window; one message fits in any case.
    pub window_bytes_max: usize,
    /// Bytes of messages in the windows of all queues.
    pub windows_bytes_max: usize,
    /// Messages that wait for one topic subscription beyond its prefetch; then publishers wait.
    pub backlog_entries_max: usize,
    /// Bytes that wait for one topic subscription beyond its prefetch; then publishers wait.
    pub backlog_bytes_max: usize,
    /// How destinations behave.
    pub policies: Policies,
    /// Nothing is stored: persistent messages live in memory like the others.
    pub volatile: bool,
}

/// Bounds on what clients make that stays in the master's memory.
#[derive(Clone, Debug)]
pub struct CensusOptions {
    /// How many destinations there may be, temporary ones included; a further one is refused.
    pub destinations_max: usize,
    /// Bytes of the names of all destinations; what would take more is refused.
    pub name_bytes_max: usize,
    /// Subscriptions on destinations, one for each pair; what would make more is refused.
    pub joins_max: usize,
    /// Bytes of the texts of all subscriptions' selectors; what would make more is refused. Each takes up to sixteen times
    /// as much in memory.
    pub selector_bytes_max: usize,
    /// What is there from the start.
    pub at_start: Vec<Destination>,
}

impl Default for CensusOptions {
    fn default() -> CensusOptions {
        CensusOptions {
            destinations_max: 100_000,
            name_bytes_max: 32 << 20,
            joins_max: 1 << 20,
            selector_bytes_max: 4 << 20,
            at_start: Vec::new(),
        }
    }
}

impl Default for BrokerOptions {
    fn default() -> BrokerOptions {
        BrokerOptions {
            names: BrokerNames::default(),
            memory_limit: 1 << 30,
            temp_limit: 50 << 30,
            census: CensusOptions::default(),
            subscriptions_max: 10_000,
            pending_max: 8_192,
            pending_bytes_max: 64 << 20,
            pipeline_bytes_max: 64 << 20,
            destinations_of_send_max: 256,
            transaction_operations_max: TRANSACTION_OPERATIONS_MAX,
            transaction_bytes_max: TRANSACTION_BYTES_MAX,
            window_entries_max: 1_000,
            window_bytes_max: 8 << 20,
            windows_bytes_max: 64 << 20,
            backlog_entries_max: 1_000,
            backlog_bytes_max: 4 << 20,
            policies: Policies::default(),
            volatile: false,
        }
    }
}

impl BrokerOptions {
    /// The defaults, where less than a gigabyte of memory is allowed scaled down with it.
    pub fn within(memory_limit: usize) -> BrokerOptions {
        let usual = BrokerOptions::default();
        let part = |of: usize| ((of as u128 * memory_limit as u128) >> 30).min(of as u128) as usize;
        BrokerOptions {
            memory_limit,
            census: CensusOptions {
                destinations_max: part(usual.census.destinations_max).max(DESTINATIONS_MIN),
                name_bytes_max: part(usual.census.name_bytes_max).max(DESTINATIONS_MIN * 64),
                joins_max: part(usual.census.joins_max).max(DESTINATIONS_MIN),
                selector_bytes_max: part(usual.census.selector_bytes_max).max(SELECTOR_BYTES_MAX),
                at_start: Vec::new(),
            },
            pipeline_bytes_max: part(2 * usual.pipeline_bytes_max).clamp(1 << 20, usual.pipeline_bytes_max),
            pending_bytes_max: part(2 * usual.pending_bytes_max).clamp(1 << 20, usual.pending_bytes_max),
            transaction_bytes_max: part(2 * usual.transaction_bytes_max)
                .clamp(1 << 20, usual.transaction_bytes_max),
            ..usual
        }
    }
}

/// So many destinations are allowed however little memory there is.
const DESTINATIONS_MIN: usize = 1_000;
/// Default bound of a transaction's operations.
pub const TRANSACTION_OPERATIONS_MAX: usize = 100_000;
/// Default bound of a transaction's bytes.
pub const TRANSACTION_BYTES_MAX: usize = 64 << 20;
/// Most unsettled deliveries of one subscription, whatever it asks for: each is an entry in the master's memory.
pub const PREFETCH_MAX: u32 = 65_535;
