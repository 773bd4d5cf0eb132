//! Destinations as ActiveMQ's STOMP clients write them: `/queue/`, `queue://` and so on, temporary ones that each connection
//! names for itself, and bare names, which are queues.

use std::collections::HashMap;

use crate::broker::Command;
use crate::model::{Destination, DestinationKind};

const PREFIXES: [(&str, DestinationKind); 10] = [
    ("/queue/", DestinationKind::Queue),
    ("/topic/", DestinationKind::Topic),
    ("/temp-queue/", DestinationKind::TemporaryQueue),
    ("/temp-topic/", DestinationKind::TemporaryTopic),
    ("/remote-temp-queue/", DestinationKind::TemporaryQueue),
    ("/remote-temp-topic/", DestinationKind::TemporaryTopic),
    ("queue://", DestinationKind::Queue),
    ("topic://", DestinationKind::Topic),
    ("temp-queue://", DestinationKind::TemporaryQueue),
    ("temp-topic://", DestinationKind::TemporaryTopic),
];
/// What begins the name of a temporary destination that belongs to the connection which says it.
const OWN: &str = "/temp-";

/// Temporary destinations of one connection; more are refused, because each is kept until the connection ends.
const TEMPORARY_MAX: usize = 1000;

/// The prefix by which any connection can name a destination of this kind.
pub(super) fn prefix(kind: DestinationKind) -> &'static str {
    match kind {
        DestinationKind::Queue => "/queue/",
        DestinationKind::Topic => "/topic/",
        DestinationKind::TemporaryQueue => "/remote-temp-queue/",
        DestinationKind::TemporaryTopic => "/remote-temp-topic/",
        // No message names one.
        DestinationKind::Subscription | DestinationKind::Schedule => "",
    }
}

/// The names of one connection.
#[derive(Debug)]
pub(super) struct Names {
    session: String,
    /// Temporary destinations that this connection has made, by the text in which it names them.
    temporary: HashMap<String, Destination>,
    /// The last text and what it stands for: a producer mostly sends to one place.
    last: Option<(String, Vec<Destination>)>,
}

impl Names {
    pub(super) fn new(session: &str) -> Names {
        Names { session: session.to_owned(), temporary: HashMap::new(), last: None }
    }

    /// The destinations of a text, at least one. A temporary one that is new comes into being by a command.
    pub(super) fn parse(
        &mut self,
        text: &str,
        commands: &mut Vec<Command>,
    ) -> Result<&[Destination], String> {
        let known = self.last.as_ref().is_some_and(|(last, _)| last == text);
        if !known {
            let parsed = text
                .split(',')
                .map(|part| self.one(part.trim(), text, commands))
                .collect::<Result<_, _>>()?;
            self.last = Some((text.to_owned(), parsed));
        }
        Ok(self.last.as_ref().map_or(&[], |(_, parsed)| parsed))
    }

    /// How this connection writes several destinations at once.
    pub(super) fn show_all(&self, destinations: impl Iterator<Item = Destination>) -> String {
        let mut text = String::new();
        for destination in destinations {
            let (prefix, name) = self.show(destination.kind, &destination.name);
            let comma = if text.is_empty() { "" } else { "," };
            text.extend([comma, prefix, name]);
        }
        text
    }

    /// How this connection writes a destination.
    pub(super) fn show<'a>(&'a self, kind: DestinationKind, name: &'a str) -> (&'a str, &'a str) {
        if matches!(kind, DestinationKind::TemporaryQueue | DestinationKind::TemporaryTopic) {
            let own = self.temporary.iter().find(|(_, made)| made.kind == kind && made.name == name);
            if let Some((text, _)) = own {
                return ("", text);
            }
        }
        (prefix(kind), name)
    }

    fn one(&mut self, part: &str, whole: &str, commands: &mut Vec<Command>) -> Result<Destination, String> {
        let (part, options) = part.split_once('?').unwrap_or((part, ""));
        // A consumer's options mean nothing to a producer that writes the same text; there are no others.
        if let Some(other) = options.split('&').find(|it| !it.is_empty() && !it.starts_with("consumer.")) {
            return Err(format!("Destination option {other} is not supported by this version: [{whole}]"));
        }
        let found = PREFIXES.iter().find_map(|(prefix, kind)| Some((*kind, part.strip_prefix(prefix)?)));
        // A prefix that nobody knows is a mistake, or another broker's; a queue of that name would be found by nobody.
        if found.is_none() && (part.starts_with('/') || part.contains("://")) {
            return Err(format!(
                "Illegal destination name: [{whole}] -- STOMP destinations begin with one of: /queue/ /topic/ \
                 /temp-queue/ /temp-topic/ queue:// topic://; a bare name is a queue"
            ));
        }
        let (kind, name) = found.unwrap_or((DestinationKind::Queue, part));
        let wrong = |error| format!("Illegal destination name: [{whole}] -- {error}");
        if !part.starts_with(OWN) {
            return Destination::new(kind, name).map_err(wrong);
        }
        if let Some(made) = self.temporary.get(part) {
            return Ok(made.clone());
        }
        if self.temporary.len() >= TEMPORARY_MAX {
            return Err(format!("a connection has at most {TEMPORARY_MAX} temporary destinations"));
        }
        let number = self.temporary.len() + 1;
        Destination::new(kind, name).map_err(wrong)?;
        let made = Destination::new(kind, format!("ID:{}:{number}", self.session)).map_err(wrong)?;
        commands.push(Command::Create { destination: made.clone(), correlation: None });
        self.temporary.insert(part.to_owned(), made.clone());
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(names: &mut Names, text: &str) -> Result<Vec<String>, String> {
        let parsed = names.parse(text, &mut Vec::new())?;
        Ok(parsed.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_prefix_names_its_kind_a_bare_name_is_a_queue_and_all_else_is_refused() {
        let mut names = Names::new("s");
        assert_eq!(parse(&mut names, "/queue/A.B").unwrap(), ["queue://A.B"]);
        assert_eq!(parse(&mut names, "/topic/A?consumer.x=y").unwrap(), ["topic://A"]);
        assert_eq!(parse(&mut names, "/queue/a,/topic/b").unwrap(), ["queue://a", "topic://b"]);
        assert_eq!(parse(&mut names, "/remote-temp-queue/ID:s:1").unwrap(), ["temp-queue://ID:s:1"]);
        assert_eq!(parse(&mut names, "bare.1").unwrap(), ["queue://bare.1"]);
        assert_eq!(parse(&mut names, "queue://a?consumer.priority=1").unwrap(), ["queue://a"]);
        assert_eq!(
            parse(&mut names, "a,topic://b,/topic/c").unwrap(),
            ["queue://a", "topic://b", "topic://c"]
        );
        assert_eq!(parse(&mut names, "temp-topic://ID:s:1").unwrap(), ["temp-topic://ID:s:1"]);
        assert!(names.temporary.is_empty(), "only /temp- makes one");
        for wrong in
            ["", "/queue", "/queue/", "queue://", "a,,b", "/exchange/a", "que://a", "?a=b", "/topic/a\u{1}"]
        {
            assert!(parse(&mut names, wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_temporary_destination_is_made_once_and_shown_by_its_own_name_to_its_owner() {
        let mut names = Names::new("s");
        let mut commands = Vec::new();
        let made = names.parse("/temp-queue/reply", &mut commands).unwrap()[0].clone();
        names.parse("/queue/other", &mut commands).unwrap();
        assert_eq!(names.parse("/temp-queue/reply", &mut commands).unwrap()[0], made);
        assert_eq!(commands.len(), 1);
        assert_eq!(names.show(made.kind, &made.name), ("", "/temp-queue/reply"));
        assert_eq!(Names::new("t").show(made.kind, &made.name), ("/remote-temp-queue/", "ID:s:1"));
    }
}
