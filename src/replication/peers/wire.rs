//! Frames of `proto/replication.proto` and our own types, one to the other. A frame that does not fit is no frame.

use crate::model::{Claim, Epoch, GroupId, Offset, Promise, StoreId, Voter};
use crate::replication::access::Nonce;
use crate::replication::access::registry::Caller;
use crate::replication::{Ack, Heartbeat, Hello, History, Welcome};

/// What `build.rs` makes of `proto/replication.proto`.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]
pub(in crate::replication) mod proto {
    tonic::include_proto!("quorate.replication.v1");
}

fn id_bytes(id: u128) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(&id.to_be_bytes())
}

fn id_from(bytes: &[u8]) -> Option<u128> {
    bytes.try_into().ok().map(u128::from_be_bytes)
}

fn promise_to(promise: Promise) -> Option<proto::Promise> {
    Some(proto::Promise { epoch: promise.epoch.0, claim: promise.claim.0 })
}

fn promise_from(promise: Option<proto::Promise>) -> Option<Promise> {
    promise.map(|p| Promise { epoch: Epoch(p.epoch), claim: Claim(p.claim) })
}

fn voters_to(voters: &[Voter]) -> Vec<proto::Voter> {
    voters.iter().map(|v| proto::Voter { node: v.node.clone(), store: id_bytes(v.store.0) }).collect()
}

fn voters_from(voters: Vec<proto::Voter>) -> Option<Vec<Voter>> {
    voters.into_iter().map(|v| Some(Voter { store: StoreId(id_from(&v.store)?), node: v.node })).collect()
}

/// A slave's first frame; and the master's answer below.
pub(in crate::replication) fn opening_to(nonce: Option<Nonce>, caller: Option<&Caller>) -> proto::SlaveFrame {
    let process = caller.map(|it| proto::Process { run: id_bytes(it.run), place: it.place.clone() });
    let opening = proto::Opening { nonce: nonce.map(Nonce::to_wire).unwrap_or_default(), process };
    proto::SlaveFrame { frame: Some(proto::slave_frame::Frame::Opening(opening)) }
}

pub(in crate::replication) fn challenge_to(nonce: Option<Nonce>) -> proto::MasterFrame {
    let challenge = proto::Challenge { nonce: nonce.map(Nonce::to_wire).unwrap_or_default() };
    proto::MasterFrame { frame: Some(proto::master_frame::Frame::Challenge(challenge)) }
}

/// `None` is a process that does not say what it is.
pub(super) fn caller_from(process: Option<proto::Process>) -> Option<Caller> {
    let process = process?;
    Some(Caller { run: id_from(&process.run)?, place: process.place })
}

/// The outer `None` is no nonce at all, the inner one that there is no secret.
pub(super) fn nonce_from(bytes: &[u8]) -> Option<Option<Nonce>> {
    if bytes.is_empty() { Some(None) } else { Nonce::from_wire(bytes).map(Some) }
}

pub(in crate::replication) fn proof_to(proof: Vec<u8>) -> proto::MasterFrame {
    let proof = proto::Proof { proof: proof.into() };
    proto::MasterFrame { frame: Some(proto::master_frame::Frame::Proof(proof)) }
}

pub(in crate::replication) fn hello_to(hello: &Hello, proof: Vec<u8>) -> proto::SlaveFrame {
    let end = |(epoch, end): &(Epoch, Offset)| proto::EpochEnd { epoch: epoch.0, end: end.0 };
    let frame = proto::Hello {
        group_id: hello.group_id.map(|id| id_bytes(id.0)).unwrap_or_default(),
        broker: hello.broker.clone(),
        node: hello.node.clone(),
        store: id_bytes(hello.store.0),
        promised: promise_to(hello.promised),
        base: hello.base.0,
        history: hello.history.ends().iter().map(end).collect(),
        config: hello.config,
        replicas: hello.replicas as u32,
        format: hello.format,
        proof: proof.into(),
    };
    proto::SlaveFrame { frame: Some(proto::slave_frame::Frame::Hello(frame)) }
}

pub(super) fn hello_from(frame: proto::Hello) -> Option<Hello> {
    let group_id = if frame.group_id.is_empty() { None } else { Some(GroupId(id_from(&frame.group_id)?)) };
    let history = frame.history.iter().map(|e| (Epoch(e.epoch), Offset(e.end))).collect();
    Some(Hello {
        group_id,
        broker: frame.broker,
        node: frame.node,
        store: StoreId(id_from(&frame.store)?),
        promised: promise_from(frame.promised)?,
        base: Offset(frame.base),
        history: History::new(history)?,
        config: frame.config,
        replicas: frame.replicas as usize,
        format: frame.format,
    })
}

pub(super) fn welcome_to(welcome: &Welcome) -> proto::MasterFrame {
    let frame = proto::Welcome {
        promise: promise_to(welcome.promise),
        group_id: id_bytes(welcome.group_id.0),
        config: welcome.config,
        voters: voters_to(&welcome.voters),
        truncate_to: welcome.truncate_to.0,
        reset: welcome.reset.map(|(epoch, previous)| proto::Reset { epoch: epoch.0, previous }),
        commit: welcome.commit.0,
    };
    proto::MasterFrame { frame: Some(proto::master_frame::Frame::Welcome(frame)) }
}

pub(super) fn welcome_from(frame: proto::Welcome) -> Option<Welcome> {
    Some(Welcome {
        promise: promise_from(frame.promise)?,
        group_id: GroupId(id_from(&frame.group_id)?),
        config: frame.config,
        voters: voters_from(frame.voters)?,
        truncate_to: Offset(frame.truncate_to),
        reset: frame.reset.map(|r| (Epoch(r.epoch), r.previous)),
        commit: Offset(frame.commit),
    })
}

pub(super) fn heartbeat_to(heartbeat: &Heartbeat) -> proto::MasterFrame {
    let frame = proto::Heartbeat {
        sent: heartbeat.sent,
        commit: heartbeat.commit.0,
        config: heartbeat.config,
        voters: voters_to(&heartbeat.voters),
    };
    proto::MasterFrame { frame: Some(proto::master_frame::Frame::Heartbeat(frame)) }
}

pub(super) fn heartbeat_from(frame: proto::Heartbeat) -> Option<Heartbeat> {
    Some(Heartbeat {
        sent: frame.sent,
        commit: Offset(frame.commit),
        config: frame.config,
        voters: voters_from(frame.voters)?,
    })
}

pub(super) fn ack_to(ack: Ack) -> proto::SlaveFrame {
    let frame = proto::Ack { durable: ack.durable.0, heard: ack.heard, config: ack.config, short: ack.short };
    proto::SlaveFrame { frame: Some(proto::slave_frame::Frame::Ack(frame)) }
}

pub(super) fn ack_from(frame: proto::Ack) -> Ack {
    Ack { durable: Offset(frame.durable), heard: frame.heard, config: frame.config, short: frame.short }
}
