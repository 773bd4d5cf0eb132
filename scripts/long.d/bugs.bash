# shellcheck shell=bash
# Every planted bug against the layers that are to catch it: the same tests that pass without it, with the same settings, must
# fail. A layer is a function bugs_LAYER that gets the name of a bug, fails when it is caught, and lasts no longer than the
# layer does in scripts/check. BUGS="name .." tries some only.

# What each layer answers for; a bug that several can see is tried with each of them. Another layer is another line here and
# a function below.
declare -A bugs_of=(
    [simulation]="acknowledge_before_quorum slave_acks_before_fsync promise_not_fsynced position_read_before_promise
        compare_by_length no_epoch_start retry_after_failed_fsync directory_not_fsynced torn_record_accepted
        damage_cut_as_torn_tail full_disk_half_acknowledged audit_not_replicated transaction_split
        settle_in_memory_only dispatch_before_commit truncate_below_commit wiped_disk_votes
        earlier_run_leads_on seen_forgotten one_place_moved group_without_owner sorted_forgotten subscription_forgotten
        sent_and_scheduled due_not_in_checkpoint"
    [crash_points]="directory_not_fsynced torn_record_accepted base_before_checkpoint"
    [coordination]="create_retried_blindly"
    [faults]="acknowledge_before_quorum dispatch_before_commit settle_in_memory_only transaction_split no_epoch_start
        emptied_zookeeper_starts_blank"
    [lanes]="group_without_owner sorted_forgotten urgent_not_folded"
    [durable]="subscription_forgotten"
    [connections]="large_head_uncut composite_unbounded"
    [disks]="slave_acks_before_fsync retry_after_failed_fsync torn_record_accepted"
)

# bugs_build ARGUMENT..: builds tests with the bugs in them, and prints the program.
bugs_build() {
    env QUORATE_BUGS=1 CARGO_TARGET_DIR=target/bugs cargo test --release "$@" --no-run --message-format=json 2>/dev/null |
        sed -n 's/.*"executable":"\([^"]*\/\(quorate\|integration\|fuzz\)-[^"]*\)".*/\1/p' | tail -1
}

bugs_simulation() { "$binary" --nocapture node::simulation::whole; }
bugs_crash_points() { "$binary" --nocapture node::simulation::crash_points storage::tests::crash; }
bugs_lanes() { "$binary" --nocapture broker::tests::lanes; }
bugs_durable() { "$binary" --nocapture broker::tests::topics::durable; }
bugs_coordination() { "$integration" --nocapture coordination::outages; }
# Whole connections; new inputs each time, within a minute.
bugs_connections() { QUORATE_FUZZ_SECONDS=60 "$fuzz" --nocapture whole_connections; }
# Real processes: the nodes have the bug, the harness is the same.
bugs_faults() { "$integration" --nocapture --test-threads 1 faults::mix::a_mixture; }
# The same with the faults that show what a disk really holds, of which the mixture has few.
bugs_disks() { QUORATE_FAULTS='fsync fails,power cut,kill' QUORATE_FAULT_SECONDS=60 bugs_faults; }

# What a layer said first against a bug: a seed, a complaint of the harness, or what panicked.
bugs_said() { grep -am1 -E '^seed [0-9]+: [^[]' <<<"$1" || grep -am1 -oE 'against it: .*' <<<"$1" || grep -am1 -A1 panicked <<<"$1" | tail -1; }

bugs_layers() {
    local layer bug began took said missed=0 chosen
    binary=$(bugs_build --lib) integration=$(bugs_build --test integration) fuzz=$(bugs_build --test fuzz)
    [[ -x $binary && -x $integration && -x $fuzz ]] || { echo 'long: the build with planted bugs failed' >&2; return 1; }
    for layer in "${!bugs_of[@]}"; do
        chosen=()
        for bug in ${bugs_of[$layer]}; do [[ " ${BUGS:-$bug} " != *" $bug "* ]] || chosen+=("$bug"); done
        ((${#chosen[@]})) || continue
        # The layer as it is: what fails without a bug catches nothing.
        QUORATE_BUG='' "bugs_$layer" >/dev/null 2>&1 || { echo "long: $layer fails without a bug" >&2; return 1; }
        for bug in "${chosen[@]}"; do
            began=$EPOCHREALTIME
            said=$(QUORATE_BUG=$bug "bugs_$layer" 2>&1) && { echo "- $layer, $bug: NOT CAUGHT" | tee -a "$results"; missed=1; continue; }
            took=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
            echo "- $layer, $bug: caught in $took ms: $(bugs_said "$said" | cut -c1-150)" | tee -a "$results"
        done
    done
    return $missed
}
