# The story end to end: send and consume, kill the master under load, bring it back, count.
demo() {
    local messages=${1:-20000} node addresses=() target=${CARGO_TARGET_DIR:-$root/target}
    [[ $messages =~ ^[0-9]+$ ]] || fail "demo: $messages is no number of messages"
    command -v cargo >/dev/null || fail 'cargo is missing: install Rust from https://rustup.rs and try again'
    if [[ ! -f $run/cluster.env ]]; then cluster_up; else load_layout; fi
    say 'building the program that sends and consumes; the first time takes minutes'
    (cd "$root" && cargo build --release --example demo) || fail 'the build failed'
    group_serves 1 || fail 'group 1 does not serve: scripts/cluster status'
    for ((node = 1; node <= nodes_per_group; node++)); do
        addresses+=("$(client_address "$node"):$(port stomp "$node")")
    done
    QUORATE_RUN=$run "$target/release/examples/demo" "$root/scripts/cluster" "$(IFS=,; echo "${addresses[*]}")" "$messages"
}
