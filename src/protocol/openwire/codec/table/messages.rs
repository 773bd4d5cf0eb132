//! Messages, their way to consumers, and what became of them.

use bytes::Bytes;

#[cfg(test)]
use crate::protocol::openwire::codec::chance::{Any, Chance};
use crate::protocol::openwire::codec::coded::Coded;
use crate::protocol::openwire::codec::error::FrameError;
use crate::protocol::openwire::codec::text::Text;
use crate::protocol::openwire::codec::throwable::Throwable;
use crate::protocol::openwire::codec::wire::{Cached, Typed, Wire};

use super::rows::Held;
use super::{ConsumerId, MessageId, ProducerId, Reader, Structure, Writer};

rows! {
    /// A message for a consumer; without a message, there is none, or a browser has seen all.
    MessageDispatch = 21 {
        command_id: i32;
        response_required: bool;
        consumer_id: @cached Option<ConsumerId>;
        destination: @cached Option<Box<Structure>>;
        message: Option<Box<Structure>>;
        redelivery_counter: i32;
    }
    /// What became of messages, up to `last_message_id`: `ack_type` is 0 delivered, 1 poison, 2 standard, 3 redelivered, 4 individual,
    /// 5 unmatched, 6 expired.
    MessageAck = 22 {
        command_id: i32;
        response_required: bool;
        destination: @cached Option<Box<Structure>>;
        transaction_id: @cached Option<Box<Structure>>;
        consumer_id: @cached Option<ConsumerId>;
        ack_type: i8;
        first_message_id: Option<MessageId>;
        last_message_id: Option<MessageId>;
        message_count: i32;
        poison_cause: Option<Throwable> => 7..;
    }
    /// A slave of old is told what was dispatched.
    MessageDispatchNotification = 90 {
        command_id: i32;
        response_required: bool;
        consumer_id: @cached Option<ConsumerId>;
        destination: @cached Option<Box<Structure>>;
        delivery_sequence_id: i64;
        message_id: Option<MessageId>;
    }
}

/// What a message's body is. The codes are type numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum MessageKind {
    /// No body.
    #[default]
    Plain = 23,
    /// Bytes.
    Bytes = 24,
    /// A map of primitive values.
    Map = 25,
    /// A serialised Java object, which nobody looks into here.
    Object = 26,
    /// Primitive values one after the other.
    Stream = 27,
    /// Text.
    Text = 28,
    /// A body that is kept elsewhere.
    Blob = 29,
}

impl MessageKind {
    /// All of them.
    pub(super) const ALL: [MessageKind; 7] = [
        MessageKind::Plain,
        MessageKind::Bytes,
        MessageKind::Map,
        MessageKind::Object,
        MessageKind::Stream,
        MessageKind::Text,
        MessageKind::Blob,
    ];

    pub(super) fn code(self) -> u8 {
        self as u8
    }

    pub(super) fn from_code(code: u8) -> Option<MessageKind> {
        MessageKind::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// Where the body of a blob message is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Blob {
    /// Its address.
    pub(crate) remote_blob_url: Option<Text>,
    /// What it is.
    pub(crate) mime_type: Option<Text>,
    /// Whether the broker removes it once it is consumed.
    pub(crate) deleted_by_broker: bool,
}

/// A message: one row for all seven types, which differ in nothing but a blob's three fields at the end.
macro_rules! message {
    ($($field:ident: $(@$cached:ident)? $type:ty $(=> $versions:expr)?;)*) => {
        /// A message. `content` and `marshalled_properties` are as they came: nobody reads them who does not need them.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
        pub(crate) struct Message {
            /// What its body is.
            pub(crate) kind: MessageKind,
            $(pub(crate) $field: $type,)*
            /// Of a blob message.
            pub(crate) blob: Blob,
        }

        impl Message {
            pub(super) fn read(kind: MessageKind, input: &mut Reader<'_>) -> Result<Message, FrameError> {
                Ok(Message {
                    kind,
                    $($field: read_field!(input $type, $($cached)? ; $($versions)?),)*
                    blob: if kind == MessageKind::Blob { Blob::read(input)? } else { Blob::default() },
                })
            }

            pub(super) fn write(&self, out: &mut Writer<'_>) {
                $(write_field!(out &self.$field, $($cached)? ; $($versions)?);)*
                if self.kind == MessageKind::Blob {
                    self.blob.write(out);
                }
            }

            #[cfg(test)]
            pub(super) fn any(kind: MessageKind, chance: &mut Chance) -> Message {
                let blob = Blob {
                    remote_blob_url: Any::any(chance),
                    mime_type: Any::any(chance),
                    deleted_by_broker: Any::any(chance),
                };
                Message {
                    kind,
                    $($field: any_field!(chance $type, $($versions)?),)*
                    blob: if kind == MessageKind::Blob { blob } else { Blob::default() },
                }
            }
        }
    };
}

impl Blob {
    fn read(input: &mut Reader<'_>) -> Result<Blob, FrameError> {
        Ok(Blob {
            remote_blob_url: Wire::read(input)?,
            mime_type: Wire::read(input)?,
            deleted_by_broker: Wire::read(input)?,
        })
    }

    fn write(&self, out: &mut Writer<'_>) {
        self.remote_blob_url.write(out);
        self.mime_type.write(out);
        self.deleted_by_broker.write(out);
    }
}

message! {
    command_id: i32;
    response_required: bool;
    producer_id: @cached Option<ProducerId>;
    destination: @cached Option<Box<Structure>>;
    transaction_id: @cached Option<Box<Structure>>;
    original_destination: @cached Option<Box<Structure>>;
    message_id: Option<MessageId>;
    original_transaction_id: @cached Option<Box<Structure>>;
    group_id: Option<Text>;
    group_sequence: i32;
    correlation_id: Option<Text>;
    persistent: bool;
    expiration: i64;
    priority: i8;
    reply_to: Option<Box<Structure>>;
    timestamp: i64;
    r#type: Option<Text>;
    content: Option<Bytes>;
    marshalled_properties: Option<Bytes>;
    data_structure: Option<Box<Structure>>;
    target_consumer_id: @cached Option<ConsumerId>;
    compressed: bool;
    redelivery_counter: i32;
    broker_path: Option<Vec<Structure>>;
    arrival: i64;
    user_id: Option<Text>;
    recieved_by_df_bridge: bool;
    droppable: bool => 2..;
    cluster: Option<Vec<Structure>> => 3..;
    broker_in_time: i64 => 3..;
    broker_out_time: i64 => 3..;
    jmsx_group_first_for_consumer: bool => 10..;
}
