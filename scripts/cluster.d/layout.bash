# Where everything is: directories, addresses and ports. Node N of group G has its own loopback address 127.0.0.(10+N) for
# replication and reaches ZooKeeper by 127.0.1.N, so that firewall rules can cut one node off. Clients use 127.0.0.G.

nodes_per_group=3

save_layout() {
    mkdir -p "$run"
    printf '%s=%q\n' groups "$groups" zk_servers "$zk_servers" port_base "$port_base" binary "$binary" \
        session_timeout "$session_timeout" log_size "$log_size" log_filter "$log_filter" network "$network" >"$run/cluster.env"
}

load_layout() {
    [[ -f $run/cluster.env ]] || fail "nothing runs in $run: scripts/cluster up"
    # shellcheck source=/dev/null
    . "$run/cluster.env"
}

node_count() { echo $((groups * nodes_per_group)); }
group_of() { echo $((($1 - 1) / nodes_per_group + 1)); }
place_of() { echo $((($1 - 1) % nodes_per_group)); }
node_dir() { echo "$run/node$1"; }
node_address() { echo "127.0.0.$((10 + $1))"; }
client_address() { echo "127.0.0.$(group_of "$1")"; }
zk_path() { echo "/activemq-cluster/leveldb-stores/group$1"; }

# port KIND NUMBER
port() {
    if [[ -n $port_base ]]; then
        case $1 in
            stomp) echo $((port_base + $2)) ;;
            console) echo $((port_base + 10 + $2)) ;;
            replication) echo $((port_base + 20 + $2)) ;;
            zk) echo $((port_base + 30 + $2)) ;;
            zk_peer) echo $((port_base + 40 + $2)) ;;
            zk_election) echo $((port_base + 50 + $2)) ;;
        esac
    else
        case $1 in
            stomp) echo $((61613 + 10 * $(place_of "$2"))) ;;
            console) echo $((8161 + $(place_of "$2"))) ;;
            replication) echo $((62621 + $(place_of "$2"))) ;;
            zk) echo $((2180 + $2)) ;;
            zk_peer) echo $((2887 + $2)) ;;
            zk_election) echo $((3887 + $2)) ;;
        esac
    fi
}

# ports KIND COUNT: comma-separated, without repetition
ports() {
    local number
    for ((number = 1; number <= $2; number++)); do port "$1" "$number"; done | sort -un | paste -sd, -
}

# The ensemble as node N sees it.
zk_address_of() {
    local server host=127.0.0.1 list=()
    [[ $network = on ]] && host=127.0.1.$1
    for ((server = 1; server <= zk_servers; server++)); do list+=("$host:$(port zk "$server")"); done
    (IFS=,; echo "${list[*]}")
}
