# Three quorate nodes by scripts/cluster, and a lone one.

quorate_cluster() {
    local certificates=''
    [[ $tls = plain ]] || certificates=$run/tls
    QUORATE_RUN=$run/quorate QUORATE_PORT_BASE=$bench_port QUORATE_BIN=${binary:-false} QUORATE_TLS_DIR=$certificates "$root/scripts/cluster" "$@"
}

quorate_start() {
    [[ $tls = plain ]] || quorate_certificates
    quorate_cluster up >/dev/null || fail 'quorate does not start'
    # Behind a program that sets variables stands the node itself, with the same pid.
    quorate_known_pids=$(cat "$run"/quorate/node?/pid)
}

quorate_stop() { [[ ! -f $run/quorate/cluster.env ]] || quorate_cluster down; }
quorate_addresses() { echo "127.0.0.1:$((bench_port + 1)),127.0.0.1:$((bench_port + 2)),127.0.0.1:$((bench_port + 3))"; }
quorate_pids() { echo "$quorate_known_pids"; }
quorate_warm() { warm quorate queue/warm; }
quorate_settings() {
    echo "three nodes, an ensemble of three ZooKeeper servers, sync quorum_disk, segments of 100 MiB, replication in $([[ $tls = plain ]] && echo 'plain text on loopback' || echo 'mutual TLS')"
}
zookeeper_pids() { cat "$run"/quorate/zk?/pid; }

# An authority of this run and a certificate of it for each node's replication address.
quorate_certificates() {
    local dir=$run/tls node
    mkdir -p "$dir"
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=bench-ca \
            -keyout "$dir/ca.key" -out "$dir/ca.pem"
        for node in 1 2 3; do
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=node$node" \
                -keyout "$dir/node$node.key" -out "$dir/node$node.csr"
            openssl x509 -req -in "$dir/node$node.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 2 -out "$dir/node$node.pem" \
                -extfile <(printf 'subjectAltName=IP:127.0.0.%s\nextendedKeyUsage=serverAuth,clientAuth\n' $((10 + node)))
        done
    } >"$dir/log" 2>&1 || fail "certificates cannot be made: $dir/log"
}

# syncs_at PORT..: syncs so far of the nodes with these consoles; nothing if they do not count them
syncs_at() {
    local port sum=0 count
    for port in "$@"; do
        count=$(http_get 127.0.0.1 "$port" /api/v1/broker | grep -oE '"fsyncs": *[{]"count": *[0-9]+' | grep -oE '[0-9]+') || return 0
        sum=$((sum + count))
    done
    echo "$sum"
}

quorate_syncs() { syncs_at $((bench_port + 11)) $((bench_port + 12)) $((bench_port + 13)); }

lone_dir=$run/lone

lone_start() {
    rm -rf "$lone_dir"
    mkdir -p "$lone_dir"
    cat >"$lone_dir/quorate.toml" <<TOML
[broker]
data_directory = "$lone_dir/data"
[store]
kind = "local"
[[transport_connector]]
name = "stomp"
uri = "stomp://127.0.0.1:$((bench_port + 90))"
[console]
bind = "127.0.0.1:$((bench_port + 91))"
TOML
    launch "$lone_dir" "$binary" run --config "$lone_dir/quorate.toml"
    local from
    from=$(milliseconds)
    until listens 127.0.0.1 $((bench_port + 90)); do
        (($(milliseconds) - from < 10000)) || fail "a lone broker does not start: $lone_dir/log"
        sleep 0.002
    done
}

lone_stop() {
    [[ -d $lone_dir ]] || return 0
    stop_process "$lone_dir"
    rm -rf "$lone_dir"
}

lone_addresses() { echo "127.0.0.1:$((bench_port + 90))"; }
lone_pids() { cat "$lone_dir/pid"; }
lone_syncs() { syncs_at $((bench_port + 91)); }
lone_settings() { echo 'local store as it comes'; }
lone_warm() { warm lone queue/warm; }

# Ten starts of a lone broker with an empty store, from exec to an open client port.
lone_starts() {
    local from times=()
    while ((${#times[@]} < 10)); do
        from=$(milliseconds)
        lone_start
        times+=($(($(milliseconds) - from)))
        lone_stop
    done
    record '"part": "start", "milliseconds": ['"$(IFS=,; echo "${times[*]}")"']'
    say "lone broker, milliseconds from start to serving: ${times[*]}"
}
