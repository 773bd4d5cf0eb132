//! The replica: one log on several nodes, committed by a quorum.
