//! What a message of an advisory topic tells of: clients, and other brokers, learn from it who is there. The words are no
//! protocol's; adapters write them as their clients read them. It never stands in the log.

use bytes::Bytes;
use prost::{Message, Oneof};

use super::{Destination, DestinationKind, NameError};

/// What has happened.
#[derive(Clone, PartialEq, Oneof)]
pub enum Happening {
    /// A destination has come into being.
    #[prost(message, tag = "1")]
    DestinationMade(ToldDestination),
    /// A destination is gone.
    #[prost(message, tag = "2")]
    DestinationRemoved(ToldDestination),
    /// A consumer has come.
    #[prost(message, tag = "3")]
    ConsumerCame(ToldConsumer),
    /// A consumer has gone.
    #[prost(message, tag = "4")]
    ConsumerWent(ToldConsumer),
    /// A producer has come.
    #[prost(message, tag = "5")]
    ProducerCame(ToldProducer),
    /// A producer has gone.
    #[prost(message, tag = "6")]
    ProducerWent(ToldProducer),
    /// A connection has come.
    #[prost(message, tag = "7")]
    ConnectionCame(ToldConnection),
    /// A connection has gone.
    #[prost(message, tag = "8")]
    ConnectionWent(ToldConnection),
    /// The broker has begun to serve.
    #[prost(message, tag = "9")]
    BrokerServes(ToldBroker),
}

/// A destination.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct ToldDestination {
    /// The number of its kind.
    #[prost(uint32, tag = "1")]
    kind: u32,
    /// Its name; a pattern if a consumer consumes from several.
    #[prost(string, tag = "2")]
    name: String,
    /// The client's name for the connection that it belongs to, if it is temporary.
    #[prost(string, tag = "3")]
    pub connection: String,
}

/// A consumer of one destination.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct ToldConsumer {
    /// The client's name for its connection.
    #[prost(string, tag = "1")]
    pub connection: String,
    /// Its number, unique among all of the broker's.
    #[prost(uint64, tag = "2")]
    pub number: u64,
    /// From where it consumes.
    #[prost(message, required, tag = "3")]
    pub destination: ToldDestination,
    /// The client's id; empty for none.
    #[prost(string, tag = "4")]
    pub client_id: String,
    /// Name of its durable subscription; empty for none.
    #[prost(string, tag = "5")]
    pub durable_name: String,
    /// Selector text; empty for all.
    #[prost(string, tag = "6")]
    pub selector: String,
    /// How many unsettled deliveries it may hold.
    #[prost(uint32, tag = "7")]
    pub prefetch: u32,
    /// Its priority.
    #[prost(sint32, tag = "8")]
    pub priority: i32,
    /// Whether it only looks.
    #[prost(bool, tag = "9")]
    pub browse: bool,
    /// Whether it wants to be the only one.
    #[prost(bool, tag = "10")]
    pub exclusive: bool,
    /// Whether it does not want what its own connection sends.
    #[prost(bool, tag = "11")]
    pub no_local: bool,
    /// What a bridge says of it, in the words of the bridge's protocol; empty if it is a client's.
    #[prost(bytes = "bytes", tag = "12")]
    pub bridge: Bytes,
}

/// A producer.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct ToldProducer {
    /// The client's name for its connection.
    #[prost(string, tag = "1")]
    pub connection: String,
    /// Its number, unique in its connection.
    #[prost(uint64, tag = "2")]
    pub number: u64,
    /// Where it sends to; nothing if each of its messages says so.
    #[prost(message, optional, tag = "3")]
    pub destination: Option<ToldDestination>,
}

/// A connection.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct ToldConnection {
    /// The client's name for it.
    #[prost(string, tag = "1")]
    pub connection: String,
    /// The client's id; empty for none.
    #[prost(string, tag = "2")]
    pub client_id: String,
}

/// The broker itself.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct ToldBroker {}

/// The field's value.
#[derive(Clone, PartialEq, Message)]
struct Told {
    #[prost(oneof = "Happening", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9")]
    happening: Option<Happening>,
}

impl Happening {
    /// The value of the field that tells of it.
    pub fn to_field(&self) -> Bytes {
        Told { happening: Some(self.clone()) }.encode_to_vec().into()
    }

    /// Reads the field.
    pub(super) fn read(field: &[u8]) -> Option<Happening> {
        Told::decode(field).ok()?.happening
    }
}

impl ToldDestination {
    /// A destination of this connection; empty for none.
    pub fn owned(destination: &Destination, connection: &str) -> ToldDestination {
        ToldDestination { connection: connection.to_owned(), ..ToldDestination::of(destination) }
    }

    /// One that belongs to no connection.
    pub fn of(destination: &Destination) -> ToldDestination {
        ToldDestination {
            kind: destination.kind as u32,
            name: destination.name.clone(),
            connection: String::new(),
        }
    }

    /// The destination.
    ///
    /// # Errors
    /// [`NameError`]: it names none.
    pub fn read(&self) -> Result<Destination, NameError> {
        let kind = u8::try_from(self.kind).ok().and_then(DestinationKind::from_code);
        Destination::new(kind.unwrap_or(DestinationKind::Queue), &*self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_again_and_nothing_else() {
        let destination = Destination::new(DestinationKind::TemporaryQueue, "ID:1").unwrap();
        let told = ToldDestination::owned(&destination, "ID:c");
        assert_eq!(told.read(), Ok(destination));
        let consumer =
            ToldConsumer { number: 7, destination: told.clone(), priority: -5, ..Default::default() };
        let all = [
            Happening::DestinationMade(told.clone()),
            Happening::ConsumerWent(consumer),
            Happening::ProducerCame(ToldProducer { destination: Some(told), ..Default::default() }),
            Happening::BrokerServes(ToldBroker {}),
        ];
        for happening in all {
            assert_eq!(Happening::read(&happening.to_field()), Some(happening));
        }
        for wrong in [&b""[..], b"\x0a", b"\x0a\xff", b"\x99\x99\x99"] {
            assert_eq!(Happening::read(wrong), None, "{wrong:?}");
        }
    }
}
