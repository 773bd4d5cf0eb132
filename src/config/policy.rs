//! `[[policy]]`: how destinations behave, by pattern, with the names of ActiveMQ's policyEntry. `config/POLICIES.md` is the table of
//! all its attributes.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Destination, DestinationKind, Pattern};

use super::connector::non_empty;
use super::section::Section;
use super::store::{DURATION, SIZE};

/// Where messages go that nobody could consume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadLetterStrategy {
    /// To this queue.
    Shared(String),
    /// To a queue for each destination, whose name begins with one of these.
    Individual {
        /// Beginning for those of queues.
        queue_prefix: String,
        /// Beginning for those of topics.
        topic_prefix: String,
    },
    /// Nowhere: they are gone.
    Discard,
}

/// What becomes of messages that nobody could consume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetters {
    /// Where they go.
    pub strategy: DeadLetterStrategy,
    /// Whether those that have expired do, too.
    pub expired: bool,
    /// Whether those that are not persistent do, too.
    pub non_persistent: bool,
}

/// How a destination behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What becomes of messages that nobody could consume.
    pub dead_letters: DeadLetters,
    /// With so many consumers a queue begins to dispatch; 0 and 1: with the first.
    pub gathered_min: usize,
    /// It begins after this time in any case.
    pub gathering_time: Duration,
    /// Whether one consumer of a queue at a time is served.
    pub exclusive: bool,
    /// Bytes of a queue's non-persistent messages in memory, at which senders wait, or are not to.
    pub memory_limit: Option<usize>,
    /// Whether senders wait at the limit.
    pub producer_flow_control: bool,
    /// Without messages and consumers for so long, the destination is deleted.
    pub idle_max: Option<Duration>,
    /// Of the messages that wait for one slow subscription of a topic, the oldest non-persistent ones beyond so many are dropped.
    pub pending_messages_max: Option<usize>,
}

/// What ActiveMQ calls the queue of all dead letters.
const DEAD_LETTER_QUEUE: &str = "ActiveMQ.DLQ";
const QUEUE_PREFIX: &str = "ActiveMQ.DLQ.Queue.";
const TOPIC_PREFIX: &str = "ActiveMQ.DLQ.Topic.";
/// How long a queue waits for its consumers if nothing is said, as in ActiveMQ.
const GATHERING_TIME: Duration = Duration::from_secs(1);
const IDLE_MAX: Duration = Duration::from_secs(60);

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            dead_letters: DeadLetters {
                strategy: DeadLetterStrategy::Shared(DEAD_LETTER_QUEUE.to_owned()),
                expired: true,
                non_persistent: false,
            },
            gathered_min: 0,
            gathering_time: Duration::ZERO,
            exclusive: false,
            memory_limit: None,
            producer_flow_control: true,
            idle_max: None,
            pending_messages_max: None,
        }
    }
}

impl Policy {
    /// The name of the queue for the dead letters of a destination; `None` if they are gone.
    pub fn dead_letter_queue(&self, origin: &Destination) -> Option<String> {
        let name = match &self.dead_letters.strategy {
            DeadLetterStrategy::Shared(name) => name.clone(),
            DeadLetterStrategy::Individual { queue_prefix, topic_prefix } => {
                let prefix = if origin.kind.is_queue() { queue_prefix } else { topic_prefix };
                format!("{prefix}{}", origin.name)
            }
            DeadLetterStrategy::Discard => return None,
        };
        // What has no room before a long name is lost in no case.
        Some(if name.len() > Destination::NAME_BYTES_MAX { DEAD_LETTER_QUEUE.to_owned() } else { name })
    }

    fn takes_dead_letters(&self, queue: &str) -> bool {
        match &self.dead_letters.strategy {
            DeadLetterStrategy::Shared(name) => name == queue,
            DeadLetterStrategy::Individual { queue_prefix, topic_prefix } => {
                queue.starts_with(queue_prefix.as_str()) || queue.starts_with(topic_prefix.as_str())
            }
            DeadLetterStrategy::Discard => false,
        }
    }
}

/// One `[[policy]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    is_queue: bool,
    pattern: Pattern,
    policy: Arc<Policy>,
}

/// All policies. They do not add up: a destination has that of the most specific pattern, the first one of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    entries: Vec<Entry>,
    usual: Arc<Policy>,
    bound_memory: bool,
}

impl Policies {
    /// One for a queue, or a topic, of this name or pattern, before all others that are as specific.
    pub fn with(mut self, is_queue: bool, name: &str, policy: Policy) -> Policies {
        let pattern = Pattern::of(name);
        let at = self.entries.iter().position(|it| it.pattern.specificity() < pattern.specificity());
        self.bound_memory |= policy.memory_limit.is_some();
        let entry = Entry { is_queue, pattern, policy: Arc::new(policy) };
        self.entries.insert(at.unwrap_or(self.entries.len()), entry);
        self
    }

    /// That of a destination; of a durable subscription that of its topics.
    pub fn of(&self, kind: DestinationKind, name: &str) -> Arc<Policy> {
        let is_queue = kind.is_queue();
        let found = self.entries.iter().find(|it| it.is_queue == is_queue && it.pattern.matches(name));
        Arc::clone(found.map_or(&self.usual, |it| &it.policy))
    }

    /// Whether dead letters of some destination may go to this queue.
    pub fn take_dead_letters(&self, queue: &str) -> bool {
        let all = self.entries.iter().map(|it| &it.policy).chain([&self.usual]);
        all.into_iter().any(|policy| policy.takes_dead_letters(queue))
    }

    /// Whether some queue has a bound of its own on its memory.
    pub fn bound_memory(&self) -> bool {
        self.bound_memory
    }
}

/// Attributes of ActiveMQ's policyEntry that are no keys here, and why.
pub(super) const NO_KEYS: [(&str, &str); 60] = [
    ("advanced_message_statistics_enabled", "the figures are those of the metrics"),
    ("advanced_network_statistics_enabled", "the figures are those of the metrics"),
    ("advisory_for_consumed", "advisories are no policy's"),
    ("advisory_for_delivery", "advisories are no policy's"),
    ("advisory_for_discarding_messages", "advisories are no policy's; what is dropped is counted"),
    ("advisory_for_dispatched", "advisories are no policy's"),
    ("advisory_for_fast_producers", "advisories are no policy's"),
    ("advisory_for_slow_consumers", "advisories are no policy's"),
    ("advisory_when_full", "advisories are no policy's"),
    ("allow_temp_destination_stealing", "a temporary destination is its connection's alone"),
    ("always_retroactive", "not served by this version"),
    ("blocked_producer_warning_interval", "senders that wait are not logged one by one"),
    ("cursor_memory_high_water_mark", "non-persistent messages leave memory at 70 % always"),
    ("dispatch_policy", "queues serve consumers of one priority in turns, topics all subscribers in order"),
    ("do_optimze_message_storage", "there is no such store"),
    ("durable_topic_prefetch", "not served by this version: the client says how much it takes"),
    ("enable_audit", "repeated sends are recognised always"),
    ("expire_messages_period", "expired messages are looked for every 5 s, when one can have expired"),
    ("gc_with_network_consumers", "consumers of bridges are consumers"),
    ("include_body_for_advisory", "advisories are no policy's"),
    ("lazy_dispatch", "a queue reads what its consumers have credit for, and the window before it"),
    (
        "max_audit_depth",
        "repeated sends are recognised over all producers; there is one window, for the broker",
    ),
    ("max_browse_page_size", "a browser sees all of a queue, page by page"),
    ("max_destinations", "not served by this version: there is one bound, for the broker"),
    ("max_expire_page_size", "expired messages are looked for in the whole backlog"),
    ("max_page_size", "windows are bounded in bytes, for the broker"),
    (
        "max_producers_to_audit",
        "repeated sends are recognised over all producers; there is one window, for the broker",
    ),
    (
        "max_queue_audit_depth",
        "repeated sends are recognised over all producers; there is one window, for the broker",
    ),
    (
        "message_eviction_strategy",
        "the oldest non-persistent messages are dropped; others are not served by this version",
    ),
    ("message_group_map_factory", "groups are sticky up to 2^20 a queue, and cost nothing beyond"),
    ("message_group_map_factory_type", "groups are sticky up to 2^20 a queue, and cost nothing beyond"),
    ("message_interceptor_strategy", "there are no plug-ins"),
    ("minimum_message_size", "messages count as many bytes as they have"),
    ("network_bridge_filter_factory", "bridges are not a policy's"),
    ("optimize_message_store_in_flight_limit", "there is no such store"),
    ("optimized_dispatch", "dispatch needs no thread of its own"),
    (
        "pending_durable_subscriber_policy",
        "there is one way in which messages wait: memory, log and temporary files",
    ),
    ("pending_message_limit_strategy", "write pending_message_limit, a number of messages"),
    ("pending_queue_policy", "there is one way in which messages wait: memory, log and temporary files"),
    ("pending_subscriber_policy", "there is one way in which messages wait: memory, log and temporary files"),
    ("persist_jms_redelivered", "what a new master finds counts as redelivered always"),
    ("prioritized_messages", "messages are dispatched by priority always"),
    ("queue_browser_prefetch", "not served by this version: the client says how much it takes"),
    ("queue_prefetch", "not served by this version: the client says how much it takes"),
    ("reduce_memory_footprint", "messages are bytes and never stand twice in memory"),
    ("send_advisory_if_no_consumers", "advisories are no policy's"),
    ("send_duplicate_from_store_to_dlq", "the store holds no message twice"),
    ("send_fail_if_no_space", "not served by this version: senders wait"),
    ("send_fail_if_no_space_after_timeout", "not served by this version: senders wait"),
    ("slow_consumer_strategy", "not served by this version"),
    ("store_usage_high_water_mark", "senders wait when the disk is full, at system_usage.store"),
    ("strict_order_dispatch", "messages keep their order always, those that come back too"),
    ("subscription_recovery_policy", "not served by this version"),
    ("temp_queue", "temporary destinations have no policies"),
    ("temp_topic", "temporary destinations have no policies"),
    ("topic_prefetch", "not served by this version: the client says how much it takes"),
    ("use_cache", "what comes in is dispatched from memory while a queue has room for it"),
    ("use_consumer_priority", "consumers are served by priority always"),
    ("use_prefetch_extension", "a transaction may hold as many deliveries as the prefetch allows"),
    ("use_topic_subscription_inflight_stats", "deliveries in flight are counted always"),
];

/// What is said of an attribute of ActiveMQ's that is no key.
pub(super) fn why_no_key(name: &str) -> Option<String> {
    let plain = |text: &str| text.replace('_', "").to_lowercase();
    let (_, why) = NO_KEYS.iter().find(|(it, _)| plain(it) == plain(name))?;
    Some(format!("unknown key; in ActiveMQ an attribute of policies: {why}"))
}

/// Reads all.
pub(super) fn read(sections: &[Section<'_>]) -> Policies {
    let mut policies = Policies::default();
    for section in sections {
        let target = read_target(section);
        let policy = read_policy(section);
        if let Some((is_queue, name)) = target {
            policies = policies.with(is_queue, &name, policy);
        }
    }
    policies
}

fn read_target(section: &Section<'_>) -> Option<(bool, String)> {
    let [queue, topic] = ["queue", "topic"].map(|key| section.optional(key, pattern));
    match (queue, topic) {
        (Some(name), None) => Some((true, name)),
        (None, Some(name)) => Some((false, name)),
        (Some(_), Some(_)) => {
            section.fault("topic", "topic stands beside queue; write one entry for each");
            None
        }
        (None, None) => {
            if !section.is_written("queue") && !section.is_written("topic") {
                section.fault("queue", "missing; expected queue = \"ORDERS.>\" or topic");
            }
            None
        }
    }
}

fn pattern(text: &str) -> Result<String, String> {
    let name = non_empty(text)?;
    if name.split('.').any(str::is_empty) || name.contains(',') {
        return Err(format!("{name:?} is no pattern; expected one such as \"ORDERS.>\""));
    }
    Ok(name)
}

fn read_policy(section: &Section<'_>) -> Policy {
    let usual = Policy::default();
    let words = [("shared", 0), ("individual", 1), ("discard", 2)];
    let word = section.choice("dead_letter_strategy", "shared", &words);
    let shared = section.parsed("dead_letter_queue", DEAD_LETTER_QUEUE, non_empty);
    let queue_prefix = section.parsed("queue_prefix", QUEUE_PREFIX, non_empty);
    let topic_prefix = section.parsed("topic_prefix", TOPIC_PREFIX, non_empty);
    for (key, needed) in [("dead_letter_queue", 0), ("queue_prefix", 1), ("topic_prefix", 1)] {
        if section.is_written(key) && word != Some(needed) {
            let strategy = words[needed].0;
            section.fault(key, format!("has an effect with dead_letter_strategy = \"{strategy}\" only"));
        }
    }
    let strategy = match (word, shared, queue_prefix.zip(topic_prefix)) {
        (Some(1), _, Some((queue_prefix, topic_prefix))) => {
            DeadLetterStrategy::Individual { queue_prefix, topic_prefix }
        }
        (Some(2), ..) => DeadLetterStrategy::Discard,
        (_, Some(name), _) => DeadLetterStrategy::Shared(name),
        _ => usual.dead_letters.strategy,
    };
    let dead_letters = DeadLetters {
        strategy,
        expired: section.boolean("process_expired", true),
        non_persistent: section.boolean("process_non_persistent", false),
    };
    let gathered_min = section.integer("consumers_before_dispatch_starts", 0, 0..=100_000) as usize;
    let time = section.measure("time_before_dispatch_starts", Duration::ZERO, None, &DURATION);
    let gathering_time = if gathered_min > 1 && time.is_zero() { GATHERING_TIME } else { time };
    let exclusive = section.boolean("all_consumers_exclusive_by_default", false);
    let memory_limit = section.optional_measure("memory_limit", Some(1..=u64::MAX), &SIZE);
    let producer_flow_control = section.boolean("producer_flow_control", true);
    let deleted = section.boolean("gc_inactive_destinations", false);
    let range = Some(Duration::from_secs(1)..=Duration::from_secs(31_536_000));
    let idle = section.measure("inactive_timeout_before_gc", IDLE_MAX, range, &DURATION);
    let pending = section.integer("pending_message_limit", -1, -1..=1_000_000);
    Policy {
        dead_letters,
        gathered_min,
        gathering_time,
        exclusive,
        memory_limit: memory_limit.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        producer_flow_control,
        idle_max: deleted.then_some(idle),
        pending_messages_max: usize::try_from(pending).ok(),
    }
}
