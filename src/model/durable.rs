//! Durable subscriptions: what a client keeps of topics while it is away.

use bytes::{Buf, BufMut};

use super::{Destination, DestinationKind, NameError};

/// What of which topics is kept, and for whom. The messages wait in a destination of its own, as in a queue, from which
/// only its consumers take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DurableSubscription {
    /// The client that it belongs to; empty if any client may take part in it.
    pub client_id: String,
    /// Its name, unique for its client.
    pub name: String,
    /// A topic's name, or a pattern of such names.
    pub topics: String,
    /// Selector text; empty for all messages.
    pub selector: String,
    /// Whether what its own client sends is left out.
    pub no_local: bool,
    /// Whether it may have several consumers at once.
    pub shared: bool,
}

impl DurableSubscription {
    /// Where its messages wait. The client id is escaped, so that the first `:` ends it.
    ///
    /// # Errors
    /// [`NameError`]: client id and name do not make a destination's name.
    pub fn destination_of(client_id: &str, name: &str) -> Result<Destination, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        let client_id = client_id.replace('%', "%25").replace(':', "%3A");
        Destination::new(DestinationKind::Subscription, format!("{client_id}:{name}"))
    }

    /// Client id and name of the subscription whose messages wait here.
    pub fn names_of(destination: &Destination) -> Option<(String, &str)> {
        let (client_id, name) = destination.name.split_once(':')?;
        let is_one = destination.kind == DestinationKind::Subscription && !name.is_empty();
        is_one.then(|| (client_id.replace("%3A", ":").replace("%25", "%"), name))
    }

    /// Where its messages wait.
    ///
    /// # Errors
    /// As [`DurableSubscription::destination_of`].
    pub fn destination(&self) -> Result<Destination, NameError> {
        DurableSubscription::destination_of(&self.client_id, &self.name)
    }

    /// Appends it to `out`: flags in one byte, then each text behind its length in 4 bytes.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u8(u8::from(self.no_local) | u8::from(self.shared) << 1);
        for text in [&self.client_id, &self.name, &self.topics, &self.selector] {
            out.put_u32_le(text.len() as u32);
            out.put_slice(text.as_bytes());
        }
    }

    /// Takes off the front of `at` what [`DurableSubscription::encode`] wrote; `None` if it is none.
    pub fn decode(at: &mut impl Buf) -> Option<DurableSubscription> {
        let flags = at.try_get_u8().ok().filter(|flags| *flags < 4)?;
        let mut text = || {
            let length = at.try_get_u32_le().ok()? as usize;
            if length > at.remaining() {
                return None;
            }
            String::from_utf8(at.copy_to_bytes(length).to_vec()).ok()
        };
        let (client_id, name, topics, selector) = (text()?, text()?, text()?, text()?);
        let (no_local, shared) = (flags & 1 != 0, flags & 2 != 0);
        let read = DurableSubscription { client_id, name, topics, selector, no_local, shared };
        read.destination().ok().map(|_| read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_subscriptions_share_a_destination() {
        let names = [("a", "b:c"), ("a:b", "c"), ("", "a:b:c"), ("a%3Ab", "c"), ("a%", "c")];
        let all: std::collections::HashSet<_> =
            names.iter().map(|(id, name)| DurableSubscription::destination_of(id, name).unwrap()).collect();
        assert_eq!(all.len(), names.len());
        for (client_id, name) in names {
            let destination = DurableSubscription::destination_of(client_id, name).unwrap();
            assert_eq!(DurableSubscription::names_of(&destination), Some((client_id.to_owned(), name)));
        }
        assert_eq!(DurableSubscription::destination_of("a", ""), Err(NameError::Empty));
        let queue = Destination::new(DestinationKind::Queue, "a:b").unwrap();
        assert_eq!(DurableSubscription::names_of(&queue), None);
    }
}
