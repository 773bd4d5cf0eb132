//! What brokers tell each other, and clients.

#[cfg(test)]
use crate::protocol::openwire::codec::chance::{Any, Chance};
use crate::protocol::openwire::codec::coded::Coded;
use crate::protocol::openwire::codec::error::FrameError;
use crate::protocol::openwire::codec::text::Text;
use crate::protocol::openwire::codec::wire::{Cached, Typed, Wire};

use super::rows::Held;
use super::{BrokerId, Reader, Structure, Writer};

rows! {
    /// A broker says who it is.
    BrokerInfo = 2 {
        command_id: i32;
        response_required: bool;
        broker_id: @cached Option<BrokerId>;
        broker_url: Option<Text>;
        peer_broker_infos: Option<Vec<Structure>>;
        broker_name: Option<Text>;
        slave_broker: bool;
        master_broker: bool;
        fault_tolerant_configuration: bool;
        duplex_connection: bool => 2..;
        network_connection: bool => 2..;
        connection_id: i64 => 2..;
        broker_upload_url: Option<Text> => 3..;
        network_properties: Option<Text> => 3..;
    }
    /// The durable subscriptions of a broker, for a bridge.
    BrokerSubscriptionInfo = 92 {
        command_id: i32;
        response_required: bool;
        broker_id: Option<BrokerId>;
        broker_name: Option<Text>;
        subscription_infos: Option<Vec<Structure>>;
    }
    /// How far a bridge's messages go.
    NetworkBridgeFilter = 91 {
        network_ttl: i32 => ..10;
        network_broker_id: @cached Option<BrokerId>;
        message_ttl: i32 => 10..;
        consumer_ttl: i32 => 10..;
    }
    /// A durable subscription.
    SubscriptionInfo = 55 {
        client_id: Option<Text>;
        destination: @cached Option<Box<Structure>>;
        selector: Option<Text>;
        subcription_name: Option<Text>;
        subscribed_destination: Option<Box<Structure>> => 3..;
        no_local: bool => 11..;
    }
    /// A broker was found.
    DiscoveryEvent = 40 {
        service_name: Option<Text>;
        broker_name: Option<Text>;
    }
}
