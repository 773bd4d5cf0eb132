//! Commands that ask a node's console.

mod client;
mod connections;
mod destinations;
mod group;
mod network;
mod operate;
mod purge;
mod status;
mod subscriptions;

pub(super) use client::ConsoleArgs;
pub(super) use connections::run as connections;
pub(super) use destinations::run as destinations;
pub(super) use group::{GroupCommand, run as group};
pub(super) use network::run as network;
pub(super) use operate::{DeleteArgs, PauseArgs, RetryArgs, SendOverArgs, delete, pause, retry, send_over};
pub(super) use purge::{PurgeArgs, run as purge};
pub(super) use status::run as status;
pub(super) use subscriptions::{UnsubscribeArgs, run as subscriptions, unsubscribe};
