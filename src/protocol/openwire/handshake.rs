//! The first words: which version and options are spoken, then who connects. The broker's own first words wait for the client's,
//! so that it says nothing to whoever does not speak OpenWire.

use std::time::Duration;

use bytes::BytesMut;

use crate::broker::{BrokerNames, Credentials, NotOpened};
use crate::config::ConnectionOptions;
use crate::protocol::Output;
use crate::protocol::connection::{Fault, Handshake, Rhythm};
use crate::security::Password;

use super::adapter::OpenWireAdapter;
use super::codec::{
    BrokerId, BrokerInfo, Codec, ConnectionControl, ConnectionError, ConnectionInfo, ExceptionResponse,
    Response, Structure, Text,
};
use super::failure::Failure;
use super::negotiation::{Agreement, agree, offer};

/// Bytes of a frame before the client is known.
const FRAME_BYTES_BEFORE: usize = 16 * 1024;
/// What stands around the largest body in a frame: properties and headers.
const FRAME_BYTES_AROUND: usize = 1 << 20;
/// The broker writes so many times as often as a silent client is waited for.
const SIGNS_OF_LIFE: u32 = 3;

/// A connection before its ConnectionInfo.
#[derive(Debug)]
pub(in crate::protocol) struct OpenWireHandshake {
    options: ConnectionOptions,
    body_bytes_max: usize,
    codec: Codec,
    agreed: Option<Agreement>,
    /// What the client said about itself; nothing before it did.
    info: ConnectionInfo,
}

impl Handshake for OpenWireHandshake {
    type Adapter = OpenWireAdapter;

    const NAME: &'static str = "openwire";

    fn new(options: ConnectionOptions, body_bytes_max: usize) -> OpenWireHandshake {
        OpenWireHandshake {
            options,
            body_bytes_max,
            codec: Codec::new(FRAME_BYTES_BEFORE),
            agreed: None,
            info: ConnectionInfo::default(),
        }
    }

    fn greet(&mut self, arrived: &mut BytesMut, output: &mut Output) -> Result<Option<Credentials>, Fault> {
        loop {
            let read = self.codec.decode(arrived).map_err(|error| Fault(error.to_string()))?;
            match read {
                None => return Ok(None),
                Some(Structure::WireFormatInfo(theirs)) if self.agreed.is_none() => {
                    let (options, frame_bytes_max) = (&self.options.wire_format, self.frame_bytes_max());
                    let ours = offer(options, frame_bytes_max);
                    self.codec.encode(&Structure::WireFormatInfo(ours), output);
                    let agreed = agree(options, frame_bytes_max, &theirs);
                    let agreed = agreed.map_err(|error| Fault(error.to_string()))?;
                    self.codec.agree(agreed.settings, FRAME_BYTES_BEFORE);
                    self.agreed = Some(agreed);
                }
                // A client that comes again says first that it knows of failovers.
                Some(Structure::KeepAliveInfo(_) | Structure::ConnectionControl(_))
                    if self.agreed.is_some() => {}
                Some(Structure::ConnectionInfo(info)) if self.agreed.is_some() => {
                    self.info = *info;
                    let text = |text: &Option<Text>| text.as_deref().unwrap_or_default().to_owned();
                    return Ok(Some(Credentials {
                        client_id: text(&self.info.client_id),
                        connection: self
                            .info
                            .connection_id
                            .as_ref()
                            .map_or(String::new(), |id| text(&id.value)),
                        user: text(&self.info.user_name),
                        password: Password::new(text(&self.info.password.take())),
                    }));
                }
                Some(_) => return Err(Fault("a command before ConnectionInfo".to_owned())),
            }
        }
    }

    fn welcome(mut self, _: &str, broker: &BrokerNames, output: &mut Output) -> OpenWireAdapter {
        let inactivity_max = self.agreed.map_or(Duration::ZERO, |agreed| agreed.inactivity_max);
        self.codec.allow(self.frame_bytes_max());
        let broker = BrokerInfo {
            broker_id: Some(BrokerId { value: Some(broker.id().to_string().into()) }),
            broker_url: Some(broker.address().into()),
            broker_name: Some(broker.name().into()),
            ..BrokerInfo::default()
        };
        self.codec.encode(&Structure::BrokerInfo(broker.into()), output);
        if self.info.manageable {
            let control = ConnectionControl {
                connected_brokers: Some(Text::default()),
                reconnect_to: Some(Text::default()),
                ..ConnectionControl::default()
            };
            self.codec.encode(&Structure::ConnectionControl(control.into()), output);
        }
        if self.info.response_required {
            let response = Response { correlation_id: self.info.command_id, ..Response::default() };
            self.codec.encode(&Structure::Response(response.into()), output);
        }
        let silence_max = Some(inactivity_max).filter(|it| !it.is_zero());
        let rhythm = Rhythm { speaks_every: silence_max.map(|it| it / SIGNS_OF_LIFE), silence_max };
        OpenWireAdapter::new(self.codec, rhythm, self.info.connection_id)
    }

    fn refuse(mut self, why: &NotOpened, output: &mut Output) -> Fault {
        let failure = Failure::of_login(why);
        let message = failure.message.clone();
        let exception = Some(failure.throwable());
        let answer = if self.info.response_required {
            let correlation_id = self.info.command_id;
            Structure::ExceptionResponse(Box::new(ExceptionResponse {
                correlation_id,
                exception,
                ..Default::default()
            }))
        } else {
            let connection_id = self.info.connection_id;
            Structure::ConnectionError(Box::new(ConnectionError {
                exception,
                connection_id,
                ..Default::default()
            }))
        };
        self.codec.encode(&answer, output);
        Fault(message)
    }
}

impl OpenWireHandshake {
    fn frame_bytes_max(&self) -> usize {
        self.body_bytes_max.saturating_add(FRAME_BYTES_AROUND)
    }
}
