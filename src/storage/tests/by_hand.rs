//! A log without threads: its writer works when it is told to, on the thread that tells it. For simulations, in which
//! a seed must decide when something reaches the disk.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};

use crate::model::Offset;
use crate::storage::Log;
use crate::storage::log::{Command, turn, write_sidecars};

thread_local! {
    static WANTED: Cell<bool> = const { Cell::new(false) };
}

/// Whether logs that this thread opens from now on have no threads.
pub(crate) fn want(wanted: bool) {
    WANTED.set(wanted);
}

pub(in crate::storage) fn wanted() -> bool {
    WANTED.get()
}

/// What the writer is told, and the bases whose sidecars are to be written.
pub(in crate::storage) struct Hand(Mutex<(Receiver<Command>, Receiver<Offset>)>);

impl Hand {
    pub(in crate::storage) fn new(commands: Receiver<Command>, finished: Receiver<Offset>) -> Hand {
        Hand(Mutex::new((commands, finished)))
    }
}

impl Log {
    /// Has the writer do what waits, if it is without a thread.
    pub(crate) fn write_now(&self) {
        let Some(hand) = &self.inner.hand else { return };
        let hand = hand.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (shared, writer, mut next) = (&self.inner.shared, &self.inner.writer, None);
        while let Some(command) = next.take().or_else(|| hand.0.try_recv().ok()) {
            next = turn(shared, writer, command, &hand.0);
        }
    }

    /// Writes the sidecars that wait, if no thread does.
    pub(crate) fn write_sidecars_now(&self) {
        let Some(hand) = &self.inner.hand else { return };
        let hand = hand.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sender, bases) = channel();
        for base in hand.1.try_iter() {
            let _ = sender.send(base);
        }
        drop(sender);
        write_sidecars(&self.inner.shared, &bases);
    }
}
