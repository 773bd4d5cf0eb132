//! What is said on a stream before it stands, and who hears it.

use super::*;

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
        for _ in 0..2 * super::super::HALF_OPEN_MAX {
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
