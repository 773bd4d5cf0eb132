//! The client ids of the sessions that are open: each names one client.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Told when another session of the same client takes the place of this one.
#[derive(Debug, Default)]
struct Replacement {
    happened: AtomicBool,
    wake: Notify,
}

/// Who has a client id.
#[derive(Debug)]
struct Holder {
    remote: String,
    connection: String,
    replacement: Arc<Replacement>,
}

/// Every client id in use, and by whom. One entry for each session that has one.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientIds(Arc<Mutex<HashMap<String, Holder>>>);

/// A client id that no other client can have until this is dropped.
#[derive(Debug)]
pub(super) struct ClientId {
    ids: ClientIds,
    id: String,
    replacement: Arc<Replacement>,
}

impl ClientIds {
    /// Takes an id for a client at `remote`. What the client calls its connection, if it does, is the same when it comes again
    /// before its old socket is known to be dead: then the old one has to go.
    ///
    /// # Errors
    /// The address of the client that has it.
    pub(super) fn take(&self, id: &str, remote: &str, connection: &str) -> Result<ClientId, String> {
        let replacement = Arc::new(Replacement::default());
        let (remote, connection) = (remote.to_owned(), connection.to_owned());
        let holder = Holder { remote, connection, replacement: Arc::clone(&replacement) };
        match self.lock().entry(id.to_owned()) {
            Entry::Occupied(mut taken) => {
                if taken.get().connection.is_empty() || taken.get().connection != holder.connection {
                    return Err(taken.get().remote.clone());
                }
                let replaced = taken.insert(holder);
                replaced.replacement.happened.store(true, Ordering::Relaxed);
                replaced.replacement.wake.notify_one();
            }
            Entry::Vacant(free) => drop(free.insert(holder)),
        }
        Ok(ClientId { ids: self.clone(), id: id.to_owned(), replacement })
    }

    /// A panic elsewhere leaves a map that is whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Holder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientId {
    /// Whether the client has come again under the same id.
    pub(super) fn is_replaced(&self) -> bool {
        self.replacement.happened.load(Ordering::Relaxed)
    }

    /// Waits until it has. Cancel-safe.
    pub(super) async fn replaced(&self) {
        while !self.is_replaced() {
            self.replacement.wake.notified().await;
        }
    }
}

impl Drop for ClientId {
    fn drop(&mut self) {
        let mut ids = self.ids.lock();
        if ids.get(&self.id).is_some_and(|holder| Arc::ptr_eq(&holder.replacement, &self.replacement)) {
            ids.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_connection_takes_its_id_back_and_nobody_else_does() {
        let ids = ClientIds::default();
        let first = ids.take("a", "here", "c1").unwrap();
        assert_eq!(ids.take("a", "there", "c2").unwrap_err(), "here");
        assert_eq!(ids.take("a", "there", "").unwrap_err(), "here");
        assert!(!first.is_replaced());
        let second = ids.take("a", "there", "c1").unwrap();
        first.replaced().await;
        drop(first);
        assert_eq!(ids.take("a", "elsewhere", "c2").unwrap_err(), "there", "it is the second one's");
        assert!(!second.is_replaced());
        drop(second);
        let nameless = ids.take("a", "here", "").unwrap();
        assert!(ids.take("a", "there", "").is_err());
        drop(nameless);
        assert!(ids.lock().is_empty());
    }
}
