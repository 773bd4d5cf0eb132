//! Ids and destinations: what is named again and again.

use bytes::Bytes;

#[cfg(test)]
use crate::protocol::openwire::codec::chance::{Any, Chance};
use crate::protocol::openwire::codec::coded::Coded;
use crate::protocol::openwire::codec::error::FrameError;
use crate::protocol::openwire::codec::text::Text;
use crate::protocol::openwire::codec::wire::{Cached, Typed, Wire};

use super::rows::Held;
use super::{Reader, Structure, Writer};

rows! {
    /// A queue, or a list of destinations of any kind.
    ActiveMQQueue = 100 {
        physical_name: Option<Text>;
    }
    /// A topic, or a list of destinations of any kind.
    ActiveMQTopic = 101 {
        physical_name: Option<Text>;
    }
    /// A temporary queue.
    ActiveMQTempQueue = 102 {
        physical_name: Option<Text>;
    }
    /// A temporary topic.
    ActiveMQTempTopic = 103 {
        physical_name: Option<Text>;
    }
    /// Who sent a message, as which of its messages; and the broker's own number for it.
    MessageId = 110 {
        text_view: Option<Text> => 10..;
        producer_id: @cached Option<ProducerId>;
        producer_sequence_id: i64;
        broker_sequence_id: i64;
    }
    /// A transaction of one connection.
    LocalTransactionId = 111 {
        value: i64;
        connection_id: @cached Option<ConnectionId>;
    }
    /// A branch of a distributed transaction.
    XATransactionId = 112 {
        format_id: i32;
        global_transaction_id: Option<Bytes>;
        branch_qualifier: Option<Bytes>;
    }
    /// A connection.
    ConnectionId = 120 {
        value: Option<Text>;
    }
    /// A session: a number in its connection.
    SessionId = 121 {
        connection_id: Option<Text>;
        value: i64;
    }
    /// A consumer: a number in its session.
    ConsumerId = 122 {
        connection_id: Option<Text>;
        session_id: i64;
        value: i64;
    }
    /// A producer: a number in its session.
    ProducerId = 123 {
        connection_id: Option<Text>;
        value: i64;
        session_id: i64;
    }
    /// A broker.
    BrokerId = 124 {
        value: Option<Text>;
    }
}
