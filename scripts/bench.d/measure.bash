# One measurement: the load tool on a broker, and what the machine did meanwhile. Each is a line of runs.jsonl.

clock_ticks=$(getconf CLK_TCK)

median() { sort -g | awk '{v[NR]=$1} END {print (NR%2) ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }
# field NAME: a number out of a JSON document
field() { grep -oE "\"$1\": *[0-9.]+" | head -1 | grep -oE '[0-9.]+$'; }
milliseconds() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# record TEXT: a line of results; TEXT is the inside of a JSON object
record() { printf '{%s}\n' "$1" >>"$results/runs.jsonl"; }

# Rounds a second of one thread that writes 1 KiB and syncs.
raw_rounds() {
    local from to
    # Over blocks that are there: a log writes into preallocated space too.
    dd if=/dev/zero of="$run/raw" bs=1024 count=1000 conv=fsync 2>/dev/null
    from=${EPOCHREALTIME/[.,]/}
    dd if=/dev/zero of="$run/raw" bs=1024 count=1000 oflag=dsync conv=notrunc 2>/dev/null
    to=${EPOCHREALTIME/[.,]/}
    rm -f "$run/raw"
    echo $((1000 * 1000000 / (to - from)))
}

# Measured in each round, because disks have moods.
disk_round() {
    local rate
    rate=$(raw_rounds)
    record '"part": "disk", "round": '"$1"', "rounds_per_second": '"$rate"
    say "round $1: disk $rate rounds/s of write and sync of 1 KiB in one file"
}

# Clock ticks of processor time that processes have taken, all threads, in both modes.
ticks_of() {
    local pid sum=0 line user kernel
    for pid in "$@"; do
        line=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
        read -r _ _ _ _ _ _ _ _ _ _ _ user kernel _ <<<"${line##*) }"
        sum=$((sum + user + kernel))
    done
    echo "$sum"
}

# Busy ticks of all processors, then those that the machine's host took away.
machine_ticks() { awk '/^cpu / {print $2 + $3 + $4 + $7 + $8, $9; exit}' /proc/stat; }

# Resident MiB of each process, comma-separated.
resident_mib() { local pid; for pid in "$@"; do awk '/^VmRSS:/ {printf "%.1f\n", $2 / 1024}' "/proc/$pid/status"; done | paste -sd, -; }

ticks_to_seconds() { awk -v t="$1" -v hz="$clock_ticks" 'BEGIN {printf "%.2f", t / hz}'; }

# Waits until what the last measurement has left behind is done, for five seconds at most.
settle() {
    local tries before after quiet=0
    timeout 30 sync -f "$run" || true
    before=$(ticks_of $(all_pids))
    for ((tries = 0; tries < 20 && quiet < 2; tries++)); do
        sleep 0.25
        after=$(ticks_of $(all_pids))
        if ((after - before <= clock_ticks / 25)); then quiet=$((quiet + 1)); else quiet=0; fi
        before=$after
    done
}

# load OUTPUT BROKER DESTINATION OPTION..: one run of the load tool; its own processor seconds stand in OUTPUT.time
load() {
    local output=$1 broker=$2 destination=$3 spread=()
    shift 3
    # All clients of a fan-out at one node is what RabbitMQ does best.
    [[ $broker != rabbitmq || $destination = topic/* ]] || spread=(--spread)
    local TIMEFORMAT='%U %S'
    { time timeout $((seconds + 90)) chrt --other 0 "$binary" bench --broker "$("${broker}_addresses")" "$destination" "${spread[@]}" \
        --json "$@" >"$output" 2>"$run/load.log"; } 2>"$output.time" ||
        fail "the load on $broker failed: $(cat "$run/load.log")"
}

# measure PART BROKER ROUND DESTINATION OPTION..: leaves the tool's answer in $answer
measure() {
    local part=$1 broker=$2 round=$3 destination=$4 pids others nodes=0 rest=0 busy stolen busy_after stolen_after syncs from
    shift 4
    settle
    pids=$("${broker}_pids")
    others=$(comm -23 <(all_pids | sort) <(sort <<<"$pids"))
    syncs=$("${broker}_syncs")
    from=$(milliseconds)
    nodes=$(ticks_of $pids) rest=$(ticks_of $others)
    read -r busy stolen < <(machine_ticks)
    load "$run/answer" "$broker" "$destination" --warm-up 1s --duration "${seconds}s" "$@"
    read -r busy_after stolen_after < <(machine_ticks)
    nodes=$(($(ticks_of $pids) - nodes)) rest=$(($(ticks_of $others) - rest))
    local took=$(($(milliseconds) - from)) tool
    [[ -z $syncs ]] || syncs=$(($("${broker}_syncs") - syncs))
    tool=$(awk '{printf "%.2f", $1 + $2}' "$run/answer.time")
    answer=$(cat "$run/answer")
    record '"part": "'"$part"'", "broker": "'"$broker"'", "round": '"$round"', "wall_s": '"$(awk -v t="$took" 'BEGIN {print t / 1000}')"',
 "nodes_cpu_s": '"$(ticks_to_seconds "$nodes")"', "other_brokers_cpu_s": '"$(ticks_to_seconds "$rest")"', "tool_cpu_s": '"$tool"',
 "machine_cpu_s": '"$(ticks_to_seconds $((busy_after - busy)))"', "stolen_cpu_s": '"$(ticks_to_seconds $((stolen_after - stolen)))"',
 "syncs": '"${syncs:-null}"', "nodes": '"$(wc -w <<<"$pids")"', "resident_mib": ['"$(resident_mib $pids)"'], "tool": '"$answer"
    say "$(printf '%s %s: %s %.0f confirmed/s, %.0f consumed/s,' "$part" "$round" "$broker" \
        "$(field produced_per_second <<<"$answer")" "$(field consumed_per_second <<<"$answer")")" \
        "p50 $(field p50 <<<"$answer") ms, p99 $(field p99 <<<"$answer") ms"
}

# warm BROKER DESTINATION [SECONDS]: not measured; lets compilers at run time and caches do their first work
warm() {
    load "$run/answer" "$1" "$2" --warm-up 0s --duration "${QUORATE_BENCH_WARM_UP:-${3:-3}}s" --producers 8 --consumers 8
}
