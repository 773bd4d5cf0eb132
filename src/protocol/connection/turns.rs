//! The loop of a connection whose client is known: a transport, an adapter and a session, in one task.
//!
//! Each turn waits for the transport, the broker or the clock. All frames of one read become one batch of commands; all
//! frames of one batch of events leave with one write. Reading goes on while a write is stuck, so that a client that
//! writes before it reads is not locked out.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::debug;

use crate::broker::{Closed, Session, SessionEvent, Slot};
use crate::env::Clock;
use crate::protocol::Output;

use super::adapter::{Adapter, Rhythm};
use super::end::End;
use super::input::Input;
use super::intake::Intake;
use super::transport::{Receive, Transport};

/// Slices of one write.
const SLICES_MAX: usize = 64;
/// How often a client that does not read is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Far enough away to mean never.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Writes a part of the output. Cancel-safe.
pub(super) async fn write(writer: &mut (impl AsyncWrite + Unpin), output: &mut Output) -> io::Result<()> {
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

/// A place for what is held; never if nothing is.
async fn granted(place: Option<impl Future<Output = Result<Slot, Closed>>>) -> Result<Slot, Closed> {
    match place {
        Some(place) => place.await,
        None => std::future::pending().await,
    }
}

/// The time at which the adapter wants to be called; never if it does not.
async fn rung(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// See the module.
pub(super) struct Connection<'a, A, R, W> {
    transport: &'a mut Transport<R, W>,
    input: Input,
    output: Output,
    adapter: A,
    session: Session,
    clock: Arc<dyn Clock>,
    rhythm: Rhythm,
    intake: Intake,
    /// When the output was last written.
    spoke: Instant,
    /// When to see whether the client reads what is written, and since when it was seen not to.
    look_at: Instant,
    stuck_since: Option<Instant>,
    /// Frames may wait in the input that were not looked at: what came with the client's first words, and what came after
    /// too much was unanswered.
    left: bool,
}

impl<'a, A: Adapter, R: Receive, W: AsyncWrite + Unpin> Connection<'a, A, R, W> {
    /// A connection of which `input` has arrived, and to which `output` is to be said.
    pub(super) fn new(
        transport: &'a mut Transport<R, W>,
        (input, output): (Input, Output),
        adapter: A,
        session: Session,
        intake: Intake,
        clock: Arc<dyn Clock>,
    ) -> Connection<'a, A, R, W> {
        let now = Instant::now();
        Connection {
            transport,
            input,
            output,
            rhythm: adapter.rhythm(),
            adapter,
            session,
            clock,
            intake,
            spoke: now,
            look_at: now,
            stuck_since: None,
            left: true,
        }
    }

    /// Runs the connection to its end; gives what is left to write. The session is over then.
    pub(super) async fn run(mut self) -> (End, Output) {
        let mut end = loop {
            match self.turns().await {
                Ok(()) => {}
                Err(End::NoMemory(reason)) => break self.adapter.fault(reason, &mut self.output).into(),
                Err(end) => break end,
            }
        };
        // What came before the end counts, whenever the core has a place for it.
        while self.session.holds() && !matches!(end, End::Broker(_)) {
            let place = self.session.place().await;
            if let Err(closed) = place.and_then(|place| self.session.advance(place)) {
                end = closed.into();
            }
        }
        (end, self.output)
    }

    /// Turns of the loop, until the clock says that it is time to look at the heart-beats.
    async fn turns(&mut self) -> Result<(), End> {
        let timer = sleep_until(self.deadline());
        tokio::pin!(timer);
        loop {
            let Connection {
                transport: Transport { reader, writer },
                input,
                output,
                adapter,
                session,
                intake,
                look_at,
                left,
                ..
            } = self;
            let idle = output.is_empty();
            let ready = session.ready();
            let holds = session.holds();
            let place = holds.then(|| session.place());
            let reads = adapter.may_read() && !holds;
            let rings_at = adapter.rings_at();
            tokio::select! {
                written = timeout_at(*look_at, write(writer, output)), if !idle => match written {
                    Ok(written) => {
                        written?;
                        self.written().await?;
                    }
                    Err(_) => self.look()?,
                },
                events = session.events(), if idle => self.tell(events)?,
                arrived = intake.arrival(ready, adapter, input, reader, *left), if reads => {
                    arrived?;
                    self.take_frames().await?;
                }
                place = granted(place), if holds => session.advance(place?)?,
                () = rung(rings_at), if rings_at.is_some() => self.ring().await?,
                () = &mut timer => return self.beat(),
            }
        }
    }

    /// Nothing could be written for a while: sees whether that takes room that others lack.
    fn look(&mut self) -> Result<(), End> {
        let now = Instant::now();
        let since = *self.stuck_since.get_or_insert(now);
        if now > since && self.session.is_in_the_way(now - since) {
            debug!("what the client does not read takes memory that others lack");
            return Err(End::Gone);
        }
        if self.session.is_replaced() {
            return Err(Closed.into());
        }
        self.look_at = now + LOOK_EVERY;
        Ok(())
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
            match self.adapter.take(self.input.arrived_mut(), wall, &mut commands, &mut self.output) {
                Ok(true) => {}
                Ok(false) => {
                    self.input.rest();
                    break Ok(());
                }
                Err(fault) => break Err(fault),
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
            match event {
                SessionEvent::Closed { reason } => return Err(End::Broker(reason)),
                event => self.adapter.tell(event, &mut self.output)?,
            }
        }
        self.leave_if_finished()
    }

    /// The time has come that the adapter has set.
    async fn ring(&mut self) -> Result<(), End> {
        let mut commands = Vec::new();
        self.adapter.ring(&mut commands, &mut self.output);
        Ok(self.session.submit(commands).await?)
    }

    fn leave_if_finished(&mut self) -> Result<(), End> {
        if self.adapter.farewell(&mut self.output) { Err(End::Goodbye) } else { Ok(()) }
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

    /// After so long a silence of the broker's it says something.
    fn pause_max(&self) -> Option<Duration> {
        self.rhythm.speaks_every.map(|every| every * 2 / 3)
    }

    /// When the heart-beats need a look.
    fn deadline(&self) -> Instant {
        let send = self.pause_max().unwrap_or(NEVER);
        let receive = self.rhythm.silence_max.unwrap_or(NEVER);
        (self.spoke + send).min(self.input.heard() + receive)
    }

    /// Sends a heart-beat if it is time, and ends the connection if the client's is overdue.
    fn beat(&mut self) -> Result<(), End> {
        let now = Instant::now();
        // While too much is unanswered, or there is no room, nothing is read, and silence means nothing.
        if !self.adapter.may_read() || self.intake.is_deaf() || self.session.holds() {
            self.input.excuse();
        }
        if self.rhythm.silence_max.is_some_and(|silence| now >= self.input.heard() + silence) {
            return Err(End::Gone);
        }
        if self.pause_max().is_some_and(|pause| now >= self.spoke + pause) {
            // A stuck output says by itself that the broker lives.
            if self.output.is_empty() {
                self.adapter.beat(&mut self.output);
            }
            self.spoke = now;
        }
        Ok(())
    }
}
