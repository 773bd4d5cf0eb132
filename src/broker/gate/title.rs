//! Which broker a node is.

use std::sync::{Arc, OnceLock};

/// The same on all nodes of a group, and over their restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerTitle {
    /// An id that no other broker has.
    pub id: String,
    /// Its name, which others may have.
    pub name: String,
}

/// Where the title stands once it is known: a node learns its group before it serves for the first time.
#[derive(Clone, Debug, Default)]
pub struct TitlePlate(Arc<OnceLock<BrokerTitle>>);

impl TitlePlate {
    /// Puts the title up, where it stays for as long as the process lasts.
    pub fn put_up(&self, title: BrokerTitle) {
        self.0.get_or_init(|| title);
    }

    /// The title, if it is known.
    pub fn read(&self) -> Option<BrokerTitle> {
        self.0.get().cloned()
    }
}
