//! One node: the task that owns replica, state and dispatch.

mod snapshot;

pub use snapshot::{
    Alarm, ConnectionStatus, DestinationStatus, ElectionStatus, GroupStatus, MemberStatus, Request,
    RequestError, Role, Snapshot, Status,
};
