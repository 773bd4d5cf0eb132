//! Writes what the broker asks for: records for the log in one batch, reads, events to sessions in one wake-up each.

use crate::broker::{Output, ReadRequest};
use crate::replication::Event;
use crate::storage::{BatchBuilder, WindowRequest, push_group};

use super::core::Core;
use super::reads::Reader;

/// A batch is closed when it has grown to this; a group is never torn for it.
const BATCH_BYTES: usize = 1 << 20;

impl Core {
    /// Takes the broker's output and passes it on.
    pub(super) async fn write_proposals(&mut self) {
        let output = self.broker.take_output(self.clock.now());
        self.again = output.again;
        if output.is_empty() {
            return;
        }
        let Output { proposals, reads, expiry, spills, events, damages, again: _ } = output;
        self.inboxes.tell(events);
        let below = self.applied.offset;
        let window = |request| {
            let ReadRequest { destination, ranges, entries_max, bytes_max } = request;
            WindowRequest { destination, ranges, below, entries_max, bytes_max }
        };
        for (read, request) in reads {
            self.reads.ask(Reader::Broker(read), window(request));
        }
        if let Some((read, request, wall)) = expiry {
            self.reads.ask_expired(read, window(request), wall);
        }
        self.spills.ask(spills);
        for damage in damages {
            tracing::error!(damage, "a committed message cannot be read; its queue stands still");
            self.status.damage(damage);
        }
        if proposals.is_empty() {
            return;
        }
        let epoch = self.replica.promise().epoch;
        let mut builder = BatchBuilder::new(self.log.end(), self.last, epoch);
        for group in &proposals {
            push_group(&mut builder, group);
            if builder.len() >= BATCH_BYTES {
                self.append(builder.finish());
                builder = BatchBuilder::new(self.log.end(), self.last, epoch);
            }
        }
        if builder.is_empty() {
            self.step(Event::Appended(self.log.end())).await;
        } else {
            self.append_last(builder.finish()).await;
        }
    }
}
