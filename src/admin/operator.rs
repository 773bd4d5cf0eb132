//! What operators do to destinations, in sessions of their own at the broker's gate, under their own rights.

use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::timeout;

use super::door::{Refusal, Visitor};
use super::shared::Shared;
use crate::broker::{Command, Correlation, Credentials, Session, SessionEvent};

/// How long an operator waits for what has to be committed.
pub(super) const OPERATION_TIME_MAX: Duration = Duration::from_secs(8);

/// The node does not serve.
fn elsewhere() -> Refusal {
    (StatusCode::CONFLICT, "this node does not serve; ask the master".to_owned())
}

/// A session of an operator; it ends when it is dropped.
pub(super) struct Operator(Session);

impl Operator {
    /// Opens one.
    ///
    /// # Errors
    /// The node is stopping.
    pub(super) fn open(shared: &Shared, visitor: &Visitor) -> Result<Operator, Refusal> {
        let session = shared.shown.gate.open("console", &Credentials::default(), visitor.principal.clone());
        session.map(Operator).map_err(|_| elsewhere())
    }

    /// Asks for something.
    ///
    /// # Errors
    /// The node does not serve.
    pub(super) async fn submit(&mut self, commands: Vec<Command>) -> Result<(), Refusal> {
        self.0.submit(commands).await.map_err(|_| elsewhere())
    }

    /// What it is told next. What was told before counts as read.
    ///
    /// # Errors
    /// The node does not serve.
    pub(super) async fn events(&mut self) -> Result<Vec<SessionEvent>, Refusal> {
        self.0.sent().map_err(|_| elsewhere())?;
        while self.0.holds() {
            let place = self.0.place().await.map_err(|_| elsewhere())?;
            self.0.advance(place).map_err(|_| elsewhere())?;
        }
        let events = self.0.events().await.ok_or_else(elsewhere)?;
        match events.iter().any(|event| matches!(event, SessionEvent::Closed { .. })) {
            true => Err(elsewhere()),
            false => Ok(events),
        }
    }
}

/// Has a command carried out within the time that an operator waits; returns how many messages it was about.
///
/// # Errors
/// 409 if it is refused, 504 if there is no answer.
pub(super) async fn carry_out(
    shared: &Shared,
    visitor: &Visitor,
    command: impl FnOnce(Correlation) -> Command,
) -> Result<u64, Refusal> {
    let done = timeout(OPERATION_TIME_MAX, async {
        let mut operator = Operator::open(shared, visitor)?;
        operator.submit(vec![command(Correlation(1))]).await?;
        let mut count = 0;
        loop {
            for event in operator.events().await? {
                match event {
                    SessionEvent::Affected { messages, .. } => count = messages,
                    SessionEvent::Done { result, .. } => {
                        return result.map(|()| count).map_err(|refusal| partly((count, refused(&refusal))));
                    }
                    SessionEvent::Delivery { .. }
                    | SessionEvent::BrowseEnd { .. }
                    | SessionEvent::Closed { .. } => {}
                }
            }
        }
    });
    done.await.unwrap_or_else(|_| {
        let error = "there was no answer; it may be done all the same";
        Err((StatusCode::GATEWAY_TIMEOUT, error.to_owned()))
    })
}

/// A refusal that came after so many messages were done.
fn partly((messages, (code, error)): (u64, Refusal)) -> Refusal {
    match messages {
        0 => (code, error),
        _ => (code, format!("{error}; {messages} messages are done")),
    }
}

/// What the broker refused.
pub(super) fn refused(refusal: &crate::broker::Refusal) -> Refusal {
    let code = match refusal {
        crate::broker::Refusal::Denied(_) => StatusCode::FORBIDDEN,
        _ => StatusCode::CONFLICT,
    };
    (code, refusal.to_string())
}
