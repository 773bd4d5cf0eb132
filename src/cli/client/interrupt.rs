//! Ctrl-C: the first asks a command to come to its end and to tell how far it got, a second does not wait for that.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::super::exit::Failure;

/// Whether somebody has pressed Ctrl-C.
#[derive(Clone)]
pub(super) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Completes once the command should come to its end. Cancel-safe.
    pub(super) async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending().await
        }
    }

    /// Whether it should.
    pub(super) fn was_asked(&self) -> bool {
        *self.0.borrow()
    }
}

/// Carries out a command that can be interrupted.
pub(super) async fn interruptible<T>(
    command: impl AsyncFnOnce(Interrupt) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut signals = signal(SignalKind::interrupt())?;
    let (sender, asked) = watch::channel(false);
    let twice = async {
        signals.recv().await;
        sender.send_replace(true);
        signals.recv().await;
    };
    tokio::select! {
        ended = command(Interrupt(asked)) => ended,
        () = twice => Err(Failure::interrupted("twice; what was under way is unknown")),
    }
}
