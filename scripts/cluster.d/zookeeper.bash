# The ensemble: zk/one.cfg or zk/three.cfg with this run's directories and ports.

zk_class_path=${QUORATE_ZOOKEEPER_CLASSPATH:-/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar}

zk_dir() { echo "$run/zk$1"; }

zk_configure() {
    local server other dir
    for ((server = 1; server <= zk_servers; server++)); do
        dir=$(zk_dir "$server")
        mkdir -p "$dir/data"
        echo "$server" >"$dir/data/myid"
        local template=$root/zk/one.cfg
        ((zk_servers == 1)) || template=$root/zk/three.cfg
        grep -vE '^(dataDir|clientPort|clientPortAddress|server\.[0-9]+)=' "$template" >"$dir/zoo.cfg"
        {
            echo "dataDir=$dir/data"
            echo "clientPort=$(port zk "$server")"
            # With a firewall at hand all loopback addresses must lead to it (see network.bash); otherwise one will do.
            [[ $network = on ]] || echo 'clientPortAddress=127.0.0.1'
            for ((other = 1; zk_servers > 1 && other <= zk_servers; other++)); do
                echo "server.$other=127.0.0.1:$(port zk_peer "$other"):$(port zk_election "$other")"
            done
        } >>"$dir/zoo.cfg"
    done
}

zk_start() {
    local dir
    dir=$(zk_dir "$1")
    running "$dir" && return
    launch "$dir" java -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dzookeeper.admin.enableServer=false \
        -Dzookeeper.4lw.commands.whitelist=ruok,srvr,stat,mntr,cons,conf,isro \
        -Dorg.slf4j.simpleLogger.showDateTime=true \
        -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS -cp "$zk_class_path" \
        org.apache.zookeeper.server.quorum.QuorumPeerMain "$dir/zoo.cfg"
}

# The answer of a server to a four-letter word.
zk_word() {
    timeout 2 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf %s "$2" >&3 && cat <&3' - "$(port zk "$1")" "$2" 2>/dev/null || true
}

zk_mode() { zk_word "$1" srvr | sed -n 's/^Mode: //p'; }
zk_serves() { [[ $(zk_mode "$1") =~ ^(leader|follower|standalone)$ ]]; }

zk_wait() {
    local server
    for ((server = 1; server <= zk_servers; server++)); do
        until_true 60 zk_serves "$server" || fail "ZooKeeper server $server does not serve; its log: $(zk_dir "$server")/log"
    done
}

zk_start_all() {
    local server
    for ((server = 1; server <= zk_servers; server++)); do zk_start "$server"; done
    zk_wait
}

zk_connect_string() {
    local server list=()
    for ((server = 1; server <= zk_servers; server++)); do list+=("127.0.0.1:$(port zk "$server")"); done
    (IFS=,; echo "${list[*]}")
}

# ZooKeeper's own client, once (with a command) or interactively.
zk_client() {
    need_zookeeper
    CLIENT_JVMFLAGS='-Xmx64m -XX:TieredStopAtLevel=1' /usr/share/zookeeper/bin/zkCli.sh -server "$(zk_connect_string)" "$@" \
        2> >(grep -v '^SLF4J' >&2)
}
