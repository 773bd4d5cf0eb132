# Three RabbitMQ nodes with a quorum queue: plain processes in a private directory, own ports, own epmd, no service.

rabbit_bin=/usr/lib/rabbitmq/bin
rabbit_epmd_port=$((bench_port + 60))

need_rabbitmq() { [[ -x $rabbit_bin/rabbitmq-server ]] || install_packages 'RabbitMQ is missing' rabbitmq-server; }

rabbit_dir() { echo "$run/rabbit$1"; }
rabbit_stomp_port() { echo $((bench_port + 60 + $1)); }

# with_rabbit NUMBER COMMAND..: runs one of its programs with the environment of that node
with_rabbit() {
    local number=$1 dir
    shift
    dir=$(rabbit_dir "$number")
    env HOME="$run/rabbit-home" ERL_EPMD_PORT="$rabbit_epmd_port" ERL_EPMD_ADDRESS=127.0.0.1 \
        RABBITMQ_NODENAME="bench$number@localhost" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 \
        RABBITMQ_NODE_PORT=$((bench_port + 70 + number)) RABBITMQ_DIST_PORT=$((bench_port + 80 + number)) \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
        RABBITMQ_MNESIA_BASE="$dir/data" RABBITMQ_LOG_BASE="$dir/logs" RABBITMQ_SCHEMA_DIR="$dir/schema" \
        RABBITMQ_GENERATED_CONFIG_DIR="$dir/generated" RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$dir/plugins" RABBITMQ_PID_FILE="$dir/erlang.pid" RABBITMQ_LOGS=- "$@"
}

rabbit_start() {
    local number dir
    mkdir -p "$run/rabbit-home"
    head -c 15 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$run/rabbit-home/.erlang.cookie"
    chmod 400 "$run/rabbit-home/.erlang.cookie"
    for number in 1 2 3; do
        dir=$(rabbit_dir "$number")
        mkdir -p "$dir"
        echo '[rabbitmq_stomp].' >"$dir/plugins"
        cat >"$dir/rabbitmq.conf" <<CONF
stomp.listeners.tcp.1 = 127.0.0.1:$(rabbit_stomp_port "$number")
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
        (with_rabbit "$number" setsid "$rabbit_bin/rabbitmq-server" </dev/null >>"$dir/log" 2>&1 &)
    done
    for number in 1 2 3; do
        until_true 120 listens 127.0.0.1 "$(rabbit_stomp_port "$number")" ||
            fail "RabbitMQ node $number does not serve; its log: $(rabbit_dir "$number")/log"
    done
    until_true 60 rabbit_joined || fail 'the RabbitMQ nodes do not form a cluster'
}

rabbit_joined() {
    [[ $(with_rabbit 1 "$rabbit_bin/rabbitmqctl" --quiet eval 'length(rabbit_nodes:all_running()).' 2>/dev/null) = 3 ]]
}

# Declares a quorum queue with its leader on node 1.
rabbit_queue() {
    with_rabbit 1 "$rabbit_bin/rabbitmqctl" --quiet eval "
        Q = rabbit_misc:r(<<\"127.0.0.1\">>, queue, <<\"$1\">>),
        {new, _} = rabbit_amqqueue:declare(Q, true, false, [{<<\"x-queue-type\">>, longstr, <<\"quorum\">>}], none, <<\"guest\">>), ok." >/dev/null ||
        fail 'RabbitMQ did not declare the quorum queue'
}

# Its Erlang machines: those whose arguments name a directory of this run.
rabbit_pids() {
    local process
    for process in /proc/[0-9]*; do
        [[ $(readlink "$process/exe" 2>/dev/null) = */beam.smp ]] || continue
        grep -qzF "$run/rabbit" "$process/environ" 2>/dev/null && echo "${process#/proc/}"
    done
}

rabbit_stop() {
    local number pid
    [[ -d $run/rabbit-home ]] || return 0
    for pid in $(rabbit_pids); do kill -9 "$pid" 2>/dev/null || true; done
    until_true 10 rabbit_gone || say 'RabbitMQ processes are left' >&2
    with_rabbit 1 epmd -port "$rabbit_epmd_port" -kill >/dev/null 2>&1 || true
    for number in 1 2 3; do rm -rf "$(rabbit_dir "$number")"; done
    rm -rf "$run/rabbit-home"
}

rabbit_gone() { [[ -z $(rabbit_pids) ]]; }
