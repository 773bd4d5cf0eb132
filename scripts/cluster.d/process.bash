# Processes with a directory each: DIR/pid, DIR/log. Only what was started here is ever signalled.

# launch DIR COMMAND..: starts it detached from this terminal; its arguments must name DIR, so that it can be told from others.
launch() {
    local dir=$1
    shift
    setsid "$@" </dev/null >>"$dir/log" 2>&1 &
    echo $! >"$dir/pid"
    disown # its end is no news for this shell
}

# The pid of the process of DIR, if it lives and is the one that was started (pids come again).
pid_of() {
    local pid
    pid=$(cat "$1/pid" 2>/dev/null) || return 1
    [[ -n $pid ]] && tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$1/" || return 1
    echo "$pid"
}

running() { pid_of "$1" >/dev/null; }

# end_process DIR SIGNAL SECONDS: signals it and waits until it is gone; fails when it is not.
end_process() {
    local dir=$1 pid tries=$(($3 * 20))
    pid=$(pid_of "$dir") || { rm -f "$dir/pid"; return 0; }
    kill "-$2" "$pid" 2>/dev/null || true
    while running "$dir"; do
        ((tries-- > 0)) || return 1
        sleep 0.05
    done
    rm -f "$dir/pid"
}

# Ends it decently, or in the hard way after ten seconds.
stop_process() {
    local pid
    pid=$(pid_of "$1") && kill -CONT "$pid" 2>/dev/null
    end_process "$1" TERM 10 || end_process "$1" KILL 5
}

# until_true SECONDS COMMAND..: polls it; fails when the time is over.
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

# listens HOST PORT
listens() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# http_get HOST PORT PATH: the body of a GET, nothing when there is no answer in two seconds.
http_get() {
    timeout 2 bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" "$3" >&3 && sed "1,/^\r\{0,1\}$/d" <&3' \
        - "$1" "$2" "$3" 2>/dev/null || true
}
