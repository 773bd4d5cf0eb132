//! What clients ask, and what they are told of their connection.

use bytes::Bytes;

#[cfg(test)]
use crate::protocol::openwire::codec::chance::{Any, Chance};
use crate::protocol::openwire::codec::coded::Coded;
use crate::protocol::openwire::codec::error::FrameError;
use crate::protocol::openwire::codec::text::Text;
use crate::protocol::openwire::codec::throwable::Throwable;
use crate::protocol::openwire::codec::wire::{Cached, Typed, Wire};

use super::rows::Held;
use super::{ConnectionId, ConsumerId, MessageId, ProducerId, Reader, SessionId, Structure, Writer};

rows! {
    /// A client says who it is; the first command of a connection.
    ConnectionInfo = 3 {
        command_id: i32;
        response_required: bool;
        connection_id: @cached Option<ConnectionId>;
        client_id: Option<Text>;
        password: Option<Text>;
        user_name: Option<Text>;
        broker_path: Option<Vec<Structure>>;
        broker_master_connector: bool;
        manageable: bool;
        client_master: bool => 2..;
        fault_tolerant: bool => 6..;
        failover_reconnect: bool => 6..;
        client_ip: Option<Text> => 8..;
    }
    /// A session begins.
    SessionInfo = 4 {
        command_id: i32;
        response_required: bool;
        session_id: @cached Option<SessionId>;
    }
    /// A consumer begins.
    ConsumerInfo = 5 {
        command_id: i32;
        response_required: bool;
        consumer_id: @cached Option<ConsumerId>;
        browser: bool;
        destination: @cached Option<Box<Structure>>;
        prefetch_size: i32;
        maximum_pending_message_limit: i32;
        dispatch_async: bool;
        selector: Option<Text>;
        client_id: Option<Text> => 10..;
        subscription_name: Option<Text>;
        no_local: bool;
        exclusive: bool;
        retroactive: bool;
        priority: i8;
        broker_path: Option<Vec<Structure>>;
        additional_predicate: Option<Box<Structure>>;
        network_subscription: bool;
        optimized_acknowledge: bool;
        no_range_acks: bool;
        network_consumer_path: Option<Vec<Structure>> => 4..;
    }
    /// A producer begins.
    ProducerInfo = 6 {
        command_id: i32;
        response_required: bool;
        producer_id: @cached Option<ProducerId>;
        destination: @cached Option<Box<Structure>>;
        broker_path: Option<Vec<Structure>>;
        dispatch_async: bool => 2..;
        window_size: i32 => 3..;
    }
    /// A verb of a transaction: `r#type` is 0 begin, 1 prepare, 2 commit in one phase, 3 commit in two, 4 roll back, 5 recover,
    /// 6 forget, 7 end.
    TransactionInfo = 7 {
        command_id: i32;
        response_required: bool;
        connection_id: @cached Option<ConnectionId>;
        transaction_id: @cached Option<Box<Structure>>;
        r#type: i8;
    }
    /// A destination is made (`operation_type` 0) or removed (1).
    DestinationInfo = 8 {
        command_id: i32;
        response_required: bool;
        connection_id: @cached Option<ConnectionId>;
        destination: @cached Option<Box<Structure>>;
        operation_type: i8;
        timeout: i64;
        broker_path: Option<Vec<Structure>>;
    }
    /// A durable subscription ends.
    RemoveSubscriptionInfo = 9 {
        command_id: i32;
        response_required: bool;
        connection_id: @cached Option<ConnectionId>;
        subcription_name: Option<Text>;
        client_id: Option<Text>;
    }
    /// A sign of life.
    KeepAliveInfo = 10 {
        command_id: i32;
        response_required: bool;
    }
    /// Goodbye.
    ShutdownInfo = 11 {
        command_id: i32;
        response_required: bool;
    }
    /// A connection, session, consumer or producer ends.
    RemoveInfo = 12 {
        command_id: i32;
        response_required: bool;
        object_id: @cached Option<Box<Structure>>;
        last_delivered_sequence_id: i64 => 5..;
    }
    /// An order to the broker, such as `shutdown`.
    ControlCommand = 14 {
        command_id: i32;
        response_required: bool;
        command: Option<Text>;
    }
    /// Nothing is held back any longer.
    FlushCommand = 15 {
        command_id: i32;
        response_required: bool;
    }
    /// Something failed that nobody waits for.
    ConnectionError = 16 {
        command_id: i32;
        response_required: bool;
        exception: Option<Throwable>;
        connection_id: Option<ConnectionId>;
    }
    /// A consumer changes.
    ConsumerControl = 17 {
        command_id: i32;
        response_required: bool;
        destination: Option<Box<Structure>> => 6..;
        close: bool;
        consumer_id: Option<ConsumerId>;
        prefetch: i32;
        flush: bool => 2..;
        start: bool => 2..;
        stop: bool => 2..;
    }
    /// What the client is told of the broker, and of where else it may connect.
    ConnectionControl = 18 {
        command_id: i32;
        response_required: bool;
        close: bool;
        exit: bool;
        fault_tolerant: bool;
        resume: bool;
        suspend: bool;
        connected_brokers: Option<Text> => 6..;
        reconnect_to: Option<Text> => 6..;
        rebalance_connection: bool => 6..;
        token: Option<Bytes> => 8..;
    }
    /// So many bytes of a producer's messages need not be counted any longer.
    ProducerAck = 19 {
        command_id: i32;
        response_required: bool;
        producer_id: Option<ProducerId>;
        size: i32;
    }
    /// A consumer without a prefetch asks for a message: within `timeout` ms, at once if it is -1, whenever one comes if it is 0.
    MessagePull = 20 {
        command_id: i32;
        response_required: bool;
        consumer_id: @cached Option<ConsumerId>;
        destination: @cached Option<Box<Structure>>;
        timeout: i64;
        correlation_id: Option<Text> => 3..;
        message_id: Option<MessageId> => 3..;
    }
}
