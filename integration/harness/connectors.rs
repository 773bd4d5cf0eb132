//! Connectors that a test adds to a configuration.

use std::net::SocketAddr;

/// The lines of one for OpenWire.
pub(super) fn openwire(address: SocketAddr) -> String {
    format!("\n[[transport_connector]]\nname = \"openwire\"\nuri = \"tcp://{address}\"\n")
}
