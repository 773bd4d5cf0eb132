//! quorate: a message broker whose persistent writes are durable on a quorum of nodes before they are acknowledged.
//!
//! Modules stand in layer order: each may import what is declared above it, never what is declared below
//! (`integration/house/tidy` fails otherwise). ARCHITECTURE.md is the map.

pub mod bugs;
pub mod model;
pub mod selector;
pub mod state;
pub mod env;
pub mod security;
pub mod config;
pub mod storage;
pub mod coordination;
pub mod replication;
pub mod broker;
pub mod node;
pub mod protocol;
pub mod client;
pub mod network;
pub mod admin;
pub mod server;
pub mod cli;
