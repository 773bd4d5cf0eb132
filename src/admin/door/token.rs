//! The console's token: what a request must show to change something. A foreign web page does not know it, and no other
//! user of the host can read it.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::env::random_u128;

/// Name of the token's file in the store's directory.
pub const TOKEN_FILE: &str = "console.token";
/// Characters of a token that was drawn.
const DRAWN_CHARACTERS: usize = 64;

/// What a request must show to change something. `Debug` does not print it.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The operator's own.
    pub fn given(text: &str) -> Token {
        Token(text.to_owned())
    }

    /// Draws a new one and keeps it in `directory`, for this process's user only; the one of the process before is void.
    ///
    /// # Errors
    /// The file cannot be written; then nobody could show the token.
    pub fn drawn_in(directory: &Path) -> io::Result<Token> {
        let token = format!("{:032x}{:032x}", random_u128(), random_u128());
        let path = directory.join(TOKEN_FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(token.as_bytes())?;
        Ok(Token(token))
    }

    /// Reads what [`Token::drawn_in`] has left; whatever else is there is nobody's business.
    ///
    /// # Errors
    /// There is no such file, or it is not for this user, or no token is in it.
    pub fn left_in(directory: &Path) -> io::Result<Token> {
        let token = fs::read_to_string(directory.join(TOKEN_FILE))?;
        if token.len() != DRAWN_CHARACTERS || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "there is no token in it"));
        }
        Ok(Token(token))
    }

    /// Whether this is what was shown, in a time that tells nothing of how much of it is right.
    pub(super) fn is(&self, shown: &[u8]) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), shown).is_ok()
    }

    /// The token itself, for the one who shows it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_drawn_token_is_for_its_user_only_and_void_after_the_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let first = Token::drawn_in(directory.path()).unwrap();
        fs::set_permissions(directory.path().join(TOKEN_FILE), fs::Permissions::from_mode(0o644)).unwrap();
        let second = Token::drawn_in(directory.path()).unwrap();
        let mode = fs::metadata(directory.path().join(TOKEN_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let left = Token::left_in(directory.path()).unwrap();
        assert!(second.is(left.expose().as_bytes()) && !first.is(left.expose().as_bytes()));
        assert!(!second.is(b"") && !second.is(&left.expose().as_bytes()[1..]));
        assert!(!format!("{second:?}").contains(left.expose()));
    }

    #[test]
    fn a_file_that_holds_something_else_is_no_token() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(TOKEN_FILE), "root:x:0:0:root:/root:/bin/bash\n").unwrap();
        assert!(Token::left_in(directory.path()).is_err());
    }
}
