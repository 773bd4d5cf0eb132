//! Memory for what connections hold that the broker does not have yet: frames that have begun and open transactions. All
//! connections together have so much of it, whatever each of them may have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one permit.
const UNIT_BYTES: usize = 1024;

/// What all connections may take together. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    units: u32,
    free: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

/// What one of them has; given back when dropped.
#[derive(Debug, Default)]
pub struct Portion(Option<OwnedSemaphorePermit>);

impl Portion {
    /// Whether it is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn units(&self) -> u32 {
        self.0.as_ref().map_or(0, |permit| permit.num_permits() as u32)
    }

    fn grow(&mut self, more: OwnedSemaphorePermit) {
        match &mut self.0 {
            Some(permit) => permit.merge(more),
            None => self.0 = Some(more),
        }
    }
}

impl Budget {
    pub(in crate::broker) fn new(bytes: usize) -> Budget {
        let units = (bytes / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize)) as u32;
        let free = Arc::new(Semaphore::new(units as usize));
        Budget { units, free, waiting: Arc::default() }
    }

    /// What `portion` lacks to be so many bytes. Nothing is more than everything, so that the largest has its turn too.
    fn lacking(&self, portion: &Portion, bytes: usize) -> u32 {
        let wanted = bytes.div_ceil(UNIT_BYTES).min(self.units as usize) as u32;
        wanted.saturating_sub(portion.units())
    }

    /// Raises `portion` to so many bytes; false, and nothing has changed, if there is not so much.
    pub fn try_raise(&self, portion: &mut Portion, bytes: usize) -> bool {
        match self.lacking(portion, bytes) {
            0 => true,
            more => match Arc::clone(&self.free).try_acquire_many_owned(more) {
                Ok(more) => {
                    portion.grow(more);
                    true
                }
                Err(_) => false,
            },
        }
    }

    /// Raises `portion` to so many bytes; waits for it, in the order of asking. Cancel-safe.
    pub async fn raise(&self, portion: &mut Portion, bytes: usize) {
        let more = self.lacking(portion, bytes);
        if more == 0 {
            return;
        }
        let _counted = Counted::in_(&self.waiting);
        // It is never closed.
        if let Ok(more) = Arc::clone(&self.free).acquire_many_owned(more).await {
            portion.grow(more);
        }
    }

    /// Whether somebody waits.
    pub fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// One who waits.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn in_(waiting: &'a AtomicUsize) -> Counted<'a> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Counted(waiting)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn portions_are_raised_in_turn_and_given_back() {
        let budget = Budget::new(10 * UNIT_BYTES);
        let (mut one, mut two) = (Portion::default(), Portion::default());
        assert!(budget.try_raise(&mut one, 1) && budget.try_raise(&mut one, 6 * UNIT_BYTES));
        assert!(!budget.try_raise(&mut two, 5 * UNIT_BYTES) && two.is_empty());
        assert!(!budget.is_wanted());
        {
            let raised = budget.raise(&mut two, 5 * UNIT_BYTES);
            tokio::pin!(raised);
            assert!(futures::poll!(&mut raised).is_pending());
            assert!(budget.is_wanted());
            drop(one);
            raised.await;
        }
        assert!(!budget.is_wanted());
        drop(two);
        let mut all = Portion::default();
        assert!(budget.try_raise(&mut all, 1 << 30), "the largest fits when it is alone");
        assert!(!budget.try_raise(&mut Portion::default(), 1));
    }
}
