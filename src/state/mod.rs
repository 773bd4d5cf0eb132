//! The fold: committed records to broker state. Pure, no I/O, no clock.
