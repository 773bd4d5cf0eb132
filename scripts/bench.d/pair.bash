# Two builds of quorate, three nodes each, in turns on one machine: what a change costs or saves.

before_port=$((bench_port + 100))
read -ra pair_parts <<<"${QUORATE_PAIR_PARTS:-many one topic large}"

before_cluster() {
    QUORATE_RUN=$run/before QUORATE_PORT_BASE=$before_port QUORATE_BIN=$QUORATE_BEFORE "$root/scripts/cluster" "$@"
}

before_start() {
    before_cluster up >/dev/null || fail 'the build before does not start'
    before_known_pids=$(cat "$run"/before/node?/pid)
}

before_stop() { [[ ! -f $run/before/cluster.env ]] || before_cluster down; }
before_addresses() { echo "127.0.0.1:$((before_port + 1)),127.0.0.1:$((before_port + 2)),127.0.0.1:$((before_port + 3))"; }
before_pids() { echo "$before_known_pids"; }
before_warm() { warm before queue/warm; }
before_settings() { echo "$("$QUORATE_BEFORE" --version), otherwise as quorate"; }
before_syncs() { syncs_at $((before_port + 11)) $((before_port + 12)) $((before_port + 13)); }

pair_options() {
    case $1 in
        many) echo "${many_options[@]}" ;;
        one) echo "${one_options[@]}" ;;
        topic) echo --size 1KiB --non-persistent --producers 1 --outstanding 100 --consumers 8 ;;
        large) echo --size 64KiB --producers 2 --outstanding 100 --consumers 2 ;;
    esac
}

# rate PART: what counts of the last answer
pair_rate() { field "$([[ $1 = topic ]] && echo consumed_per_second || echo produced_per_second)" <<<"$answer"; }

part_pair() {
    local round part order broker options
    declare -A rate
    start quorate before
    : >"$results/pair"
    for ((round = 1; round <= rounds; round++)); do
        disk_round "$round"
        # The first of two has the disk as the others left it: each is first every other time.
        ((round % 2)) && order=(quorate before) || order=(before quorate)
        for part in "${pair_parts[@]}"; do
            read -ra options <<<"$(pair_options "$part")"
            for broker in "${order[@]}"; do
                measure "pair_$part" "$broker" "$round" "$([[ $part = topic ]] && echo topic || echo queue)/$part$round" "${options[@]}"
                rate[$broker]=$(pair_rate "$part")
            done
            awk -v part="$part" -v now="${rate[quorate]}" -v before="${rate[before]}" 'BEGIN {print part, now / before}' >>"$results/pair"
        done
    done
    for part in "${pair_parts[@]}"; do
        say "$part: median of $rounds pairs, now to before: $(awk -v part="$part" '$1 == part {print $2}' "$results/pair" | median)"
    done
    end quorate before
}
