//! A core that does nothing but answer, as a message's type tells it to: it refuses, ends the session, or takes its time.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::broker::{Command, Gate, Inbound, Refusal, SessionEvent, SessionId, Submission};
use crate::model::Field;

#[derive(Default)]
struct Core {
    sessions: BTreeMap<SessionId, mpsc::UnboundedSender<Vec<SessionEvent>>>,
    /// Submissions that wait, as for room.
    kept: Vec<Submission>,
    let_go: bool,
}

/// Starts it; it ends with its last gate.
pub(crate) fn start_answers() -> (Gate, JoinHandle<()>) {
    let (gate, mut inbound) = Gate::bounded(usize::MAX);
    let task = tokio::spawn(async move {
        let mut core = Core::default();
        while let Some(inbound) = inbound.recv().await {
            core.take(inbound);
        }
    });
    (gate, task)
}

/// The type of a message that is sent.
fn kind(command: &Command) -> Option<&str> {
    if let Command::Send { message, .. } = command { message.text(Field::Type) } else { None }
}

impl Core {
    fn take(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Open { session, info, events, .. } => {
                if info.principal.user() == "closed" {
                    let reason = "not served".to_owned();
                    let _ = events.send(vec![SessionEvent::Closed { reason }]);
                }
                self.sessions.insert(session, events);
            }
            Inbound::Commands { session, submission } => {
                let says = |wanted| submission.commands.iter().any(|command| kind(command) == Some(wanted));
                if !self.let_go && says("hold") {
                    return self.kept.push(submission);
                }
                if says("let go") {
                    self.let_go = true;
                    self.kept.clear();
                }
                submission.commands.iter().for_each(|command| self.answer(session, command));
            }
            Inbound::Drained { .. } => {}
            Inbound::Close { session } => drop(self.sessions.remove(&session)),
        }
    }

    fn answer(&self, session: SessionId, command: &Command) {
        let result = match kind(command) {
            Some("refuse") => Err(Refusal::Denied("not for you".to_owned())),
            _ => Ok(()),
        };
        let (Command::Send { correlation, .. }
        | Command::Subscribe { correlation, .. }
        | Command::Leave { correlation }) = command
        else {
            return;
        };
        let Some(events) = self.sessions.get(&session) else { return };
        let event = match (kind(command), correlation) {
            // An outcome that stays unknown.
            (Some("lose"), _) => SessionEvent::Closed { reason: "lost".to_owned() },
            (_, Some(correlation)) => SessionEvent::Done { correlation: *correlation, result },
            _ => return,
        };
        let _ = events.send(vec![event]);
    }
}
