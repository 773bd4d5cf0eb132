//! Whole frames of a stream as bytes, for those who look at the wire from outside of it: the fuzz targets. They go
//! through the same conversions as the streams do.

use bytes::Bytes;
use prost::Message;

use super::wire::{self, proto};
use crate::model::Offset;
use crate::replication::{Ack, Heartbeat, Hello, Welcome};

/// What one frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFrame {
    /// A slave's nonce; empty without a secret.
    Opening(Bytes),
    /// A master's nonce; empty without a secret.
    Challenge(Bytes),
    /// A master's proof, not yet checked.
    Proof(Bytes),
    /// What a slave says of itself, and its proof, not yet checked.
    Hello(Hello, Bytes),
    /// A slave's answer.
    Ack(Ack),
    /// A master's first word.
    Welcome(Welcome),
    /// A part of the master's log.
    Records {
        /// Offset of the first byte.
        at: Offset,
        /// Whole records, not yet verified.
        records: Bytes,
        /// Everything below is committed.
        commit: Offset,
    },
    /// A sign of life of the master.
    Heartbeat(Heartbeat),
}

impl StreamFrame {
    /// The frame as it stands on the wire, without gRPC's own five bytes.
    pub fn encode(&self) -> Bytes {
        let bytes = match self {
            StreamFrame::Opening(nonce) => {
                wire::opening_to(wire::nonce_from(nonce).unwrap_or_default(), None).encode_to_vec()
            }
            StreamFrame::Challenge(nonce) => {
                wire::challenge_to(wire::nonce_from(nonce).unwrap_or_default()).encode_to_vec()
            }
            StreamFrame::Proof(proof) => wire::proof_to(proof.to_vec()).encode_to_vec(),
            StreamFrame::Hello(hello, proof) => wire::hello_to(hello, proof.to_vec()).encode_to_vec(),
            StreamFrame::Ack(ack) => wire::ack_to(*ack).encode_to_vec(),
            StreamFrame::Welcome(welcome) => wire::welcome_to(welcome).encode_to_vec(),
            StreamFrame::Heartbeat(heartbeat) => wire::heartbeat_to(heartbeat).encode_to_vec(),
            StreamFrame::Records { at, records, commit } => {
                let records = proto::Records { at: at.0, records: records.clone(), commit: commit.0 };
                let frame = Some(proto::master_frame::Frame::Records(records));
                proto::MasterFrame { frame }.encode_to_vec()
            }
        };
        bytes.into()
    }
}

/// Reads a slave's frame; none when a master would end the stream.
pub fn decode_slave(bytes: Bytes) -> Option<StreamFrame> {
    match proto::SlaveFrame::decode(bytes).ok()?.frame? {
        proto::slave_frame::Frame::Opening(opening) => {
            wire::nonce_from(&opening.nonce).map(|_| StreamFrame::Opening(opening.nonce))
        }
        proto::slave_frame::Frame::Hello(hello) => {
            let proof = hello.proof.clone();
            Some(StreamFrame::Hello(wire::hello_from(hello)?, proof))
        }
        proto::slave_frame::Frame::Ack(ack) => Some(StreamFrame::Ack(wire::ack_from(ack))),
    }
}

/// Reads a master's frame; none when a slave would end the stream.
pub fn decode_master(bytes: Bytes) -> Option<StreamFrame> {
    Some(match proto::MasterFrame::decode(bytes).ok()?.frame? {
        proto::master_frame::Frame::Challenge(challenge) => {
            wire::nonce_from(&challenge.nonce).map(|_| StreamFrame::Challenge(challenge.nonce))?
        }
        proto::master_frame::Frame::Proof(proof) => StreamFrame::Proof(proof.proof),
        proto::master_frame::Frame::Welcome(welcome) => StreamFrame::Welcome(wire::welcome_from(welcome)?),
        proto::master_frame::Frame::Heartbeat(heartbeat) => {
            StreamFrame::Heartbeat(wire::heartbeat_from(heartbeat)?)
        }
        proto::master_frame::Frame::Records(records) => StreamFrame::Records {
            at: Offset(records.at),
            records: records.records,
            commit: Offset(records.commit),
        },
    })
}
