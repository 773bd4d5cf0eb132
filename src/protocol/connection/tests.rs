//! The connection by itself: a protocol of lines over a transport that is no socket.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::broker::{
    BrokerNames, Command, Correlation, Credentials, Gate, Inbound, NotOpened, SessionEvent, SubscriptionKey,
};
use crate::config::ConnectionOptions;
use crate::env::SystemClock;
use crate::protocol::Output;
use crate::protocol::half_open::Admission;

use super::adapter::{Adapter, Fault, Handshake, Rhythm};
use super::end::End;
use super::input::Input;
use super::intake::Intake;
use super::serve::{Shared, serve};
use super::transport::{Receive, Transport};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

impl Receive for ReadHalf<DuplexStream> {
    async fn readable(&self) -> std::io::Result<()> {
        Ok(())
    }

    async fn failed(&self) {
        std::future::pending().await
    }
}

fn line(arrived: &mut BytesMut) -> Option<String> {
    let end = arrived.iter().position(|byte| *byte == b'\n')?;
    let line = String::from_utf8_lossy(&arrived.split_to(end)).into_owned();
    arrived.advance(1);
    Some(line)
}

/// Asks for a name.
struct Porter {
    asked: bool,
}

impl Handshake for Porter {
    type Adapter = Lines;

    const NAME: &'static str = "lines";

    fn new(_: ConnectionOptions, _: usize) -> Porter {
        Porter { asked: false }
    }

    fn greet(&mut self, arrived: &mut BytesMut, output: &mut Output) -> Result<Option<Credentials>, Fault> {
        let Some(line) = line(arrived) else { return Ok(None) };
        if self.asked {
            return Ok(Some(Credentials { client_id: line, ..Credentials::default() }));
        }
        if line != "hello" {
            output.put(b"what?\n");
            return Err(Fault("no greeting".to_owned()));
        }
        self.asked = true;
        output.put(b"name?\n");
        Ok(None)
    }

    fn welcome(self, _: &str, _: &BrokerNames, output: &mut Output) -> Lines {
        output.put(b"welcome\n");
        Lines { leaving: false }
    }

    fn refuse(self, why: &NotOpened, output: &mut Output) -> Fault {
        let reason = why.to_string();
        output.put(reason.as_bytes());
        output.put_byte(b'\n');
        Fault(reason)
    }
}

/// Each line is a command.
struct Lines {
    leaving: bool,
}

impl Adapter for Lines {
    fn rhythm(&self) -> Rhythm {
        Rhythm { speaks_every: Some(Duration::from_millis(50)), silence_max: None }
    }

    fn announced(&self, arrived: &BytesMut) -> usize {
        arrived.len()
    }

    fn may_read(&self) -> bool {
        !self.leaving
    }

    fn take(
        &mut self,
        arrived: &mut BytesMut,
        _: i64,
        commands: &mut Vec<Command>,
        output: &mut Output,
    ) -> Result<bool, Fault> {
        match line(arrived).as_deref() {
            None => return Ok(false),
            Some("bye") => self.leaving = true,
            Some("nonsense") => return Err(self.fault("nonsense", output)),
            Some(_) => commands.push(Command::Leave { correlation: Some(Correlation(1)) }),
        }
        Ok(true)
    }

    fn tell(&mut self, _: SessionEvent, output: &mut Output) -> Result<(), Fault> {
        output.put(b"done\n");
        Ok(())
    }

    fn written(&mut self) -> Option<Command> {
        None
    }

    fn beat(&mut self, output: &mut Output) {
        output.put(b"beat\n");
    }

    fn farewell(&mut self, output: &mut Output) -> bool {
        if self.leaving {
            output.put(b"goodbye\n");
        }
        self.leaving
    }

    fn fault(&mut self, reason: &str, output: &mut Output) -> Fault {
        output.put(reason.as_bytes());
        output.put_byte(b'\n');
        Fault(reason.to_owned())
    }
}

/// A client's end of a connection that is served.
fn connect(gate: &Gate) -> BufReader<DuplexStream> {
    let (ours, theirs) = tokio::io::duplex(1024);
    let (reader, writer) = tokio::io::split(theirs);
    let shared = Shared {
        gate: gate.clone(),
        clock: Arc::new(SystemClock::new()),
        body_bytes_max: 1000,
        options: ConnectionOptions::default(),
        admission: Admission::default(),
        certificate: None,
    };
    tokio::spawn(serve::<Porter>(Transport { reader, writer }, "duplex".to_owned(), shared));
    BufReader::new(ours)
}

/// Says something, and hears what is said next that is no sign of life; nothing at the end.
async fn talk(client: &mut BufReader<DuplexStream>, words: &str) -> String {
    client.write_all(words.as_bytes()).await.unwrap();
    let mut heard = "beat\n".to_owned();
    while heard == "beat\n" {
        heard.clear();
        timeout(PATIENCE, client.read_line(&mut heard)).await.expect("nothing was said").unwrap();
    }
    heard
}

#[tokio::test]
async fn another_protocol_over_another_transport_goes_from_its_handshake_to_its_farewell() {
    let (gate, mut inbound) = Gate::bounded(usize::MAX);
    let core = tokio::spawn(async move {
        let mut way = None;
        while let Some(inbound) = inbound.recv().await {
            match inbound {
                Inbound::Open { events, .. } => way = Some(events),
                Inbound::Commands { submission, .. } => {
                    for _ in submission.commands {
                        let done = SessionEvent::BrowseEnd { subscription: SubscriptionKey(1) };
                        way.as_ref().unwrap().send(vec![done]).unwrap();
                    }
                }
                Inbound::Close { .. } => return,
                Inbound::Drained { .. } => {}
            }
        }
    });
    let mut client = connect(&gate);
    client.write_all(b"hel").await.unwrap();
    assert_eq!(talk(&mut client, "lo\n").await, "name?\n");
    assert_eq!(talk(&mut client, "me\n").await, "welcome\n");
    let mut second = connect(&gate);
    assert_eq!(talk(&mut second, "hello\n").await, "name?\n");
    assert!(talk(&mut second, "me\n").await.contains("in use"));
    assert_eq!(talk(&mut client, "do\n").await, "done\n");
    let mut sign = String::new();
    timeout(PATIENCE, client.read_line(&mut sign)).await.expect("a sign of life").unwrap();
    assert_eq!(sign, "beat\n");
    assert_eq!(talk(&mut client, "bye\n").await, "goodbye\n");
    assert_eq!(talk(&mut client, "").await, "");
    timeout(PATIENCE, core).await.expect("its session is over").unwrap();
}

#[tokio::test]
async fn what_is_no_greeting_and_what_is_no_word_ends_with_last_words() {
    let (gate, _inbound) = Gate::bounded(usize::MAX);
    let mut stranger = connect(&gate);
    assert_eq!(talk(&mut stranger, "GET\n").await, "what?\n");
    assert_eq!(talk(&mut stranger, "").await, "");
    let mut client = connect(&gate);
    assert_eq!(talk(&mut client, "hello\n").await, "name?\n");
    assert_eq!(talk(&mut client, "me\nnonsense\n").await, "welcome\n");
    assert_eq!(talk(&mut client, "").await, "nonsense\n");
    assert_eq!(talk(&mut client, "").await, "");
}

#[tokio::test]
async fn a_reset_is_noticed_while_nothing_is_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let (gate, _inbound) = Gate::bounded(usize::MAX);
    let (mut reader, _) = stream.split();
    let (mut intake, mut input) = (Intake::new(gate.frames()), Input::new());
    let mut adapter = Lines { leaving: false };
    let never = std::future::pending();
    let arrival = intake.arrival(never, &mut adapter, &mut input, &mut reader, false);
    tokio::pin!(arrival);
    assert!(futures::poll!(&mut arrival).is_pending());
    rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
    drop(client);
    let arrived = timeout(PATIENCE, arrival).await.expect("nobody noticed");
    assert!(matches!(arrived, Err(End::Gone)), "{arrived:?}");
}
