//! JMS applications with ActiveMQ's own client library: the Java project beside this file, run against real nodes.

mod java;
mod scenarios;
mod takeover;
