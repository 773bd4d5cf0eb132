//! Networks of brokers: what is sent to one broker is consumed at another.
//!
//! A bridge takes messages from one broker, the source, to another, the target, as a client of both. It listens to the target's
//! consumer advisories: what somebody wants over there it subscribes to here (`demand`), and what it gets here it sends there
//! (`passage`). A message is acknowledged at the source once the target has confirmed it; many are under way at once, in order. A
//! duplex connector has two bridges, which differ in who is source and target; our own broker's end never leaves the process
//! (`ends`). Each bridge is tended (`tending`): one that fails is tried again, less and less often, and says why.

mod demand;
mod ends;
mod failure;
mod passage;
mod route;
mod status;
mod tending;
#[cfg(test)]
mod tests;

pub use ends::OwnBroker;
pub use status::{BridgeState, BridgeStatus, Bridges};
pub use tending::Network;
