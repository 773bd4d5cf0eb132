//! The two ends of a bridge: a connection to our own broker that never leaves the process, and one to the other broker.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::broker::Gate;
use crate::client::openwire::{OpenWireConnection, OpenWireError, OpenWireOptions, Peer};
use crate::config::NetworkConnector;
use crate::env::{Clock, DialError, DialLimits, Names, SocketOptions, dial, random_u64};
use crate::protocol::connect_inside;
use crate::protocol::openwire::client::{BrokerId, BrokerInfo};

use super::failure::Failure;

/// How long a name may be looked up, and each of its addresses may take to accept.
const DIAL_LIMITS: DialLimits =
    DialLimits { look_up: Duration::from_secs(10), connect: Duration::from_secs(5) };

/// How long a goodbye may take.
const GOODBYE_TIME_MAX: Duration = Duration::from_secs(1);

/// What a bridge needs of its own broker. Cheap to clone.
#[derive(Clone)]
pub struct OwnBroker {
    /// Where sessions are opened that nobody has to log in to.
    pub gate: Gate,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Largest body of a message that it takes in, in bytes.
    pub body_bytes_max: usize,
    /// How names are looked up.
    pub names: Names,
}

/// Both ends, and who is at them.
pub(super) struct Ends {
    pub(super) own: OpenWireConnection,
    pub(super) remote: OpenWireConnection,
}

impl Ends {
    /// Connects to our own broker, and to the other one at `uri`.
    pub(super) async fn open(
        own: &OwnBroker,
        connector: &NetworkConnector,
        uri: &str,
    ) -> Result<Ends, Failure> {
        let mine = own.open(&format!("bridge {} {uri}", connector.name)).await.map_err(Failure::Own)?;
        let remote = open_remote(own, connector, uri, mine.peer()).await?;
        if remote.peer().id == mine.peer().id {
            // Who is not left in order says so in a log; whether the goodbye arrives makes no difference.
            let _ = timeout(GOODBYE_TIME_MAX, remote.leave()).await;
            return Err(Failure::Itself);
        }
        Ok(Ends { own: mine, remote })
    }
}

impl OwnBroker {
    async fn open(&self, name: &str) -> Result<OpenWireConnection, OpenWireError> {
        let stream =
            connect_inside(name.to_owned(), self.gate.clone(), Arc::clone(&self.clock), self.body_bytes_max)?;
        OpenWireConnection::open(Box::new(stream), &OpenWireOptions::default()).await
    }
}

async fn open_remote(
    own: &OwnBroker,
    connector: &NetworkConnector,
    uri: &str,
    me: Peer,
) -> Result<OpenWireConnection, Failure> {
    let authority = uri.split_once("://").map_or(uri, |(_, authority)| authority);
    let stream = dial(&own.names, authority, DIAL_LIMITS).await.map_err(|error| {
        Failure::Unreachable(match error {
            DialError::Connect { source, .. } => source.to_string(),
            error => error.to_string(),
        })
    })?;
    // A connection that is closed already says so by itself.
    let _ = SocketOptions::PEER.set(&stream);
    let options = OpenWireOptions {
        // Unlike a name that comes back, nobody has it, so that an old connection that lingers is in nobody's way.
        client_id: format!("{}_{}_{:016x}", connector.name, me.name, random_u64()),
        user: connector.user_name.clone(),
        password: connector.password.clone(),
        introduction: Some(BrokerInfo {
            broker_id: Some(BrokerId { value: Some(me.id.into()) }),
            broker_name: Some(me.name.into()),
            broker_url: Some("vm://quorate".into()),
            network_connection: true,
            ..BrokerInfo::default()
        }),
        ..OpenWireOptions::default()
    };
    OpenWireConnection::open(Box::new(stream), &options).await.map_err(Failure::Remote)
}
