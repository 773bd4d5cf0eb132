# What was found, and on which machine with which versions: bench.json, bench.md, the charts and BENCHMARKS.md.

need_python() { command -v python3 >/dev/null || install_packages 'Python is missing' python3; }

# Sets $plotter: a Python that can draw.
need_plotter() {
    local venv=$root/target/bench-plotter
    plotter=$venv/bin/python
    ! "$plotter" -c 'import matplotlib' 2>/dev/null || return 0
    python3 -c 'import ensurepip' 2>/dev/null || install_packages 'The venv module of Python is missing' python3-venv
    say 'installing matplotlib (only the charts need it)'
    python3 -m venv "$venv" && timeout 300 "$venv/bin/pip" install -q 'matplotlib>=3.7,<4' >"$results/pip.log" 2>&1 ||
        fail "matplotlib cannot be installed: $results/pip.log"
}

package_version() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo unknown; }

# Text as a JSON string
quoted() { printf '"%s"' "$(sed 's/["\\]/\\&/g' <<<"$*" | tr '\n\t' '  ' | sed 's/ *$//')"; }

new_results() {
    local commit dirty=''
    commit=$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)
    [[ -z $(git -C "$root" status --porcelain -- src proto Cargo.lock 2>/dev/null) ]] || dirty=' with changes'
    : >"$results/runs.jsonl"
    record '"part": "machine", "date": "'"$(date -u +%F)"'", "commit": '"$(quoted "$commit$dirty")"', "rounds": '"$rounds"', "seconds": '"$seconds"',
 "processors": '"$(nproc)"', "processor": '"$(quoted "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)")"',
 "memory_gib": '"$(awk '/^MemTotal/ {printf "%.0f", $2 / 1048576}' /proc/meminfo)"', "file_system": '"$(quoted "$(findmnt -no FSTYPE -T "$run")")"',
 "kernel": '"$(quoted "$(uname -r)")"', "system": '"$(quoted "$(. /etc/os-release && echo "$PRETTY_NAME")")"',
 "load_before": '"$(cut -d' ' -f1 /proc/loadavg)"', "replication": "'"$tls"'",
 "versions": {"quorate": '"$(quoted "$("$binary" --version)")"', "rust": '"$(quoted "$(rustc --version 2>/dev/null)")"',
  "zookeeper": '"$(quoted "$(package_version zookeeper)")"', "rabbitmq": '"$(quoted "$(package_version rabbitmq-server)")"',
  "artemis": '"$(quoted "$(artemis_version)")"', "activemq": '"$(quoted "$(package_version activemq)")"',
  "java": '"$(quoted "$(java -version 2>&1 | head -1)")"'}'
}

# The tables on the screen and in files; into the documents if they are to be written.
report() {
    local python=python3 options=()
    if [[ -n $write ]]; then
        need_plotter
        python=$plotter
        options=(--document "$root/BENCHMARKS.md" --charts "$root/scripts/bench.d/charts")
    fi
    "$python" -B "$root/scripts/bench.d/render.py" "$results" "${options[@]}"
    say "written: $results/bench.md, $results/bench.json${write:+, BENCHMARKS.md, scripts/bench.d/charts}"
}
