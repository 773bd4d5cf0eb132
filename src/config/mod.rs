//! Configuration: the file as written, then validated and typed. Nothing else reads configuration.
