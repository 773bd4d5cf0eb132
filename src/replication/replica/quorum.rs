//! Durable offsets to commit offset.

use crate::model::{Offset, StoreId, Voter, quorum};

/// The highest offset below which a quorum of `voters` is durable, given what each store is known to hold. A store that
/// is no voter counts nothing, however much it holds; a voter that has not been heard counts as empty.
pub(super) fn quorum_offset(voters: &[Voter], durable: impl Fn(StoreId) -> Option<Offset>) -> Offset {
    let mut held: Vec<Offset> = voters.iter().filter_map(|v| durable(v.store)).collect();
    held.sort_unstable_by(|a, b| b.cmp(a));
    held.get(quorum(voters.len()) - 1).copied().unwrap_or_default()
}

/// The commit offset while `next` replaces `voters`: a quorum of the old and a quorum of the new.
pub(super) fn joint_offset(
    voters: &[Voter],
    next: &[Voter],
    durable: impl Fn(StoreId) -> Option<Offset>,
) -> Offset {
    quorum_offset(voters, &durable).min(quorum_offset(next, &durable))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn voters(stores: &[u128]) -> Vec<Voter> {
        stores.iter().map(|s| Voter { node: format!("n{s}"), store: StoreId(*s) }).collect()
    }

    proptest! {
        #[test]
        fn a_quorum_holds_the_commit_offset_and_none_holds_more(held in prop::collection::vec(prop::option::of(0u64..50), 1..8)) {
            let voters = voters(&(0..held.len() as u128).collect::<Vec<_>>());
            let commit = quorum_offset(&voters, |s| held[s.0 as usize].map(Offset));
            let at_least = |offset: u64| held.iter().flatten().filter(|h| **h >= offset).count();
            prop_assert!(commit == Offset(0) || at_least(commit.0) >= quorum(voters.len()));
            prop_assert!(at_least(commit.0 + 1) < quorum(voters.len()));
        }
    }

    #[test]
    fn any_two_quorums_meet_also_across_one_replacement_or_addition() {
        for n in 1..=7usize {
            let sets: Vec<u32> = (0..1u32 << n).filter(|s| s.count_ones() as usize >= quorum(n)).collect();
            let swap = |s: u32| if s & 1 == 1 { s & !1 | 1 << n } else { s };
            for a in &sets {
                for b in &sets {
                    assert!(a & b != 0 && swap(*a) & swap(*b) != 0, "replicas {n}");
                }
                let grown = (0..1u32 << (n + 1)).filter(|s| s.count_ones() as usize >= quorum(n + 1));
                assert!(grown.into_iter().all(|b| a & b != 0), "one more than {n}");
            }
        }
    }

    #[test]
    fn a_replacement_counts_only_when_both_lists_have_a_quorum() {
        let (old, new) = (voters(&[1, 2, 3]), voters(&[1, 2, 4]));
        let held =
            |s: StoreId| [(1, 9), (4, 9)].iter().find(|(v, _)| StoreId(*v) == s).map(|(_, o)| Offset(*o));
        assert_eq!(quorum_offset(&new, held), Offset(9));
        assert_eq!(joint_offset(&old, &new, held), Offset(0));
    }
}
