//! Which epochs a log holds and where each of them ends: enough to find where two logs part.

use crate::model::{Epoch, Offset, Position};

/// The epochs of a log, ascending, each with the offset after its last record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct History {
    ends: Vec<(Epoch, Offset)>,
}

impl History {
    /// A history of these epochs and ends; `None` unless both ascend.
    pub fn new(ends: Vec<(Epoch, Offset)>) -> Option<History> {
        ends.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 < w[1].1).then_some(History { ends })
    }

    /// The epochs and their ends.
    pub fn ends(&self) -> &[(Epoch, Offset)] {
        &self.ends
    }

    /// Position of the log's last record; the default for an empty log.
    pub fn position(&self) -> Position {
        self.ends
            .last()
            .map_or(Position::default(), |(epoch, offset)| Position { epoch: *epoch, offset: *offset })
    }

    /// Records that the log now ends at `end` with a record of `epoch`.
    pub fn extend(&mut self, epoch: Epoch, end: Offset) {
        match self.ends.last_mut() {
            Some(last) if last.0 == epoch => last.1 = end,
            Some(last) => {
                assert!(last.0 < epoch, "epoch {epoch} after {} in one log", last.0);
                self.ends.push((epoch, end));
            }
            None => self.ends.push((epoch, end)),
        }
    }

    /// Forgets what lies at or above `to`.
    pub fn truncate(&mut self, to: Offset) {
        while let Some(last) = self.ends.pop() {
            let start = self.ends.last().map_or(Offset(0), |before| before.1);
            if start < to {
                self.ends.push((last.0, last.1.min(to)));
                return;
            }
        }
    }

    /// The end of the longest common prefix of two logs: the newest epoch in both, where it ends first. Two logs with
    /// one position are equal up to it, so nothing older needs to be looked at.
    pub fn common(&self, other: &History) -> Offset {
        let end_here = |epoch: Epoch| self.ends.iter().find(|(e, _)| *e == epoch).map(|(_, end)| *end);
        let both =
            other.ends.iter().rev().find_map(|(epoch, end)| end_here(*epoch).map(|here| here.min(*end)));
        both.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(ends: &[(u64, u64)]) -> History {
        History::new(ends.iter().map(|(e, o)| (Epoch(*e), Offset(*o))).collect()).unwrap()
    }

    #[test]
    fn two_logs_part_where_their_newest_common_epoch_ends_first() {
        let master = history(&[(1, 100), (3, 180)]);
        assert_eq!(master.common(&history(&[(1, 140)])), Offset(100));
        assert_eq!(master.common(&history(&[(1, 80)])), Offset(80));
        assert_eq!(master.common(&history(&[(1, 100), (2, 150)])), Offset(100));
        assert_eq!(master.common(&history(&[(1, 100), (3, 150)])), Offset(150));
        assert_eq!(master.common(&history(&[])), Offset(0));
    }

    #[test]
    fn a_truncated_history_ends_where_it_was_cut() {
        let mut log = history(&[(1, 100), (3, 180)]);
        log.truncate(Offset(120));
        assert_eq!(log, history(&[(1, 100), (3, 120)]));
        log.truncate(Offset(100));
        assert_eq!(log, history(&[(1, 100)]));
        log.truncate(Offset(0));
        assert_eq!(log.position(), Position::default());
        log.extend(Epoch(4), Offset(30));
        assert_eq!(log, history(&[(4, 30)]));
    }

    #[test]
    fn a_history_that_does_not_ascend_is_refused() {
        assert_eq!(History::new(vec![(Epoch(2), Offset(1)), (Epoch(1), Offset(2))]), None);
        assert_eq!(History::new(vec![(Epoch(1), Offset(2)), (Epoch(2), Offset(2))]), None);
    }
}
