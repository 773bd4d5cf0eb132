//! Whether the system has the threads that a process needs.

use std::io;
use std::sync::mpsc::channel;
use std::thread::Builder;

/// Has so many threads at one time, for a moment.
///
/// # Errors
/// The system gives fewer: the text says how many. Limits are `ulimit -u` and a control group's `pids.max`.
pub fn probe_threads(wanted: usize) -> io::Result<()> {
    let mut ends = Vec::with_capacity(wanted);
    while ends.len() < wanted {
        let (end, ended) = channel::<()>();
        let waiting = Builder::new().spawn(move || {
            // The other end closes: that is the end of the wait.
            let _ = ended.recv();
        });
        let waiting = waiting.map_err(|source| {
            let had = ends.len();
            let text = format!(
                "this process may have {had} more threads and needs {wanted} (ulimit -u, pids.max of the control group): {source}"
            );
            io::Error::new(source.kind(), text)
        })?;
        ends.push((end, waiting));
    }
    for (end, waiting) in ends {
        drop(end);
        // It does nothing that could fail.
        let _ = waiting.join();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_needs_is_given_by_an_ordinary_system() {
        probe_threads(20).unwrap();
    }
}
