# Three RabbitMQ nodes with a quorum queue: plain processes in a private directory, own ports, own epmd, no service.

rabbitmq_bin=/usr/lib/rabbitmq/bin
rabbitmq_epmd_port=$((bench_port + 60))

need_rabbitmq() { [[ -x $rabbitmq_bin/rabbitmq-server ]] || install_packages 'RabbitMQ is missing' rabbitmq-server; }

rabbitmq_dir() { echo "$run/rabbit$1"; }
rabbitmq_stomp_port() { echo $((bench_port + 60 + $1)); }

# with_rabbit NUMBER COMMAND..: runs one of its programs with the environment of that node
with_rabbit() {
    local number=$1 dir
    shift
    dir=$(rabbitmq_dir "$number")
    env HOME="$run/rabbit-home" ERL_EPMD_PORT="$rabbitmq_epmd_port" ERL_EPMD_ADDRESS=127.0.0.1 \
        RABBITMQ_NODENAME="bench$number@localhost" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 \
        RABBITMQ_NODE_PORT=$((bench_port + 70 + number)) RABBITMQ_DIST_PORT=$((bench_port + 80 + number)) \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
        RABBITMQ_MNESIA_BASE="$dir/data" RABBITMQ_LOG_BASE="$dir/logs" RABBITMQ_SCHEMA_DIR="$dir/schema" \
        RABBITMQ_GENERATED_CONFIG_DIR="$dir/generated" RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$dir/plugins" RABBITMQ_PID_FILE="$dir/erlang.pid" RABBITMQ_LOGS=- "$@"
}

rabbitmq_start() {
    local number dir
    mkdir -p "$run/rabbit-home"
    head -c 15 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$run/rabbit-home/.erlang.cookie"
    chmod 400 "$run/rabbit-home/.erlang.cookie"
    for number in 1 2 3; do
        dir=$(rabbitmq_dir "$number")
        mkdir -p "$dir"
        echo '[rabbitmq_stomp].' >"$dir/plugins"
        cat >"$dir/rabbitmq.conf" <<CONF
stomp.listeners.tcp.1 = 127.0.0.1:$(rabbitmq_stomp_port "$number")
stomp.default_user = guest
stomp.default_pass = guest
# The load tool names the host that it dialled, which RabbitMQ takes for the name of a virtual host.
default_vhost = 127.0.0.1
cluster_formation.peer_discovery_backend = rabbit_peer_discovery_classic_config
cluster_formation.classic_config.nodes.1 = bench1@localhost
cluster_formation.classic_config.nodes.2 = bench2@localhost
cluster_formation.classic_config.nodes.3 = bench3@localhost
vm_memory_high_watermark.absolute = 4GB
CONF
        # The launcher replaces itself by the Erlang machine, whose arguments name the directory.
        (with_rabbit "$number" setsid "$rabbitmq_bin/rabbitmq-server" </dev/null >>"$dir/log" 2>&1 &)
    done
    for number in 1 2 3; do
        until_true 120 listens 127.0.0.1 "$(rabbitmq_stomp_port "$number")" ||
            fail "RabbitMQ node $number does not serve; its log: $(rabbitmq_dir "$number")/log"
    done
    until_true 60 rabbitmq_joined || fail 'the RabbitMQ nodes do not form a cluster'
    rabbitmq_known_pids=$(rabbitmq_machines)
}

rabbitmq_pids() { echo "$rabbitmq_known_pids"; }
# All nodes, for the tool to spread its connections over.
rabbitmq_addresses() { echo "127.0.0.1:$(rabbitmq_stomp_port 1),127.0.0.1:$(rabbitmq_stomp_port 2),127.0.0.1:$(rabbitmq_stomp_port 3)"; }

rabbitmq_settings() { echo 'three nodes, quorum queue of three members with its leader on node 1, vm_memory_high_watermark 4 GB, else as it comes'; }
rabbitmq_warm() {
    rabbitmq_queue warm
    warm rabbitmq /amq/queue/warm
}

# Syncs of all nodes so far: each batch of the write-ahead log that the quorum queues of a node share is synced once.
rabbitmq_syncs() {
    with_rabbit 1 timeout 30 "$rabbitmq_bin/rabbitmqctl" --quiet eval '
        lists:sum([maps:get(batches, maps:get(ra_log_wal, rpc:call(N, ra_counters, overview, []))) || N <- rabbit_nodes:all_running()]).' \
        2>/dev/null | grep -xE '[0-9]+' || true
}

rabbitmq_joined() {
    [[ $(with_rabbit 1 "$rabbitmq_bin/rabbitmqctl" --quiet eval 'length(rabbit_nodes:all_running()).' 2>/dev/null) = 3 ]]
}

# Declares a quorum queue with its leader on node 1.
rabbitmq_queue() {
    with_rabbit 1 "$rabbitmq_bin/rabbitmqctl" --quiet eval "
        Q = rabbit_misc:r(<<\"127.0.0.1\">>, queue, <<\"$1\">>),
        {new, _} = rabbit_amqqueue:declare(Q, true, false, [{<<\"x-queue-type\">>, longstr, <<\"quorum\">>}], none, <<\"guest\">>), ok." >/dev/null ||
        fail 'RabbitMQ did not declare the quorum queue'
}

# Its Erlang machines: those whose arguments name a directory of this run.
rabbitmq_machines() {
    local process
    for process in /proc/[0-9]*; do
        [[ $(readlink "$process/exe" 2>/dev/null) = */beam.smp ]] || continue
        grep -qzF "$run/rabbit" "$process/environ" 2>/dev/null && echo "${process#/proc/}"
    done
}

rabbitmq_stop() {
    local number pid
    [[ -d $run/rabbit-home ]] || return 0
    for pid in $(rabbitmq_machines); do kill -9 "$pid" 2>/dev/null || true; done
    until_true 10 rabbitmq_gone || say 'RabbitMQ processes are left' >&2
    with_rabbit 1 epmd -port "$rabbitmq_epmd_port" -kill >/dev/null 2>&1 || true
    for number in 1 2 3; do rm -rf "$(rabbitmq_dir "$number")"; done
    rm -rf "$run/rabbit-home"
}

rabbitmq_gone() { [[ -z $(rabbitmq_machines) ]]; }
