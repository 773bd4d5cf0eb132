//! The first words: which version and options are spoken, then who connects. The broker's own first words wait for the client's,
//! so that it says nothing to whoever does not speak OpenWire.

use std::time::Duration;

use bytes::BytesMut;

use crate::broker::{Credentials, NotOpened};
use crate::config::ConnectionOptions;
use crate::protocol::Output;
use crate::protocol::connection::{Fault, Handshake, Rhythm};
use crate::security::Password;

use super::adapter::OpenWireAdapter;
use super::codec::{
    BrokerId, BrokerInfo, Codec, ConnectionControl, ConnectionError, ConnectionInfo, ExceptionResponse,
    Response, Structure, agree, offer,
};
use super::failure::Failure;

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
    agreed: bool,
    inactivity_max: Duration,
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
            codec: Codec { version: 1, frame_bytes_max: FRAME_BYTES_BEFORE, stack_traces: false },
            agreed: false,
            inactivity_max: Duration::ZERO,
            info: ConnectionInfo::default(),
        }
    }

    fn greet(&mut self, arrived: &mut BytesMut, output: &mut Output) -> Result<Option<Credentials>, Fault> {
        loop {
            let read = self.codec.decode(arrived).map_err(|error| Fault(error.to_string()))?;
            match read {
                None => return Ok(None),
                Some(Structure::WireFormatInfo(theirs)) if !self.agreed => {
                    let frame_bytes_max = self.body_bytes_max.saturating_add(FRAME_BYTES_AROUND);
                    let ours = offer(&self.options.wire_format, frame_bytes_max);
                    self.codec.encode(&Structure::WireFormatInfo(ours), output);
                    let agreed = agree(&self.options.wire_format, &theirs, &mut self.codec);
                    let agreed = agreed.map_err(|error| Fault(error.to_string()))?;
                    self.inactivity_max = agreed.inactivity;
                    self.agreed = true;
                }
                Some(Structure::KeepAliveInfo(_)) if self.agreed => {}
                Some(Structure::ConnectionInfo(info)) if self.agreed => {
                    self.info = info;
                    let text = |text: &Option<String>| text.clone().unwrap_or_default();
                    return Ok(Some(Credentials {
                        client_id: text(&self.info.client_id),
                        user: text(&self.info.user_name),
                        password: Password::new(text(&self.info.password.take())),
                    }));
                }
                Some(_) => return Err(Fault("a command before ConnectionInfo".to_owned())),
            }
        }
    }

    fn welcome(mut self, session: &str, output: &mut Output) -> OpenWireAdapter {
        self.codec.frame_bytes_max = self.body_bytes_max.saturating_add(FRAME_BYTES_AROUND);
        let broker = BrokerInfo {
            broker_id: Some(Box::new(Structure::BrokerId(BrokerId { value: Some(format!("ID:{session}")) }))),
            broker_url: Some(String::new()),
            broker_name: Some("localhost".to_owned()),
            ..BrokerInfo::default()
        };
        self.codec.encode(&Structure::BrokerInfo(broker), output);
        if self.info.manageable {
            let control = ConnectionControl {
                connected_brokers: Some(String::new()),
                reconnect_to: Some(String::new()),
                ..ConnectionControl::default()
            };
            self.codec.encode(&Structure::ConnectionControl(control), output);
        }
        if self.info.response_required {
            let response = Response { correlation_id: self.info.command_id, ..Response::default() };
            self.codec.encode(&Structure::Response(response), output);
        }
        let silence_max = Some(self.inactivity_max).filter(|it| !it.is_zero());
        let rhythm = Rhythm { speaks_every: silence_max.map(|it| it / SIGNS_OF_LIFE), silence_max };
        OpenWireAdapter::new(self.codec, rhythm, self.info.connection_id)
    }

    fn refuse(self, why: &NotOpened, output: &mut Output) -> Fault {
        let failure = Failure::of_login(why);
        let message = failure.message.clone();
        let exception = Some(failure.throwable());
        let answer = if self.info.response_required {
            let correlation_id = self.info.command_id;
            Structure::ExceptionResponse(ExceptionResponse {
                correlation_id,
                exception,
                ..Default::default()
            })
        } else {
            let connection_id = self.info.connection_id.map(|id| Box::new(Structure::ConnectionId(id)));
            Structure::ConnectionError(ConnectionError { exception, connection_id, ..Default::default() })
        };
        self.codec.encode(&answer, output);
        Fault(message)
    }
}
