//! An OpenWire client: one connection to one broker, without failover. Who uses it drives it: nothing happens but in
//! [`OpenWireConnection::event`], so that one task can hold several connections and knows what was confirmed on each.

mod connection;
mod exception;
mod options;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use connection::{Acknowledgement, Delivered, OpenWireConnection, OpenWireEvent, Peer};
pub(crate) use exception::{Exception, OpenWireError};
pub(crate) use options::OpenWireOptions;
