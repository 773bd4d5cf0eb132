//! Non-persistent messages that memory has no room for: files take them, in order, up to a limit, and leave nothing behind.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use crate::harness::lone::Lone;
use crate::harness::publish;
use crate::harness::stomp::{Connection, Frame};

const LIMIT: Duration = Duration::from_secs(60);
/// How long a held send is looked at: it must not be answered.
const LOOK: Duration = Duration::from_secs(1);
const BODY_BYTES: usize = 1024;
/// Sends between two receipts.
const BATCH: u64 = 1000;
const USAGE: &str = "[system_usage]\nmemory = \"32 MiB\"\ntemp = \"160 MiB\"\n";
/// More than memory takes, less than the files.
const FITS: u64 = 150_000;

/// Files of spilled messages, and their bytes.
fn files(directory: &Path) -> (usize, u64) {
    let (mut count, mut bytes) = (0, 0);
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            let (more, larger) = files(&path);
            (count, bytes) = (count + more, bytes + larger);
        } else if path.extension().is_some_and(|it| it == "spill") {
            (count, bytes) = (count + 1, bytes + entry.metadata().map_or(0, |it| it.len()));
        }
    }
    (count, bytes)
}

fn message(number: u64) -> Frame {
    let body = format!("{number:0width$}", width = BODY_BYTES);
    Frame::new("SEND", &[("destination", "/queue/fleeting")]).with_body(body.as_bytes())
}

/// Sends numbers from `from` on, each thousand confirmed, until one has no answer or `until` is reached; gives the first
/// number that was not sent.
async fn send(connection: &mut Connection, from: u64, until: u64) -> u64 {
    for number in from..until {
        if number % BATCH != BATCH - 1 {
            // What the broker does not read waits in the socket, and then here.
            let sent = timeout(LOOK, connection.writer.send(&message(number))).await;
            if sent.is_err() {
                return number;
            }
            sent.unwrap().unwrap();
        } else if timeout(LOOK, connection.request(message(number), "so far")).await.is_err() {
            return number + 1;
        }
    }
    until
}

/// Takes so many, which come in order.
async fn take(lone: &Lone, count: u64) {
    let mut connection = Connection::open(lone.stomp()).await.unwrap();
    let headers = [
        ("id", "1"),
        ("destination", "/queue/fleeting"),
        ("ack", "client"),
        ("activemq.prefetchSize", "2000"),
    ];
    connection.writer.send(&Frame::new("SUBSCRIBE", &headers)).await.unwrap();
    for number in 0..count {
        let frame = timeout(LIMIT, connection.reader.frame()).await;
        let frame = frame.unwrap_or_else(|_| panic!("{number} of {count} came")).unwrap();
        assert_eq!(frame.body, message(number).body);
        if number % BATCH == BATCH - 1 || number + 1 == count {
            let ack = Frame::new("ACK", &[("id", frame.header("ack").unwrap())]);
            connection.writer.send(&ack).await.unwrap();
        }
    }
    connection.request(Frame::new("DISCONNECT", &[]), "bye").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_memory_has_no_room_for_goes_to_files_and_comes_back_in_order() {
    let mut lone = Lone::configured("", USAGE).await;
    let mut connection = Connection::open(lone.stomp()).await.unwrap();
    assert_eq!(send(&mut connection, 0, FITS).await, FITS, "no sender waits");
    let (count, bytes) = files(lone.directory());
    let resident = lone.memory_kib("VmHWM:") / 1024;
    publish(&format!(
        "{FITS} non-persistent messages of 1 KiB with 32 MiB of memory: {count} files of {} MiB, {resident} MiB resident \
         at most",
        bytes >> 20
    ));
    assert!(bytes > 100 << 20, "{bytes} bytes in files");
    assert!(resident < 96, "{resident} MiB");
    take(&lone, FITS).await;
    assert_eq!(files(lone.directory()).0, 0);
    // What an earlier process has left goes at the start.
    assert_eq!(send(&mut connection, 0, FITS / 2).await, FITS / 2);
    assert!(files(lone.directory()).0 > 0);
    lone.kill_and_start().await;
    assert_eq!(files(lone.directory()).0, 0);
    let mut connection = Connection::open(lone.stomp()).await.unwrap();
    assert_eq!(send(&mut connection, 0, BATCH).await, BATCH);
    take(&lone, BATCH).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_limit_of_temporary_space_senders_wait_and_others_go_on() {
    let lone = Lone::configured("", USAGE).await;
    let mut connection = Connection::open(lone.stomp()).await.unwrap();
    let held = send(&mut connection, 0, 4 * FITS).await;
    let (_, bytes) = files(lone.directory());
    assert!(held < 2 * FITS, "{held} were taken");
    assert!((150..=170).contains(&(bytes >> 20)), "{bytes} bytes in files");
    let mut other = Connection::open(lone.stomp()).await.unwrap();
    let stored = Frame::new("SEND", &[("destination", "/queue/stored"), ("persistent", "true")]);
    timeout(LIMIT, other.request(stored, "stored")).await.expect("others go on").unwrap();
    // All that was written, but a frame of which only a part was.
    let whole = held - held % BATCH;
    take(&lone, whole).await;
    assert_eq!(files(lone.directory()).0, 0);
}
