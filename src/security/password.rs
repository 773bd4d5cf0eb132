//! What a client shows to prove who it is.

use std::fmt;

/// Longest password in bytes; whatever is longer is refused before it is hashed.
pub(super) const PASSWORD_BYTES_MAX: usize = 1024;
/// Longest user name in bytes.
pub(super) const USER_BYTES_MAX: usize = 256;

/// A password as a client sent it. `Debug` shows stars; there is no `Display`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// This text.
    pub fn new(text: String) -> Password {
        Password(text)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

/// Whether a user name and a password can be anybody's: neither is empty, too long, or cut short by a null byte, which hash
/// functions and directories do not all see alike.
pub(super) fn are_sound(user: &str, password: &Password) -> bool {
    let fits = |text: &[u8], most: usize| (1..=most).contains(&text.len()) && !text.contains(&0);
    fits(user.as_bytes(), USER_BYTES_MAX) && fits(password.bytes(), PASSWORD_BYTES_MAX)
}
