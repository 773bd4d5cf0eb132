//! What a client sends and what it receives.

use std::borrow::Cow;

use bytes::Bytes;

use crate::protocol::stomp::Frame;

/// A message to send.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// Where to, in STOMP's form: `/queue/name`.
    pub destination: String,
    /// More headers, in this order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// Sent without a content-length, so that JMS clients see a TextMessage. The body must hold no NUL.
    pub text: bool,
}

impl Outgoing {
    /// A persistent message.
    pub fn persistent(destination: impl Into<String>, body: impl Into<Bytes>) -> Outgoing {
        let headers = vec![("persistent".to_owned(), "true".to_owned())];
        Outgoing { destination: destination.into(), headers, body: body.into(), text: false }
    }
}

/// A message received.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub(super) frame: Frame,
    pub(super) connection: u64,
    pub(super) subscription: u64,
}

impl Incoming {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.frame.header(name)
    }

    /// All headers in the order in which they came.
    pub fn headers(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.frame.headers().map(|header| (header.name(), header.value()))
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.frame.body
    }

    /// Whether a consumer may have seen it before.
    pub fn redelivered(&self) -> bool {
        self.header("redelivered").is_some_and(|value| value == "true")
    }
}
