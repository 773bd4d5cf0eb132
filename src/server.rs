//! Builds everything once, starts it, stops it.
