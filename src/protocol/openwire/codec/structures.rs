// generated
use super::wire::{CodecError, In, Out, Wire};
use bytes::Bytes;
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::protocol) struct Throwable {
    pub(in crate::protocol) class_name: String,
    pub(in crate::protocol) message: Option<String>,
}
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::protocol) struct WireFormatInfo {
    pub(in crate::protocol) version: i32,
    pub(in crate::protocol) properties: Option<Bytes>,
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct BrokerInfo {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) broker_id: Option<Box<Structure>>,
    pub(in crate::protocol) broker_url: Option<String>,
    pub(in crate::protocol) peer_broker_infos: Option<Vec<Structure>>,
    pub(in crate::protocol) broker_name: Option<String>,
    pub(in crate::protocol) slave_broker: bool,
    pub(in crate::protocol) master_broker: bool,
    pub(in crate::protocol) fault_tolerant_configuration: bool,
    pub(in crate::protocol) duplex_connection: bool,
    pub(in crate::protocol) network_connection: bool,
    pub(in crate::protocol) connection_id: i64,
    pub(in crate::protocol) broker_upload_url: Option<String>,
    pub(in crate::protocol) network_properties: Option<String>,
}
impl BrokerInfo {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.broker_id = Wire::read(i)?;
        it.broker_url = Wire::read(i)?;
        it.peer_broker_infos = Wire::read(i)?;
        it.broker_name = Wire::read(i)?;
        it.slave_broker = Wire::read(i)?;
        it.master_broker = Wire::read(i)?;
        it.fault_tolerant_configuration = Wire::read(i)?;
        if i.version >= 2 {
            it.duplex_connection = Wire::read(i)?
        };
        if i.version >= 2 {
            it.network_connection = Wire::read(i)?
        };
        if i.version >= 2 {
            it.connection_id = Wire::read(i)?
        };
        if i.version >= 3 {
            it.broker_upload_url = Wire::read(i)?
        };
        if i.version >= 3 {
            it.network_properties = Wire::read(i)?
        };
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.broker_id.write(o);
        self.broker_url.write(o);
        self.peer_broker_infos.write(o);
        self.broker_name.write(o);
        self.slave_broker.write(o);
        self.master_broker.write(o);
        self.fault_tolerant_configuration.write(o);
        if o.version >= 2 {
            self.duplex_connection.write(o);
        }
        if o.version >= 2 {
            self.network_connection.write(o);
        }
        if o.version >= 2 {
            self.connection_id.write(o);
        }
        if o.version >= 3 {
            self.broker_upload_url.write(o);
        }
        if o.version >= 3 {
            self.network_properties.write(o);
        }
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ConnectionInfo {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) connection_id: Option<ConnectionId>,
    pub(in crate::protocol) client_id: Option<String>,
    pub(in crate::protocol) password: Option<String>,
    pub(in crate::protocol) user_name: Option<String>,
    pub(in crate::protocol) broker_path: Option<Vec<Structure>>,
    pub(in crate::protocol) broker_master_connector: bool,
    pub(in crate::protocol) manageable: bool,
    pub(in crate::protocol) client_master: bool,
    pub(in crate::protocol) fault_tolerant: bool,
    pub(in crate::protocol) failover_reconnect: bool,
    pub(in crate::protocol) client_ip: Option<String>,
}
impl ConnectionInfo {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.connection_id = match Option::<Box<Structure>>::read(i)? {
            None => None,
            Some(b) => match *b {
                Structure::ConnectionId(x) => Some(x),
                _ => return Err(CodecError::Damaged),
            },
        };
        it.client_id = Wire::read(i)?;
        it.password = Wire::read(i)?;
        it.user_name = Wire::read(i)?;
        it.broker_path = Wire::read(i)?;
        it.broker_master_connector = Wire::read(i)?;
        it.manageable = Wire::read(i)?;
        if i.version >= 2 {
            it.client_master = Wire::read(i)?
        };
        if i.version >= 6 {
            it.fault_tolerant = Wire::read(i)?
        };
        if i.version >= 6 {
            it.failover_reconnect = Wire::read(i)?
        };
        if i.version >= 8 {
            it.client_ip = Wire::read(i)?
        };
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.connection_id.clone().map(|x| Box::new(Structure::ConnectionId(x))).write(o);
        self.client_id.write(o);
        self.password.write(o);
        self.user_name.write(o);
        self.broker_path.write(o);
        self.broker_master_connector.write(o);
        self.manageable.write(o);
        if o.version >= 2 {
            self.client_master.write(o);
        }
        if o.version >= 6 {
            self.fault_tolerant.write(o);
        }
        if o.version >= 6 {
            self.failover_reconnect.write(o);
        }
        if o.version >= 8 {
            self.client_ip.write(o);
        }
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct SessionInfo {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) session_id: Option<SessionId>,
}
impl SessionInfo {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.session_id = match Option::<Box<Structure>>::read(i)? {
            None => None,
            Some(b) => match *b {
                Structure::SessionId(x) => Some(x),
                _ => return Err(CodecError::Damaged),
            },
        };
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.session_id.clone().map(|x| Box::new(Structure::SessionId(x))).write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ConsumerInfo {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) consumer_id: Option<ConsumerId>,
    pub(in crate::protocol) browser: bool,
    pub(in crate::protocol) destination: Option<Box<Structure>>,
    pub(in crate::protocol) prefetch_size: i32,
    pub(in crate::protocol) maximum_pending_message_limit: i32,
    pub(in crate::protocol) dispatch_async: bool,
    pub(in crate::protocol) selector: Option<String>,
    pub(in crate::protocol) client_id: Option<String>,
    pub(in crate::protocol) subscription_name: Option<String>,
    pub(in crate::protocol) no_local: bool,
    pub(in crate::protocol) exclusive: bool,
    pub(in crate::protocol) retroactive: bool,
    pub(in crate::protocol) priority: i8,
    pub(in crate::protocol) broker_path: Option<Vec<Structure>>,
    pub(in crate::protocol) additional_predicate: Option<Box<Structure>>,
    pub(in crate::protocol) network_subscription: bool,
    pub(in crate::protocol) optimized_acknowledge: bool,
    pub(in crate::protocol) no_range_acks: bool,
    pub(in crate::protocol) network_consumer_path: Option<Vec<Structure>>,
}
impl ConsumerInfo {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.consumer_id = match Option::<Box<Structure>>::read(i)? {
            None => None,
            Some(b) => match *b {
                Structure::ConsumerId(x) => Some(x),
                _ => return Err(CodecError::Damaged),
            },
        };
        it.browser = Wire::read(i)?;
        it.destination = Wire::read(i)?;
        it.prefetch_size = Wire::read(i)?;
        it.maximum_pending_message_limit = Wire::read(i)?;
        it.dispatch_async = Wire::read(i)?;
        it.selector = Wire::read(i)?;
        if i.version >= 10 {
            it.client_id = Wire::read(i)?
        };
        it.subscription_name = Wire::read(i)?;
        it.no_local = Wire::read(i)?;
        it.exclusive = Wire::read(i)?;
        it.retroactive = Wire::read(i)?;
        it.priority = Wire::read(i)?;
        it.broker_path = Wire::read(i)?;
        it.additional_predicate = Wire::read(i)?;
        it.network_subscription = Wire::read(i)?;
        it.optimized_acknowledge = Wire::read(i)?;
        it.no_range_acks = Wire::read(i)?;
        if i.version >= 4 {
            it.network_consumer_path = Wire::read(i)?
        };
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.consumer_id.clone().map(|x| Box::new(Structure::ConsumerId(x))).write(o);
        self.browser.write(o);
        self.destination.write(o);
        self.prefetch_size.write(o);
        self.maximum_pending_message_limit.write(o);
        self.dispatch_async.write(o);
        self.selector.write(o);
        if o.version >= 10 {
            self.client_id.write(o);
        }
        self.subscription_name.write(o);
        self.no_local.write(o);
        self.exclusive.write(o);
        self.retroactive.write(o);
        self.priority.write(o);
        self.broker_path.write(o);
        self.additional_predicate.write(o);
        self.network_subscription.write(o);
        self.optimized_acknowledge.write(o);
        self.no_range_acks.write(o);
        if o.version >= 4 {
            self.network_consumer_path.write(o);
        }
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ProducerInfo {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) producer_id: Option<ProducerId>,
    pub(in crate::protocol) destination: Option<Box<Structure>>,
    pub(in crate::protocol) broker_path: Option<Vec<Structure>>,
    pub(in crate::protocol) dispatch_async: bool,
    pub(in crate::protocol) window_size: i32,
}
impl ProducerInfo {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.producer_id = match Option::<Box<Structure>>::read(i)? {
            None => None,
            Some(b) => match *b {
                Structure::ProducerId(x) => Some(x),
                _ => return Err(CodecError::Damaged),
            },
        };
        it.destination = Wire::read(i)?;
        it.broker_path = Wire::read(i)?;
        if i.version >= 2 {
            it.dispatch_async = Wire::read(i)?
        };
        if i.version >= 3 {
            it.window_size = Wire::read(i)?
        };
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.producer_id.clone().map(|x| Box::new(Structure::ProducerId(x))).write(o);
        self.destination.write(o);
        self.broker_path.write(o);
        if o.version >= 2 {
            self.dispatch_async.write(o);
        }
        if o.version >= 3 {
            self.window_size.write(o);
        }
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct TransactionInfo {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) connection_id: Option<Box<Structure>>,
    pub(in crate::protocol) transaction_id: Option<Box<Structure>>,
    pub(in crate::protocol) type_: i8,
}
impl TransactionInfo {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.connection_id = Wire::read(i)?;
        it.transaction_id = Wire::read(i)?;
        it.type_ = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.connection_id.write(o);
        self.transaction_id.write(o);
        self.type_.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct DestinationInfo {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) connection_id: Option<Box<Structure>>,
    pub(in crate::protocol) destination: Option<Box<Structure>>,
    pub(in crate::protocol) operation_type: i8,
    pub(in crate::protocol) timeout: i64,
    pub(in crate::protocol) broker_path: Option<Vec<Structure>>,
}
impl DestinationInfo {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.connection_id = Wire::read(i)?;
        it.destination = Wire::read(i)?;
        it.operation_type = Wire::read(i)?;
        it.timeout = Wire::read(i)?;
        it.broker_path = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.connection_id.write(o);
        self.destination.write(o);
        self.operation_type.write(o);
        self.timeout.write(o);
        self.broker_path.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct RemoveSubscriptionInfo {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) connection_id: Option<Box<Structure>>,
    pub(in crate::protocol) subcription_name: Option<String>,
    pub(in crate::protocol) client_id: Option<String>,
}
impl RemoveSubscriptionInfo {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.connection_id = Wire::read(i)?;
        it.subcription_name = Wire::read(i)?;
        it.client_id = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.connection_id.write(o);
        self.subcription_name.write(o);
        self.client_id.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct KeepAliveInfo {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
}
impl KeepAliveInfo {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ShutdownInfo {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
}
impl ShutdownInfo {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct RemoveInfo {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) object_id: Option<Box<Structure>>,
    pub(in crate::protocol) last_delivered_sequence_id: i64,
}
impl RemoveInfo {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.object_id = Wire::read(i)?;
        if i.version >= 5 {
            it.last_delivered_sequence_id = Wire::read(i)?
        };
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.object_id.write(o);
        if o.version >= 5 {
            self.last_delivered_sequence_id.write(o);
        }
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ControlCommand {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) command: Option<String>,
}
impl ControlCommand {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.command = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.command.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct FlushCommand {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
}
impl FlushCommand {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::protocol) struct ConnectionError {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) exception: Option<Throwable>,
    pub(in crate::protocol) connection_id: Option<Box<Structure>>,
}
impl ConnectionError {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.exception = Wire::read(i)?;
        it.connection_id = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.exception.write(o);
        self.connection_id.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ConsumerControl {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) destination: Option<Box<Structure>>,
    pub(in crate::protocol) close: bool,
    pub(in crate::protocol) consumer_id: Option<ConsumerId>,
    pub(in crate::protocol) prefetch: i32,
    pub(in crate::protocol) flush: bool,
    pub(in crate::protocol) start: bool,
    pub(in crate::protocol) stop: bool,
}
impl ConsumerControl {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        if i.version >= 6 {
            it.destination = Wire::read(i)?
        };
        it.close = Wire::read(i)?;
        it.consumer_id = match Option::<Box<Structure>>::read(i)? {
            None => None,
            Some(b) => match *b {
                Structure::ConsumerId(x) => Some(x),
                _ => return Err(CodecError::Damaged),
            },
        };
        it.prefetch = Wire::read(i)?;
        if i.version >= 2 {
            it.flush = Wire::read(i)?
        };
        if i.version >= 2 {
            it.start = Wire::read(i)?
        };
        if i.version >= 2 {
            it.stop = Wire::read(i)?
        };
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        if o.version >= 6 {
            self.destination.write(o);
        }
        self.close.write(o);
        self.consumer_id.clone().map(|x| Box::new(Structure::ConsumerId(x))).write(o);
        self.prefetch.write(o);
        if o.version >= 2 {
            self.flush.write(o);
        }
        if o.version >= 2 {
            self.start.write(o);
        }
        if o.version >= 2 {
            self.stop.write(o);
        }
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ConnectionControl {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) close: bool,
    pub(in crate::protocol) exit: bool,
    pub(in crate::protocol) fault_tolerant: bool,
    pub(in crate::protocol) resume: bool,
    pub(in crate::protocol) suspend: bool,
    pub(in crate::protocol) connected_brokers: Option<String>,
    pub(in crate::protocol) reconnect_to: Option<String>,
    pub(in crate::protocol) rebalance_connection: bool,
    pub(in crate::protocol) token: Option<Bytes>,
}
impl ConnectionControl {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.close = Wire::read(i)?;
        it.exit = Wire::read(i)?;
        it.fault_tolerant = Wire::read(i)?;
        it.resume = Wire::read(i)?;
        it.suspend = Wire::read(i)?;
        if i.version >= 6 {
            it.connected_brokers = Wire::read(i)?
        };
        if i.version >= 6 {
            it.reconnect_to = Wire::read(i)?
        };
        if i.version >= 6 {
            it.rebalance_connection = Wire::read(i)?
        };
        if i.version >= 8 {
            it.token = Wire::read(i)?
        };
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.close.write(o);
        self.exit.write(o);
        self.fault_tolerant.write(o);
        self.resume.write(o);
        self.suspend.write(o);
        if o.version >= 6 {
            self.connected_brokers.write(o);
        }
        if o.version >= 6 {
            self.reconnect_to.write(o);
        }
        if o.version >= 6 {
            self.rebalance_connection.write(o);
        }
        if o.version >= 8 {
            self.token.write(o);
        }
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ProducerAck {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) producer_id: Option<ProducerId>,
    pub(in crate::protocol) size: i32,
}
impl ProducerAck {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.producer_id = match Option::<Box<Structure>>::read(i)? {
            None => None,
            Some(b) => match *b {
                Structure::ProducerId(x) => Some(x),
                _ => return Err(CodecError::Damaged),
            },
        };
        it.size = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.producer_id.clone().map(|x| Box::new(Structure::ProducerId(x))).write(o);
        self.size.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct MessagePull {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) consumer_id: Option<ConsumerId>,
    pub(in crate::protocol) destination: Option<Box<Structure>>,
    pub(in crate::protocol) timeout: i64,
    pub(in crate::protocol) correlation_id: Option<String>,
    pub(in crate::protocol) message_id: Option<Box<Structure>>,
}
impl MessagePull {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.consumer_id = match Option::<Box<Structure>>::read(i)? {
            None => None,
            Some(b) => match *b {
                Structure::ConsumerId(x) => Some(x),
                _ => return Err(CodecError::Damaged),
            },
        };
        it.destination = Wire::read(i)?;
        it.timeout = Wire::read(i)?;
        if i.version >= 3 {
            it.correlation_id = Wire::read(i)?
        };
        if i.version >= 3 {
            it.message_id = Wire::read(i)?
        };
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.consumer_id.clone().map(|x| Box::new(Structure::ConsumerId(x))).write(o);
        self.destination.write(o);
        self.timeout.write(o);
        if o.version >= 3 {
            self.correlation_id.write(o);
        }
        if o.version >= 3 {
            self.message_id.write(o);
        }
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct MessageDispatch {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) consumer_id: Option<ConsumerId>,
    pub(in crate::protocol) destination: Option<Box<Structure>>,
    pub(in crate::protocol) message: Option<Box<Structure>>,
    pub(in crate::protocol) redelivery_counter: i32,
}
impl MessageDispatch {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.consumer_id = match Option::<Box<Structure>>::read(i)? {
            None => None,
            Some(b) => match *b {
                Structure::ConsumerId(x) => Some(x),
                _ => return Err(CodecError::Damaged),
            },
        };
        it.destination = Wire::read(i)?;
        it.message = Wire::read(i)?;
        it.redelivery_counter = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.consumer_id.clone().map(|x| Box::new(Structure::ConsumerId(x))).write(o);
        self.destination.write(o);
        self.message.write(o);
        self.redelivery_counter.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::protocol) struct MessageAck {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) destination: Option<Box<Structure>>,
    pub(in crate::protocol) transaction_id: Option<Box<Structure>>,
    pub(in crate::protocol) consumer_id: Option<ConsumerId>,
    pub(in crate::protocol) ack_type: i8,
    pub(in crate::protocol) first_message_id: Option<MessageId>,
    pub(in crate::protocol) last_message_id: Option<MessageId>,
    pub(in crate::protocol) message_count: i32,
    pub(in crate::protocol) poison_cause: Option<Throwable>,
}
impl MessageAck {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.destination = Wire::read(i)?;
        it.transaction_id = Wire::read(i)?;
        it.consumer_id = match Option::<Box<Structure>>::read(i)? {
            None => None,
            Some(b) => match *b {
                Structure::ConsumerId(x) => Some(x),
                _ => return Err(CodecError::Damaged),
            },
        };
        it.ack_type = Wire::read(i)?;
        it.first_message_id = match Option::<Box<Structure>>::read(i)? {
            None => None,
            Some(b) => match *b {
                Structure::MessageId(x) => Some(x),
                _ => return Err(CodecError::Damaged),
            },
        };
        it.last_message_id = match Option::<Box<Structure>>::read(i)? {
            None => None,
            Some(b) => match *b {
                Structure::MessageId(x) => Some(x),
                _ => return Err(CodecError::Damaged),
            },
        };
        it.message_count = Wire::read(i)?;
        if i.version >= 7 {
            it.poison_cause = Wire::read(i)?
        };
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.destination.write(o);
        self.transaction_id.write(o);
        self.consumer_id.clone().map(|x| Box::new(Structure::ConsumerId(x))).write(o);
        self.ack_type.write(o);
        self.first_message_id.clone().map(|x| Box::new(Structure::MessageId(x))).write(o);
        self.last_message_id.clone().map(|x| Box::new(Structure::MessageId(x))).write(o);
        self.message_count.write(o);
        if o.version >= 7 {
            self.poison_cause.write(o);
        }
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct Response {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) correlation_id: i32,
}
impl Response {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.correlation_id = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.correlation_id.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::protocol) struct ExceptionResponse {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) correlation_id: i32,
    pub(in crate::protocol) exception: Option<Throwable>,
}
impl ExceptionResponse {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.correlation_id = Wire::read(i)?;
        it.exception = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.correlation_id.write(o);
        self.exception.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct DataArrayResponse {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) correlation_id: i32,
    pub(in crate::protocol) data: Option<Vec<Structure>>,
}
impl DataArrayResponse {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.correlation_id = Wire::read(i)?;
        it.data = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.correlation_id.write(o);
        self.data.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct IntegerResponse {
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) correlation_id: i32,
    pub(in crate::protocol) result: i32,
}
impl IntegerResponse {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.correlation_id = Wire::read(i)?;
        it.result = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.correlation_id.write(o);
        self.result.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ConnectionId {
    pub(in crate::protocol) value: Option<String>,
}
impl ConnectionId {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.value = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.value.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct SessionId {
    pub(in crate::protocol) connection_id: Option<String>,
    pub(in crate::protocol) value: i64,
}
impl SessionId {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.connection_id = Wire::read(i)?;
        it.value = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.connection_id.write(o);
        self.value.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ConsumerId {
    pub(in crate::protocol) connection_id: Option<String>,
    pub(in crate::protocol) session_id: i64,
    pub(in crate::protocol) value: i64,
}
impl ConsumerId {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.connection_id = Wire::read(i)?;
        it.session_id = Wire::read(i)?;
        it.value = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.connection_id.write(o);
        self.session_id.write(o);
        self.value.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ProducerId {
    pub(in crate::protocol) connection_id: Option<String>,
    pub(in crate::protocol) value: i64,
    pub(in crate::protocol) session_id: i64,
}
impl ProducerId {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.connection_id = Wire::read(i)?;
        it.value = Wire::read(i)?;
        it.session_id = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.connection_id.write(o);
        self.value.write(o);
        self.session_id.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct BrokerId {
    pub(in crate::protocol) value: Option<String>,
}
impl BrokerId {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.value = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.value.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct LocalTransactionId {
    pub(in crate::protocol) value: i64,
    pub(in crate::protocol) connection_id: Option<Box<Structure>>,
}
impl LocalTransactionId {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.value = Wire::read(i)?;
        it.connection_id = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.value.write(o);
        self.connection_id.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct XATransactionId {
    pub(in crate::protocol) format_id: i32,
    pub(in crate::protocol) global_transaction_id: Option<Bytes>,
    pub(in crate::protocol) branch_qualifier: Option<Bytes>,
}
impl XATransactionId {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.format_id = Wire::read(i)?;
        it.global_transaction_id = Wire::read(i)?;
        it.branch_qualifier = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.format_id.write(o);
        self.global_transaction_id.write(o);
        self.branch_qualifier.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct MessageId {
    pub(in crate::protocol) text_view: Option<String>,
    pub(in crate::protocol) producer_id: Option<ProducerId>,
    pub(in crate::protocol) producer_sequence_id: i64,
    pub(in crate::protocol) broker_sequence_id: i64,
}
impl MessageId {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        if i.version >= 10 {
            it.text_view = Wire::read(i)?
        };
        it.producer_id = match Option::<Box<Structure>>::read(i)? {
            None => None,
            Some(b) => match *b {
                Structure::ProducerId(x) => Some(x),
                _ => return Err(CodecError::Damaged),
            },
        };
        it.producer_sequence_id = Wire::read(i)?;
        it.broker_sequence_id = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        if o.version >= 10 {
            self.text_view.write(o);
        }
        self.producer_id.clone().map(|x| Box::new(Structure::ProducerId(x))).write(o);
        self.producer_sequence_id.write(o);
        self.broker_sequence_id.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ActiveMQQueue {
    pub(in crate::protocol) physical_name: Option<String>,
}
impl ActiveMQQueue {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.physical_name = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.physical_name.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ActiveMQTopic {
    pub(in crate::protocol) physical_name: Option<String>,
}
impl ActiveMQTopic {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.physical_name = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.physical_name.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ActiveMQTempQueue {
    pub(in crate::protocol) physical_name: Option<String>,
}
impl ActiveMQTempQueue {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.physical_name = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.physical_name.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct ActiveMQTempTopic {
    pub(in crate::protocol) physical_name: Option<String>,
}
impl ActiveMQTempTopic {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.physical_name = Wire::read(i)?;
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.physical_name.write(o);
    }
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct Message {
    pub(in crate::protocol) kind: u8,
    pub(in crate::protocol) command_id: i32,
    pub(in crate::protocol) response_required: bool,
    pub(in crate::protocol) producer_id: Option<ProducerId>,
    pub(in crate::protocol) destination: Option<Box<Structure>>,
    pub(in crate::protocol) transaction_id: Option<Box<Structure>>,
    pub(in crate::protocol) original_destination: Option<Box<Structure>>,
    pub(in crate::protocol) message_id: Option<MessageId>,
    pub(in crate::protocol) original_transaction_id: Option<Box<Structure>>,
    pub(in crate::protocol) group_id: Option<String>,
    pub(in crate::protocol) group_sequence: i32,
    pub(in crate::protocol) correlation_id: Option<String>,
    pub(in crate::protocol) persistent: bool,
    pub(in crate::protocol) expiration: i64,
    pub(in crate::protocol) priority: i8,
    pub(in crate::protocol) reply_to: Option<Box<Structure>>,
    pub(in crate::protocol) timestamp: i64,
    pub(in crate::protocol) type_: Option<String>,
    pub(in crate::protocol) content: Option<Bytes>,
    pub(in crate::protocol) marshalled_properties: Option<Bytes>,
    pub(in crate::protocol) data_structure: Option<Box<Structure>>,
    pub(in crate::protocol) target_consumer_id: Option<Box<Structure>>,
    pub(in crate::protocol) compressed: bool,
    pub(in crate::protocol) redelivery_counter: i32,
    pub(in crate::protocol) broker_path: Option<Vec<Structure>>,
    pub(in crate::protocol) arrival: i64,
    pub(in crate::protocol) user_id: Option<String>,
    pub(in crate::protocol) recieved_by_df_bridge: bool,
    pub(in crate::protocol) droppable: bool,
    pub(in crate::protocol) cluster: Option<Vec<Structure>>,
    pub(in crate::protocol) broker_in_time: i64,
    pub(in crate::protocol) broker_out_time: i64,
    pub(in crate::protocol) jmsx_group_first_for_consumer: bool,
}
impl Message {
    fn read(i: &mut In<'_>) -> Result<Self, CodecError> {
        let mut it = Self::default();
        it.command_id = Wire::read(i)?;
        it.response_required = Wire::read(i)?;
        it.producer_id = match Option::<Box<Structure>>::read(i)? {
            None => None,
            Some(b) => match *b {
                Structure::ProducerId(x) => Some(x),
                _ => return Err(CodecError::Damaged),
            },
        };
        it.destination = Wire::read(i)?;
        it.transaction_id = Wire::read(i)?;
        it.original_destination = Wire::read(i)?;
        it.message_id = match Option::<Box<Structure>>::read(i)? {
            None => None,
            Some(b) => match *b {
                Structure::MessageId(x) => Some(x),
                _ => return Err(CodecError::Damaged),
            },
        };
        it.original_transaction_id = Wire::read(i)?;
        it.group_id = Wire::read(i)?;
        it.group_sequence = Wire::read(i)?;
        it.correlation_id = Wire::read(i)?;
        it.persistent = Wire::read(i)?;
        it.expiration = Wire::read(i)?;
        it.priority = Wire::read(i)?;
        it.reply_to = Wire::read(i)?;
        it.timestamp = Wire::read(i)?;
        it.type_ = Wire::read(i)?;
        it.content = Wire::read(i)?;
        it.marshalled_properties = Wire::read(i)?;
        it.data_structure = Wire::read(i)?;
        it.target_consumer_id = Wire::read(i)?;
        it.compressed = Wire::read(i)?;
        it.redelivery_counter = Wire::read(i)?;
        it.broker_path = Wire::read(i)?;
        it.arrival = Wire::read(i)?;
        it.user_id = Wire::read(i)?;
        it.recieved_by_df_bridge = Wire::read(i)?;
        if i.version >= 2 {
            it.droppable = Wire::read(i)?
        };
        if i.version >= 3 {
            it.cluster = Wire::read(i)?
        };
        if i.version >= 3 {
            it.broker_in_time = Wire::read(i)?
        };
        if i.version >= 3 {
            it.broker_out_time = Wire::read(i)?
        };
        if i.version >= 10 {
            it.jmsx_group_first_for_consumer = Wire::read(i)?
        };
        Ok(it)
    }
    fn write(&self, o: &mut Out<'_>) {
        self.command_id.write(o);
        self.response_required.write(o);
        self.producer_id.clone().map(|x| Box::new(Structure::ProducerId(x))).write(o);
        self.destination.write(o);
        self.transaction_id.write(o);
        self.original_destination.write(o);
        self.message_id.clone().map(|x| Box::new(Structure::MessageId(x))).write(o);
        self.original_transaction_id.write(o);
        self.group_id.write(o);
        self.group_sequence.write(o);
        self.correlation_id.write(o);
        self.persistent.write(o);
        self.expiration.write(o);
        self.priority.write(o);
        self.reply_to.write(o);
        self.timestamp.write(o);
        self.type_.write(o);
        self.content.write(o);
        self.marshalled_properties.write(o);
        self.data_structure.write(o);
        self.target_consumer_id.write(o);
        self.compressed.write(o);
        self.redelivery_counter.write(o);
        self.broker_path.write(o);
        self.arrival.write(o);
        self.user_id.write(o);
        self.recieved_by_df_bridge.write(o);
        if o.version >= 2 {
            self.droppable.write(o);
        }
        if o.version >= 3 {
            self.cluster.write(o);
        }
        if o.version >= 3 {
            self.broker_in_time.write(o);
        }
        if o.version >= 3 {
            self.broker_out_time.write(o);
        }
        if o.version >= 10 {
            self.jmsx_group_first_for_consumer.write(o);
        }
    }
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::protocol) enum Structure {
    Null,
    WireFormatInfo(WireFormatInfo),
    BrokerInfo(BrokerInfo),
    ConnectionInfo(ConnectionInfo),
    SessionInfo(SessionInfo),
    ConsumerInfo(ConsumerInfo),
    ProducerInfo(ProducerInfo),
    TransactionInfo(TransactionInfo),
    DestinationInfo(DestinationInfo),
    RemoveSubscriptionInfo(RemoveSubscriptionInfo),
    KeepAliveInfo(KeepAliveInfo),
    ShutdownInfo(ShutdownInfo),
    RemoveInfo(RemoveInfo),
    ControlCommand(ControlCommand),
    FlushCommand(FlushCommand),
    ConnectionError(ConnectionError),
    ConsumerControl(ConsumerControl),
    ConnectionControl(ConnectionControl),
    ProducerAck(ProducerAck),
    MessagePull(MessagePull),
    MessageDispatch(MessageDispatch),
    MessageAck(MessageAck),
    Response(Response),
    ExceptionResponse(ExceptionResponse),
    DataArrayResponse(DataArrayResponse),
    IntegerResponse(IntegerResponse),
    ConnectionId(ConnectionId),
    SessionId(SessionId),
    ConsumerId(ConsumerId),
    ProducerId(ProducerId),
    BrokerId(BrokerId),
    LocalTransactionId(LocalTransactionId),
    XATransactionId(XATransactionId),
    MessageId(MessageId),
    ActiveMQQueue(ActiveMQQueue),
    ActiveMQTopic(ActiveMQTopic),
    ActiveMQTempQueue(ActiveMQTempQueue),
    ActiveMQTempTopic(ActiveMQTempTopic),
    Message(Message),
}
impl std::hash::Hash for Structure {
    fn hash<H: std::hash::Hasher>(&self, h: &mut H) {
        match self {
            Structure::LocalTransactionId(x) => x.hash(h),
            Structure::XATransactionId(x) => x.hash(h),
            Structure::ConnectionId(x) => x.hash(h),
            _ => {}
        }
    }
}
impl Structure {
    pub(super) fn kind(&self) -> u8 {
        match self {
            Structure::Null => 0,
            Structure::WireFormatInfo(_) => 1,
            Structure::BrokerInfo(_) => 2,
            Structure::ConnectionInfo(_) => 3,
            Structure::SessionInfo(_) => 4,
            Structure::ConsumerInfo(_) => 5,
            Structure::ProducerInfo(_) => 6,
            Structure::TransactionInfo(_) => 7,
            Structure::DestinationInfo(_) => 8,
            Structure::RemoveSubscriptionInfo(_) => 9,
            Structure::KeepAliveInfo(_) => 10,
            Structure::ShutdownInfo(_) => 11,
            Structure::RemoveInfo(_) => 12,
            Structure::ControlCommand(_) => 14,
            Structure::FlushCommand(_) => 15,
            Structure::ConnectionError(_) => 16,
            Structure::ConsumerControl(_) => 17,
            Structure::ConnectionControl(_) => 18,
            Structure::ProducerAck(_) => 19,
            Structure::MessagePull(_) => 20,
            Structure::MessageDispatch(_) => 21,
            Structure::MessageAck(_) => 22,
            Structure::Response(_) => 30,
            Structure::ExceptionResponse(_) => 31,
            Structure::DataArrayResponse(_) => 33,
            Structure::IntegerResponse(_) => 34,
            Structure::ConnectionId(_) => 120,
            Structure::SessionId(_) => 121,
            Structure::ConsumerId(_) => 122,
            Structure::ProducerId(_) => 123,
            Structure::BrokerId(_) => 124,
            Structure::LocalTransactionId(_) => 111,
            Structure::XATransactionId(_) => 112,
            Structure::MessageId(_) => 110,
            Structure::ActiveMQQueue(_) => 100,
            Structure::ActiveMQTopic(_) => 101,
            Structure::ActiveMQTempQueue(_) => 102,
            Structure::ActiveMQTempTopic(_) => 103,
            Structure::Message(m) => m.kind,
        }
    }
    pub(super) fn read(kind: u8, i: &mut In<'_>) -> Result<Structure, CodecError> {
        Ok(match kind {
            0 => Structure::Null,
            1 => {
                if &i.slice(8)?[..] != b"ActiveMQ" {
                    return Err(CodecError::Damaged);
                };
                Structure::WireFormatInfo(WireFormatInfo {
                    version: i32::read(i)?,
                    properties: Wire::read(i)?,
                })
            }
            23..=29 => {
                let mut m = Message::read(i)?;
                m.kind = kind;
                Structure::Message(m)
            }
            2 => Structure::BrokerInfo(BrokerInfo::read(i)?),
            3 => Structure::ConnectionInfo(ConnectionInfo::read(i)?),
            4 => Structure::SessionInfo(SessionInfo::read(i)?),
            5 => Structure::ConsumerInfo(ConsumerInfo::read(i)?),
            6 => Structure::ProducerInfo(ProducerInfo::read(i)?),
            7 => Structure::TransactionInfo(TransactionInfo::read(i)?),
            8 => Structure::DestinationInfo(DestinationInfo::read(i)?),
            9 => Structure::RemoveSubscriptionInfo(RemoveSubscriptionInfo::read(i)?),
            10 => Structure::KeepAliveInfo(KeepAliveInfo::read(i)?),
            11 => Structure::ShutdownInfo(ShutdownInfo::read(i)?),
            12 => Structure::RemoveInfo(RemoveInfo::read(i)?),
            14 => Structure::ControlCommand(ControlCommand::read(i)?),
            15 => Structure::FlushCommand(FlushCommand::read(i)?),
            16 => Structure::ConnectionError(ConnectionError::read(i)?),
            17 => Structure::ConsumerControl(ConsumerControl::read(i)?),
            18 => Structure::ConnectionControl(ConnectionControl::read(i)?),
            19 => Structure::ProducerAck(ProducerAck::read(i)?),
            20 => Structure::MessagePull(MessagePull::read(i)?),
            21 => Structure::MessageDispatch(MessageDispatch::read(i)?),
            22 => Structure::MessageAck(MessageAck::read(i)?),
            30 => Structure::Response(Response::read(i)?),
            31 => Structure::ExceptionResponse(ExceptionResponse::read(i)?),
            33 => Structure::DataArrayResponse(DataArrayResponse::read(i)?),
            34 => Structure::IntegerResponse(IntegerResponse::read(i)?),
            120 => Structure::ConnectionId(ConnectionId::read(i)?),
            121 => Structure::SessionId(SessionId::read(i)?),
            122 => Structure::ConsumerId(ConsumerId::read(i)?),
            123 => Structure::ProducerId(ProducerId::read(i)?),
            124 => Structure::BrokerId(BrokerId::read(i)?),
            111 => Structure::LocalTransactionId(LocalTransactionId::read(i)?),
            112 => Structure::XATransactionId(XATransactionId::read(i)?),
            110 => Structure::MessageId(MessageId::read(i)?),
            100 => Structure::ActiveMQQueue(ActiveMQQueue::read(i)?),
            101 => Structure::ActiveMQTopic(ActiveMQTopic::read(i)?),
            102 => Structure::ActiveMQTempQueue(ActiveMQTempQueue::read(i)?),
            103 => Structure::ActiveMQTempTopic(ActiveMQTempTopic::read(i)?),
            other => return Err(CodecError::Unknown(other)),
        })
    }
    pub(super) fn write(&self, o: &mut Out<'_>) {
        match self {
            Structure::Null => {}
            Structure::WireFormatInfo(w) => {
                o.to.extend_from_slice(b"ActiveMQ");
                w.version.write(o);
                w.properties.write(o);
            }
            Structure::BrokerInfo(x) => x.write(o),
            Structure::ConnectionInfo(x) => x.write(o),
            Structure::SessionInfo(x) => x.write(o),
            Structure::ConsumerInfo(x) => x.write(o),
            Structure::ProducerInfo(x) => x.write(o),
            Structure::TransactionInfo(x) => x.write(o),
            Structure::DestinationInfo(x) => x.write(o),
            Structure::RemoveSubscriptionInfo(x) => x.write(o),
            Structure::KeepAliveInfo(x) => x.write(o),
            Structure::ShutdownInfo(x) => x.write(o),
            Structure::RemoveInfo(x) => x.write(o),
            Structure::ControlCommand(x) => x.write(o),
            Structure::FlushCommand(x) => x.write(o),
            Structure::ConnectionError(x) => x.write(o),
            Structure::ConsumerControl(x) => x.write(o),
            Structure::ConnectionControl(x) => x.write(o),
            Structure::ProducerAck(x) => x.write(o),
            Structure::MessagePull(x) => x.write(o),
            Structure::MessageDispatch(x) => x.write(o),
            Structure::MessageAck(x) => x.write(o),
            Structure::Response(x) => x.write(o),
            Structure::ExceptionResponse(x) => x.write(o),
            Structure::DataArrayResponse(x) => x.write(o),
            Structure::IntegerResponse(x) => x.write(o),
            Structure::ConnectionId(x) => x.write(o),
            Structure::SessionId(x) => x.write(o),
            Structure::ConsumerId(x) => x.write(o),
            Structure::ProducerId(x) => x.write(o),
            Structure::BrokerId(x) => x.write(o),
            Structure::LocalTransactionId(x) => x.write(o),
            Structure::XATransactionId(x) => x.write(o),
            Structure::MessageId(x) => x.write(o),
            Structure::ActiveMQQueue(x) => x.write(o),
            Structure::ActiveMQTopic(x) => x.write(o),
            Structure::ActiveMQTempQueue(x) => x.write(o),
            Structure::ActiveMQTempTopic(x) => x.write(o),
            Structure::Message(x) => x.write(o),
        }
    }
}
