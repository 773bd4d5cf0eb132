//! Who may speak on the replication port: nodes with a certificate of the group's authority, nodes that know the group's
//! secret; without either, processes of this machine.

mod door;
mod guarded;
mod proof;
pub(super) mod registry;
mod tls;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(super) use door::{Door, admit};
pub(super) use guarded::{Duplex, Guarded, Witness};
pub(super) use proof::{Nonce, Nonces, Side};
pub use tls::{TlsError, TlsFiles};

use super::Hello;
use proof::GroupKey;
use tls::Tls;

/// How long a stranger may take to show that he is none.
pub(super) const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(2);
/// Half-open connections at one time. Another one ends the oldest: a slave is through in milliseconds, while whoever
/// wants to keep slaves out would have to fill the places again and again.
pub(super) const HALF_OPEN_MAX: usize = 64;
/// How often refusals are told; those in between are counted.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(5);

/// What a node shows to the others of its group, and wants to see of them.
#[derive(Clone, Debug)]
pub struct Access {
    tls: Option<Arc<Tls>>,
    secret: Option<GroupKey>,
    plain_anywhere: bool,
    half_open_max: usize,
    complaints: Arc<Mutex<Complaints>>,
}

impl Default for Access {
    fn default() -> Access {
        let (tls, secret, complaints) = (None, None, Arc::default());
        Access { tls, secret, plain_anywhere: false, half_open_max: HALF_OPEN_MAX, complaints }
    }
}

#[derive(Debug, Default)]
struct Complaints {
    last: Option<Instant>,
    untold: u64,
}

impl Access {
    /// Mutual TLS with these files, for a node that is reached at `hostname`.
    ///
    /// # Errors
    /// [`TlsError`] says which file cannot be used and why.
    pub fn with_tls(mut self, files: TlsFiles, hostname: &str) -> Result<Access, TlsError> {
        self.tls = Some(Arc::new(Tls::open(files, hostname)?));
        Ok(self)
    }

    /// Both ends of a stream prove that they know `secret`.
    #[must_use]
    pub fn with_secret(mut self, secret: &str) -> Access {
        self.secret = Some(GroupKey::new(secret));
        self
    }

    /// Plain text may leave this machine.
    #[must_use]
    pub fn with_plain_text_anywhere(mut self) -> Access {
        self.plain_anywhere = true;
        self
    }

    /// So many connections of the replication port may be half-open at one time, at most 64.
    #[must_use]
    pub fn with_half_open_max(mut self, connections: usize) -> Access {
        self.half_open_max = connections.min(HALF_OPEN_MAX);
        self
    }

    pub(super) fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    /// Whether a stream to or from this address may be opened at all.
    pub(super) fn allows(&self, address: IpAddr) -> Result<(), String> {
        if self.tls.is_some() || self.plain_anywhere || address.to_canonical().is_loopback() {
            return Ok(());
        }
        Err(format!(
            "{address} is no loopback address and this node has neither [store.replicated.tls] nor insecure = true"
        ))
    }

    /// A fresh nonce, if there is a secret to prove.
    pub(super) fn nonce(&self) -> Option<Nonce> {
        self.secret.as_ref().map(|_| Nonce::fresh())
    }

    /// The proof of one side that it knows the secret; empty without a secret.
    pub(super) fn prove(&self, side: Side, nonces: Option<&Nonces>, hello: &Hello) -> Vec<u8> {
        match (&self.secret, nonces) {
            (Some(key), Some(nonces)) => key.prove(side, nonces, hello),
            _ => Vec::new(),
        }
    }

    /// Whether the other side knows the secret, if there is one.
    pub(super) fn is_proven(&self, side: Side, nonces: Option<&Nonces>, hello: &Hello, proof: &[u8]) -> bool {
        match (&self.secret, nonces) {
            (None, None) => proof.is_empty(),
            (Some(key), Some(nonces)) => key.is_proof(side, nonces, hello, proof),
            _ => false,
        }
    }

    /// Tells a refusal, unless there are so many that they would fill the log.
    pub(super) fn complain(&self, refusal: &str) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if complaints.last.is_some_and(|last| last.elapsed() < COMPLAINT_INTERVAL) {
            complaints.untold += 1;
            return;
        }
        complaints.last = Some(Instant::now());
        match std::mem::take(&mut complaints.untold) {
            0 => tracing::warn!("{refusal}"),
            untold => tracing::warn!(untold, "{refusal}"),
        }
    }
}
