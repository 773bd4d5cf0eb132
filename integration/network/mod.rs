//! Networks of brokers, each of which is a process of its own, or a group of them.

mod lone;
