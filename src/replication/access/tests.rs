//! Peers over real sockets: who belongs to the group gets the log, nobody else gets a byte of it.

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

const SECRET: &str = "as long as it has to be";
const LIMIT: Duration = Duration::from_secs(60);
const STREAM: StreamId = StreamId(1);

/// A certificate authority and what it gives out, in a directory of its own.
struct Authority {
    directory: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let directory = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, directory.path().display().to_string());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        Authority { directory, issuer: Issuer::new(params, key) }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// A certificate for one host name or address, valid from and to these days from now.
    fn issue(&self, host: &str, days: (i64, i64)) -> TlsFiles {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let now = time::OffsetDateTime::now_utc();
        params.not_before = now + time::Duration::days(days.0);
        params.not_after = now + time::Duration::days(days.1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let name = format!("{host}.{}.{}", days.0, days.1);
        let files = TlsFiles {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
            ca: self.path("ca.pem"),
        };
        std::fs::write(&files.certificate, certificate.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    fn good(&self) -> TlsFiles {
        self.issue("127.0.0.1", (-1, 30))
    }

    fn expired(&self) -> TlsFiles {
        self.issue("127.0.0.1", (-30, -1))
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
        roots
    }
}

fn pair(files: &TlsFiles) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_file_iter(&files.certificate).unwrap().map(Result::unwrap).collect();
    (chain, PrivateKeyDer::from_pem_file(&files.key).unwrap())
}

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

#[tokio::test]
async fn who_belongs_to_the_group_gets_the_log() {
    let authority = Authority::new();
    let both = || tls(authority.good()).with_secret(SECRET);
    for (master, slave) in [
        (Access::default(), Access::default()),
        (secret(SECRET), secret(SECRET)),
        (tls(authority.good()), tls(authority.good())),
        (both(), both()),
    ] {
        try_out(master, slave).await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_or_missing_secret_is_refused_with_or_without_tls() {
    let authority = Authority::new();
    for base in [Access::default(), tls(authority.good())] {
        let right = base.clone().with_secret(SECRET);
        let wrong = base.clone().with_secret("as long as it has to Be");
        let met = try_out(right.clone(), wrong).await;
        assert_refused(met, "the group secret of the slave is not that of the master");
        assert_refused(try_out(right.clone(), base.clone()).await, "the slave shows no group secret");
        assert_refused(try_out(base, right).await, "the slave has a group secret, the master has none");
    }
}

#[tokio::test]
async fn a_master_of_another_authority_or_another_name_is_refused() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    assert_refused(try_out(tls(theirs.good()), tls(ours.good())).await, "UnknownIssuer");
    let other = ours.issue("other.example", (-1, 30));
    let other = Access::default().with_tls(other, "other.example").unwrap();
    assert_refused(try_out(other, tls(ours.good())).await, "not valid for name");
}

#[tokio::test]
async fn plain_text_and_tls_do_not_mix() {
    let authority = Authority::new();
    let met = try_out(Access::default(), tls(authority.good())).await;
    assert_refused(met, "the master hung up during the TLS handshake: is it without TLS?");
    let met = try_out(tls(authority.good()), Access::default()).await;
    assert_refused(met, "does it want TLS?");
}

#[tokio::test]
async fn plain_text_does_not_leave_the_machine() {
    let mut slave = Node::new(secret(SECRET));
    let mut master = Node::new(secret(SECRET));
    let met = meet(&mut master, &mut slave, "tcp://192.0.2.1:62621").await;
    assert_refused(met, "192.0.2.1 is no loopback address and this node has neither");
    assert_eq!(Access::default().with_plain_text_anywhere().allows([192, 0, 2, 1].into()), Ok(()));
}

/// What a connection to a TLS port with this certificate gets to read after its first words.
async fn intrude(address: &str, config: ClientConfig) -> Result<Vec<u8>, std::io::Error> {
    let stream = TcpStream::connect(address.strip_prefix("tcp://").unwrap()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
    let mut read = vec![0; 64];
    let count = tokio::time::timeout(LIMIT, stream.read(&mut read)).await.expect("an answer in time")?;
    read.truncate(count);
    Ok(read)
}

#[tokio::test]
async fn a_slave_without_a_certificate_or_with_a_bad_one_reads_nothing() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (_master, address) = Node::bound(tls(ours.good())).await;
    let client = || ClientConfig::builder().with_root_certificates(ours.roots());
    let shows = |files: TlsFiles| {
        let (chain, key) = pair(&files);
        client().with_client_auth_cert(chain, key).unwrap()
    };
    // The tap works: a right one hears HTTP/2.
    assert!(!intrude(&address, shows(ours.good())).await.unwrap().is_empty());
    for (config, alert) in [
        (client().with_no_client_auth(), "CertificateRequired"),
        (shows(theirs.good()), "UnknownCA"),
        (shows(ours.expired()), "CertificateExpired"),
    ] {
        let error = intrude(&address, config).await.unwrap_err().to_string();
        assert!(error.contains(alert), "{error}");
    }
}

#[tokio::test]
async fn a_slave_whose_certificate_the_master_does_not_trust_hears_why() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let files = TlsFiles { ca: theirs.path("both.pem"), ..theirs.good() };
    let both = [&ours, &theirs].map(|it| std::fs::read_to_string(it.path("ca.pem")).unwrap()).concat();
    std::fs::write(&files.ca, both).unwrap();
    assert_refused(try_out(tls(ours.good()), tls(files)).await, "UnknownCA");
}

#[tokio::test]
async fn a_master_whose_certificate_has_expired_is_refused() {
    let authority = Authority::new();
    let (chain, key) = pair(&authority.expired());
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        TlsAcceptor::from(Arc::new(config)).accept(stream).await.is_ok()
    });
    let mut nobody = Node::new(Access::default());
    let met = meet(&mut nobody, &mut Node::new(tls(authority.good())), &address).await;
    assert_refused(met, "expired");
    assert!(!served.await.unwrap());
}

#[tokio::test]
async fn bad_files_are_told_at_the_start() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let good = ours.good();
    let told = |files: TlsFiles, name: &str| Access::default().with_tls(files, name).unwrap_err().to_string();
    let mixed = TlsFiles { ca: theirs.path("ca.pem"), ..good.clone() };
    assert!(told(mixed, "127.0.0.1").contains("UnknownIssuer"));
    let mixed = TlsFiles { key: theirs.good().key, ..good.clone() };
    assert!(told(mixed, "127.0.0.1").contains("keys may not be consistent"));
    assert!(told(ours.expired(), "127.0.0.1").contains("expired"));
    assert!(told(good.clone(), "127.0.0.2").contains("not valid for name"));
    let absent = TlsFiles { key: ours.path("absent.key"), ..good.clone() };
    assert!(told(absent, "127.0.0.1").contains("absent.key: "));
    let no_certificate = TlsFiles { certificate: good.key.clone(), ..good };
    assert!(told(no_certificate, "127.0.0.1").contains("no certificate in it"));
}

#[tokio::test]
async fn certificates_are_read_again_when_they_change_and_broken_ones_are_not_taken() {
    let (ours, next) = (Authority::new(), Authority::new());
    let (master_files, slave_files) = (ours.good(), ours.issue("localhost", (-1, 30)));
    let slave_access = Access::default().with_tls(slave_files.clone(), "localhost").unwrap();
    let (mut master, address) = Node::bound(tls(master_files.clone())).await;
    let mut slave = Node::new(slave_access);
    meet(&mut master, &mut slave, &address).await.unwrap();

    std::fs::write(&master_files.key, "not a key").unwrap();
    meet(&mut master, &mut slave, &address).await.expect("the ones before stay");

    // Another authority: with both nodes moved to it they still meet, and whoever stayed is out.
    let moved = |to: &TlsFiles, from: TlsFiles| {
        std::fs::copy(from.certificate, &to.certificate).unwrap();
        std::fs::copy(from.key, &to.key).unwrap();
        to.clone()
    };
    moved(&master_files, next.good());
    std::fs::copy(next.path("ca.pem"), &master_files.ca).unwrap();
    // Both nodes' files name the same ca.pem; the slave's own certificate is still of the old authority: it keeps all.
    assert_refused(meet(&mut master, &mut slave, &address).await, "UnknownIssuer");
    moved(&slave_files, next.issue("localhost", (-1, 30)));
    meet(&mut master, &mut slave, &address).await.unwrap();
}

/// A slave in plain steps, for those that go wrong.
struct Stranger {
    words: mpsc::Sender<proto::SlaveFrame>,
    inbound: Streaming<proto::MasterFrame>,
}

impl Stranger {
    async fn open(address: &str, opening: proto::SlaveFrame) -> Stranger {
        let address = address.replace("tcp://", "http://");
        let mut client = proto::replication_client::ReplicationClient::connect(address).await.unwrap();
        let (words, first) = mpsc::channel(4);
        words.send(opening).await.unwrap();
        let inbound = client.follow(ReceiverStream::new(first)).await.unwrap().into_inner();
        Stranger { words, inbound }
    }

    async fn hears(&mut self) -> Result<proto::master_frame::Frame, Status> {
        let frame = tokio::time::timeout(LIMIT, self.inbound.message()).await.expect("an answer in time");
        Ok(frame?.expect("a frame").frame.unwrap())
    }

    async fn challenge(&mut self) -> Nonce {
        let proto::master_frame::Frame::Challenge(challenge) = self.hears().await.unwrap() else {
            panic!("no challenge")
        };
        Nonce::from_wire(&challenge.nonce).unwrap()
    }
}

#[tokio::test]
async fn a_proof_that_was_good_once_is_never_good_again() {
    let access = secret(SECRET);
    let (mut master, address) = Node::bound(access.clone()).await;
    let slave = access.nonce().unwrap();
    let mut first = Stranger::open(&address, wire::opening_to(Some(slave), None)).await;
    let nonces = Nonces { slave, master: first.challenge().await };
    let frame = wire::hello_to(&hello(), access.prove(Side::Slave, Some(&nonces), &hello()));
    first.words.send(frame.clone()).await.unwrap();
    let proto::master_frame::Frame::Proof(proof) = first.hears().await.unwrap() else { panic!("no proof") };
    assert!(access.is_proven(Side::Master, Some(&nonces), &hello(), &proof.proof));
    assert!(!access.is_proven(Side::Slave, Some(&nonces), &hello(), &proof.proof));
    let Some(PeerEvent::Slave(_, _, _way)) = master.events.recv().await else { panic!("no slave") };

    let mut again = Stranger::open(&address, wire::opening_to(Some(slave), None)).await;
    assert_ne!(again.challenge().await, nonces.master);
    again.words.send(frame).await.unwrap();
    assert_eq!(again.hears().await.unwrap_err().code(), Code::Unauthenticated);
    assert!(master.events.try_recv().is_err());
}

#[tokio::test]
async fn a_proof_covers_the_hello() {
    let access = secret(SECRET);
    let (mut master, address) = Node::bound(access.clone()).await;
    let slave = access.nonce().unwrap();
    let others = [
        Hello { node: "node3".to_owned(), ..hello() },
        Hello { broker: "group2".to_owned(), ..hello() },
        Hello { group_id: None, ..hello() },
        Hello { store: StoreId(3), ..hello() },
        Hello { promised: Promise { epoch: Epoch(2), ..hello().promised }, ..hello() },
        Hello { history: History::new(vec![(Epoch(1), Offset(9))]).unwrap(), ..hello() },
    ];
    for other in others {
        let mut stranger = Stranger::open(&address, wire::opening_to(Some(slave), None)).await;
        let nonces = Nonces { slave, master: stranger.challenge().await };
        let proof = access.prove(Side::Slave, Some(&nonces), &hello());
        stranger.words.send(wire::hello_to(&other, proof)).await.unwrap();
        assert_eq!(stranger.hears().await.unwrap_err().code(), Code::Unauthenticated, "{other:?}");
    }
    assert!(master.events.try_recv().is_err());
}

#[tokio::test]
async fn frames_out_of_order_end_the_stream_before_anything_is_done_about_them() {
    let (mut master, address) = Node::bound(Access::default()).await;
    let mut hello_first = Stranger::open(&address, wire::hello_to(&hello(), Vec::new())).await;
    assert_eq!(hello_first.hears().await.unwrap_err().code(), Code::InvalidArgument);
    let mut twice = Stranger::open(&address, wire::opening_to(None, None)).await;
    twice.hears().await.unwrap();
    twice.words.send(wire::opening_to(None, None)).await.unwrap();
    assert_eq!(twice.hears().await.unwrap_err().code(), Code::InvalidArgument);
    let short = proto::Opening { nonce: Bytes::from_static(b"short"), process: None };
    let short = proto::SlaveFrame { frame: Some(proto::slave_frame::Frame::Opening(short)) };
    let mut short = Stranger::open(&address, short).await;
    assert_eq!(short.hears().await.unwrap_err().code(), Code::InvalidArgument);
    assert!(master.events.try_recv().is_err());
}

/// A master that does not know the secret and does what it can.
#[derive(Clone, Copy)]
enum Pretender {
    /// Throws the slave's proof back.
    Reflects,
    /// Goes on as if nothing had to be proven.
    SendsRecords,
    /// Says that there is no secret.
    AsksNothing,
}

#[tonic::async_trait]
impl proto::replication_server::Replication for Pretender {
    type FollowStream = ReceiverStream<Result<proto::MasterFrame, Status>>;

    async fn follow(
        &self,
        request: Request<Streaming<proto::SlaveFrame>>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let (frames, stream) = mpsc::channel(4);
        let (how, mut inbound) = (*self, request.into_inner());
        tokio::spawn(async move {
            let nonce = match how {
                Pretender::AsksNothing => None,
                _ => secret(SECRET).nonce(),
            };
            frames.send(Ok(wire::challenge_to(nonce))).await.unwrap();
            let mut proof = Bytes::new();
            while let Ok(Some(frame)) = inbound.message().await {
                if let Some(proto::slave_frame::Frame::Hello(hello)) = frame.frame {
                    assert!(!matches!(how, Pretender::AsksNothing), "a hello without a challenge");
                    proof = hello.proof;
                    break;
                }
            }
            let records = proto::Records { at: 0, records: Bytes::from_static(b"false"), commit: 5 };
            let records = proto::MasterFrame { frame: Some(proto::master_frame::Frame::Records(records)) };
            if matches!(how, Pretender::Reflects) {
                let _ = frames.send(Ok(wire::proof_to(proof.to_vec()))).await;
            }
            let _ = frames.send(Ok(records)).await;
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

#[tokio::test]
async fn a_slave_takes_nothing_from_a_master_that_does_not_know_the_secret() {
    for (how, reason) in [
        (Pretender::Reflects, "the master does not know the group secret"),
        (Pretender::SendsRecords, "the master's second frame is no proof"),
        (Pretender::AsksNothing, "the master does not ask for the group secret"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        let service = proto::replication_server::ReplicationServer::new(how);
        let served = tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming);
        let served = tokio::spawn(served);
        let mut nobody = Node::new(Access::default());
        let met = meet(&mut nobody, &mut Node::new(secret(SECRET)), &address).await;
        assert_refused(met, reason);
        served.abort();
    }
}

/// A master's port behind a wire that is listened to: its address, and all bytes that came from the master.
async fn tapped(address: &str) -> (String, Arc<Mutex<Vec<u8>>>) {
    let master = address.strip_prefix("tcp://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tap = format!("tcp://{}", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let out = Arc::clone(&heard);
    tokio::spawn(async move {
        let (slave, _) = listener.accept().await.unwrap();
        let (mut from_slave, mut to_slave) = slave.into_split();
        let (mut from_master, mut to_master) = TcpStream::connect(master).await.unwrap().into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_slave, &mut to_master).await });
        let mut bytes = vec![0; 4096];
        while let Ok(count @ 1..) = from_master.read(&mut bytes).await {
            out.lock().unwrap().extend(&bytes[..count]);
            if to_slave.write_all(&bytes[..count]).await.is_err() {
                break;
            }
        }
    });
    (tap, heard)
}

#[tokio::test]
async fn a_listener_on_the_wire_sees_the_log_without_tls_only_and_the_secret_never() {
    let authority = Authority::new();
    let wrong = secret("another of the same length");
    for (master, slave, seen) in [
        (secret(SECRET), secret(SECRET), true),
        (secret(SECRET), wrong, false),
        (tls(authority.good()), tls(authority.good()), false),
    ] {
        let (mut master, address) = Node::bound(master).await;
        let (address, heard) = tapped(&address).await;
        let _ = meet(&mut master, &mut Node::new(slave), &address).await;
        let heard = heard.lock().unwrap().clone();
        let shows = |what: &[u8]| heard.windows(what.len()).any(|bytes| bytes == what);
        assert!(!heard.is_empty());
        assert_eq!(shows(&master.log), seen);
        assert!(!shows(SECRET.as_bytes()));
    }
}

#[tokio::test]
async fn strangers_who_say_nothing_are_hung_up_and_keep_nobody_out() {
    let authority = Authority::new();
    for access in [Access::default(), tls(authority.good())] {
        let (mut master, address) = Node::bound(access.clone()).await;
        let mut strangers = Vec::new();
        for _ in 0..2 * super::HALF_OPEN_MAX {
            strangers.push(TcpStream::connect(address.strip_prefix("tcp://").unwrap()).await.unwrap());
        }
        meet(&mut master, &mut Node::new(access), &address).await.unwrap();
        for mut stranger in strangers {
            let read = tokio::time::timeout(LIMIT, stream_end(&mut stranger)).await;
            assert!(read.is_ok(), "still connected");
        }
    }
}

async fn stream_end(stream: &mut TcpStream) {
    let mut bytes = [0; 256];
    while let Ok(1..) = stream.read(&mut bytes).await {}
}

#[tokio::test]
async fn a_refusal_stands_in_the_logs_of_both_nodes() {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // With one subscriber alone, a thread of another test that comes first could switch lines off for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let met = try_out(secret(SECRET), secret("another of the same length")).await;
    assert_refused(met, "the group secret of the slave");
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let why = "the group secret of the slave is not that of the master (store.replicated.secret)";
    for who in ["a slave at 127.0.0.1:", "no stream to the master at tcp://127.0.0.1:"] {
        let told = |line: &str| line.contains(" WARN ") && line.contains(who) && line.contains(why);
        assert!(text.lines().any(told), "{text}");
    }
    assert!(!text.contains(SECRET), "{text}");
}

#[tokio::test]
async fn every_tls_port_opens_in_one_process() {
    // Two crypto providers in one build would panic here.
    let _ = (ServerConfig::builder(), ClientConfig::builder());
    assert!(rustls::crypto::CryptoProvider::get_default().is_some());
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let authority = Authority::new();
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::bound(tls(authority.good())).await);
    }
    let mut slave = Node::new(tls(authority.good()));
    for (master, address) in &mut nodes {
        meet(master, &mut slave, address).await.unwrap();
    }
}
