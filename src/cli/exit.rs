//! Exit codes: the one place where they are given out.

use std::process::ExitCode;

use crate::client::ClientError;

/// How the process ends. The numbers are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// The command was understood and failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The configuration is wrong; `quorate config check` says the same.
    Configuration = 3,
    /// A node, a broker or ZooKeeper cannot be reached.
    Unreachable = 4,
    /// The data directory cannot be used: locked by another process, not writable, of another group, damaged; or this
    /// node is there already, as another process.
    DataDirectory = 5,
    /// A port is taken by another process.
    PortOccupied = 6,
    /// The store failed while running: a write or an fsync went wrong, nothing was acknowledged after it.
    StoreFailed = 7,
}

impl Exit {
    /// All of them with what they mean, for help texts.
    pub const ALL: [(Exit, &'static str); 8] = [
        (Exit::Ok, "done"),
        (Exit::Failed, "the command failed"),
        (Exit::Usage, "the command line is wrong"),
        (Exit::Configuration, "the configuration is wrong"),
        (Exit::Unreachable, "a node, a broker or ZooKeeper cannot be reached"),
        (
            Exit::DataDirectory,
            "the data directory is locked, not writable, damaged or of another group, or another process is this node",
        ),
        (Exit::PortOccupied, "a port is taken"),
        (Exit::StoreFailed, "the store failed while running"),
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed, with the exit code for it.
#[derive(Debug)]
pub(super) struct Failure {
    pub exit: u8,
    pub error: anyhow::Error,
}

impl Failure {
    pub(super) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Failure {
        Failure { exit: exit as u8, error: error.into() }
    }

    /// Somebody pressed Ctrl-C; `done` is how far the command had got.
    pub(super) fn interrupted(done: impl std::fmt::Display) -> Failure {
        Failure { exit: INTERRUPTED, error: anyhow::anyhow!("interrupted: {done}") }
    }
}

/// The shells' code for an end by SIGINT.
const INTERRUPTED: u8 = 128 + 2;

/// Whatever has no code of its own is a plain failure.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        let error = error.into();
        let exit = match error.downcast_ref() {
            Some(ClientError::Unreachable { .. }) => Exit::Unreachable,
            _ => Exit::Failed,
        };
        Failure::new(exit, error)
    }
}
