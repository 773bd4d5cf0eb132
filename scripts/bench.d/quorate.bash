# Three quorate nodes by scripts/cluster, and a lone one.

quorate_cluster() { QUORATE_RUN=$run/quorate QUORATE_PORT_BASE=$bench_port QUORATE_BIN=$binary "$root/scripts/cluster" "$@"; }
quorate_start() { quorate_cluster up >/dev/null || fail 'quorate does not start'; }
quorate_stop() { [[ ! -f $run/quorate/cluster.env ]] || quorate_cluster down; }
quorate_addresses() { echo "127.0.0.1:$((bench_port + 1)),127.0.0.1:$((bench_port + 2)),127.0.0.1:$((bench_port + 3))"; }
quorate_pids() { cat "$run"/quorate/node?/pid; }

# Syncs of all nodes so far; nothing if the nodes do not count them.
quorate_syncs() {
    local node sum=0 count
    for node in 1 2 3; do
        count=$(http_get 127.0.0.1 $((bench_port + 10 + node)) /api/status | grep -oE '"fsyncs": *[0-9]+' | grep -oE '[0-9]+') || return 0
        sum=$((sum + count))
    done
    echo "$sum"
}

milliseconds() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# Median of ten starts of a lone broker with an empty embedded store, from exec to an open client port.
lone_starts() {
    local dir=$run/lone number from times=()
    for number in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf "$dir"
        mkdir -p "$dir"
        cat >"$dir/quorate.toml" <<TOML
[broker]
data_directory = "$dir/data"
[[transport_connector]]
name = "stomp"
uri = "stomp://127.0.0.1:$((bench_port + 90))"
[console]
bind = "127.0.0.1:$((bench_port + 91))"
TOML
        from=$(milliseconds)
        launch "$dir" "$binary" run --config "$dir/quorate.toml"
        until listens 127.0.0.1 $((bench_port + 90)); do
            (($(milliseconds) - from < 10000)) || fail "a lone broker does not start: $dir/log"
            sleep 0.002
        done
        times+=($(($(milliseconds) - from)))
        stop_process "$dir"
    done
    lone_start_ms=$(printf '%s\n' "${times[@]}" | median)
    say "lone broker: $lone_start_ms ms from start to serving (median of ten: ${times[*]})"
}
