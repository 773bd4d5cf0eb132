# The parts of the benchmark. Brokers are started when the first part needs them.

need_all() {
    local part
    need_zookeeper
    need_binary dist
    for part in "${parts[@]}"; do
        case $part in
            many) need_rabbitmq; need_artemis ;;
            one | large | topic | rate) need_rabbitmq ;;
            lone) need_activemq ;;
            pair) [[ -x ${QUORATE_BEFORE:-} ]] || fail 'QUORATE_BEFORE is to name the binary of the build before' ;;
        esac
    done
    [[ $tls = plain ]] || command -v openssl >/dev/null || install_packages 'OpenSSL is missing' openssl
}

started=()
is_started() { [[ " ${started[*]} " = *" $1 "* ]]; }

# start BROKER..: those of them that do not run
start() {
    local broker
    for broker in "$@"; do
        is_started "$broker" && continue
        say "starting $broker"
        "${broker}_start"
        started+=("$broker")
        record '"part": "settings", "broker": "'"$broker"'", "text": '"$(quoted "$("${broker}_settings")")"
        settle
        record '"part": "idle", "broker": "'"$broker"'", "resident_mib": ['"$(resident_mib $("${broker}_pids"))"']'
        "${broker}_warm"
    done
}

# end BROKER..
end() {
    local broker rest=() other
    for broker in "$@"; do
        is_started "$broker" || continue
        "${broker}_stop"
        rest=()
        for other in "${started[@]}"; do [[ $other = "$broker" ]] || rest+=("$other"); done
        started=("${rest[@]}")
    done
}

stop_all() { quorate_stop; before_stop; rabbitmq_stop; artemis_stop; activemq_stop; lone_stop; }

# Processes of everything that runs, ZooKeeper too.
all_pids() {
    local broker
    for broker in "${started[@]}"; do "${broker}_pids"; done
    ! is_started quorate || zookeeper_pids
}

# queue BROKER NAME: the name of a new queue, as the tool has to say it
queue() {
    if [[ $1 = rabbitmq ]]; then
        rabbitmq_queue "$2"
        echo "/amq/queue/$2"
    else
        echo "queue/$2"
    fi
}

many_options=(--size 1KiB --producers 8 --outstanding 100 --consumers 8)
one_options=(--size 1KiB --producers 1 --outstanding 1 --consumers 0)

part_start() { lone_starts; }

part_many() {
    local round broker
    start quorate rabbitmq artemis
    for ((round = 1; round <= rounds; round++)); do
        disk_round "$round"
        for broker in quorate rabbitmq artemis; do
            measure many "$broker" "$round" "$(queue "$broker" "many$round")" "${many_options[@]}"
        done
    done
    end artemis
}

part_one() {
    local round broker
    start quorate rabbitmq
    for ((round = 1; round <= rounds; round++)); do
        disk_round "$round"
        for broker in quorate rabbitmq; do
            measure one "$broker" "$round" "$(queue "$broker" "one$round")" "${one_options[@]}"
        done
    done
}

part_large() {
    local round broker
    start quorate rabbitmq
    for ((round = 1; round <= rounds; round++)); do
        for broker in quorate rabbitmq; do
            measure large "$broker" "$round" "$(queue "$broker" "large$round")" --size 64KiB --producers 2 --outstanding 100 --consumers 2
        done
    done
}

part_topic() {
    local round broker
    start quorate rabbitmq
    for ((round = 1; round <= rounds; round++)); do
        for broker in quorate rabbitmq; do
            measure topic "$broker" "$round" "topic/fan$round" --size 1KiB --non-persistent --producers 1 --outstanding 100 --consumers 8
        done
    done
}

part_rate() {
    local round broker rate
    start quorate rabbitmq
    for ((round = 1; round <= rounds; round++)); do
        for broker in quorate rabbitmq; do
            measure thousand "$broker" "$round" "$(queue "$broker" "thousand$round")" \
                --size 1KiB --rate 1000 --producers 1 --outstanding 100 --consumers 1
        done
        measure same_rate rabbitmq "$round" "$(queue rabbitmq "same$round")" "${many_options[@]}"
        rate=$(field produced_per_second <<<"$answer")
        measure same_rate quorate "$round" "$(queue quorate "same$round")" "${many_options[@]}" --rate "${rate%.*}"
    done
}

part_lone() {
    local round broker
    end quorate rabbitmq
    start lone activemq
    for ((round = 1; round <= rounds; round++)); do
        for broker in lone activemq; do
            measure lone_many "$broker" "$round" "$(queue "$broker" "many$round")" "${many_options[@]}"
        done
        for broker in lone activemq; do
            measure lone_one "$broker" "$round" "$(queue "$broker" "one$round")" "${one_options[@]}"
        done
    done
    end lone activemq
}
