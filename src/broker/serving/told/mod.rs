//! What others are told: of connections, consumers, producers and destinations.

mod advisories;
mod producers;
