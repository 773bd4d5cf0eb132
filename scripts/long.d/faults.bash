# Faults of every kind for a while, and what all runs add up to.

fault_report=$root/integration/results/faults.md
# A change here makes earlier runs worth nothing.
fault_ground=(src/state src/storage src/replication src/coordination)

# faults [MINUTES]: a mixture from a new seed (or QUORATE_SEED), reported in integration/results/faults.md, also when it failed.
# QUORATE_FAULTS="kill -9,power" leaves only kinds whose names have one of these parts. QUORATE_BIN and QUORATE_BUG try another build.
faults() {
    local minutes=${1:-30} seed=${QUORATE_SEED:-$(date +%s)} before after code=0
    ((minutes >= 1 && minutes <= 40)) || { echo 'long: faults takes 1 to 40 minutes' >&2; exit 2; }
    before=$(grep -c '^run: ' "$fault_report" || true)
    env QUORATE_SEED="$seed" QUORATE_FAULT_SECONDS=$((minutes * 60)) QUORATE_REPORT="$fault_report" "${tests[@]}" faults::mix::a_mixture || code=$?
    after=$(grep -c '^run: ' "$fault_report" || true)
    if ((code != 0 && after == before)); then
        # It ended before it could say anything.
        printf '\n## %s\n\nrun: FAILED; commit %s; seed %s; minutes 0; faults 0; confirmed 0; lost ?; phantom ?; dispatched-again ?\n\n- against it: it did not come to its end\n' \
            "$(date -u '+%F %H:%M UTC')" "$(git rev-parse --short=12 HEAD)" "$seed" >>"$fault_report"
    fi
    faults_sum
    return $code
}

# Runs since the last failed one whose commit has the same ground as this checkout, and their faults by kind.
faults_sum() {
    local line commit good='' dirty=''
    git diff --quiet HEAD -- "${fault_ground[@]}" || dirty=yes
    while read -r line; do
        commit=$(sed -n 's/^run: [a-zA-Z]*; commit \([0-9a-f]*\).*/\1/p' <<<"$line")
        if [[ $line = *'run: FAILED'* ]]; then
            good=''
        elif [[ $line = *'(changed)'* || -n $dirty ]] || ! git diff --quiet "$commit" HEAD -- "${fault_ground[@]}" 2>/dev/null; then
            continue
        else
            good+=" $(sed -n 's/.*seed \([0-9]*\);.*/\1/p' <<<"$line")@$commit"
        fi
    done < <(grep '^run: ' "$fault_report" || true)
    [[ -z $dirty ]] || echo "${fault_ground[*]} differ from the last commit: nothing counts"
    awk -v good="$good" '
        BEGIN { n = split(good, names, " "); for (i = 1; i <= n; i++) counts[names[i]] = 1 }
        /^run: / {
            match($0, /commit [0-9a-f]+/); commit = substr($0, RSTART + 7, RLENGTH - 7)
            match($0, /seed [0-9]+/); seed = substr($0, RSTART + 5, RLENGTH - 5)
            in_it = ($0 ~ /^run: passed/) && ((seed "@" commit) in counts)
            if (in_it) {
                runs++
                match($0, /minutes [0-9.]+/); minutes += substr($0, RSTART + 8, RLENGTH - 8)
                match($0, /confirmed [0-9]+/); confirmed += substr($0, RSTART + 10, RLENGTH - 10)
                match($0, /faults [0-9]+/); faults += substr($0, RSTART + 7, RLENGTH - 7)
            }
        }
        in_it && /^\| .* \| [0-9]+ \| [0-9]+ \|/ { split($0, cell, / *\| */); kinds[cell[2]] += cell[3] }
        END {
            printf "%d runs, %.0f minutes, %d confirmed messages, %d faults: 0 lost, 0 invented, 0 dispatched again\n", runs, minutes, confirmed, faults
            for (kind in kinds) printf "%6d %s\n", kinds[kind], kind | "sort -rn"
        }' "$fault_report"
}
