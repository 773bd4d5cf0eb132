//! Tests of the log over real files, and what they share.

mod append;
pub(crate) mod by_hand;
mod crash;
mod descriptors;
mod look;
mod reopen;
mod space;
mod window;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;

use super::{Batch, BatchBuilder, Log, LogEvent, LogOptions, Recovered};
use crate::env::SystemDisk;
use crate::model::{
    DestinationId, Encoding, Epoch, Message, MessageBuilder, Offset, Place, Places, Record, Sequence,
};

/// Small segments, so that every test rolls.
pub(super) const SMALL: LogOptions = LogOptions { segment_bytes: 1000, tail_bytes: 500 };

/// A log and what is needed to go on writing it.
pub(super) struct Fixture {
    pub(super) log: Log,
    pub(super) opened: Recovered,
    pub(super) events: Receiver<LogEvent>,
    pub(super) at: Offset,
    pub(super) last: u32,
    pub(super) epoch: Epoch,
}

impl Fixture {
    pub(super) fn open(dir: &Path, options: LogOptions) -> Fixture {
        let (sender, events) = channel();
        let notify = Box::new(move |event| {
            let _ = sender.send(event);
        });
        let (log, opened) = Log::open(Arc::new(SystemDisk), dir, options, notify).unwrap();
        let (at, last, epoch) = (opened.end.offset, opened.last, opened.end.epoch.max(Epoch(1)));
        Fixture { log, opened, events, at, last, epoch }
    }

    /// Appends groups of records as one batch.
    pub(super) fn append(&mut self, groups: &[Vec<Record>]) -> Batch {
        let mut builder = BatchBuilder::new(self.at, self.last, self.epoch);
        for group in groups {
            for (n, record) in group.iter().enumerate() {
                builder.push(record, n + 1 < group.len());
            }
        }
        let batch = builder.finish();
        (self.at, self.last) = (batch.end(), batch.last);
        self.log.append(batch.clone());
        batch
    }

    /// Appends one message to destination 1.
    pub(super) fn send(&mut self, sequence: u64, body: usize) -> Batch {
        self.append(&[vec![record(1, sequence, body)]])
    }

    /// All bytes of the log.
    pub(super) fn all(&self) -> Bytes {
        read_all(&self.log)
    }
}

pub(super) fn message(body: usize) -> Message {
    let mut message = MessageBuilder::new(Encoding::Native);
    message.persistent = true;
    message.body = (0..body).map(|n| n as u8).collect();
    message.build().unwrap()
}

pub(super) fn place(destination: u32, sequence: u64) -> Place {
    Place { destination: DestinationId(destination), sequence: Sequence(sequence) }
}

pub(super) fn record(destination: u32, sequence: u64, body: usize) -> Record {
    Record::Message { places: place(destination, sequence).into(), message: message(body) }
}

pub(super) fn epoch_start(epoch: u64) -> Record {
    Record::EpochStart { epoch: Epoch(epoch), master: "n1".into(), time: 0 }
}

pub(super) fn read_all(log: &Log) -> Bytes {
    let mut all = Vec::new();
    let mut at = log.base();
    while at < log.end() {
        let bytes = log.read(at, 300).unwrap();
        assert!(!bytes.is_empty());
        at = at.plus(bytes.len());
        all.extend(bytes);
    }
    all.into()
}

pub(super) fn names(dir: &Path, suffix: &str) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.filter(|name| name.ends_with(suffix)).collect();
    names.sort();
    names
}
