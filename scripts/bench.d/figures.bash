# Measurements and what is made of them.

declare -A rates p50s

median() { sort -g | awk '{v[NR]=$1} END {print (NR%2) ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }
whole() { printf '%.0f' "$1"; }
# field NAME: a number out of a JSON document
field() { grep -oE "\"$1\": *[0-9.]+" | head -1 | grep -oE '[0-9.]+$'; }

# Rounds a second of one thread that writes 1 KiB and syncs; measured beside each pair, because disks have moods.
raw_rounds() {
    local from to
    # Over blocks that are there: a log writes into preallocated space too.
    dd if=/dev/zero of="$run/raw" bs=1024 count=1000 conv=fsync 2>/dev/null
    from=${EPOCHREALTIME/[.,]/}
    dd if=/dev/zero of="$run/raw" bs=1024 count=1000 oflag=dsync conv=notrunc 2>/dev/null
    to=${EPOCHREALTIME/[.,]/}
    rates[raw]+=" $((1000 * 1000000 / (to - from)))"
    rm -f "$run/raw"
}

resident_mib() { awk '/^VmRSS:/ {sum += $2} END {printf "%.0f", sum / 1024 / NR_FILES}' NR_FILES=$# $(printf '/proc/%s/status ' "$@"); }

idle_memory() {
    quorate_idle_mib=$(resident_mib $(quorate_pids))
    rabbit_idle_mib=$(resident_mib $(rabbit_pids))
    say "idle: quorate $quorate_idle_mib MiB, RabbitMQ $rabbit_idle_mib MiB resident each node"
}

# load BROKER DESTINATION OPTION..: one run of the load tool, as JSON
load() {
    local addresses=$(quorate_addresses)
    [[ $1 = quorate ]] || addresses=127.0.0.1:$(rabbit_stomp_port 1)
    "$binary" bench --broker "$addresses" "$2" --size 1KiB --warm-up 1s --duration "${seconds}s" --json "${@:3}" 2>"$run/load.log" ||
        fail "the load on $1 failed: $(cat "$run/load.log")"
}

destination() { if [[ $1 = quorate ]]; then echo "queue/$2"; else echo "/amq/queue/$2"; fi; }

# One producer that waits for the receipt of each 1 KiB message, nobody consumes.
one_connection() {
    local answer before after
    before=$(quorate_syncs)
    answer=$(load "$1" "$(destination "$1" "one$2")" --producers 1 --consumers 0 --outstanding 1)
    after=$(quorate_syncs)
    rates[$1]+=" $(field produced_per_second <<<"$answer")"
    p50s[$1]+=" $(field p50 <<<"$answer")"
    say "pair $2: $1 $(field produced_per_second <<<"$answer") messages/s, p50 $(field p50 <<<"$answer") ms, p99 $(field p99 <<<"$answer") ms"
    [[ $1 = rabbitmq || -z $before ]] || one_syncs=$(per_sync "$answer" "$before" "$after")
}

# Messages for each sync of one node.
per_sync() { awk -v m="$(field confirmed_total <<<"$1")" -v s=$(($3 - $2)) 'BEGIN {printf "%.2f", s ? m * 3 / s : 0}'; }

# Eight producers with 100 sends under way each, eight consumers, one queue.
many_connections() {
    local answer before after
    before=$(quorate_syncs)
    answer=$(load "$1" "$(destination "$1" many)" --producers 8 --consumers 8 --outstanding 100)
    after=$(quorate_syncs)
    rates[many_$1]=$(field produced_per_second <<<"$answer")
    say "8 producers, 100 under way each: $1 ${rates[many_$1]} messages/s, p99 $(field p99 <<<"$answer") ms"
    [[ $1 = rabbitmq || -z $before ]] || many_syncs=$(per_sync "$answer" "$before" "$after")
}

middle() { tr ' ' '\n' <<<"$1" | grep . | median; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", b ? a / b : 0}'; }

report() {
    local quorate rabbit raw
    quorate=$(middle "${rates[quorate]}") rabbit=$(middle "${rates[rabbitmq]}") raw=$(middle "${rates[raw]}")
    cat <<TEXT
| $(date -u +%F) $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo no-commit) on $(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1) | quorate, 3 nodes | RabbitMQ quorum queue, 3 nodes | ratio |
|---|---|---|---|
| one connection, 1 KiB persistent, a receipt each, messages/s (median of $pairs) | $(whole "$quorate") | $(whole "$rabbit") | $(ratio "$quorate" "$rabbit") |
| the same, p50 ms | $(middle "${p50s[quorate]}") | $(middle "${p50s[rabbitmq]}") | |
| share of the raw write-and-sync rounds of one file ($raw/s) | $(ratio "$quorate" "$raw") | $(ratio "$rabbit" "$raw") | |
| 8 producers x 100 under way, 8 consumers, messages/s | $(whole "${rates[many_quorate]}") | $(whole "${rates[many_rabbitmq]}") | $(ratio "${rates[many_quorate]}" "${rates[many_rabbitmq]}") |
| messages per fsync of a node, one connection / 8 x 100 | ${one_syncs:-not counted} / ${many_syncs:-not counted} | | |
| idle resident MiB, each node | $quorate_idle_mib | $rabbit_idle_mib | |
| lone broker, start to serving, ms | $lone_start_ms | | |
TEXT
}

report_json() {
    cat <<JSON
{"commit": "$(git -C "$root" rev-parse HEAD 2>/dev/null)", "date": "$(date -u +%FT%TZ)", "processors": $(nproc), "raw_rounds_per_second": [$(xargs <<<"${rates[raw]}" | tr ' ' ',')],
 "one_connection": {"quorate": [$(xargs <<<"${rates[quorate]}" | tr ' ' ',')], "rabbitmq": [$(xargs <<<"${rates[rabbitmq]}" | tr ' ' ',')]},
 "one_connection_p50_ms": {"quorate": [$(xargs <<<"${p50s[quorate]}" | tr ' ' ',')], "rabbitmq": [$(xargs <<<"${p50s[rabbitmq]}" | tr ' ' ',')]},
 "many_connections": {"quorate": ${rates[many_quorate]}, "rabbitmq": ${rates[many_rabbitmq]}},
 "messages_per_fsync": {"one_connection": ${one_syncs:-null}, "many_connections": ${many_syncs:-null}},
 "idle_mib": {"quorate": $quorate_idle_mib, "rabbitmq": $rabbit_idle_mib}, "lone_start_ms": $lone_start_ms}
JSON
}
