//! What there is under ActiveMQ's object names, and what can be read of it. Memory, store and temp limits are not in it, as this
//! broker does not limit those by parts.

use serde_json::{Value, json};

use super::name::{ObjectName, encoded};
use crate::admin::sums::Sums;
use crate::broker::{DestinationCounts, Figures};
use crate::model::{Destination, DestinationKind};
use crate::node::Snapshot;

/// Entries of a list in an answer, as with Jolokia where nothing is set.
pub(super) const ENTRIES_MAX: usize = 1000;

/// What is read from: one moment of the node.
pub(super) struct View<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) figures: &'a Figures,
    pub(super) sums: &'a Sums,
    pub(super) entries_max: usize,
    pub(super) canonical: bool,
}

/// Something that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bean {
    Broker,
    Health,
    Destination(Destination, DestinationCounts),
}

/// Name and Java type.
type Attribute = (&'static str, &'static str);

const BROKER: [Attribute; 24] = [
    ("BrokerId", "java.lang.String"),
    ("BrokerName", "java.lang.String"),
    ("BrokerVersion", "java.lang.String"),
    ("Uptime", "java.lang.String"),
    ("UptimeMillis", "long"),
    ("Slave", "boolean"),
    ("Persistent", "boolean"),
    ("StatisticsEnabled", "boolean"),
    ("DataDirectory", "java.lang.String"),
    ("TransportConnectors", "java.util.Map"),
    ("CurrentConnectionsCount", "int"),
    ("TotalEnqueueCount", "long"),
    ("TotalDequeueCount", "long"),
    ("TotalConsumerCount", "long"),
    ("TotalProducerCount", "long"),
    ("TotalMessageCount", "long"),
    ("TotalQueuesCount", "int"),
    ("TotalTopicsCount", "int"),
    ("TotalTemporaryQueuesCount", "int"),
    ("TotalTemporaryTopicsCount", "int"),
    ("Queues", "[Ljavax.management.ObjectName;"),
    ("Topics", "[Ljavax.management.ObjectName;"),
    ("TemporaryQueues", "[Ljavax.management.ObjectName;"),
    ("TemporaryTopics", "[Ljavax.management.ObjectName;"),
];
const HEALTH: [Attribute; 1] = [("CurrentStatus", "java.lang.String")];
const DESTINATION: [Attribute; 8] = [
    ("Name", "java.lang.String"),
    ("QueueSize", "long"),
    ("ConsumerCount", "long"),
    ("ProducerCount", "long"),
    ("EnqueueCount", "long"),
    ("DequeueCount", "long"),
    ("DispatchCount", "long"),
    ("InFlightCount", "long"),
];
/// Those of a queue.
const QUEUE: [Attribute; 9] = {
    let [a, b, c, d, e, f, g, h] = DESTINATION;
    [a, b, c, d, e, f, g, h, ("Paused", "boolean")]
};

impl Bean {
    pub(super) fn name(&self, broker: &str) -> ObjectName {
        match self {
            Bean::Broker => ObjectName::of(&broker_keys(broker)),
            Bean::Health => ObjectName::of(&health_keys(broker)),
            Bean::Destination(it, _) => {
                ObjectName::of(&destination_keys(broker, it.kind, &encoded(&it.name)))
            }
        }
    }

    pub(super) fn class(&self) -> &'static str {
        match self {
            Bean::Broker => "org.apache.activemq.broker.jmx.BrokerView",
            Bean::Health => "org.apache.activemq.broker.jmx.HealthView",
            Bean::Destination(it, _) if it.kind.is_queue() => "org.apache.activemq.broker.jmx.QueueView",
            Bean::Destination(..) => "org.apache.activemq.broker.jmx.TopicView",
        }
    }

    pub(super) fn attributes(&self) -> &'static [Attribute] {
        match self {
            Bean::Broker => &BROKER,
            Bean::Health => &HEALTH,
            Bean::Destination(it, _) if it.kind.is_queue() => &QUEUE,
            Bean::Destination(..) => &DESTINATION,
        }
    }

    /// The value of an attribute; `None` if there is no such.
    pub(super) fn read(&self, attribute: &str, view: &View<'_>) -> Option<Value> {
        match self {
            Bean::Broker => of_the_broker(attribute, view),
            Bean::Health => (attribute == "CurrentStatus").then(|| health(view.snapshot)),
            Bean::Destination(destination, counts) => Some(match attribute {
                "Name" => json!(destination.name),
                "QueueSize" => json!(counts.size),
                "ConsumerCount" => json!(counts.consumers),
                "ProducerCount" => json!(counts.producers),
                "EnqueueCount" => json!(counts.enqueued),
                "DequeueCount" => json!(counts.dequeued),
                "DispatchCount" => json!(counts.dispatched),
                "InFlightCount" => json!(counts.in_flight),
                "Paused" if destination.kind.is_queue() => json!(counts.paused),
                _ => return None,
            }),
        }
    }
}

pub(super) fn broker_keys(broker: &str) -> [(&str, &str); 2] {
    [("type", "Broker"), ("brokerName", broker)]
}

pub(super) fn health_keys(broker: &str) -> [(&str, &str); 3] {
    [("type", "Broker"), ("brokerName", broker), ("service", "Health")]
}

pub(super) fn destination_keys<'a>(
    broker: &'a str,
    kind: DestinationKind,
    name: &'a str,
) -> [(&'a str, &'a str); 4] {
    let kind = destination_type(kind);
    [("type", "Broker"), ("brokerName", broker), ("destinationType", kind), ("destinationName", name)]
}

pub(super) fn destination_type(kind: DestinationKind) -> &'static str {
    match kind {
        DestinationKind::Queue => "Queue",
        DestinationKind::Topic => "Topic",
        DestinationKind::TemporaryQueue => "TempQueue",
        DestinationKind::TemporaryTopic => "TempTopic",
        DestinationKind::Subscription => "Subscription",
    }
}

fn of_the_broker(attribute: &str, view: &View<'_>) -> Option<Value> {
    let (status, sums) = (&view.snapshot.status, view.sums);
    let uptime_ms = status.time_ms.saturating_sub(status.started_ms);
    let all =
        |read: fn(&DestinationCounts) -> u64| json!(read(&sums.queues).saturating_add(read(&sums.topics)));
    Some(match attribute {
        "BrokerId" => json!(status.store.to_string()),
        "BrokerName" => json!(status.broker),
        "BrokerVersion" => json!(status.version),
        "Uptime" => json!(uptime(uptime_ms / 1000)),
        "UptimeMillis" => json!(uptime_ms),
        "Slave" => json!(!status.serving),
        "Persistent" => json!(!status.store_path.is_empty()),
        "StatisticsEnabled" => json!(true),
        "DataDirectory" => json!(status.store_path),
        "TransportConnectors" => {
            let named = |uri: &String| (uri.split("://").next().unwrap_or(uri).to_owned(), json!(uri));
            Value::Object(status.listening.iter().map(named).collect())
        }
        "CurrentConnectionsCount" => json!(status.connection_count),
        "TotalEnqueueCount" => all(|it| it.enqueued),
        "TotalDequeueCount" => all(|it| it.dequeued),
        "TotalConsumerCount" => all(|it| it.consumers),
        "TotalProducerCount" => all(|it| it.producers),
        "TotalMessageCount" => all(|it| it.size),
        "TotalQueuesCount" => json!(sums.count(DestinationKind::Queue)),
        "TotalTopicsCount" => json!(sums.count(DestinationKind::Topic)),
        "TotalTemporaryQueuesCount" => json!(sums.count(DestinationKind::TemporaryQueue)),
        "TotalTemporaryTopicsCount" => json!(sums.count(DestinationKind::TemporaryTopic)),
        "Queues" => names(view, DestinationKind::Queue),
        "Topics" => names(view, DestinationKind::Topic),
        "TemporaryQueues" => names(view, DestinationKind::TemporaryQueue),
        "TemporaryTopics" => names(view, DestinationKind::TemporaryTopic),
        _ => return None,
    })
}

/// The first names of a kind; the others are cut off, as Jolokia does.
fn names(view: &View<'_>, kind: DestinationKind) -> Value {
    let before = Destination { kind, name: String::new() };
    let mut names = Vec::new();
    view.figures.visit(kind.is_queue(), Some(&before), |destination, _| {
        if destination.kind == kind && names.len() < view.entries_max {
            names.push(destination.clone());
        }
    });
    let broker = encoded(&view.snapshot.status.broker);
    let named = names.into_iter().map(|destination| {
        let name = Bean::Destination(destination, DestinationCounts::default()).name(&broker);
        json!({ "objectName": name.text(view.canonical) })
    });
    named.collect()
}

/// ActiveMQ's word for it.
fn health(snapshot: &Snapshot) -> Value {
    let alarms: Vec<_> = snapshot.status.alarms.iter().map(|alarm| &*alarm.message).collect();
    if alarms.is_empty() {
        json!("Good")
    } else {
        json!(format!("Getting Worried {{ {} }}", alarms.join("; ")))
    }
}

fn uptime(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours) {
        (0, 0) if minutes == 0 => format!("{seconds} seconds"),
        (0, 0) => format!("{minutes} minutes"),
        (0, _) => format!("{hours} hours {} minutes", minutes % 60),
        _ => format!("{days} days {} hours", hours % 24),
    }
}
