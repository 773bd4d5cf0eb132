//! Destinations of OpenWire, which are of four types, to those of the broker's, and back.

use crate::model::{Destination, DestinationKind};

use super::super::codec::{ActiveMQQueue, ActiveMQTempQueue, ActiveMQTempTopic, ActiveMQTopic, Structure};
use super::super::failure::Failure;
use super::super::places;

/// Kind and name of a destination, as the client wrote them.
///
/// # Errors
/// It is none.
pub(crate) fn read_destination(from: Option<&Structure>) -> Result<(DestinationKind, &str), Failure> {
    let (kind, name) = match from {
        Some(Structure::ActiveMQQueue(it)) => (DestinationKind::Queue, &it.physical_name),
        Some(Structure::ActiveMQTopic(it)) => (DestinationKind::Topic, &it.physical_name),
        Some(Structure::ActiveMQTempQueue(it)) => (DestinationKind::TemporaryQueue, &it.physical_name),
        Some(Structure::ActiveMQTempTopic(it)) => (DestinationKind::TemporaryTopic, &it.physical_name),
        _ => return Err(Failure::destination("there is no destination")),
    };
    Ok((kind, name.as_deref().unwrap_or_default()))
}

/// The destinations that a structure names; none if it is no destination, or names what cannot be one.
pub(crate) fn destinations(named: Option<&Structure>) -> Vec<Destination> {
    let found = read_destination(named).and_then(|(kind, name)| places::read(kind, name));
    found.unwrap_or_default()
}

/// A destination of this kind and name, which may be a list.
fn write(kind: DestinationKind, name: &str) -> Structure {
    let physical_name = Some(name.into());
    match kind {
        DestinationKind::Queue | DestinationKind::Subscription | DestinationKind::Schedule => {
            Structure::ActiveMQQueue(ActiveMQQueue { physical_name }.into())
        }
        DestinationKind::Topic => Structure::ActiveMQTopic(ActiveMQTopic { physical_name }.into()),
        DestinationKind::TemporaryQueue => {
            Structure::ActiveMQTempQueue(ActiveMQTempQueue { physical_name }.into())
        }
        DestinationKind::TemporaryTopic => {
            Structure::ActiveMQTempTopic(ActiveMQTempTopic { physical_name }.into())
        }
    }
}

/// One destination.
pub(crate) fn write_destination(destination: &Destination) -> Structure {
    write(destination.kind, &destination.name)
}

/// Several at once, or one; none if there is none.
pub(crate) fn write_destinations(all: &[Destination]) -> Option<Structure> {
    places::write(all).map(|(kind, name)| write(kind, &name))
}
