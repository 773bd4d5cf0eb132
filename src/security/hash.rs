//! Hashes of passwords: argon2id is made and read, bcrypt (`$2y$` as htpasswd writes it) is read.

use std::fmt;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use super::password::Password;

/// Most memory that a hash may ask for, in KiB, and how often it may go through it: one that asks for more would let each
/// login take the broker's own.
const MEMORY_KIB_MAX: u32 = 128 * 1024;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 8;
/// Highest cost of bcrypt: about a second.
const BCRYPT_COST_MAX: u32 = 14;
/// Length of every hash of bcrypt.
const BCRYPT_BYTES: usize = 60;
/// What bcrypt takes of a password; it would ignore the rest.
const BCRYPT_PASSWORD_BYTES_MAX: usize = 72;

/// What is verified when there is no such user, so that the answer takes as long. It is nobody's: whoever finds a password
/// to it is still refused.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXRoaW5nIHNhbHR5$ySFg/ijFsREPpvK8hZSFbWWlEk6B0WPfPFDAVJxVEhE";

/// Why a text is no hash, or cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// A password in plain text, or a kind of hash that is not read.
    #[error(
        "a password in plain text, or a hash of an unknown kind; write the line that `quorate user hash` prints"
    )]
    Unknown,
    /// The text begins like a hash and is none.
    #[error("a damaged hash; write the line that `quorate user hash` prints")]
    Damaged,
    /// It would take too much to verify.
    #[error(
        "a hash that takes too much time or memory to verify; write the line that `quorate user hash` prints"
    )]
    Costly,
    /// The system has no randomness to give, or the password cannot be anybody's.
    #[error("{0}")]
    NotMade(String),
}

/// A password's hash, as it stands in a configuration. `Debug` shows stars.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Argon2(String),
    Bcrypt(String),
    /// Not hashed, because the owner of the file asked for that.
    Plain(Password),
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

impl Hash {
    /// Reads a hash; a password in plain text only if `plain` allows it.
    ///
    /// # Errors
    /// [`HashError`] says what to write; it holds nothing of the text.
    pub fn parse(text: &str, plain: bool) -> Result<Hash, HashError> {
        if text.starts_with("$argon2id$") {
            let hash = PasswordHash::new(text).map_err(|_| HashError::Damaged)?;
            let params = argon2::Params::try_from(&hash).map_err(|_| HashError::Damaged)?;
            if hash.salt.is_none() || hash.hash.is_none() {
                return Err(HashError::Damaged);
            }
            if params.m_cost() > MEMORY_KIB_MAX || params.t_cost() > PASSES_MAX || params.p_cost() > LANES_MAX
            {
                return Err(HashError::Costly);
            }
            return Ok(Hash(Kind::Argon2(text.to_owned())));
        }
        if ["$2y$", "$2b$", "$2a$"].iter().any(|prefix| text.starts_with(prefix)) {
            let cost: u32 = text.get(4..6).and_then(|cost| cost.parse().ok()).ok_or(HashError::Damaged)?;
            if text.len() != BCRYPT_BYTES || text.parse::<bcrypt::HashParts>().is_err() {
                return Err(HashError::Damaged);
            }
            return if cost > BCRYPT_COST_MAX {
                Err(HashError::Costly)
            } else {
                Ok(Hash(Kind::Bcrypt(text.to_owned())))
            };
        }
        // A kind that is not read is no password that somebody would choose.
        if plain && !text.is_empty() && !text.starts_with('$') && !text.starts_with('{') {
            return Ok(Hash(Kind::Plain(Password::new(text.to_owned()))));
        }
        Err(HashError::Unknown)
    }

    /// The hash of nobody's password.
    pub(super) fn nobody() -> Hash {
        Hash(Kind::Argon2(NOBODY.to_owned()))
    }

    /// A new argon2id hash, as text for a configuration.
    ///
    /// # Errors
    /// [`HashError::NotMade`]: the password cannot be used, or the system has no randomness.
    pub fn make(password: &Password) -> Result<String, HashError> {
        if !super::password::are_sound("any", password) {
            return Err(HashError::NotMade(format!(
                "a password has 1 to {} bytes, none of them null",
                super::password::PASSWORD_BYTES_MAX
            )));
        }
        let made = Argon2::default().hash_password(password.bytes());
        made.map(|hash| hash.to_string()).map_err(|error| HashError::NotMade(error.to_string()))
    }

    /// Whether this is the password. Takes tens of milliseconds and up to 128 MiB.
    pub(super) fn is_of(&self, password: &Password) -> bool {
        match &self.0 {
            Kind::Argon2(text) => PasswordHash::new(text)
                .is_ok_and(|hash| Argon2::default().verify_password(password.bytes(), &hash).is_ok()),
            Kind::Bcrypt(text) => {
                password.bytes().len() <= BCRYPT_PASSWORD_BYTES_MAX
                    && bcrypt::verify(password.bytes(), text).unwrap_or(false)
            }
            Kind::Plain(known) => {
                aws_lc_rs::constant_time::verify_slices_are_equal(known.bytes(), password.bytes()).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[test]
    fn a_hash_that_is_made_is_of_its_password_only_and_shows_nothing() {
        let text = Hash::make(&password("right")).unwrap();
        let hash = Hash::parse(&text, false).unwrap();
        assert!(hash.is_of(&password("right")) && !hash.is_of(&password("wrong")));
        assert_eq!(format!("{hash:?}{:?}", password("right")), "****************");
        assert_ne!(text, Hash::make(&password("right")).unwrap(), "each has its own salt");
    }

    #[test]
    fn what_htpasswd_writes_is_read_and_a_password_that_it_would_cut_is_refused() {
        let text = bcrypt::hash("x".repeat(72), 4).unwrap().replace("$2b$", "$2y$");
        let hash = Hash::parse(&text, false).unwrap();
        assert!(hash.is_of(&password(&"x".repeat(72))) && !hash.is_of(&password(&"x".repeat(73))));
        assert!(!hash.is_of(&password("x")));
    }

    #[test]
    fn plain_text_is_read_when_it_is_asked_for_only() {
        assert_eq!(Hash::parse("manager", false), Err(HashError::Unknown));
        let hash = Hash::parse("manager", true).unwrap();
        assert!(hash.is_of(&password("manager")) && !hash.is_of(&password("manage")));
        for other in ["", "$apr1$x$y", "{SHA}x", "$1$x"] {
            assert_eq!(Hash::parse(other, true), Err(HashError::Unknown), "{other}");
        }
    }

    #[test]
    fn a_hash_that_would_take_the_brokers_memory_or_time_is_refused() {
        for (text, error) in [
            (NOBODY.replace("m=19456", "m=4000000"), HashError::Costly),
            (NOBODY.replace("t=2", "t=17"), HashError::Costly),
            (NOBODY.replace("m=19456,t=2,p=1$c29", "m=x$"), HashError::Damaged),
            (bcrypt::hash("x", 4).unwrap().replace("$04$", "$15$"), HashError::Costly),
            ("$2y$10$short".to_owned(), HashError::Damaged),
        ] {
            assert_eq!(Hash::parse(&text, true), Err(error), "{text}");
        }
        assert!(Hash::parse(NOBODY, false).is_ok());
    }
}
