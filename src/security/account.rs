//! Somebody who is known: a name, groups, and what they allow.

use crate::model::{DestinationKind, Pattern};

use super::permission::Permission;
use super::rights::{Grants, Rights};

/// Name and group of those who do not log in, as in ActiveMQ.
pub const ANONYMOUS: &str = "anonymous";
/// Topics of which the broker's clients live: everybody may read them.
const ADVISORIES: &str = "ActiveMQ.Advisory.";

/// A refusal: who wanted what of which destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("User {user} is not authorized to {verb}: {destination}")]
pub struct Denied {
    /// The user.
    pub user: String,
    /// As in ActiveMQ: read from, write to, create, remove.
    pub verb: &'static str,
    /// The destination's URI.
    pub destination: String,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    name: String,
    groups: Vec<String>,
    /// What is allowed; everything if there are no rules at all.
    grants: Option<Grants>,
}

impl Account {
    /// A user of these groups under these rights.
    pub fn new(name: &str, groups: &[String], rights: &Rights) -> Account {
        Account { name: name.to_owned(), groups: groups.to_vec(), grants: rights.grants(groups) }
    }

    /// The user's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The groups that it is in.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Whether there are rules, so that not everything is allowed.
    pub fn is_bounded(&self) -> bool {
        self.grants.is_some()
    }

    /// Whether this is allowed. A name with wildcards is when everything that it means is. Without an allocation for
    /// names that have none.
    pub fn may(&self, verb: Permission, kind: DestinationKind, name: &str) -> bool {
        let Some(grants) = &self.grants else { return true };
        match kind {
            // They belong to a session, which is judged elsewhere; whoever knows the name of one may answer there.
            DestinationKind::TemporaryQueue | DestinationKind::TemporaryTopic => {
                verb != Permission::Read || Pattern::parse(name).is_none()
            }
            DestinationKind::Topic if verb != Permission::Write && name.starts_with(ADVISORIES) => true,
            _ => grants.allow(verb, kind.is_queue(), name),
        }
    }

    /// The same; `verb` is what a refusal calls it.
    ///
    /// # Errors
    /// [`Denied`] is told to the client.
    pub fn check(
        &self,
        what: Permission,
        verb: &'static str,
        kind: DestinationKind,
        name: &str,
    ) -> Result<(), Denied> {
        if self.may(what, kind, name) {
            return Ok(());
        }
        Err(Denied { user: self.name.clone(), verb, destination: format!("{}://{name}", kind.scheme()) })
    }
}
