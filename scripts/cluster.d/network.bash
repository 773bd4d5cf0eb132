# Cuts between nodes, by firewall rules in a table of this run alone. No proxies: an address pair is a link.

table() {
    local sum
    read -r sum _ < <(printf %s "$run" | cksum)
    echo "quorate_$sum"
}

# Whether this user can set rules here.
network_possible() { [[ $(id -u) = 0 ]] && command -v nft >/dev/null && nft list tables >/dev/null 2>&1; }

# ZooKeeper listens on every address when nodes reach it by addresses of their own; nobody outside may use that.
network_open() {
    network_close
    nft -f - <<RULES
table inet $(table) {
    chain guard { type filter hook input priority -10; iifname != "lo" tcp dport { $(ports zk "$zk_servers") } drop; }
    chain cuts { type filter hook input priority -5; }
}
RULES
}

network_close() { network_possible && nft delete table inet "$(table)" 2>/dev/null || true; }

network_heal() {
    [[ $network = on ]] || { say 'no link can be cut here, so there is nothing to mend'; return; }
    nft flush chain inet "$(table)" cuts
    say 'every cut is mended'
}

# cut_packets FROM-ADDRESSES TO-ADDRESSES PORTS: packets from the first to the second, to a port or from a port
cut_packets() {
    nft add rule inet "$(table)" cuts "ip saddr { $1 } ip daddr { $2 } tcp dport { $3 } drop"
    nft add rule inet "$(table)" cuts "ip saddr { $1 } ip daddr { $2 } tcp sport { $3 } drop"
}

# cut_link DIRECTION ONE OTHERS PORTS
cut_link() {
    [[ $1 = in ]] || cut_packets "$2" "$3" "$4"
    [[ $1 = out ]] || cut_packets "$3" "$2" "$4"
}

network_cut() {
    local node=${1:?partition which node?} from=all direction=both others=() other
    shift
    while (($#)); do
        case $1 in
            --from) from=$2; shift 2 ;;
            --direction) direction=$2; shift 2 ;;
            *) fail "partition: what is $1?" ;;
        esac
    done
    [[ $from =~ ^(peers|zookeeper|clients|all)$ && $direction =~ ^(both|in|out)$ ]] || { usage >&2; exit 2; }
    [[ $network = on ]] || fail 'cutting links needs root and nft (apt-get install nftables), already at "scripts/cluster up"'
    check_node "$node"
    for ((other = 1; other <= $(node_count); other++)); do
        [[ $other = "$node" || $(group_of "$other") != "$(group_of "$node")" ]] || others+=("$(node_address "$other")")
    done
    if [[ $from = peers || $from = all ]]; then
        cut_link "$direction" "$(node_address "$node")" "$(IFS=,; echo "${others[*]}")" "$(ports replication "$(node_count)")"
    fi
    if [[ $from = zookeeper || $from = all ]]; then
        cut_link "$direction" 127.0.0.0/8 "127.0.1.$node" "$(ports zk "$zk_servers")"
    fi
    if [[ $from = clients ]]; then
        cut_link "$direction" "$(client_address "$node")" 127.0.0.0/8 "$(port stomp "$node")"
    fi
    say "node $node is cut off from $from ($direction); mend it: scripts/cluster heal"
}
