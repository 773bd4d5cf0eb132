//! Builds everything once, starts and stops it.

use crate::config::Config;

/// Why a node did not start, or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Not built yet.
    #[error("the server is not built yet")]
    Absent,
}

impl ServerError {
    /// The process's exit code for it (README.md lists them).
    pub fn exit_code(&self) -> u8 {
        1
    }
}

/// Runs a node until it is told to stop.
///
/// # Errors
/// [`ServerError`] says why it could not start or had to stop.
pub async fn run(config: Config) -> Result<(), ServerError> {
    drop(config);
    Err(ServerError::Absent)
}
