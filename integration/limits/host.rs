//! What a host may lack, and how a broker goes on: a reader of its log, descriptors, room, a whole log.

use std::fs::{self, File};
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tokio::time::timeout;

use crate::harness::cluster::binary;
use crate::harness::guest::Guest;
use crate::harness::stomp::{Connection, Frame};
use crate::harness::{eventually, http};

const LIMIT: Duration = Duration::from_secs(30);
/// Bytes that a pipe holds.
const PIPE_BYTES: usize = 64 << 10;
/// How long a held send is looked at: it must not be answered.
const LOOK: Duration = Duration::from_secs(2);

fn send(queue: &str, body: &[u8]) -> Frame {
    Frame::new("SEND", &[("destination", queue), ("persistent", "true")]).with_body(body)
}

/// Has the broker log something: a client too many is refused with a warning.
async fn make_it_log(guest: &Guest) {
    let one = Connection::open(guest.stomp()).await.unwrap();
    let two = Connection::open(guest.stomp()).await.unwrap();
    assert!(Connection::open(guest.stomp()).await.is_err());
    drop((one, two));
}

/// Stores a message when the broker has noticed that others are gone.
async fn stores(guest: &Guest) {
    eventually("a message is stored", LIMIT, || async {
        let mut client = Connection::open(guest.stomp()).await.ok()?;
        client.request(send("/queue/a", b"x"), "stored").await.ok()
    })
    .await;
}

/// A pipe that is full and not read.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(&vec![b'.'; PIPE_BYTES]).unwrap();
    (reader, writer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_costs_its_lines_only() {
    let (gone, stuck) = (pipe().unwrap(), full_pipe());
    let gone_writer = gone.1;
    // The reader of the first one is gone from the start.
    drop(gone.0);
    let full = || File::options().write(true).open("/dev/full").unwrap().into();
    let outputs: [(&str, &dyn Fn() -> Stdio); 3] = [
        ("its reader is gone", &|| gone_writer.try_clone().unwrap().into()),
        ("its disk is full", &full),
        ("nobody reads it", &|| stuck.1.try_clone().unwrap().into()),
    ];
    for (what, output) in outputs {
        let mut guest = Guest::new("?maximumConnections=2", "");
        guest.start(&[], output);
        guest.serves().await;
        make_it_log(&guest).await;
        stores(&guest).await;
        assert!(http::get(guest.console(), "/api/v1/broker").is_some(), "{what}");
        guest.terminate();
        assert_eq!(guest.ended().await, Some(0), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn last_words_that_nobody_reads_hold_up_no_end() {
    let stuck = full_pipe();
    let mut guest = Guest::new("", "[log]\nlevel = \"wrong\"\n");
    guest.start(&[], || stuck.1.try_clone().unwrap().into());
    assert_eq!(guest.ended().await, Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_a_broker_that_still_opens_its_store() {
    let mut guest = Guest::new("", "");
    let directory = guest.directory().join("data/local/log");
    fs::create_dir_all(&directory).unwrap();
    let lock = File::create(directory.join("lock")).unwrap();
    lock.lock().unwrap();
    let log = File::create(guest.directory().join("log")).unwrap();
    guest.start(&[], || log.try_clone().unwrap().into());
    let files = format!("/proc/{}/fd", guest.pid());
    eventually("the broker waits for its store", LIMIT, || async {
        let mut links = fs::read_dir(&files).ok()?.filter_map(|it| fs::read_link(it.ok()?.path()).ok());
        links.find(|link| link.ends_with("local/log/lock"))
    })
    .await;
    guest.terminate();
    assert_eq!(guest.ended().await, Some(0), "{}", guest.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_128_descriptors_64_clients_are_served_and_storing_goes_on() {
    let mut guest = Guest::new("", "[store.local]\nlog_size = \"2 MiB\"\n");
    guest.serve(&["prlimit", "--nofile=128:128"]).await;
    let mut clients = Vec::new();
    for _ in 0..64 {
        clients.push(Connection::any(&[guest.stomp()]).await);
    }
    // Newcomers are refused, or wait; nobody else is harmed.
    for _ in 0..100 {
        clients.extend(
            timeout(Duration::from_millis(100), Connection::open(guest.stomp())).await.into_iter().flatten(),
        );
    }
    assert!(clients.len() < 100, "{} clients", clients.len());
    let body = vec![b'x'; 256 << 10];
    for (round, client) in clients.iter_mut().take(64).enumerate() {
        client.request(send("/queue/a", &body), &format!("r{round}")).await.unwrap();
    }
    assert!(http::get(guest.console(), "/api/v1/broker").is_some());
    let log = guest.log();
    assert!(log.contains("may open fewer files") && !log.contains("waits for a descriptor"), "{log}");
    guest.terminate();
    assert_eq!(guest.ended().await, Some(0));
}

fn store(verb: &str, guest: &Guest, more: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(["store", verb]).arg(guest.directory().join("data/local")).args(more).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_broker_with_a_damaged_log_is_repaired_by_its_operator() {
    let mut guest = Guest::new("", "");
    guest.serve(&[]).await;
    let mut client = Connection::open(guest.stomp()).await.unwrap();
    for number in 0..20 {
        client.request(send("/queue/a", &[b'x'; 1000]), &format!("r{number}")).await.unwrap();
    }
    guest.terminate();
    assert_eq!(guest.ended().await, Some(0));
    assert_eq!(store("verify", &guest, &[]).status.code(), Some(0));
    let segment = guest.directory().join("data/local/log/00000000000000000000.log");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[4096 + 12_000] ^= 1;
    fs::write(&segment, &bytes).unwrap();

    let log = File::create(guest.directory().join("log")).unwrap();
    guest.start(&[], || log.try_clone().unwrap().into());
    assert_eq!(guest.ended().await, Some(5));
    assert!(guest.log().contains("quorate store repair"), "{}", guest.log());
    assert_eq!(store("verify", &guest, &[]).status.code(), Some(5));
    let said = String::from_utf8(store("repair", &guest, &[]).stdout).unwrap();
    assert!(said.contains("LOST") && said.contains("--force"), "{said}");
    assert!(fs::read(&segment).unwrap() == bytes, "nothing is done without --force");
    assert_eq!(store("repair", &guest, &["--force"]).status.code(), Some(0));
    assert_eq!(store("verify", &guest, &[]).status.code(), Some(0));
    guest.serve(&[]).await;
    stores(&guest).await;
}

/// A volume of so many MiB in the place of the broker's data; gone when dropped.
struct Volume(std::path::PathBuf);

impl Volume {
    fn mount(guest: &Guest, mib: u64) -> Volume {
        let place = guest.directory().join("data");
        fs::create_dir_all(&place).unwrap();
        let size = format!("size={mib}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "quorate"]).arg(&place).status();
        assert!(mounted.is_ok_and(|status| status.success()), "mount (as root)");
        Volume(place)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: the broker may still be ending.
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_volume_stores_messages_fills_up_and_drains() {
    for (mib, stored_min) in [(64, 8), (200, 80)] {
        let mut guest = Guest::new("", "");
        let _volume = Volume::mount(&guest, mib);
        guest.serve(&[]).await;
        let mut client = Connection::open(guest.stomp()).await.unwrap();
        let body = vec![b'x'; 1 << 20];
        let mut stored = 0;
        while stored < mib
            && let Ok(answer) =
                timeout(LOOK, client.request(send("/queue/a", &body), &format!("r{stored}"))).await
        {
            answer.unwrap();
            stored += 1;
        }
        assert!((stored_min..mib).contains(&stored), "{stored} of {mib} MiB were stored");
        let mut consumer = Connection::open(guest.stomp()).await.unwrap();
        let subscribe = [("destination", "/queue/a"), ("id", "1"), ("ack", "client-individual")];
        consumer.writer.send(&Frame::new("SUBSCRIBE", &subscribe)).await.unwrap();
        for _ in 0..stored {
            let message = timeout(LIMIT, consumer.reader.frame()).await.unwrap().unwrap();
            let ack = message.header("ack").unwrap().to_owned();
            consumer.writer.send(&Frame::new("ACK", &[("id", &ack)])).await.unwrap();
        }
        // The one that was held is answered now, and others too.
        let mut other = Connection::open(guest.stomp()).await.unwrap();
        timeout(LIMIT, other.request(send("/queue/b", &body), "again")).await.unwrap().unwrap();
        drop(other);
        guest.terminate();
        assert_eq!(guest.ended().await, Some(0));
    }
}
