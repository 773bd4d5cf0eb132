# The nodes: their configuration, their processes, and the verbs that a person types.

node_configure() {
    local node=$1 group dir
    group=$(group_of "$node")
    dir=$(node_dir "$node")
    mkdir -p "$dir"
    cat >"$dir/quorate.toml" <<TOML
# Node $node, written by scripts/cluster; the pattern is config/group1/node1.toml.
[broker]
name = "group$group"
data_directory = "$dir/data"

[store]
kind = "replicated"

[store.replicated]
node = "node$node"
replicas = $nodes_per_group
bind = "tcp://$(node_address "$node"):$(port replication "$node")"
hostname = "$(node_address "$node")"
zk_address = "$(zk_address_of "$node")"
zk_path = "$(zk_path "$group")"
zk_session_timeout = "$session_timeout"
log_size = "$log_size"

[[transport_connector]]
name = "stomp"
uri = "stomp://$(client_address "$node"):$(port stomp "$node")"

[console]
bind = "$(client_address "$node"):$(port console "$node")"
TOML
    [[ -z ${QUORATE_TLS_DIR:-} ]] || cat >>"$dir/quorate.toml" <<TOML

[store.replicated.tls]
certificate = "$QUORATE_TLS_DIR/node$node.pem"
key = "$QUORATE_TLS_DIR/node$node.key"
ca = "$QUORATE_TLS_DIR/ca.pem"
TOML
}

check_node() { [[ $1 =~ ^[0-9]+$ ]] && (($1 >= 1 && $1 <= $(node_count))) || fail "there is no node $1, only 1 to $(node_count)"; }

node_start() {
    local dir
    dir=$(node_dir "$1")
    running "$dir" && return
    # Nobody's variables but this script's reach the nodes: QUORATE_STORE_.. would override keys of their configuration.
    launch "$dir" env $(compgen -e QUORATE_ | sed 's/^/-u /') QUORATE_LOG="$log_filter" "$binary" run --config "$dir/quorate.toml"
}

node_serves() { listens "$(client_address "$1")" "$(port stomp "$1")"; }

group_serves() {
    local node
    for ((node = ($1 - 1) * nodes_per_group + 1; node <= $1 * nodes_per_group; node++)); do
        node_serves "$node" && return
    done
    return 1
}

# The node of a group that serves clients.
master_of() {
    local node
    for ((node = ($1 - 1) * nodes_per_group + 1; node <= $1 * nodes_per_group; node++)); do
        node_serves "$node" && { echo "$node"; return; }
    done
    return 1
}

cluster_up() {
    local node group no_nodes='' asked_groups=1
    groups=1 zk_servers=3
    while (($#)); do
        case $1 in
            --groups) groups=$2; shift 2 ;;
            --zk) zk_servers=$2; shift 2 ;;
            --no-nodes) no_nodes=yes; shift ;;
            *) usage >&2; exit 2 ;;
        esac
    done
    [[ $groups =~ ^[1-3]$ && $zk_servers =~ ^[13]$ ]] || { usage >&2; exit 2; }
    asked_groups=$groups
    if [[ -f $run/cluster.env ]]; then
        load_layout
        ((groups >= asked_groups)) || { groups=$asked_groups; save_layout; }
    else
        port_base=${QUORATE_PORT_BASE:-} session_timeout=${QUORATE_ZK_SESSION_TIMEOUT:-10s} log_filter=${QUORATE_LOG:-info} log_size=${QUORATE_LOG_SIZE:-100MiB}
        network=off
        network_possible && network=on
        need_zookeeper
        need_binary
        save_layout
        [[ $network = off ]] || network_open
        zk_configure
    fi
    for ((node = 1; node <= $(node_count); node++)); do
        [[ -f $(node_dir "$node")/quorate.toml ]] || node_configure "$node"
    done
    zk_start_all
    [[ -z $no_nodes ]] || return 0
    for ((node = 1; node <= $(node_count); node++)); do node_start "$node"; done
    for ((group = 1; group <= groups; group++)); do
        until_true 60 group_serves "$group" || { cluster_status; fail "group $group does not serve after 60 s; logs: scripts/cluster logs N"; }
    done
    cluster_introduction
}

cluster_introduction() {
    local group first addresses node
    cluster_status
    for ((group = 1; group <= groups; group++)); do
        first=$(((group - 1) * nodes_per_group + 1))
        addresses=()
        for ((node = first; node < first + nodes_per_group; node++)); do
            addresses+=("$(client_address "$node"):$(port stomp "$node")")
        done
        addresses=$(IFS=,; echo "${addresses[*]}")
        cat <<TEXT

group$group serves STOMP on one of $addresses
  the election:  /usr/share/zookeeper/bin/zkCli.sh -server $(zk_connect_string) get $(zk_path "$group")
                 /usr/share/zookeeper/bin/zkCli.sh -server $(zk_connect_string) ls $(zk_path "$group")
  send:          $binary produce --broker $addresses queue/SampleQueue --body hello
  receive:       $binary consume --broker $addresses queue/SampleQueue --count 1
TEXT
    done
    say ''
    say "kill the master: scripts/cluster kill $(master_of 1 || echo N)      everything under load: scripts/cluster demo      end: scripts/cluster down"
}

# What a node says that it does, its epoch, and why it does not serve.
node_summary() {
    local text reason
    text=$(timeout 2 "$binary" status --console "$(client_address "$1"):$(port console "$1")" 2>/dev/null) || { echo 'does not answer'; return; }
    field() { sed -n "s/^$1  *//p" <<<"$text"; }
    reason=$(field reason)
    echo "$(field role), epoch $(field epoch)${reason:+: $reason}"
}

cluster_status() {
    local server node dir state answer
    for ((server = 1; server <= zk_servers; server++)); do
        state=$(zk_mode "$server")
        printf 'zk%s    port %-5s %s\n' "$server" "$(port zk "$server")" "${state:-down}"
    done
    for ((node = 1; node <= $(node_count); node++)); do
        dir=$(node_dir "$node")
        state=down answer=''
        if running "$dir"; then
            state="pid $(pid_of "$dir")"
            if grep -q '^State:.*T (stopped)' "/proc/$(pid_of "$dir")/status" 2>/dev/null; then
                answer=paused # A process that is stopped never answers.
            else
                answer=$(node_summary "$node")
            fi
        fi
        printf 'node%-2s group%s  stomp %s:%-5s console %-5s replication %s:%-5s %s %s\n' "$node" "$(group_of "$node")" \
            "$(client_address "$node")" "$(port stomp "$node")" "$(port console "$node")" \
            "$(node_address "$node")" "$(port replication "$node")" "$state" "$answer"
    done
}

# each_target VERB TARGET..: a target is a node's number, zkN, or zk for the whole ensemble.
each_target() {
    local verb=$1 target server
    shift
    (($#)) || fail "$verb which node?"
    for target in "$@"; do
        case $target in
            zk) for ((server = 1; server <= zk_servers; server++)); do one_target "$verb" "$(zk_dir "$server")" zk_start "$server"; done ;;
            zk[1-3]) one_target "$verb" "$(zk_dir "${target#zk}")" zk_start "${target#zk}" ;;
            *) target=${target#node}; check_node "$target"; one_target "$verb" "$(node_dir "$target")" node_start "$target" ;;
        esac
    done
    [[ $verb = start && $* = zk ]] && zk_wait
    return 0
}

# one_target VERB DIRECTORY START-FUNCTION NUMBER: does it, and says what it did.
one_target() {
    local pid name
    name=$(basename "$2")
    pid=$(pid_of "$2") || pid=''
    case $1 in
        kill | pause | resume) [[ -n $pid ]] || fail "$name does not run" ;;
        wipe) [[ -z $pid ]] || fail "$name runs" ;;
    esac
    case $1 in
        kill) end_process "$2" KILL 5 || fail "$name (pid $pid) does not go"; say "$name killed (pid $pid)" ;;
        stop) if [[ -n $pid ]]; then stop_target "$2" "$pid"; else say "$name did not run"; fi ;;
        start) if [[ -z $pid ]]; then start_target "$@"; else say "$name runs already (pid $pid)"; fi ;;
        restart) [[ -z $pid ]] || stop_target "$2" "$pid"; start_target "$@" ;;
        pause) kill -STOP "$pid"; say "$name paused (pid $pid)" ;;
        resume) kill -CONT "$pid"; say "$name goes on (pid $pid)" ;;
        wipe) rm -rf "${2:?}/data"; say "$name wiped" ;;
    esac
}

stop_target() { stop_process "$1" || fail "$(basename "$1") (pid $2) does not end"; say "$(basename "$1") ended (pid $2)"; }
start_target() { "$3" "$4"; say "$(basename "$2") started (pid $(cat "$2/pid"))"; }

show_log() {
    local target=${1:?the log of which node?} dir
    shift
    case $target in
        zk[1-3]) dir=$(zk_dir "${target#zk}") ;;
        *) target=${target#node}; check_node "$target"; dir=$(node_dir "$target") ;;
    esac
    if [[ ${1:-} = -f ]]; then tail -n 100 -f "$dir/log"; else cat "$dir/log"; fi
}

cluster_down() {
    local node server
    if [[ ! -f $run/cluster.env ]]; then
        say "nothing runs in $run"
        return
    fi
    load_layout
    for ((node = 1; node <= $(node_count); node++)); do stop_process "$(node_dir "$node")" & done
    wait
    for ((server = 1; server <= zk_servers; server++)); do end_process "$(zk_dir "$server")" KILL 5; done
    [[ $network = off ]] || network_close
    if [[ ${1:-} = --keep ]]; then
        mv "$run/cluster.env" "$run/cluster.ended"
    else
        rm -rf "${run:?}"
    fi
}
