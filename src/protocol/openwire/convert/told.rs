//! What advisory messages tell of, as OpenWire's clients and bridges read it.

use std::sync::Arc;

use crate::model::{Happening, ToldConnection, ToldConsumer, ToldDestination, ToldProducer};

use super::super::codec::{
    ConnectionId, ConnectionInfo, ConsumerId, ConsumerInfo, DestinationInfo, ProducerId, ProducerInfo,
    RemoveInfo, Structure, Text,
};
use super::write_destination;

/// The structure that an advisory message carries; none for what is told without one.
pub(super) fn write(happening: Happening) -> Option<Structure> {
    Some(match happening {
        Happening::DestinationMade(told) => destination(&told, 0)?,
        Happening::DestinationRemoved(told) => destination(&told, 1)?,
        Happening::ConsumerCame(told) => consumer(told)?,
        Happening::ConsumerWent(told) => removed(Structure::ConsumerId(Arc::new(consumer_id(&told)))),
        Happening::ProducerCame(told) => Structure::ProducerInfo(Box::new(ProducerInfo {
            producer_id: Some(producer_id(&told)),
            destination: told.destination.as_ref().and_then(place).map(Box::new),
            ..ProducerInfo::default()
        })),
        Happening::ProducerWent(told) => removed(Structure::ProducerId(Arc::new(producer_id(&told)))),
        Happening::ConnectionCame(told) => connection(told),
        Happening::ConnectionWent(told) => {
            removed(Structure::ConnectionId(Arc::new(connection_id(told.connection))))
        }
        Happening::BrokerServes(_) => return None,
    })
}

fn filled(text: String) -> Option<Text> {
    Some(text).filter(|text| !text.is_empty()).map(Text::from)
}

fn place(told: &ToldDestination) -> Option<Structure> {
    told.read().ok().map(|it| write_destination(&it))
}

fn destination(told: &ToldDestination, operation_type: i8) -> Option<Structure> {
    let connection = Some(told.connection.clone()).filter(|name| !name.is_empty());
    Some(Structure::DestinationInfo(Box::new(DestinationInfo {
        connection_id: connection.map(connection_id),
        destination: Some(Box::new(place(told)?)),
        operation_type,
        ..DestinationInfo::default()
    })))
}

fn consumer(told: ToldConsumer) -> Option<Structure> {
    Some(Structure::ConsumerInfo(Box::new(ConsumerInfo {
        consumer_id: Some(consumer_id(&told)),
        destination: Some(Box::new(place(&told.destination)?)),
        prefetch_size: i32::try_from(told.prefetch).unwrap_or(i32::MAX),
        priority: i8::try_from(told.priority).unwrap_or_default(),
        browser: told.browse,
        exclusive: told.exclusive,
        no_local: told.no_local,
        dispatch_async: true,
        selector: filled(told.selector),
        client_id: filled(told.client_id),
        subscription_name: filled(told.durable_name),
        network_subscription: !told.bridge.is_empty(),
        ..ConsumerInfo::default()
    })))
}

fn connection(told: ToldConnection) -> Structure {
    Structure::ConnectionInfo(Box::new(ConnectionInfo {
        connection_id: Some(connection_id(told.connection)),
        client_id: filled(told.client_id),
        ..ConnectionInfo::default()
    }))
}

fn removed(what: Structure) -> Structure {
    Structure::RemoveInfo(Box::new(RemoveInfo { object_id: Some(Box::new(what)), ..RemoveInfo::default() }))
}

fn connection_id(name: String) -> ConnectionId {
    ConnectionId { value: Some(name.into()) }
}

/// The broker's own number of a consumer, in the session 0, which no client has.
fn consumer_id(told: &ToldConsumer) -> ConsumerId {
    ConsumerId {
        connection_id: Some(told.connection.clone().into()),
        session_id: 0,
        value: i64::try_from(told.number).unwrap_or(i64::MAX),
    }
}

fn producer_id(told: &ToldProducer) -> ProducerId {
    ProducerId {
        connection_id: Some(told.connection.clone().into()),
        session_id: 0,
        value: i64::try_from(told.number).unwrap_or(i64::MAX),
    }
}
