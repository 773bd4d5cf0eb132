//! The replication stream's frames, in both directions.

use bytes::Bytes;
use quorate::model::{Claim, Epoch, FORMAT, GroupId, Offset, Promise, StoreId, Voter};
use quorate::replication::{
    Ack, Heartbeat, Hello, History, StreamFrame, Welcome, decode_master, decode_slave,
};

use crate::driver::{Target, as_it_is, kind};

pub(crate) const SLAVE: Target = Target {
    name: "slave_frame",
    run: |input| again(input, decode_slave),
    mend: as_it_is,
    seeds: slave_seeds,
    words: &[],
    planted: |input| {
        let read = decode_slave(Bytes::copy_from_slice(input));
        matches!(read, Some(StreamFrame::Hello(hello, _)) if hello.replicas > 100 && hello.history.ends().len() > 1)
    },
    memory: (64, 16 * 1024),
    bytes_max: 8 * 1024,
};

pub(crate) const MASTER: Target = Target {
    name: "master_frame",
    run: |input| again(input, decode_master),
    mend: as_it_is,
    seeds: master_seeds,
    words: &[],
    planted: |input| {
        let read = decode_master(Bytes::copy_from_slice(input));
        matches!(read, Some(StreamFrame::Welcome(welcome)) if welcome.reset.is_some() && welcome.voters.len() == 2)
    },
    memory: (64, 16 * 1024),
    bytes_max: 8 * 1024,
};

fn again(input: &[u8], decode: fn(Bytes) -> Option<StreamFrame>) -> u64 {
    let Some(frame) = decode(Bytes::copy_from_slice(input)) else { return 0 };
    let written = frame.encode();
    assert_eq!(decode(written.clone()).as_ref(), Some(&frame), "written and read");
    assert_eq!(frame.encode(), written);
    kind(&(std::mem::discriminant(&frame), written.len() / 8))
}

fn hello() -> Hello {
    Hello {
        group_id: Some(GroupId(1 << 99)),
        broker: "broker".into(),
        node: "n2".into(),
        store: StoreId(1 << 98),
        promised: Promise { epoch: Epoch(4), claim: Claim(77) },
        base: Offset(300),
        history: History::new(vec![(Epoch(2), Offset(400)), (Epoch(3), Offset(1 << 40))]).unwrap(),
        config: 3,
        replicas: 3,
        format: FORMAT,
    }
}

fn voters() -> Vec<Voter> {
    (1..=3).map(|n| Voter { node: format!("n{n}"), store: StoreId(1 << (n * 9)) }).collect()
}

fn slave_seeds() -> Vec<Vec<u8>> {
    let blank = Hello { group_id: None, history: History::default(), base: Offset(0), ..hello() };
    let ack = Ack { durable: Offset(1 << 33), heard: 12_345_678, config: 3, short: false };
    [
        StreamFrame::Hello(hello(), Bytes::new()),
        StreamFrame::Hello(blank, Bytes::from(vec![7; 32])),
        StreamFrame::Ack(ack),
        StreamFrame::Opening(Bytes::from(vec![9; 32])),
    ]
    .map(|frame| frame.encode().to_vec())
    .to_vec()
}

fn master_seeds() -> Vec<Vec<u8>> {
    let welcome = Welcome {
        promise: Promise { epoch: Epoch(4), claim: Claim(77) },
        group_id: GroupId(1 << 99),
        config: 3,
        voters: voters(),
        truncate_to: Offset(1 << 33),
        reset: None,
        commit: Offset(1 << 32),
    };
    let anew = Welcome { reset: Some((Epoch(3), 0xdead_beef)), ..welcome.clone() };
    let heartbeat = Heartbeat { sent: 1 << 50, commit: Offset(900), config: 3, voters: voters() };
    let records = StreamFrame::Records {
        at: Offset(900),
        records: Bytes::from_static(b"whole records"),
        commit: Offset(800),
    };
    [
        StreamFrame::Welcome(welcome),
        StreamFrame::Welcome(anew),
        StreamFrame::Heartbeat(heartbeat),
        records,
        StreamFrame::Challenge(Bytes::from(vec![9; 32])),
        StreamFrame::Proof(Bytes::from(vec![7; 32])),
    ]
    .map(|frame| frame.encode().to_vec())
    .to_vec()
}
