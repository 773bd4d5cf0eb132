//! The slaves' streams that stand: while one lives, no other process is let in as its node or with its store. Else two
//! processes with one identity would throw each other out for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::model::StoreId;

use crate::replication::{ConnectionId, Hello};

/// A slave that has answered no heartbeat for so long may be gone: whoever comes next takes its place.
const ALIVE: Duration = Duration::from_secs(1);

/// The process at the slave's end of a stream, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::replication) struct Caller {
    /// Random word of its run.
    pub(in crate::replication) run: u128,
    /// Where it is, for people.
    pub(in crate::replication) place: String,
}

#[derive(Debug)]
struct Entry {
    node: String,
    store: StoreId,
    caller: Caller,
    heard: Instant,
}

/// All streams of one replication port; clones share them.
#[derive(Clone, Debug, Default)]
pub(in crate::replication) struct Registry(Arc<Mutex<HashMap<ConnectionId, Entry>>>);

/// A stream's place in the registry, which goes with it.
#[derive(Debug)]
pub(in crate::replication) struct Entered {
    registry: Registry,
    connection: ConnectionId,
}

impl Registry {
    fn entries(&self) -> MutexGuard<'_, HashMap<ConnectionId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a stream.
    ///
    /// # Errors
    /// Another process has a living stream as this node or with this store; names both.
    pub(in crate::replication) fn enter(
        &self,
        connection: ConnectionId,
        hello: &Hello,
        caller: Caller,
    ) -> Result<Entered, String> {
        let mut entries = self.entries();
        let same =
            |e: &&Entry| (e.node == hello.node || e.store == hello.store) && e.caller.run != caller.run;
        if let Some(other) = entries.values().filter(same).find(|entry| entry.heard.elapsed() < ALIVE) {
            return Err(format!(
                "node {} with store {} is here already as {} with store {}: {}. This is {}",
                hello.node, hello.store, other.node, other.store, other.caller.place, caller.place
            ));
        }
        let (node, store, heard) = (hello.node.clone(), hello.store, Instant::now());
        entries.insert(connection, Entry { node, store, caller, heard });
        drop(entries);
        Ok(Entered { registry: self.clone(), connection })
    }
}

impl Entered {
    /// The slave has said something.
    pub(in crate::replication) fn heard(&self) {
        if let Some(entry) = self.registry.entries().get_mut(&self.connection) {
            entry.heard = Instant::now();
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.registry.entries().remove(&self.connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Offset, Promise};
    use crate::replication::History;

    fn hello(node: &str, store: u128) -> Hello {
        Hello {
            group_id: None,
            broker: "b".into(),
            node: node.into(),
            store: StoreId(store),
            promised: Promise::default(),
            base: Offset(0),
            history: History::default(),
            config: 0,
            replicas: 3,
            format: 1,
        }
    }

    fn caller(run: u128) -> Caller {
        Caller { run, place: format!("place {run}") }
    }

    #[test]
    fn a_second_process_is_let_in_when_the_first_has_gone_or_is_silent_and_the_same_one_always() {
        let registry = Registry::default();
        let enter =
            |connection, hello: &Hello, run| registry.enter(ConnectionId(connection), hello, caller(run));
        let first = enter(1, &hello("n1", 1), 1).unwrap();
        let again = enter(2, &hello("n1", 1), 1).unwrap();
        drop(first);
        for twin in [hello("n1", 1), hello("n1", 2), hello("n2", 1)] {
            let refused = enter(3, &twin, 2).unwrap_err();
            assert!(refused.contains("place 1") && refused.contains("place 2"), "{refused}");
        }
        let other = enter(4, &hello("n2", 2), 3).unwrap();
        drop(again);
        let second = enter(5, &hello("n1", 1), 2).unwrap();
        assert!(enter(6, &hello("n1", 1), 4).is_err());
        registry.entries().get_mut(&ConnectionId(5)).unwrap().heard -= ALIVE;
        let third = enter(6, &hello("n1", 1), 4).unwrap();
        assert!(enter(7, &hello("n1", 1), 2).is_err());
        second.heard();
        drop((second, third, other));
        assert!(registry.entries().is_empty());
    }
}
