//! A process under a supervisor that starts it again when it ends by itself, as systemd would.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How often the supervisor looks.
const LOOK: Duration = Duration::from_millis(10);
/// How long it waits before it starts a process again.
const PAUSE: Duration = Duration::from_millis(300);

/// How long the end of a process may take, on a machine that has other things to do.
const END: Duration = Duration::from_secs(120);

struct State {
    child: Option<Child>,
    /// Whether it is to be started (again), and when at the earliest.
    wanted: Option<Instant>,
    over: bool,
    ends: Vec<ExitStatus>,
}

type Prepare = Box<dyn Fn() -> Command + Send>;

/// The process, while there is one, and its supervisor.
pub(crate) struct Process {
    name: String,
    state: Arc<Mutex<State>>,
    supervisor: Option<JoinHandle<()>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended just now.
        kill_process(pid, signal).ok();
    }
}

impl Process {
    /// One that is not started yet. What it says is added to the file `log`.
    pub(crate) fn new(name: &str, log: &Path, prepare: Prepare) -> Process {
        let state = Arc::new(Mutex::new(State { child: None, wanted: None, over: false, ends: Vec::new() }));
        let (shared, log) = (Arc::clone(&state), log.to_owned());
        let supervisor = std::thread::spawn(move || {
            while supervise(&shared, &log, &prepare) {
                std::thread::sleep(LOOK);
            }
        });
        Process { name: name.to_owned(), state, supervisor: Some(supervisor) }
    }

    /// Starts it, now and whenever it has ended by itself.
    pub(crate) fn start(&self) {
        lock(&self.state).wanted = Some(Instant::now());
    }

    /// kill -9, without another start. Does not wait.
    pub(crate) fn strike(&self) {
        let mut state = lock(&self.state);
        state.wanted = None;
        if let Some(child) = &state.child {
            signal(child, Signal::KILL);
        }
    }

    /// kill -9, without another start. Whether it was alive until then.
    pub(crate) fn kill(&self) -> bool {
        let before = lock(&self.state).ends.len();
        self.strike();
        self.gone();
        let state = lock(&self.state);
        state.ends.get(before).is_some_and(|end| end.signal() == Some(Signal::KILL.as_raw()))
    }

    /// Ends it decently, without another start. Whether it ended well by itself.
    pub(crate) fn end(&self) -> bool {
        let before = {
            let mut state = lock(&self.state);
            state.wanted = None;
            if let Some(child) = &state.child {
                signal(child, Signal::TERM);
            }
            state.ends.len()
        };
        self.gone();
        lock(&self.state).ends.get(before).is_some_and(ExitStatus::success)
    }

    fn gone(&self) {
        let deadline = Instant::now() + END;
        while lock(&self.state).child.is_some() {
            assert!(Instant::now() < deadline, "{} does not end", self.name);
            std::thread::sleep(LOOK);
        }
    }

    /// SIGSTOP or SIGCONT.
    pub(crate) fn pause(&self, paused: bool) {
        if let Some(child) = &lock(&self.state).child {
            signal(child, if paused { Signal::STOP } else { Signal::CONT });
        }
    }

    /// Whether it is stopped by a signal.
    pub(crate) fn paused(&self) -> bool {
        let Some(pid) = self.pid() else { return false };
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:\tT"))
    }

    /// Its number, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        lock(&self.state).child.as_ref().map(Child::id)
    }

    /// How it has ended, each time.
    pub(crate) fn ends(&self) -> Vec<ExitStatus> {
        lock(&self.state).ends.clone()
    }
}

fn supervise(state: &Mutex<State>, log: &Path, prepare: &Prepare) -> bool {
    let mut state = lock(state);
    if let Some(child) = &mut state.child
        && let Ok(Some(end)) = child.try_wait()
    {
        state.child = None;
        state.ends.push(end);
        state.wanted = state.wanted.map(|_| Instant::now() + PAUSE);
    }
    if state.over {
        if let Some(mut child) = state.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
        return false;
    }
    if state.child.is_none() && state.wanted.is_some_and(|at| at <= Instant::now()) {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut command = prepare();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        state.child = Some(command.spawn().unwrap());
    }
    true
}

impl Drop for Process {
    fn drop(&mut self) {
        lock(&self.state).over = true;
        if let Some(supervisor) = self.supervisor.take() {
            supervisor.join().ok();
        }
    }
}
