//! `quorate access`.

use anyhow::anyhow;
use clap::Subcommand;

use super::config::ConfigArgs;
use super::exit::{Exit, Failure};
use super::table;
use crate::config::Security;
use crate::model::DestinationKind;
use crate::security::{ANONYMOUS, Account, Permission, Ruling};

#[derive(Debug, Subcommand)]
pub(super) enum AccessCommand {
    /// Say whether a user may do something, and which line of the configuration decides
    Check {
        /// The user's name; anonymous for who does not log in
        user: String,
        /// read (consume, browse), write (send) or admin (make, remove)
        #[arg(value_parser = permission)]
        verb: Permission,
        /// Such as queue://ORDERS.IN or topic://PRICES.>
        #[arg(value_parser = destination)]
        destination: (DestinationKind, String),
        #[command(flatten)]
        config: ConfigArgs,
    },
}

fn permission(text: &str) -> Result<Permission, String> {
    let found = Permission::ALL.into_iter().find(|it| it.name() == text);
    found.ok_or_else(|| "expected read, write or admin".to_owned())
}

fn destination(text: &str) -> Result<(DestinationKind, String), String> {
    use DestinationKind::{Queue, TemporaryQueue, TemporaryTopic, Topic};
    let found = [Queue, Topic, TemporaryQueue, TemporaryTopic].into_iter().find_map(|kind| {
        let name = text.strip_prefix(kind.scheme())?.strip_prefix("://")?;
        (!name.is_empty()).then(|| (kind, name.to_owned()))
    });
    found.ok_or_else(|| "expected a destination such as queue://ORDERS.IN or topic://PRICES".to_owned())
}

pub(super) fn run(command: &AccessCommand, json: bool) -> Result<(), Failure> {
    let AccessCommand::Check { user, verb, destination: (kind, name), config } = command;
    let loaded = config.load()?;
    let security = &loaded.config.security;
    let groups = groups(security, user)?;
    let allowed = Account::new(user, &groups, &security.rights).may(*verb, *kind, name);
    let why = why(security, &groups, *verb, (*kind, name), allowed);
    if json {
        return table::json(&serde_json::json!({ "allowed": allowed, "groups": groups, "why": why }));
    }
    table::print(&format!("{}: {why}\n", if allowed { "allowed" } else { "denied" }))
}

fn groups(security: &Security, user: &str) -> Result<Vec<String>, Failure> {
    if user == ANONYMOUS {
        return Ok(vec![ANONYMOUS.to_owned()]);
    }
    let known = security.users.iter().find(|it| it.name == user);
    let known = known.ok_or_else(|| Failure::new(Exit::Failed, anyhow!("there is no user {user:?}")))?;
    Ok(known.groups.clone())
}

fn why(
    security: &Security,
    groups: &[String],
    verb: Permission,
    (kind, name): (DestinationKind, &str),
    allowed: bool,
) -> String {
    let temporary = matches!(kind, DestinationKind::TemporaryQueue | DestinationKind::TemporaryTopic);
    let ruling = if temporary {
        Ruling::Denied(Vec::new())
    } else {
        security.rights.explain(groups, verb, kind.is_queue(), name)
    };
    match ruling {
        Ruling::NoRules => "there are no [[rights]]: whoever is let in may do everything".to_owned(),
        Ruling::Allowed { place, group } => format!("{place} allows it to the group {group:?}"),
        Ruling::Denied(_) if allowed => "temporary destinations and advisories need no right".to_owned(),
        Ruling::Denied(about) if about.is_empty() => {
            "no [[rights]] are about all of that destination".to_owned()
        }
        Ruling::Denied(about) => {
            let verb = verb.name();
            let lines = about.iter().map(|(place, groups)| format!("{place} allows {verb} to {groups:?}"));
            format!("{}; the user is in {groups:?}", lines.collect::<Vec<_>>().join(", "))
        }
    }
}
