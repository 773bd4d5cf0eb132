//! What a protocol is to a connection: a handshake, and then an adapter. Neither does any I/O: they take bytes that have
//! arrived and add to the output.

use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;

use crate::broker::{BrokerNames, Command, Credentials, NotOpened, SessionEvent};
use crate::config::ConnectionOptions;
use crate::protocol::Output;

/// The connection ends, because its client broke a rule or asked for what it does not get. The output tells the client, as
/// far as the protocol can; the text is for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::protocol) struct Fault(pub(in crate::protocol) String);

/// How often both sides show that they live; what is none is not looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::protocol) struct Rhythm {
    /// The broker says something at least this often.
    pub(in crate::protocol) speaks_every: Option<Duration>,
    /// A longer silence of the client means that it is gone.
    pub(in crate::protocol) silence_max: Option<Duration>,
}

/// A connection whose client is not known yet.
pub(in crate::protocol) trait Handshake: Send + Sized + 'static {
    /// What the connection goes on with.
    type Adapter: Adapter;

    /// The protocol's name in the URIs of log lines.
    const NAME: &'static str;

    /// Nothing has arrived. Bodies of messages will have at most so many bytes.
    fn new(options: ConnectionOptions, body_bytes_max: usize) -> Self;

    /// Takes what has arrived off the front of `arrived`; the client's credentials once it has shown them.
    ///
    /// # Errors
    /// [`Fault`]: these are no first words of this protocol.
    fn greet(&mut self, arrived: &mut BytesMut, output: &mut Output) -> Result<Option<Credentials>, Fault>;

    /// The client is let in by a broker that is called so; `session` is unique among all sessions of all nodes.
    fn welcome(self, session: &str, broker: &BrokerNames, output: &mut Output) -> Self::Adapter;

    /// The client is not let in.
    fn refuse(self, why: &NotOpened, output: &mut Output) -> Fault;
}

/// A protocol's side of one session: bytes to commands, events to bytes.
pub(in crate::protocol) trait Adapter: Send + 'static {
    /// What both sides have agreed on.
    fn rhythm(&self) -> Rhythm;

    /// Bytes that the frame will take whose beginning has arrived, as far as that is known.
    fn announced(&self, arrived: &BytesMut) -> usize;

    /// Whether another frame may be taken. Not while too much is unanswered: the socket fills up and the client waits.
    fn may_read(&self) -> bool;

    /// Takes the next frame off the front of `arrived`, if it has arrived whole, and adds what it asks of the broker to
    /// `commands`; false if there is none. `wall` in ms since 1970.
    ///
    /// # Errors
    /// [`Fault`]: the connection cannot go on. What was asked before counts.
    fn take(
        &mut self,
        arrived: &mut BytesMut,
        wall: i64,
        commands: &mut Vec<Command>,
        output: &mut Output,
    ) -> Result<bool, Fault>;

    /// Takes what the broker says, which is anything but [`SessionEvent::Closed`].
    ///
    /// # Errors
    /// [`Fault`]: the protocol has no other way to say no.
    fn tell(&mut self, event: SessionEvent, output: &mut Output) -> Result<(), Fault>;

    /// Everything that was told has reached the socket; what follows from that for the broker.
    fn written(&mut self) -> Option<Command>;

    /// When [`Adapter::ring`] is to be called next, if it is.
    fn rings_at(&self) -> Option<Instant> {
        None
    }

    /// The time of [`Adapter::rings_at`] has come.
    fn ring(&mut self, _commands: &mut Vec<Command>, _output: &mut Output) {}

    /// Adds a sign of life.
    fn beat(&mut self, output: &mut Output);

    /// Whether the client has said goodbye and everything that it asked for is answered; then adds the answer to that.
    fn farewell(&mut self, output: &mut Output) -> bool;

    /// The connection has to end for a reason that the adapter does not know of.
    fn fault(&mut self, reason: &str, output: &mut Output) -> Fault;
}
