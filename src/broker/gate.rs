//! The gate between adapters and the core.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::{Command, Refusal, SessionEvent, SessionId};

const GATE_COMMANDS: usize = 1024;

/// Who connects.
#[derive(Clone, Debug, Default)]
pub struct SessionInfo {
    /// Client id.
    pub client_id: Option<String>,
    /// User.
    pub user: Option<String>,
    /// Remote address.
    pub remote: String,
}

/// The broker is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the broker has closed the session")]
pub struct Closed;

/// What reaches the core.
#[derive(Debug)]
pub enum Inbound {
    /// A new session.
    Open {
        /// Its id.
        session: SessionId,
        /// Who.
        info: SessionInfo,
        /// Where its events go.
        events: mpsc::UnboundedSender<Vec<SessionEvent>>,
    },
    /// Commands.
    Commands {
        /// Whose.
        session: SessionId,
        /// Which.
        commands: Vec<Command>,
    },
    /// The end.
    Close {
        /// Whose.
        session: SessionId,
    },
}

/// Opens sessions.
#[derive(Clone, Debug)]
pub struct Gate {
    inbound: mpsc::Sender<Inbound>,
    next: Arc<AtomicU64>,
}

impl Gate {
    /// A gate and the core's end of it.
    pub fn new() -> (Gate, mpsc::Receiver<Inbound>) {
        let (inbound, core) = mpsc::channel(GATE_COMMANDS);
        (Gate { inbound, next: Arc::new(AtomicU64::new(1)) }, core)
    }

    /// Opens a session.
    ///
    /// # Errors
    /// Refused.
    pub fn open(&self, info: SessionInfo) -> Result<Session, Refusal> {
        let id = SessionId(self.next.fetch_add(1, Ordering::Relaxed));
        let (sender, events) = mpsc::unbounded_channel();
        self.inbound
            .try_send(Inbound::Open { session: id, info, events: sender })
            .map_err(|_| Refusal::Limit("busy".into()))?;
        Ok(Session { id, inbound: self.inbound.clone(), events })
    }
}

/// One connection's session.
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    inbound: mpsc::Sender<Inbound>,
    events: mpsc::UnboundedReceiver<Vec<SessionEvent>>,
}

impl Session {
    /// Submits commands.
    ///
    /// # Errors
    /// The broker is gone.
    pub async fn submit(&mut self, commands: Vec<Command>) -> Result<(), Closed> {
        self.inbound.send(Inbound::Commands { session: self.id, commands }).await.map_err(|_| Closed)
    }

    /// The next events. Cancel-safe.
    pub async fn events(&mut self) -> Option<Vec<SessionEvent>> {
        self.events.recv().await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.inbound.try_send(Inbound::Close { session: self.id });
    }
}
