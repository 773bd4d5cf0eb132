//! What hostile clients do on a connection. Nothing waits for an answer, so that a sink gets as much
//! as a broker.

use std::io::Result;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::frames::{self, Chance, NAMES_MAX, PLACES};

/// How long a write may take before the visitor gives up.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of receive buffer of those that do not read.
const SMALL_BUFFER: u32 = 4096;

/// One connection, from its first byte to its end.
pub(super) async fn visit(to: SocketAddr, chance: &mut Chance) -> Result<()> {
    let kind = chance.below(KINDS);
    let socket = TcpSocket::new_v4()?;
    if kind.is_multiple_of(3) {
        socket.set_recv_buffer_size(SMALL_BUFFER)?;
    }
    let mut stream = timeout(PATIENCE, socket.connect(to)).await??;
    let known = !matches!(kind, 0..=2);
    if known {
        let version = chance.of(&["1.0", "1.1", "1.2", "1.2"]);
        write(&mut stream, format!("CONNECT\naccept-version:{version}\nhost:h\n\n\0").as_bytes()).await?;
    }
    behave(&mut stream, kind, chance).await?;
    match chance.below(4) {
        // Without a word, with a reset, or after a while in which nothing is read.
        0 => stream.set_zero_linger()?,
        1 => sleep(chance.ms(2000)).await,
        2 => write(&mut stream, b"DISCONNECT\nreceipt:bye\n\n\0").await?,
        _ => {}
    }
    Ok(())
}

const KINDS: u64 = 16;

async fn behave(stream: &mut TcpStream, kind: u64, chance: &mut Chance) -> Result<()> {
    match kind {
        0 => write(stream, &frames::garbage(chance)).await,
        1 => trickle(stream, chance).await,
        2 => {
            sleep(chance.ms(3000)).await;
            Ok(())
        }
        3 => write(stream, &frames::sends(chance, 1)).await,
        4 => flood(stream, chance).await,
        5 => write(stream, &frames::head(chance)).await,
        6 => write(stream, &frames::composite(chance)).await,
        7 => write(stream, &frames::transaction(chance)).await,
        8 => unread(stream, chance, "client", false).await,
        9 => unread(stream, chance, "client", true).await,
        10 => write(stream, &frames::nonsense(chance)).await,
        11 => begin_a_frame(stream, chance).await,
        12 => write(stream, &frames::many_names(chance)).await,
        13 => refuse(stream, chance).await,
        _ => drain(stream, chance).await,
    }
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> Result<()> {
    timeout(PATIENCE, stream.write_all(bytes)).await?
}

/// A byte now and then.
async fn trickle(stream: &mut TcpStream, chance: &mut Chance) -> Result<()> {
    for byte in b"CONNECT\naccept-version:1.2\nhost:h\n\n\0SEND\n" {
        write(stream, &[*byte]).await?;
        sleep(chance.ms(60)).await;
    }
    Ok(())
}

/// Much, of tiny frames or of large ones.
async fn flood(stream: &mut TcpStream, chance: &mut Chance) -> Result<()> {
    let (count, bits) = chance.of(&[(2000, 3), (200, 12), (10, 21)]);
    for _ in 0..count {
        let (place, body) = (chance.place(), chance.size(bits));
        write(stream, &frames::send(chance, &place, body, "")).await?;
    }
    Ok(())
}

/// Subscribes and does not read for a while.
async fn unread(stream: &mut TcpStream, chance: &mut Chance, ack: &str, browser: bool) -> Result<()> {
    for _ in 0..chance.size(4) + 1 {
        write(stream, frames::subscription(chance, ack, browser).as_bytes()).await?;
    }
    sleep(chance.ms(6000)).await;
    Ok(())
}

/// A large frame that stops half way.
async fn begin_a_frame(stream: &mut TcpStream, chance: &mut Chance) -> Result<()> {
    let announced = chance.of(&[100_000, 10 << 20, 99 << 20]);
    let place = chance.place();
    write(stream, format!("SEND\ndestination:{place}\ncontent-length:{announced}\n\n").as_bytes()).await?;
    let part = vec![b'p'; chance.size(22)];
    write(stream, &part).await?;
    sleep(chance.ms(4000)).await;
    Ok(())
}

/// Reads for a while; gives what came.
async fn read(stream: &mut TcpStream, time: Duration) -> Vec<u8> {
    let mut heard = Vec::new();
    let until = async {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut bytes).await {
            heard.extend_from_slice(&bytes[..count]);
            heard.drain(..heard.len().saturating_sub(1 << 20));
        }
    };
    timeout(time, until).await.ok();
    heard
}

/// Refuses what it is given, so that it goes to the dead-letter queue.
async fn refuse(stream: &mut TcpStream, chance: &mut Chance) -> Result<()> {
    write(stream, frames::subscription(chance, "client-individual", false).as_bytes()).await?;
    let heard = read(stream, Duration::from_millis(300)).await;
    let mut answers = Vec::new();
    for line in heard.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"ack:")).take(100) {
        answers.extend([&b"NACK\nid:"[..], line, b"\n\n\0"].concat());
    }
    write(stream, &answers).await
}

/// Takes all that it is given, so that what the others sent does not fill the disks.
async fn drain(stream: &mut TcpStream, chance: &mut Chance) -> Result<()> {
    let mut frames = "SUBSCRIBE\nid:d\ndestination:/queue/ActiveMQ.DLQ\n\n\0".to_owned();
    let others: Vec<u64> = (0..40).map(|_| PLACES + chance.below(NAMES_MAX - PLACES)).collect();
    for (id, queue) in (0..PLACES).chain(others).enumerate() {
        frames += &format!("SUBSCRIBE\nid:{id}\ndestination:/queue/hostile.{queue}\n\n\0");
    }
    write(stream, frames.as_bytes()).await?;
    read(stream, Duration::from_secs(1) + chance.ms(4000)).await;
    Ok(())
}
