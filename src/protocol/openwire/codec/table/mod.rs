//! The structures of OpenWire as data: each is a row with its type number and its fields in their order. What a row says is
//! a struct, and how it is read and written in every version and encoding. The rows are in the files beside this one.
//!
//! `name: Type;` is a field of all versions, `name: Type => 3..;` one of version 3 and later, `name: @cached Type;` one that
//! goes by a number from the second time on. Names are those of ActiveMQ's commands, its spelling included.

#[macro_use]
mod rows;
mod commands;
mod identities;
mod messages;
mod network;
mod responses;
mod untyped;

use std::sync::Arc;

use bytes::Bytes;

#[cfg(test)]
use super::chance::{Any, Chance};
use super::coded::Coded;
use super::error::FrameError;
use super::reader::{self, Readable};
use super::wire::{Typed, Wire};
use super::writer::{self, Writable};

pub(crate) use commands::*;
pub(crate) use identities::*;
pub(crate) use messages::*;
pub(crate) use network::*;
pub(crate) use responses::*;

/// A frame that is read, and one that is written.
type Reader<'a> = reader::Reader<'a, Structure>;
type Writer<'a> = writer::Writer<'a, Structure>;

/// The first bytes of every connection.
const MAGIC: [u8; 8] = *b"ActiveMQ";

/// The first frame of each side: what it speaks. It is written the same way in all versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct WireFormatInfo {
    /// The highest version.
    pub(crate) version: i32,
    /// A map of settings.
    pub(crate) properties: Option<Bytes>,
}

/// The closed set of structures: what each type number stands for.
macro_rules! structures {
    ($($name:ident: $held:ident,)+) => {
        /// One structure of any type. A type that is not here is refused: nothing on the wire names a class.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Structure {
            /// No command at all.
            Null,
            /// The first frame.
            WireFormatInfo(WireFormatInfo),
            /// A message, of any of the seven types.
            Message(Box<Message>),
            $(
                #[doc = concat!("See [`", stringify!($name), "`].")]
                $name($held<$name>),
            )+
        }

        impl Coded for Structure {
            const NULL: u8 = 0;

            fn code(&self) -> u8 {
                match self {
                    Structure::Null => Structure::NULL,
                    Structure::WireFormatInfo(_) => WIRE_FORMAT_INFO,
                    Structure::Message(message) => message.kind.code(),
                    $(Structure::$name(_) => $name::CODE,)+
                }
            }

            fn may_be_cached(&self) -> bool {
                use Structure::{
                    ActiveMQQueue, ActiveMQTempQueue, ActiveMQTempTopic, ActiveMQTopic, BrokerId, ConnectionId,
                    ConsumerId, LocalTransactionId, MessageId, ProducerId, SessionId, XATransactionId,
                };
                matches!(
                    self,
                    ActiveMQQueue(_)
                        | ActiveMQTopic(_)
                        | ActiveMQTempQueue(_)
                        | ActiveMQTempTopic(_)
                        | LocalTransactionId(_)
                        | XATransactionId(_)
                        | MessageId(_)
                        | ConnectionId(_)
                        | SessionId(_)
                        | ConsumerId(_)
                        | ProducerId(_)
                        | BrokerId(_)
                )
            }

            fn may_come_encoded(code: u8) -> bool {
                code == WIRE_FORMAT_INFO || MessageKind::from_code(code).is_some()
            }
        }

        impl Readable for Structure {
            fn read(code: u8, input: &mut Reader<'_>) -> Result<Structure, FrameError> {
                match code {
                    Structure::NULL => Ok(Structure::Null),
                    WIRE_FORMAT_INFO => WireFormatInfo::read(input).map(Structure::WireFormatInfo),
                    $($name::CODE => $name::read_fields(input).map($name::into_structure),)+
                    _ => match MessageKind::from_code(code) {
                        Some(kind) => Ok(Structure::Message(Box::new(Message::read(kind, input)?))),
                        None => Err(FrameError::Unknown(code)),
                    },
                }
            }
        }

        impl Writable for Structure {
            fn write(&self, out: &mut Writer<'_>) {
                match self {
                    Structure::Null => {}
                    Structure::WireFormatInfo(it) => it.write(out),
                    Structure::Message(it) => it.write(out),
                    $(Structure::$name(it) => it.write_fields(out),)+
                }
            }
        }

        #[cfg(test)]
        impl Structure {
            /// One structure of each type, with any values.
            pub(super) fn one_of_each(chance: &mut Chance) -> Vec<Structure> {
                let mut all = vec![Structure::Null];
                for kind in MessageKind::ALL {
                    all.push(Structure::Message(Box::new(Message::any(kind, chance))));
                }
                $(all.push($name::any(chance).into_structure());)+
                all
            }
        }
    };
}

const WIRE_FORMAT_INFO: u8 = 1;

structures! {
    BrokerInfo: Box, ConnectionInfo: Box, SessionInfo: Box, ConsumerInfo: Box, ProducerInfo: Box, TransactionInfo: Box,
    DestinationInfo: Box, RemoveSubscriptionInfo: Box, KeepAliveInfo: Box, ShutdownInfo: Box, RemoveInfo: Box,
    ControlCommand: Box, FlushCommand: Box, ConnectionError: Box, ConsumerControl: Box, ConnectionControl: Box,
    ProducerAck: Box, MessagePull: Box, MessageDispatch: Box, MessageAck: Box, MessageDispatchNotification: Box,
    Response: Box, ExceptionResponse: Box, DataResponse: Box, DataArrayResponse: Box, IntegerResponse: Box,
    DiscoveryEvent: Box, SubscriptionInfo: Box, NetworkBridgeFilter: Box, BrokerSubscriptionInfo: Box,
    ActiveMQQueue: Arc, ActiveMQTopic: Arc, ActiveMQTempQueue: Arc, ActiveMQTempTopic: Arc,
    MessageId: Arc, LocalTransactionId: Arc, XATransactionId: Arc,
    ConnectionId: Arc, SessionId: Arc, ConsumerId: Arc, ProducerId: Arc, BrokerId: Arc,
}

impl WireFormatInfo {
    fn read(input: &mut Reader<'_>) -> Result<WireFormatInfo, FrameError> {
        if input.array()? != MAGIC {
            return Err(FrameError::Magic);
        }
        Ok(WireFormatInfo { version: Wire::read(input)?, properties: Wire::read(input)? })
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.put(&MAGIC);
        self.version.write(out);
        self.properties.write(out);
    }
}
