//! OpenWire, ActiveMQ's own protocol, in versions 1 to 12.

mod codec;
