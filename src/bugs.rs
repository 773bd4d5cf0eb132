//! Planted bugs: each removes one rule of the shipped code, to try the tests that must catch it.
//!
//! Only a build with `--cfg bugs` (or with `QUORATE_BUGS=1` in the environment of the build) holds them; there the
//! environment variable `QUORATE_BUG` names the one that is in. In every other build [`on`] is the constant `false`.

/// All of them.
pub const NAMES: [&str; 41] = [
    "acknowledge_before_quorum",
    "slave_acks_before_fsync",
    "promise_not_fsynced",
    "position_read_before_promise",
    "compare_by_length",
    "old_epoch_commits_by_count",
    "no_epoch_start",
    "lower_epoch_accepted",
    "slave_counted_twice",
    "non_voter_counted",
    "wiped_disk_votes",
    "voter_replaced_without_joint_quorum",
    "truncate_below_commit",
    "member_counted_twice",
    "emptied_zookeeper_starts_blank",
    "earlier_run_leads_on",
    "suspicion_not_withdrawn",
    "deposed_master_dispatches",
    "lease_not_outlived",
    "member_keeps_its_guid",
    "retry_after_failed_fsync",
    "directory_not_fsynced",
    "torn_record_accepted",
    "damage_cut_as_torn_tail",
    "full_disk_half_acknowledged",
    "base_before_checkpoint",
    "audit_not_replicated",
    "transaction_split",
    "settle_in_memory_only",
    "dispatch_before_commit",
    "create_retried_blindly",
    "large_head_uncut",
    "composite_unbounded",
    "seen_forgotten",
    "one_place_moved",
    "group_without_owner",
    "sorted_forgotten",
    "urgent_not_folded",
    "subscription_forgotten",
    "sent_and_scheduled",
    "due_not_in_checkpoint",
];

/// Whether this bug is planted.
#[cfg(not(bugs))]
#[inline(always)]
pub const fn on(_name: &str) -> bool {
    false
}

#[cfg(bugs)]
mod planted {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::NAMES;

    /// Position in `NAMES`; one past its end for none.
    static PLANTED: OnceLock<AtomicUsize> = OnceLock::new();

    fn position(name: &str) -> usize {
        let found = NAMES.iter().position(|known| *known == name);
        assert!(found.is_some() || name.is_empty(), "no bug is called {name}");
        found.unwrap_or(NAMES.len())
    }

    fn cell() -> &'static AtomicUsize {
        let wish = || std::env::var("QUORATE_BUG").unwrap_or_default();
        PLANTED.get_or_init(|| AtomicUsize::new(position(&wish())))
    }

    /// Whether this bug is planted.
    pub fn on(name: &str) -> bool {
        NAMES.get(cell().load(Ordering::Relaxed)).is_some_and(|planted| *planted == name)
    }

    /// Plants this bug instead of the one before, or none.
    pub fn plant(name: &str) {
        cell().store(position(name), Ordering::Relaxed);
    }
}

#[cfg(bugs)]
pub use planted::{on, plant};
