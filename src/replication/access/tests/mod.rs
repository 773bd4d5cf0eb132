//! Peers over real sockets: who belongs to the group gets the log, nobody else gets a byte of it.

mod authority;
mod belonging;
mod words;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

use super::{Access, Nonce, Nonces, Side, TlsFiles};
use crate::coordination::Process;
use crate::env::{Names, SimDisk};
use crate::model::{Epoch, GroupId, Offset, Promise, Record, StoreId};
use crate::replication::peers::wire::{self, proto};
use crate::replication::{Event, Hello, History, PeerEvent, PeerOptions, Peers, StreamId, Streams, Welcome};
use crate::storage::{BatchBuilder, Log, LogOptions};

use authority::{Authority, pair};

const SECRET: &str = "as long as it has to be";
const LIMIT: Duration = Duration::from_secs(60);
const STREAM: StreamId = StreamId(1);

fn tls(files: TlsFiles) -> Access {
    Access::default().with_tls(files, "127.0.0.1").unwrap()
}

fn secret(text: &str) -> Access {
    Access::default().with_secret(text)
}

/// A node's peers, with a log of one record that nobody else may see.
struct Node {
    peers: Peers,
    events: mpsc::Receiver<PeerEvent>,
    log: Bytes,
}

impl Node {
    fn new(access: Access) -> Node {
        let options = LogOptions { segment_bytes: 2 << 20, ..LogOptions::default() };
        let disk = Arc::new(SimDisk::default());
        let (log, recovered) = Log::open(disk, Path::new("log"), options, Box::new(|_| {})).unwrap();
        let mut batch = BatchBuilder::new(recovered.end.offset, recovered.last, Epoch(1));
        let master = "the record that nobody else may see".to_owned();
        batch.push(&Record::EpochStart { epoch: Epoch(1), master, time: 0 }, false);
        let batch = batch.finish();
        let bytes = batch.bytes.clone();
        log.append(batch);
        let (sender, events) = mpsc::channel(crate::replication::PEER_EVENTS_MAX);
        let options = PeerOptions {
            bind: ([127, 0, 0, 1], 0).into(),
            hostname: "127.0.0.1".to_owned(),
            access,
            names: Names::default(),
            process: Process::here("/".as_ref()),
        };
        let peers = Peers::new(options, log, sender);
        Node { peers, events, log: bytes }
    }

    async fn bound(access: Access) -> (Node, String) {
        let mut node = Node::new(access);
        let Event::Bound(address) = node.peers.bind() else { panic!("no port") };
        node.peers.advance(Offset(node.log.len() as u64), Offset(0));
        (node, address)
    }
}

fn hello() -> Hello {
    Hello {
        group_id: Some(GroupId(7)),
        broker: "group1".to_owned(),
        node: "node2".to_owned(),
        store: StoreId(2),
        promised: Promise { epoch: Epoch(1), claim: crate::model::Claim(1) },
        base: Offset(0),
        history: History::new(Vec::new()).unwrap(),
        config: 1,
        replicas: 3,
        format: 1,
    }
}

fn welcome() -> Box<Welcome> {
    Box::new(Welcome {
        promise: hello().promised,
        group_id: GroupId(7),
        config: 1,
        voters: Vec::new(),
        truncate_to: Offset(0),
        reset: None,
        commit: Offset(0),
    })
}

/// The slave dials. What it gets of the log, or why it gets nothing; then the master must not have heard of it either.
async fn meet(master: &mut Node, slave: &mut Node, address: &str) -> Result<Bytes, String> {
    slave.peers.dial(STREAM, address, &hello());
    let meeting = async {
        let mut heard = false;
        loop {
            tokio::select! {
                event = master.events.recv() => {
                    if let Some(PeerEvent::Slave(connection, said, way)) = event {
                        assert_eq!(*said, hello());
                        heard = true;
                        master.peers.connected(connection, way);
                        master.peers.welcome(connection, welcome());
                    }
                }
                event = slave.events.recv() => match event.unwrap() {
                    PeerEvent::Records { bytes, .. } => return Ok(bytes),
                    PeerEvent::Event(Event::MasterGone(_, reason)) => {
                        assert!(!heard, "the hello was acted on: {reason}");
                        return Err(reason);
                    }
                    _ => {}
                },
            }
        }
    };
    let met = tokio::time::timeout(LIMIT, meeting).await.expect("an answer in time");
    slave.peers.hang_up(STREAM);
    met
}

/// A master and a slave with these, once.
async fn try_out(master: Access, slave: Access) -> Result<Bytes, String> {
    let (mut master, address) = Node::bound(master).await;
    let met = meet(&mut master, &mut Node::new(slave), &address).await;
    if let Ok(bytes) = &met {
        assert_eq!(*bytes, master.log);
    }
    met
}

#[track_caller]
fn assert_refused(met: Result<Bytes, String>, reason: &str) {
    let told = met.expect_err("refused");
    assert!(told.contains(reason), "{told}");
}
