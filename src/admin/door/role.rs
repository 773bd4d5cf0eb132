//! What somebody may do at the console.

use crate::config::Console;
use crate::security::EVERYBODY;

/// What somebody may do at the console; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::admin) enum ConsoleRole {
    /// See the state and the figures, and no message: what nobody has to log in for while there are no users.
    Glance,
    /// See messages too.
    View,
    /// Send, purge, remove subscriptions, as far as the user's rights on the destinations go.
    Operate,
    /// Change the group.
    Administer,
}

impl ConsoleRole {
    /// The configuration's word for it.
    pub(in crate::admin) fn name(self) -> &'static str {
        match self {
            ConsoleRole::Glance => "glance",
            ConsoleRole::View => "view",
            ConsoleRole::Operate => "operate",
            ConsoleRole::Administer => "administer",
        }
    }
}

/// Which groups have which role.
#[derive(Clone, Debug, Default)]
pub(in crate::admin) struct Roles(Vec<(ConsoleRole, Vec<String>)>);

impl Roles {
    /// As the configuration says.
    pub(in crate::admin) fn of(console: &Console) -> Roles {
        Roles(vec![
            (ConsoleRole::View, console.view.clone()),
            (ConsoleRole::Operate, console.operate.clone()),
            (ConsoleRole::Administer, console.administer.clone()),
        ])
    }

    /// The highest role of somebody in these groups.
    pub(super) fn highest(&self, groups: &[String]) -> Option<ConsoleRole> {
        let is_in = |names: &[String]| names.iter().any(|name| name == EVERYBODY || groups.contains(name));
        self.0.iter().filter(|(_, names)| is_in(names)).map(|(role, _)| *role).max()
    }
}
