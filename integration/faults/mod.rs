//! Real nodes with a network and disks that fail, in any mixture, while clients send and consume.

mod clock;
mod dice;
mod disk;
mod ensemble;
mod group;
mod links;
mod mix;
mod nemesis;
mod network;
mod process;
mod report;
mod transfers;
