//! What ActiveMQ offers to STOMP clients and this version does not. It is refused by name: accepted, it would be
//! forgotten, and its owner would wait for what never comes.

use crate::model::{Destination, DestinationKind};

/// What only schedulers read; nobody would.
const SCHEDULER: &str = "ActiveMQ.Scheduler.Management";
const ADVISORIES: &str = "ActiveMQ.Advisory.";

/// Whether a SEND may have a header of this name.
pub(super) fn send_header(name: &str) -> Result<(), String> {
    let what = match name {
        "transformation" => "the transformation of messages is",
        _ if name.starts_with("AMQ_SCHEDULE") => "scheduled delivery is",
        _ => return Ok(()),
    };
    Err(format!("header {name}: {what} not supported by this version"))
}

/// Whether a message may be sent there.
pub(super) fn sent_to(destination: &Destination) -> Result<(), String> {
    if destination.name == SCHEDULER {
        return Err(format!("{destination}: scheduled delivery is not supported by this version"));
    }
    Ok(())
}

/// Whether there may ever be something to consume from there.
pub(super) fn consumed_from(destination: &Destination) -> Result<(), String> {
    if destination.kind != DestinationKind::Topic || !destination.name.starts_with(ADVISORIES) {
        return Ok(());
    }
    Err(format!(
        "{destination}: advisory messages are not supported by this version, so that nothing would come from there"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(kind: DestinationKind, name: &str) -> Destination {
        Destination::new(kind, name).unwrap()
    }

    #[test]
    fn what_would_be_forgotten_is_refused_and_nothing_else() {
        use DestinationKind::{Queue, Topic};
        for (kind, name, what) in [
            (Topic, "ActiveMQ.Advisory.Connection", "advisory messages"),
            (Topic, "ActiveMQ.Advisory.>", "advisory messages"),
        ] {
            let refused = consumed_from(&destination(kind, name)).unwrap_err();
            assert!(refused.contains(what) && refused.contains(name), "{refused}");
        }
        for (kind, name) in [
            (Queue, "Consumer.A.VirtualTopic.Orders"),
            (Topic, "VirtualTopic.Orders"),
            (Queue, "Consumer.>"),
            (Queue, "ActiveMQ.DLQ"),
            (Topic, "Consumer.A.VirtualTopic.Orders"),
        ] {
            assert_eq!(consumed_from(&destination(kind, name)), Ok(()), "{name}");
            assert_eq!(sent_to(&destination(kind, name)), Ok(()), "{name}");
        }
        assert!(sent_to(&destination(Topic, SCHEDULER)).is_err());
        for name in ["AMQ_SCHEDULED_DELAY", "AMQ_SCHEDULED_CRON", "AMQ_SCHEDULER_ACTION", "transformation"] {
            assert!(send_header(name).unwrap_err().contains(name));
        }
        assert_eq!(send_header("JMSXMyOwn"), Ok(()));
    }
}
