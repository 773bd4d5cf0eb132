//! What a right is for.

/// The group that everybody is in who was let in.
pub const EVERYBODY: &str = "*";

/// What can be done with a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Consume and browse.
    Read,
    /// Send.
    Write,
    /// Make it, by name or by the first use, and remove it.
    Admin,
}

impl Permission {
    /// All of them.
    pub const ALL: [Permission; 3] = [Permission::Read, Permission::Write, Permission::Admin];

    /// The configuration's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Permission::Read => "read",
            Permission::Write => "write",
            Permission::Admin => "admin",
        }
    }
}
