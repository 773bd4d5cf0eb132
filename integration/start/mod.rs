//! Starts: those of a group, in any order and number, and those that must fail.

mod group;
mod misconfig;
