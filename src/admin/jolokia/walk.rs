//! Finds beans by their names.

use tokio::task::yield_now;

use super::beans::{Bean, broker_keys, destination_keys, destination_type, health_keys};
use super::name::{ObjectName, decoded, encoded};
use crate::broker::Figures;
use crate::model::{Destination, DestinationKind};

/// Beans that one pattern may stand for.
const BEANS_MAX: usize = 10_000;
const KINDS: [DestinationKind; 4] = [
    DestinationKind::Queue,
    DestinationKind::Topic,
    DestinationKind::TemporaryQueue,
    DestinationKind::TemporaryTopic,
];

/// What a name, or a pattern, stands for.
///
/// # Errors
/// It stands for more than an answer holds.
pub(super) async fn matching(
    figures: &Figures,
    broker: &str,
    name: &ObjectName,
) -> Result<Vec<(ObjectName, Bean)>, String> {
    let broker = encoded(broker);
    let mut found = Vec::new();
    if name.admits(&broker_keys(&broker)) {
        found.push(Bean::Broker);
    }
    if name.admits(&health_keys(&broker)) {
        found.push(Bean::Health);
    }
    if !name.is_pattern()
        && let Some(one) = exact(figures, &broker, name)
    {
        found.push(one);
    } else if name.is_pattern() || name.get("destinationName").is_some_and(|it| it.contains('_')) {
        // A name with `_` can stand for one with another character there.
        for queues in [true, false] {
            let mut come_to = None;
            loop {
                come_to = figures.visit(queues, come_to.as_deref(), |destination, counts| {
                    let value = encoded(&destination.name);
                    if found.len() <= BEANS_MAX
                        && name.admits(&destination_keys(&broker, destination.kind, &value))
                    {
                        found.push(Bean::Destination(destination.clone(), counts));
                    }
                });
                if come_to.is_none() {
                    break;
                }
                yield_now().await;
            }
        }
    }
    if found.len() > BEANS_MAX {
        return Err(format!("more than {BEANS_MAX} beans have such names"));
    }
    Ok(found.into_iter().map(|bean| (bean.name(&broker), bean)).collect())
}

/// The destination of that name, without a look at others.
fn exact(figures: &Figures, broker: &str, name: &ObjectName) -> Option<Bean> {
    let (kind, value) = (name.get("destinationType")?, name.get("destinationName")?);
    let kind = KINDS.into_iter().find(|it| destination_type(*it) == kind)?;
    let destination = Destination { kind, name: decoded(value) };
    let counts = figures.counts(&destination)?;
    name.admits(&destination_keys(broker, kind, value)).then_some(Bean::Destination(destination, counts))
}

/// The broker's own beans, and at most so many queues and topics.
pub(super) fn first(figures: &Figures, broker: &str, destinations_max: usize) -> Vec<(ObjectName, Bean)> {
    let broker = encoded(broker);
    let mut found = vec![Bean::Broker, Bean::Health];
    for queues in [true, false] {
        let mut count = 0;
        figures.visit(queues, None, |destination, counts| {
            count += 1;
            if count <= destinations_max {
                found.push(Bean::Destination(destination.clone(), counts));
            }
        });
    }
    found.into_iter().map(|bean| (bean.name(&broker), bean)).collect()
}
