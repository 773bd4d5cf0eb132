//! How an OpenWire client introduces itself.

use std::time::Duration;

use crate::config::Secret;
use crate::protocol::openwire::client::BrokerInfo;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct OpenWireOptions {
    /// The client's name for itself; empty for none.
    pub(crate) client_id: String,
    /// User name; `None` for none.
    pub(crate) user: Option<String>,
    /// Password; `None` for none.
    pub(crate) password: Option<Secret>,
    /// What a bridge says about its own broker before it logs in.
    pub(crate) introduction: Option<BrokerInfo>,
    /// How long the broker may take for all of its first words together.
    pub(crate) answer_timeout: Duration,
    /// Frames of the broker have at most so many bytes, and ours as well.
    pub(crate) frame_bytes_max: usize,
}

impl Default for OpenWireOptions {
    fn default() -> OpenWireOptions {
        OpenWireOptions {
            client_id: String::new(),
            user: None,
            password: None,
            introduction: None,
            answer_timeout: Duration::from_secs(15),
            frame_bytes_max: (100 << 20) + (1 << 20),
        }
    }
}
