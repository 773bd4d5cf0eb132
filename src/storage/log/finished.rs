//! What is finished of a log: its stretches, and what each holds.

use std::sync::Arc;

use super::Log;
use crate::model::Offset;
use crate::storage::StorageError;
use crate::storage::live::Held;
use crate::storage::recovery;
use crate::storage::sidecar::Sealed;

/// A stretch of finished segments that may be dropped together: no group of records crosses its ends. Shares the log's
/// tables.
#[derive(Clone)]
pub struct Finished {
    /// Its first offset.
    pub base: Offset,
    /// Its end, the first offset of the next one.
    pub end: Offset,
    segments: Vec<Arc<Sealed>>,
}

impl Finished {
    /// What it holds: an entry for each destination of each segment.
    pub fn held(&self) -> impl Iterator<Item = Held> + '_ {
        self.segments.iter().flat_map(|segment| segment.held())
    }
}

impl Log {
    /// The finished stretches, oldest first.
    pub fn finished(&self) -> Vec<Finished> {
        let sealed = self.inner.shared.sealed();
        let live = self.front().live.summary.origin;
        let mut finished: Vec<Finished> = Vec::new();
        let mut whole = true;
        let mut following = sealed.values().skip(1);
        for segment in sealed.values() {
            match finished.last_mut() {
                Some(last) if !whole && last.end == segment.origin.base => {
                    last.end = segment.end;
                    last.segments.push(segment.clone());
                }
                _ => {
                    let (base, end) = (segment.origin.base, segment.end);
                    finished.push(Finished { base, end, segments: vec![segment.clone()] });
                }
            }
            let next = following.next().map_or(live, |next| next.origin);
            whole = next.group == next.base;
        }
        // A group that the live segment has not ended yet still needs the stretch before it.
        if !whole {
            finished.pop();
        }
        finished
    }

    /// Reads a finished segment again whose sidecar is damaged, and has another one written.
    pub(in crate::storage) fn rebuild_sidecar(&self, damaged: &Sealed) -> Result<Arc<Sealed>, StorageError> {
        let base = damaged.origin.base;
        tracing::warn!("the sidecar of segment {base} is damaged and is rebuilt");
        let segments = self.inner.shared.segments();
        let at = segments.iter().position(|segment| segment.origin.base == base);
        let at = at.filter(|at| at + 1 < segments.len()).ok_or_else(|| StorageError::Range {
            at: base,
            base: self.base(),
            end: self.end(),
        })?;
        let sealed = recovery::read_sealed(&segments, at)?;
        let sealed =
            sealed.map_err(|damage| StorageError::Corrupt { at: damage.at, reason: damage.reason })?;
        let (front, sealed) = (self.front(), Arc::new(sealed));
        // The log may have been cut meanwhile; then this answer is the last use of what was read.
        if self
            .inner
            .shared
            .sealed()
            .get(&base)
            .is_some_and(|now| (now.end, now.last) == (sealed.end, sealed.last))
        {
            front.seal(&self.inner.shared, sealed.clone());
        }
        Ok(sealed)
    }
}
