# Every scenario of integration/jms with each line of ActiveMQ's client, in both encodings, with and without the object cache. Arguments:
# versions of the client in the place of these. An artefact that cannot be had fails its rows.

jms_clients=(5.8.0 5.15.16 5.18.7 5.19.9 6.3.1)

# What the first of these clients does not do, whoever the broker is: integration/jms/README.md says why.
jms_beyond_5_8='queue.firstOfAGroupIsMarked|redelivery.deadMessageTellsTheCause|redelivery.countSurvivesTheConnection|xa.unknownBranch|ack.optimizeAcknowledgeWithTimer'

# jms_built VERSION [MAVEN'S OPTION..]: whether there is a client of this version, which is built for nothing but to know.
jms_built() {
    local place=$root/target/jms/$1 said
    said=$(mvn --quiet --batch-mode --file "$root/integration/jms/client/pom.xml" process-classes \
        -Dactivemq.version="$1" -Dplace="$place" "${@:2}" 2>&1) && return
    grep -qE 'Could not (find|resolve|transfer)' <<<"$said" && echo "not had: activemq-client $1" || echo "$said"
    return 1
}

jms() {
    local version package flags tight cache scenarios rows=0 failed=0
    whole 'JMS clients' true
    for version in "${@:-${jms_clients[@]}}"; do
        package=javax flags=() scenarios=''
        [[ $version != 6.* ]] || package=jakarta flags=(-Pjakarta)
        [[ $version != 5.8.* ]] || scenarios="(?!$jms_beyond_5_8)"
        if ! jms_built "$version" "${flags[@]}"; then
            rows=$((rows + 4)) failed=$((failed + 4))
            continue
        fi
        for tight in true false; do
            for cache in true false; do
                rows=$((rows + 1))
                echo "- client $version, tight encoding $tight, cache $cache:" | tee -a "$results"
                env QUORATE_RESULTS="$results" "QUORATE_JMS_${package^^}=$version" QUORATE_JMS_SCENARIOS="$scenarios" \
                    QUORATE_JMS_OPTIONS="wireFormat.tightEncodingEnabled=$tight&wireFormat.cacheEnabled=$cache" \
                    "${tests[@]}" "jms::scenarios::every_scenario_passes_with_a_client_of_$package" || failed=$((failed + 1))
            done
        done
    done
    echo "- $rows rows, $failed failed" | tee -a "$results"
    ((failed == 0))
}
