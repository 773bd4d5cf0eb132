//! A client over the same codecs, with failover.
