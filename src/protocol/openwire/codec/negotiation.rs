use std::time::Duration;

use bytes::{BufMut, BytesMut};

use crate::config::WireFormatOptions;
use crate::model::{Encoding, MessageBuilder, PropertyValue};

use super::super::convert::properties;
use super::structures::WireFormatInfo;
use super::wire::{Codec, CodecError};

/// What both sides have agreed on.
#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) struct Agreement {
    pub(in crate::protocol) inactivity: Duration,
}

/// Our side.
pub(in crate::protocol) fn offer(options: &WireFormatOptions, frame_bytes_max: usize) -> WireFormatInfo {
    let mut map = MessageBuilder::new(Encoding::Native);
    map.property("CacheEnabled", PropertyValue::Bool(false));
    map.property("CacheSize", PropertyValue::Int(options.cache_size.into()));
    map.property("SizePrefixDisabled", PropertyValue::Bool(false));
    map.property("StackTraceEnabled", PropertyValue::Bool(false));
    map.property("TcpNoDelayEnabled", PropertyValue::Bool(options.no_delay));
    map.property("TightEncodingEnabled", PropertyValue::Bool(false));
    map.property("MaxInactivityDuration", PropertyValue::Long(options.inactivity_max.as_millis() as i64));
    map.property("MaxInactivityDurationInitalDelay", PropertyValue::Long(10_000));
    map.property("MaxFrameSize", PropertyValue::Long(frame_bytes_max as i64));
    map.property("MaxFrameSizeEnabled", PropertyValue::Bool(true));
    map.property("ProviderName", PropertyValue::String("ActiveMQ"));
    map.property("ProviderVersion", PropertyValue::String("5.18.6"));
    let properties = map.build().ok().and_then(|map| properties::write(&map, &[]));
    let _ = BytesMut::new().put_u8(0);
    WireFormatInfo { version: options.version.into(), properties }
}

/// What the client's side makes of it.
pub(in crate::protocol) fn agree(
    options: &WireFormatOptions,
    theirs: &WireFormatInfo,
    codec: &mut Codec,
) -> Result<Agreement, CodecError> {
    let mut map = MessageBuilder::new(Encoding::Native);
    if let Some(properties) = &theirs.properties {
        properties::read(properties, &mut map).ok_or(CodecError::Damaged)?;
    }
    let map = map.build().map_err(|_| CodecError::Damaged)?;
    let find = |wanted: &str| map.properties().find(|(name, _)| *name == wanted).map(|(_, value)| value);
    codec.version = (theirs.version.clamp(1, 12) as u8).min(options.version);
    codec.stack_traces = false;
    let inactivity = match find("MaxInactivityDuration") {
        Some(PropertyValue::Long(ms)) => Duration::from_millis(u64::try_from(ms).unwrap_or_default()),
        _ => options.inactivity_max,
    };
    Ok(Agreement { inactivity: inactivity.min(options.inactivity_max) })
}
