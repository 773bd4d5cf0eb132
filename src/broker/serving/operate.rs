//! What operators do to whole queues.

use crate::broker::{Refusal, SessionEvent};
use crate::model::{Destination, Outcome};
use crate::state::State;

use super::Serving;
use super::acknowledge::settle_ranges;
use super::applied::Pending;
use super::sessions::Waiter;

impl Serving {
    /// Takes everything out of a queue that waits in it: by one record of ranges, without reading it. What consumers hold, and what
    /// is on its way to the dead-letter queue, stays.
    pub(super) fn purge(&mut self, state: &State, waiter: Waiter, destination: &Destination) {
        let found = self.known(destination).and_then(|id| Some((id, self.queues.get_mut(&id)?)));
        let Some((id, queue)) = found else {
            let refusal = Refusal::Invalid(format!("there is no queue {}", destination.name));
            return self.clients.answer(waiter, Err(refusal));
        };
        let before = queue.loaded_bytes();
        let waiting = queue.take_waiting(state.destination(id));
        self.window_bytes -= before - queue.loaded_bytes();
        let memory = queue.transient.memory();
        let files = queue.transient.files().collect();
        let transient = queue.transient.clear();
        queue.figures.dequeued.add(transient);
        self.memory -= memory;
        self.freed = true;
        self.forget_files(files);
        if let Some(correlation) = waiter.correlation {
            let messages = waiting.len() + transient;
            self.clients.tell(waiter.session, SessionEvent::Affected { correlation, messages });
        }
        let mut group = Vec::new();
        settle_ranges(id, Outcome::Purged, &waiting.iter().collect::<Vec<_>>(), &mut group);
        if group.is_empty() {
            return self.clients.answer(waiter, Ok(()));
        }
        self.clients.begin_pending(waiter, 0);
        self.propose(group, Pending::One { waiter, bytes: 0 });
    }
}
