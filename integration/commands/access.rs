//! Who is let in, and what each may do: the shipped node, asked by a client that shows anything.

use std::io::Write;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{quorate, told, well};
use crate::harness::lone::Lone;

/// Longer than the longest delay after failed logins.
const PATIENCE: Duration = Duration::from_secs(30);
/// Every user's password.
const PASSWORD: &str = "right one";

/// A client over any stream, CONNECTED or not.
pub(super) struct Client<S>(pub(super) S);

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Says something; the next frame, or what was said before the end.
    pub(super) async fn ask(&mut self, frame: &str) -> String {
        // What is not read is answered all the same.
        let _ = self.0.write_all(format!("{frame}\0").as_bytes()).await;
        self.hear().await
    }

    pub(super) async fn hear(&mut self) -> String {
        let mut heard = Vec::new();
        let reading = async {
            while let Ok(byte) = self.0.read_u8().await {
                match byte {
                    0 => break,
                    b'\n' if heard.is_empty() => {}
                    byte => heard.push(byte),
                }
            }
        };
        timeout(PATIENCE, reading).await.expect("no answer");
        String::from_utf8_lossy(&heard).into_owned()
    }
}

/// The first frame of a client that shows these headers.
fn connect(headers: &str) -> String {
    format!("CONNECT\naccept-version:1.2\nhost:localhost\n{headers}\n")
}

async fn open(address: SocketAddr) -> Client<TcpStream> {
    Client(TcpStream::connect(address).await.unwrap())
}

async fn login(address: SocketAddr, user: &str) -> Client<TcpStream> {
    let mut client = open(address).await;
    let answer = client.ask(&connect(&format!("login:{user}\npasscode:{PASSWORD}\n"))).await;
    assert!(answer.starts_with("CONNECTED"), "{user}: {answer}");
    client
}

/// What `quorate user hash` prints for a password.
fn hash(password: &str) -> String {
    let mut child = quorate(&["user", "hash"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    well(&child.wait_with_output().unwrap()).trim().to_owned()
}

fn user(name: &str, hash: &str, groups: &str) -> String {
    format!("[[users]]\nname = \"{name}\"\npassword = \"{hash}\"\ngroups = [{groups}]\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_right_or_gets_one_answer_whatever_is_wrong() {
    let bcrypt = bcrypt::hash(PASSWORD, 4).unwrap().replace("$2b$", "$2y$");
    let lone = Lone::configured("", &(user("one", &hash(PASSWORD), "") + &user("two", &bcrypt, ""))).await;
    let long = "x".repeat(4000);
    let wrong = "User name or password is invalid";
    let missing = "User name and password are required";
    let cases = [
        (format!("login:one\npasscode:{PASSWORD}\n"), "CONNECTED"),
        (format!("login:two\npasscode:{PASSWORD}\n"), "CONNECTED"),
        ("login:one\npasscode:wrong\n".to_owned(), wrong),
        ("login:two\npasscode:wrong\n".to_owned(), wrong),
        (format!("login:nobody\npasscode:{PASSWORD}\n"), wrong),
        (format!("login:ONE\npasscode:{PASSWORD}\n"), wrong),
        ("login:one\n".to_owned(), wrong),
        ("login:one\npasscode:\n".to_owned(), wrong),
        (format!("passcode:{PASSWORD}\n"), wrong),
        (format!("login:one\npasscode:{long}\n"), wrong),
        (format!("login:{long}\npasscode:{PASSWORD}\n"), wrong),
        (String::new(), missing),
        ("login:\npasscode:\n".to_owned(), missing),
    ];
    // All at once: failures delay those that come after them.
    let asks = cases.map(|(headers, expected)| {
        let address = lone.stomp();
        tokio::spawn(async move { (open(address).await.ask(&connect(&headers)).await, headers, expected) })
    });
    for ask in asks {
        let (answer, headers, expected) = ask.await.unwrap();
        let right = if expected == "CONNECTED" {
            answer.starts_with(expected)
        } else {
            answer.starts_with("ERROR") && answer.contains(expected)
        };
        assert!(right, "{headers:?}: {answer}");
        assert!(!answer.contains("nobody") && !answer.contains(&long), "it tells what was wrong: {answer}");
    }
    // In STOMP a null byte ends the frame, in the middle of its headers or before what follows it.
    let null = open(lone.stomp()).await.ask(&connect(&format!("login:one\0x\npasscode:{PASSWORD}\n"))).await;
    assert!(!null.starts_with("CONNECTED"), "{null}");
    // What was right before is not delayed by all that.
    login(lone.stomp(), "one").await;
    let log = lone.log();
    assert!(!log.contains(PASSWORD) && !log.contains("$argon2") && !log.contains("$2y$"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_needs_its_right_and_a_refusal_names_verb_and_destination() {
    let hash = hash(PASSWORD);
    let users = [
        ("reader", "\"readers\""),
        ("writer", "\"writers\""),
        ("owner", "\"writers\", \"admins\""),
        ("nobody", ""),
    ]
    .map(|(name, groups)| user(name, &hash, groups))
    .concat();
    let rights = "[[rights]]\nqueue = \"A.>\"\nread = [\"readers\"]\nwrite = [\"writers\"]\nadmin = [\"admins\"]\n\
                  [[rights]]\ntopic = \"T\"\nread = [\"*\"]\n";
    let lone = Lone::configured("", &(users + rights)).await;
    let send = |to: &str| format!("SEND\ndestination:{to}\nreceipt:r\n\nbody");
    let subscribe = |to: &str| format!("SUBSCRIBE\nid:1\ndestination:{to}\nreceipt:r\n\n");
    let refused = |verb: &str, on: &str| format!("is not authorized to {verb}: {on}");
    for (user, frame, refusal) in [
        // A first send makes the queue, a second one finds it.
        ("writer", send("/queue/A.1"), Some(refused("create", "queue://A.1"))),
        ("owner", send("/queue/A.1"), None),
        ("writer", send("/queue/A.1"), None),
        ("owner", subscribe("/queue/A.1"), Some(refused("read from", "queue://A.1"))),
        ("writer", send("/queue/B"), Some(refused("write to", "queue://B"))),
        ("writer", send("/queue/A.1,/queue/B"), Some(refused("write to", "queue://B"))),
        ("writer", send("/topic/T"), Some(refused("write to", "topic://T"))),
        ("reader", send("/queue/A.1"), Some(refused("write to", "queue://A.1"))),
        ("reader", subscribe("/queue/A.1"), None),
        ("reader", subscribe("/queue/A.2"), Some(refused("create", "queue://A.2"))),
        ("reader", subscribe("/queue/A.>"), None),
        ("reader", subscribe("/queue/*.1"), Some(refused("read from", "queue://*.1"))),
        ("reader", subscribe("/queue/>"), Some(refused("read from", "queue://>"))),
        ("nobody", subscribe("/queue/A.1"), Some(refused("read from", "queue://A.1"))),
        (
            "nobody",
            "SUBSCRIBE\nid:1\nbrowser:true\ndestination:/queue/A.1\n\n".to_owned(),
            Some(refused("read from", "queue://A.1")),
        ),
        ("nobody", send("/queue/A.1"), Some(refused("write to", "queue://A.1"))),
        ("nobody", subscribe("/temp-queue/mine"), None),
        (
            "nobody",
            send("/topic/ActiveMQ.Advisory.Connection"),
            Some(refused("write to", "topic://ActiveMQ.Advisory.Connection")),
        ),
    ] {
        let answer = login(lone.stomp(), user).await.ask(&frame).await;
        match &refusal {
            None => assert!(
                answer.starts_with("RECEIPT") || answer.starts_with("MESSAGE"),
                "{user} {frame}: {answer}"
            ),
            Some(refusal) => {
                let refusal = format!("User {user} {refusal}");
                // What stands in a header is escaped.
                let told = answer.starts_with("ERROR") && answer.replace("\\c", ":").contains(&refusal);
                assert!(told, "{user} {frame}: {answer}");
            }
        }
    }
    let mut writer = login(lone.stomp(), "writer").await;
    writer
        .0
        .write_all(b"BEGIN\ntransaction:t\n\n\0SEND\ntransaction:t\ndestination:/queue/A.1\n\nnever\0")
        .await
        .unwrap();
    writer.0.write_all(b"SEND\ntransaction:t\ndestination:/queue/B\n\nnever\0").await.unwrap();
    let answer = writer.ask("COMMIT\ntransaction:t\nreceipt:r\n\n").await;
    assert!(answer.starts_with("ERROR") && answer.contains("queue") && answer.contains("B"), "{answer}");
    explained(&lone);
}

/// `access check` says the same as the broker, with the line that decides.
fn explained(lone: &Lone) {
    let config = lone.directory().join("quorate.toml");
    let config = config.to_str().unwrap();
    let text = std::fs::read_to_string(config).unwrap();
    let line = text.lines().position(|line| line == "[[rights]]").unwrap() + 1;
    let check = |words: [&str; 3]| {
        quorate(&["access", "check", words[0], words[1], words[2], "--config", config]).output().unwrap()
    };
    let allowed = well(&check(["writer", "write", "queue://A.1"]));
    assert_eq!(allowed, format!("allowed: {config}:{line} allows it to the group \"writers\"\n"));
    let denied = well(&check(["reader", "write", "queue://A.1"]));
    assert!(
        denied.starts_with(&format!("denied: {config}:{line} allows write to [\"writers\"]")),
        "{denied}"
    );
    assert!(well(&check(["nobody", "read", "queue://B"])).starts_with("denied: no [[rights]]"));
    assert!(well(&check(["nobody", "admin", "temp-queue://x"])).starts_with("allowed: temporary"));
    assert!(told(&check(["stranger", "read", "queue://B"])).contains("there is no user"));
}
