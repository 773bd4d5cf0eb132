//! Destinations as OpenWire's clients name them: a kind and a name, which may be a list of several, of other kinds too, and may
//! have options behind a question mark.

use crate::broker::SubscribeOptions;
use crate::model::{Destination, DestinationKind, NameError};

use super::failure::Failure;

/// Destinations in one list.
pub(super) const PLACES_MAX: usize = 256;
/// Highest priority of a consumer.
const PRIORITY_MAX: u32 = 127;

const PREFIXES: [(&str, DestinationKind); 4] = [
    ("queue://", DestinationKind::Queue),
    ("topic://", DestinationKind::Topic),
    ("temp-queue://", DestinationKind::TemporaryQueue),
    ("temp-topic://", DestinationKind::TemporaryTopic),
];

/// The name without its options, and those.
fn without_options(name: &str) -> (&str, &str) {
    name.split_once('?').unwrap_or((name, ""))
}

/// The destinations of a name, at least one.
///
/// # Errors
/// One of the names is none, or there are too many.
pub(super) fn read(kind: DestinationKind, name: &str) -> Result<Vec<Destination>, Failure> {
    let (names, _) = without_options(name);
    let wrong =
        |error: NameError| Failure::destination(format!("Illegal destination name: [{name}] -- {error}"));
    if names.split(',').nth(PLACES_MAX).is_some() {
        return Err(Failure::destination(format!("a list has at most {PLACES_MAX} destinations")));
    }
    let one = |part: &str| {
        let part = part.trim();
        let found = PREFIXES.iter().find_map(|(prefix, kind)| Some((*kind, part.strip_prefix(prefix)?)));
        let (kind, name) = found.unwrap_or((kind, part));
        Destination::new(kind, name).map_err(wrong)
    };
    names.split(',').map(one).collect()
}

/// Kind and name of several destinations at once, as the Java client writes them.
pub(super) fn write(all: &[Destination]) -> Option<(DestinationKind, String)> {
    let (first, rest) = all.split_first()?;
    let mut name = first.name.clone();
    for other in rest {
        name.push(',');
        if other.kind == first.kind {
            name += &other.name;
        } else {
            name += &other.to_string();
        }
    }
    Some((first.kind, name))
}

/// Takes the options of a name that say how it is to be consumed from. The Java client reads them itself, and sends none.
///
/// # Errors
/// An option that has no effect here, or a value that cannot be read.
pub(super) fn configure(name: &str, options: &mut SubscribeOptions) -> Result<(), Failure> {
    let (_, text) = without_options(name);
    for option in text.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        set(options, name.strip_prefix("consumer.").unwrap_or(name), value).ok_or_else(|| {
            Failure::general(format!("Destination option {option} is not supported by this version"))
        })?;
    }
    Ok(())
}

fn set(options: &mut SubscribeOptions, name: &str, value: &str) -> Option<()> {
    match name {
        "prefetchSize" => options.prefetch = value.parse().ok()?,
        "exclusive" => options.exclusive = value.parse().ok()?,
        "noLocal" => options.no_local = value.parse().ok()?,
        "priority" => options.priority = value.parse::<u32>().ok().filter(|it| *it <= PRIORITY_MAX)? as i8,
        "selector" => value.clone_into(&mut options.selector),
        // Everything is dispatched so; it makes no difference that a client can see.
        "dispatchAsync" => drop(value.parse::<bool>().ok()?),
        "retroactive" if value == "false" => {}
        "maximumPendingMessageLimit" if value.parse::<i64>().is_ok_and(|limit| limit <= 0) => {}
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: DestinationKind, name: &str) -> Vec<String> {
        read(kind, name).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_may_be_a_list_of_several_kinds_with_options() {
        use DestinationKind::{Queue, TemporaryTopic, Topic};
        assert_eq!(shown(Queue, "A.B"), ["queue://A.B"]);
        assert_eq!(
            shown(Topic, "A, B,queue://C?consumer.priority=3"),
            ["topic://A", "topic://B", "queue://C"]
        );
        assert_eq!(shown(TemporaryTopic, "ID:h-1:1:1"), ["temp-topic://ID:h-1:1:1"]);
        for wrong in ["", "A,,B", "queue://", "?x=y", "a\nb"] {
            assert!(read(Queue, wrong).is_err(), "{wrong:?}");
        }
        assert!(read(Queue, &"a,".repeat(PLACES_MAX)).is_err());
        let all = read(Queue, "A,topic://B,C").unwrap();
        assert_eq!(write(&all), Some((Queue, "A,topic://B,C".to_owned())));
        assert_eq!(write(&[]), None);
    }

    #[test]
    fn options_have_an_effect_or_are_refused() {
        let blank = SubscribeOptions {
            prefetch: 1,
            selector: String::new(),
            exclusive: false,
            priority: 0,
            no_local: false,
            browse: false,
            durable_name: None,
            shared: false,
            bridge: bytes::Bytes::new(),
        };
        let mut options = blank.clone();
        let name = "A?consumer.exclusive=true&consumer.priority=7&consumer.prefetchSize=0&consumer.retroactive=false";
        configure(name, &mut options).unwrap();
        assert_eq!(options, SubscribeOptions { exclusive: true, priority: 7, prefetch: 0, ..blank.clone() });
        for wrong in ["A?consumer.retroactive=true", "A?consumer.priority=200", "A?colour=red"] {
            assert!(configure(wrong, &mut blank.clone()).is_err(), "{wrong}");
        }
    }
}
