//! One STOMP connection: a socket, a codec, an adapter and a session, in one task.
//!
//! Each turn of the loop waits for the socket, the broker or the clock. All frames of one read become one batch of
//! commands; all frames of one batch of events leave with one write. Reading goes on while a write is stuck, so that
//! a client that writes before it reads is not locked out.

use std::io;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::debug;

use crate::broker::{Budget, Closed, NotOpened, Portion, Session, SessionEvent, Slot};
use crate::config::ConnectionOptions;
use crate::env::{Clock, random_u64};

use crate::protocol::Shared;

use super::adapter::{Adapter, Fault, Told};
use super::codec::{CodecError, Frame, Limits, Output, Version};
use super::handshake::{self, Greeting};
use super::input::Input;

/// After an ERROR the socket is drained so long, so that the client can read the ERROR before it sees a reset.
const LINGER: Duration = Duration::from_secs(1);
/// Slices of one write.
const SLICES_MAX: usize = 64;
/// A frame up to this size is read whenever it comes; a larger one when there is memory for all of it.
const FRAME_BYTES_FREE: usize = 64 * 1024;
/// How often a client that does not read is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A large frame has to go on within this time while others wait for its memory.
const FRAME_PAUSE_MAX: Duration = Duration::from_secs(10);
/// Far enough away to mean never.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// The client has gone, or the socket has failed.
    Gone,
    /// The client has said goodbye; what is in the output goes out first.
    Goodbye,
    /// The broker ends it: nothing more is written.
    Broker(String),
    /// The client broke a rule.
    Fault(Fault),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> End {
        End::Gone
    }
}

impl From<Closed> for End {
    fn from(_: Closed) -> End {
        End::Broker("the broker stops serving".to_owned())
    }
}

/// Serves a connection until it ends.
pub(super) async fn serve(mut stream: TcpStream, remote: String, shared: Shared) {
    let (end, mut output, version) = run(&mut stream, &remote, shared).await;
    match &end {
        End::Gone => debug!(%remote, "client has gone"),
        End::Goodbye => {}
        End::Broker(reason) => {
            debug!(%remote, reason, "connection closed by the broker");
            return;
        }
        End::Fault(fault) => {
            debug!(%remote, message = %fault.message, "connection closed after an error");
            fault.write(&mut output, version);
        }
    }
    if !matches!(end, End::Gone) {
        // A client that does not read its last frame in time loses it.
        let _ = timeout(LINGER, leave(&mut stream, &mut output)).await;
    }
}

/// Writes what is left, then waits for the client to close, so that no reset overtakes the last frame.
async fn leave(stream: &mut TcpStream, output: &mut Output) -> io::Result<()> {
    let rest = output.take();
    stream.write_all(&rest).await?;
    stream.shutdown().await?;
    let mut ignored = [0; 4096];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

/// Writes a part of the output. Cancel-safe.
async fn write(writer: &mut WriteHalf<'_>, output: &mut Output) -> io::Result<()> {
    let count = {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let filled = output.slices(&mut slices);
        writer.write_vectored(&slices[..filled]).await?
    };
    if count == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    output.advance(count);
    Ok(())
}

/// Serves the connection; gives why it ended, what is left to write, and the version for a last frame.
async fn run(stream: &mut TcpStream, remote: &str, shared: Shared) -> (End, Output, Version) {
    let (mut reader, writer) = stream.split();
    let mut input = Input::new();
    let mut output = Output::new();
    let greeting = match greet(&mut reader, &mut input, &shared.options).await {
        Ok(greeting) => greeting,
        Err(end) => return (end, output, Version::V1_0),
    };
    let version = greeting.version;
    let session = match shared.gate.open(remote, greeting.credentials.clone()) {
        Ok(session) => session,
        Err(NotOpened::Closed(closed)) => return (closed.into(), output, version),
        Err(in_use @ NotOpened::ClientIdInUse { .. }) => {
            return (End::Fault(greeting.fault(in_use.to_string())), output, Version::V1_0);
        }
    };
    debug!(%remote, user = session.principal().user(), "session opened");
    shared.admission.admit();
    let name = format!("{:016x}", random_u64());
    let intake = Intake { budget: shared.gate.frames(), portion: Portion::default(), deaf: false };
    input.settle(version, Limits::connected(shared.body_bytes_max));
    greeting.connected(&name, &mut output);
    let mut connection = Connection {
        reader,
        writer,
        input,
        output,
        adapter: Adapter::new(version, &name),
        session,
        clock: shared.clock,
        greeting,
        intake,
        spoke: Instant::now(),
        look_at: Instant::now(),
        stuck_since: None,
        left: true,
    };
    let mut end = connection.run().await;
    // What came before the end counts, whenever the core has a place for it.
    while connection.session.holds() && !matches!(end, End::Broker(_)) {
        let place = connection.session.place().await;
        if let Err(closed) = place.and_then(|place| connection.session.advance(place)) {
            end = closed.into();
        }
    }
    (end, connection.output, version)
}

/// Waits for the CONNECT frame.
async fn greet(
    reader: &mut ReadHalf<'_>,
    input: &mut Input,
    options: &ConnectionOptions,
) -> Result<Greeting, End> {
    let first = async {
        loop {
            if let Some(frame) = input.decode().map_err(fault)? {
                return Ok::<Frame, End>(frame);
            }
            input.read(reader).await?;
        }
    };
    let frame = timeout(options.connect_timeout, first).await.map_err(|_| End::Gone)??;
    handshake::greeting(&frame, options).map_err(End::Fault)
}

fn fault(error: CodecError) -> End {
    End::Fault(Fault::new(error.to_string()))
}

/// A place for what is held; never if nothing is.
async fn granted(place: Option<impl Future<Output = Result<Slot, Closed>>>) -> Result<Slot, Closed> {
    match place {
        Some(place) => place.await,
        None => std::future::pending().await,
    }
}

/// What lets a connection read on, or holds it up.
struct Intake {
    budget: Budget,
    /// Memory for the large frame that has begun.
    portion: Portion,
    /// Nothing is read, so that nothing can be heard.
    deaf: bool,
}

impl Intake {
    /// Waits until the broker has room for more of this session, then for bytes unless some are `left`. Cancel-safe.
    async fn arrival(
        &mut self,
        ready: impl Future<Output = ()>,
        input: &mut Input,
        reader: &mut ReadHalf<'_>,
        left: bool,
    ) -> Result<(), End> {
        self.deaf = true;
        ready.await;
        // What is here already is looked at whatever others hold: it may be what they wait for.
        if !left {
            self.make_room(input).await?;
        }
        self.deaf = false;
        if left { Ok(()) } else { self.listen(input, reader).await }
    }

    /// Waits for the memory of a large frame that has begun.
    async fn make_room(&mut self, input: &Input) -> Result<(), End> {
        let wanted = input.announced();
        if wanted <= FRAME_BYTES_FREE {
            self.portion = Portion::default();
            return Ok(());
        }
        if self.portion.is_empty() {
            self.budget.raise(&mut self.portion, wanted).await;
            return Ok(());
        }
        // It did not say how long it is, and others may wait for what it has.
        let raised =
            timeout_at(input.heard() + FRAME_PAUSE_MAX, self.budget.raise(&mut self.portion, wanted));
        raised.await.map_err(|_| End::Fault(Fault::new("There is no memory for the rest of a large frame")))
    }

    /// Waits for bytes. A large frame that does not come is not waited for while others want its memory.
    async fn listen(&self, input: &mut Input, reader: &mut ReadHalf<'_>) -> Result<(), End> {
        while !self.portion.is_empty() {
            let until = (input.heard() + FRAME_PAUSE_MAX).max(Instant::now() + LINGER);
            match timeout_at(until, input.read(reader)).await {
                Ok(read) => return Ok(read?),
                Err(_) if !self.budget.is_wanted() => {}
                Err(_) => {
                    let message = "A large frame did not go on while others waited for its memory";
                    return Err(End::Fault(Fault::new(message)));
                }
            }
        }
        Ok(input.read(reader).await?)
    }
}

/// A connection after its CONNECT.
struct Connection<'a> {
    reader: ReadHalf<'a>,
    writer: WriteHalf<'a>,
    input: Input,
    output: Output,
    adapter: Adapter,
    session: Session,
    clock: Arc<dyn Clock>,
    greeting: Greeting,
    intake: Intake,
    /// When the output was last written.
    spoke: Instant,
    /// When to see whether the client reads what is written, and since when it was seen not to.
    look_at: Instant,
    stuck_since: Option<Instant>,
    /// Frames may wait in the input that were not looked at: what came with the CONNECT, and what came after too much
    /// was unanswered.
    left: bool,
}

impl Connection<'_> {
    async fn run(&mut self) -> End {
        loop {
            if let Err(end) = self.turns().await {
                return end;
            }
        }
    }

    /// Turns of the loop, until the clock says that it is time to look at the heart-beats.
    async fn turns(&mut self) -> Result<(), End> {
        let timer = sleep_until(self.deadline());
        tokio::pin!(timer);
        loop {
            let Connection {
                reader,
                writer,
                input,
                output,
                adapter,
                session,
                intake,
                look_at,
                stuck_since,
                left,
                ..
            } = self;
            let idle = output.is_empty();
            let ready = session.ready();
            let holds = session.holds();
            let place = holds.then(|| session.place());
            tokio::select! {
                written = timeout_at(*look_at, write(writer, output)), if !idle => match written {
                    Ok(written) => {
                        written?;
                        self.written().await?;
                    }
                    Err(_) => {
                        let now = Instant::now();
                        let since = *stuck_since.get_or_insert(now);
                        if now > since && session.is_in_the_way(now - since) {
                            debug!("what the client does not read takes memory that others lack");
                            return Err(End::Gone);
                        }
                        *look_at = now + LOOK_EVERY;
                    }
                },
                events = session.events(), if idle => self.tell(events)?,
                arrived = intake.arrival(ready, input, reader, *left), if adapter.may_read() && !holds => {
                    arrived?;
                    self.take_frames().await?;
                }
                place = granted(place), if holds => session.advance(place?)?,
                () = &mut timer => return self.beat(),
            }
        }
    }

    /// Hands all frames that have arrived to the broker as one batch, as far as they may be unanswered.
    async fn take_frames(&mut self) -> Result<(), End> {
        let wall = self.clock.wall_ms();
        let mut commands = Vec::new();
        let taken = loop {
            self.left = !self.adapter.may_read();
            if self.left {
                break Ok(());
            }
            match self.input.decode() {
                Ok(None) => break Ok(()),
                Err(error) => break Err(fault(error)),
                Ok(Some(frame)) => {
                    if let Err(wrong) = self.adapter.accept(&frame, wall, &mut commands) {
                        break Err(End::Fault(wrong));
                    }
                }
            }
        };
        // Frames before a wrong one count.
        if !commands.is_empty() {
            self.session.submit(commands).await?;
        }
        taken?;
        self.leave_if_finished()
    }

    fn tell(&mut self, events: Option<Vec<SessionEvent>>) -> Result<(), End> {
        let Some(events) = events else { return Err(Closed.into()) };
        for event in events {
            match self.adapter.tell(event, &mut self.output) {
                Told::Open => {}
                Told::Closed(reason) => return Err(End::Broker(reason)),
                Told::Fault(fault) => return Err(End::Fault(fault)),
            }
        }
        self.leave_if_finished()
    }

    fn leave_if_finished(&mut self) -> Result<(), End> {
        if !self.adapter.finished() {
            return Ok(());
        }
        self.adapter.farewell(&mut self.output);
        Err(End::Goodbye)
    }

    /// A part of the output has left.
    async fn written(&mut self) -> Result<(), End> {
        self.spoke = Instant::now();
        (self.look_at, self.stuck_since) = (self.spoke + LOOK_EVERY, None);
        if self.output.is_empty() {
            self.session.sent()?;
        }
        if self.output.is_empty()
            && let Some(command) = self.adapter.written()
        {
            self.session.submit(vec![command]).await?;
        }
        Ok(())
    }

    /// When the heart-beats need a look.
    fn deadline(&self) -> Instant {
        let send_every = self.greeting.send_every;
        let send = if send_every.is_zero() { NEVER } else { send_every * 2 / 3 };
        let receive = self.greeting.silence_max().unwrap_or(NEVER);
        (self.spoke + send).min(self.input.heard() + receive)
    }

    /// Sends a heart-beat if it is time, and ends the connection if the client's is overdue.
    fn beat(&mut self) -> Result<(), End> {
        let now = Instant::now();
        let send_every = self.greeting.send_every;
        // While too much is unanswered, or there is no room, nothing is read, and silence means nothing.
        if !self.adapter.may_read() || self.intake.deaf || self.session.holds() {
            self.input.excuse();
        }
        if self.greeting.silence_max().is_some_and(|silence| now >= self.input.heard() + silence) {
            return Err(End::Gone);
        }
        if !send_every.is_zero() && now >= self.spoke + send_every * 2 / 3 {
            // A stuck output says by itself that the broker lives.
            if self.output.is_empty() {
                self.output.heart_beat();
            }
            self.spoke = now;
        }
        Ok(())
    }
}
