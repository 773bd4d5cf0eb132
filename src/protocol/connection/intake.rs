//! What lets a connection read on, or holds it up: the broker's room for its session, and memory for large frames.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::broker::{Budget, Portion};

use super::adapter::Adapter;
use super::end::End;
use super::input::Input;
use super::transport::Receive;

/// A frame up to this size is read whenever it comes; a larger one when there is memory for all of it.
const FRAME_BYTES_FREE: usize = 64 * 1024;
/// A large frame has to go on within this time while others wait for its memory.
const FRAME_PAUSE_MAX: Duration = Duration::from_secs(10);
/// One that was held up itself has at least so long.
const FRAME_PAUSE_MIN: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Intake {
    budget: Budget,
    /// Memory for the large frame that has begun.
    portion: Portion,
    /// Nothing is read, so that nothing can be heard.
    deaf: bool,
}

impl Intake {
    /// Large frames take their memory from `budget`.
    pub(super) fn new(budget: Budget) -> Intake {
        Intake { budget, portion: Portion::default(), deaf: false }
    }

    /// Whether nothing is read at the moment, so that the client's silence means nothing.
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// Waits until the broker is `ready` for more of this session, then for bytes unless some are `left`. Cancel-safe.
    pub(super) async fn arrival(
        &mut self,
        ready: impl Future<Output = ()>,
        adapter: &mut impl Adapter,
        input: &mut Input,
        reader: &mut impl Receive,
        left: bool,
    ) -> Result<(), End> {
        self.deaf = true;
        tokio::select! {
            biased;
            () = ready => {}
            // Who waits for room may hold what others could have; nobody would hear of its end.
            () = reader.failed() => return Err(End::Gone),
        }
        // What is here already is looked at whatever others hold: it may be what they wait for.
        if !left {
            self.make_room(adapter.announced(input.arrived()), input.heard()).await?;
        }
        self.deaf = false;
        if left { Ok(()) } else { self.listen(input, reader).await }
    }

    /// Waits for the memory of a large frame that has begun, of which something came at `heard`.
    async fn make_room(&mut self, wanted: usize, heard: Instant) -> Result<(), End> {
        if wanted <= FRAME_BYTES_FREE {
            self.portion = Portion::default();
            return Ok(());
        }
        if self.portion.is_empty() {
            self.budget.raise(&mut self.portion, wanted).await;
            return Ok(());
        }
        // It did not say how long it is, and others may wait for what it has.
        let raised = timeout_at(heard + FRAME_PAUSE_MAX, self.budget.raise(&mut self.portion, wanted));
        raised.await.map_err(|_| End::NoMemory("There is no memory for the rest of a large frame"))
    }

    /// Waits for bytes. A large frame that does not come is not waited for while others want its memory.
    async fn listen(&self, input: &mut Input, reader: &mut impl Receive) -> Result<(), End> {
        while !self.portion.is_empty() {
            let until = (input.heard() + FRAME_PAUSE_MAX).max(Instant::now() + FRAME_PAUSE_MIN);
            match timeout_at(until, input.read(reader)).await {
                Ok(read) => return Ok(read?),
                Err(_) if !self.budget.is_wanted() => {}
                Err(_) => {
                    return Err(End::NoMemory(
                        "A large frame did not go on while others waited for its memory",
                    ));
                }
            }
        }
        Ok(input.read(reader).await?)
    }
}
