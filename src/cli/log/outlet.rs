//! The way out of a process that serves: what is written goes through a bounded queue to a thread of its own. A reader that
//! is gone, a full disk or a pipe that nobody reads costs lines, which are counted and told when writing works again, and
//! never the time or the end of a task.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Most bytes that wait to be written; what comes then is lost.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// Pause between two tries at a pipe that another process has made non-blocking, while it is full.
const FULL_PAUSE: Duration = Duration::from_millis(10);
/// How long the end of the process waits for what is still to be written.
pub(super) const END_TIME_MAX: Duration = Duration::from_secs(1);

/// The line that tells how many lines were lost.
pub(super) type Tell = fn(u64) -> String;

/// A handle of the queue. Clones are the same queue.
#[derive(Clone)]
pub(super) struct Outlet {
    queue: Arc<Queue>,
}

struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines that were not written, and of which nobody has been told.
    lost: u64,
    /// Whether the thread has a line in its hands.
    writing: bool,
}

impl Outlet {
    /// Begins to write to `target`, an output of this process.
    ///
    /// # Errors
    /// The system has no thread or no descriptor for it.
    pub(super) fn start(target: BorrowedFd<'_>, tell: Tell) -> io::Result<Outlet> {
        let target = File::from(target.try_clone_to_owned()?);
        Outlet::to(target, tell)
    }

    fn to(target: impl Write + Send + 'static, tell: Tell) -> io::Result<Outlet> {
        let queue = Arc::new(Queue { state: Mutex::default(), changed: Condvar::new() });
        let outlet = Outlet { queue: Arc::clone(&queue) };
        let mut pen = Pen { target, torn: false };
        thread::Builder::new().name("log".into()).spawn(move || write(&queue, &mut pen, tell))?;
        Ok(outlet)
    }

    /// Leaves whole lines to be written; they are lost when too much waits already. Never blocks on what reads them.
    pub(super) fn push(&self, lines: &[u8]) {
        let mut state = self.queue.lock();
        if state.bytes + lines.len() > WAITING_BYTES_MAX {
            state.lost += 1;
            return;
        }
        state.bytes += lines.len();
        state.lines.push_back(lines.to_vec());
        self.queue.changed.notify_all();
    }

    /// Waits until all is written that can be, for at most `limit`.
    pub(super) fn drain(&self, limit: Duration) {
        let busy = |state: &mut State| !state.lines.is_empty() || state.writing;
        drop(self.queue.changed.wait_timeout_while(self.queue.lock(), limit, busy));
    }
}

/// Each call is a line of the log, which is how its formatter writes.
impl Write for Outlet {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread: writes line after line, for as long as the process lives.
fn write<W: Write>(queue: &Queue, pen: &mut Pen<W>, tell: Tell) {
    loop {
        let (line, lost) = {
            let mut state = queue.lock();
            state.writing = false;
            queue.changed.notify_all();
            let idle = |state: &mut State| state.lines.is_empty();
            let mut state = queue.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
            state.writing = true;
            let Some(line) = state.lines.pop_front() else { continue };
            state.bytes -= line.len();
            // What was lost stands behind all that waited then.
            (line, if state.lines.is_empty() { state.lost } else { 0 })
        };
        let written = pen.put(&line);
        let told = written && lost > 0 && pen.put(tell(lost).as_bytes());
        let mut state = queue.lock();
        state.lost += u64::from(!written);
        state.lost -= if told { lost } else { 0 };
    }
}

/// Writes whole lines, or begins the next one on a line of its own.
struct Pen<W> {
    target: W,
    /// Whether a part of a line was written.
    torn: bool,
}

impl<W: Write> Pen<W> {
    /// Whether all of it was written.
    fn put(&mut self, line: &[u8]) -> bool {
        if self.torn && !self.all(b"\n") {
            return false;
        }
        self.torn = false;
        self.all(line)
    }

    fn all(&mut self, mut rest: &[u8]) -> bool {
        while !rest.is_empty() {
            match self.target.write(rest) {
                Ok(0) => return false,
                Ok(written) => {
                    rest = &rest[written..];
                    self.torn = !rest.is_empty();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(FULL_PAUSE),
                Err(_) => return false,
            }
        }
        true
    }
}

/// Writes the last words of a process that served; nobody who does not read them holds up its end.
pub(in crate::cli) fn last_words(text: &str) {
    match Outlet::start(io::stderr().as_fd(), |_| String::new()) {
        Ok(outlet) => {
            outlet.push(text.as_bytes());
            outlet.drain(END_TIME_MAX);
        }
        // Without a thread, what blocks has to be risked.
        Err(_) => drop(io::stderr().lock().write_all(text.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Writes what it is told to by the other side: so many bytes of each call, or an error.
    struct Gated {
        turns: Receiver<Result<usize, ErrorKind>>,
        out: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let written = self.turns.recv().unwrap_or(Ok(usize::MAX))?.min(bytes.len());
            self.out.lock().unwrap().extend(&bytes[..written]);
            Ok(written)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Says how the next write ends.
    type Turn = Sender<Result<usize, ErrorKind>>;

    fn gated() -> (Outlet, Turn, Arc<Mutex<Vec<u8>>>) {
        let (turn, turns) = channel();
        let out = Arc::new(Mutex::default());
        let target = Gated { turns, out: Arc::clone(&out) };
        (Outlet::to(target, |lost| format!("lost {lost}\n")).unwrap(), turn, out)
    }

    fn written(outlet: &Outlet, out: &Mutex<Vec<u8>>) -> String {
        outlet.drain(Duration::from_secs(60));
        String::from_utf8(out.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn what_a_full_queue_loses_is_told_once_behind_what_waited() {
        let (outlet, turn, out) = gated();
        let line = [b"x".repeat(WAITING_BYTES_MAX / 8 - 1), b"\n".to_vec()].concat();
        for _ in 0..30 {
            outlet.push(&line);
        }
        drop(turn);
        let text = written(&outlet, &out);
        let lines = text.lines().filter(|line| line.starts_with('x')).count();
        // The thread may have taken one out of the queue meanwhile.
        assert!((8..=9).contains(&lines), "{lines}");
        let told = text.lines().filter(|line| line.starts_with("lost")).collect::<Vec<_>>();
        assert_eq!(told, [format!("lost {}", 30 - lines)]);
        assert!(text.ends_with(&format!("{}\n", told[0])));
    }

    #[test]
    fn a_line_that_could_not_be_written_is_counted_and_told_with_the_next_one() {
        let (outlet, turn, out) = gated();
        for answer in [Err(ErrorKind::BrokenPipe), Ok(3), Err(ErrorKind::StorageFull), Ok(usize::MAX)] {
            turn.send(answer).unwrap();
        }
        drop(turn);
        for line in ["first\n", "second\n", "third\n"] {
            outlet.push(line.as_bytes());
        }
        assert_eq!(written(&outlet, &out), "sec\nthird\nlost 2\n");
        outlet.push(b"fourth\n");
        assert_eq!(written(&outlet, &out), "sec\nthird\nlost 2\nfourth\n");
    }

    #[test]
    fn the_end_does_not_wait_for_ever_for_a_reader() {
        let (outlet, turn, out) = gated();
        outlet.push(b"nobody reads this\n");
        outlet.drain(Duration::from_millis(1));
        assert!(out.lock().unwrap().is_empty());
        drop(turn);
    }
}
