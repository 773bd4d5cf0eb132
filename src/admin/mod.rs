//! Views of a running node and commands to it, over HTTP.
