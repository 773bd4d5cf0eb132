//! Networks of brokers, each of which is a process of its own, a group of them, or ActiveMQ.

mod activemq;
mod group;
mod lone;
mod world;
