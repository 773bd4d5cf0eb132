//! Who is let in at the console's port, and how far: the names that it answers to, logins, the sessions of browsers, roles.

mod access;
mod guard;
mod role;
mod sessions;
mod token;
mod visitor;

pub(super) use access::Access;
pub(super) use guard::{Ends, Guard, Refusal};
pub(super) use role::{ConsoleRole, Roles};
pub(super) use sessions::SESSION_TIME_MAX;
pub use token::{TOKEN_FILE, Token};
pub(super) use visitor::Visitor;

#[cfg(test)]
pub(super) mod tests;
