//! The group's secret, proven without being sent: HMAC-SHA256 over fresh nonces of both sides and the slave's hello.
//!
//! It keeps strangers out. It does not hide or protect what follows on the stream: TLS does.

use aws_lc_rs::hmac;

use crate::env::random_u128;

use super::super::Hello;

const NONCE_BYTES: usize = 32;

/// A number that one side uses once, so that nobody can show an old proof again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Nonce([u8; NONCE_BYTES]);

impl Nonce {
    pub(super) fn fresh() -> Nonce {
        let mut bytes = [0; NONCE_BYTES];
        let (one, two) = bytes.split_at_mut(NONCE_BYTES / 2);
        one.copy_from_slice(&random_u128().to_be_bytes());
        two.copy_from_slice(&random_u128().to_be_bytes());
        Nonce(bytes)
    }

    /// As it came from the wire; `None` if it is none.
    pub(in super::super) fn from_wire(bytes: &[u8]) -> Option<Nonce> {
        bytes.try_into().ok().map(Nonce)
    }

    pub(in super::super) fn to_wire(self) -> bytes::Bytes {
        bytes::Bytes::copy_from_slice(&self.0)
    }
}

/// The nonces of both sides.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Nonces {
    pub(in super::super) slave: Nonce,
    pub(in super::super) master: Nonce,
}

/// Whose proof it is: one side's cannot be thrown back as the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Side {
    Slave,
    Master,
}

/// The secret as a key.
#[derive(Clone, Debug)]
pub(super) struct GroupKey(hmac::Key);

impl GroupKey {
    pub(super) fn new(secret: &str) -> GroupKey {
        GroupKey(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    pub(super) fn prove(&self, side: Side, nonces: &Nonces, hello: &Hello) -> Vec<u8> {
        hmac::sign(&self.0, &transcript(side, nonces, hello)).as_ref().to_vec()
    }

    /// In a time that does not depend on where the two differ.
    pub(super) fn is_proof(&self, side: Side, nonces: &Nonces, hello: &Hello, proof: &[u8]) -> bool {
        hmac::verify(&self.0, &transcript(side, nonces, hello), proof).is_ok()
    }
}

/// What is proven: everything that the slave says of itself, in a form that can be read in one way only.
fn transcript(side: Side, nonces: &Nonces, hello: &Hello) -> Vec<u8> {
    let mut out = match side {
        Side::Slave => b"quorate replication 1 slave ".to_vec(),
        Side::Master => b"quorate replication 1 master".to_vec(),
    };
    out.extend(nonces.slave.0);
    out.extend(nonces.master.0);
    out.push(u8::from(hello.group_id.is_some()));
    out.extend(hello.group_id.map_or(0, |id| id.0).to_be_bytes());
    for text in [&hello.broker, &hello.node] {
        out.extend((text.len() as u64).to_be_bytes());
        out.extend(text.as_bytes());
    }
    out.extend(hello.store.0.to_be_bytes());
    let numbers = [
        hello.promised.epoch.0,
        hello.promised.claim.0,
        hello.base.0,
        hello.config,
        hello.replicas as u64,
        u64::from(hello.format),
        hello.history.ends().len() as u64,
    ];
    let history = hello.history.ends().iter().flat_map(|(epoch, end)| [epoch.0, end.0]);
    out.extend(numbers.into_iter().chain(history).flat_map(u64::to_be_bytes));
    out
}
