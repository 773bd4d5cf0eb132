//! The coordinator port: one contract for all its implementations, and ZooKeeper's own ways to fail. With
//! `QUORATE_ZOOKEEPER_CLASSPATH` the ZooKeeper of that class path runs instead of the system's.

mod access;
mod contract;
mod group;
mod outages;
mod probe;
mod proxy;
mod recovery;
mod tree;
mod twins;
