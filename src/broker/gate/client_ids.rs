//! The client ids of the sessions that are open: each names one client.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Every client id in use, and from where. One entry for each session that has one.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientIds(Arc<Mutex<HashMap<String, String>>>);

/// A client id that nobody else can have until this is dropped.
#[derive(Debug)]
pub(super) struct ClientId {
    ids: ClientIds,
    id: String,
}

impl ClientIds {
    /// Takes an id for a client at `remote`.
    ///
    /// # Errors
    /// The address of the client that has it.
    pub(super) fn take(&self, id: &str, remote: &str) -> Result<ClientId, String> {
        match self.lock().entry(id.to_owned()) {
            Entry::Occupied(taken) => Err(taken.get().clone()),
            Entry::Vacant(free) => {
                free.insert(remote.to_owned());
                Ok(ClientId { ids: self.clone(), id: id.to_owned() })
            }
        }
    }

    /// A panic elsewhere leaves a map that is whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClientId {
    fn drop(&mut self) {
        self.ids.lock().remove(&self.id);
    }
}
