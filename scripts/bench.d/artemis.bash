# An Apache ActiveMQ Artemis pair that replicates, from its Maven artifacts, with its journal on libaio where there is one.

artemis_lib=$root/target/bench/artemis
artemis_work=$run/artemis

artemis_version() { sed -n 's:.*<artemis[.]version>\(.*\)</artemis[.]version>.*:\1:p' "$root/scripts/bench.d/artemis.xml"; }

has_libaio() { [[ $(ldconfig -p) = *libaio.so.1* ]]; }

need_artemis() {
    command -v java >/dev/null || install_packages 'A Java runtime is missing' default-jre-headless
    if ! has_libaio; then
        # The package's name depends on the age of the distribution; without the library the journal does without, and says so.
        (install_packages 'libaio is missing' libaio1) || (install_packages 'libaio is missing' libaio1t64) || true
    fi
    [[ ! -f $artemis_lib/lib/artemis-server-$(artemis_version).jar ]] || return 0
    command -v mvn >/dev/null || install_packages 'Maven is missing' maven
    say "fetching Artemis $(artemis_version) with Maven"
    rm -rf "$artemis_lib"
    timeout 600 mvn -q -B -f "$root/scripts/bench.d/artemis.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$artemis_lib/lib" >"$results/maven.log" 2>&1 || fail "Maven could not fetch Artemis: $results/maven.log"
    python3 -m zipfile -e "$artemis_lib"/lib/activemq-artemis-native-*.jar "$artemis_lib/native"
}

artemis_stomp_port() { echo $((bench_port + 64)); }
artemis_dir() { echo "$artemis_work/$1"; }
artemis_pids() { cat "$artemis_work"/*/pid; }
artemis_addresses() { echo "127.0.0.1:$(artemis_stomp_port)"; }

# artemis_configure primary|backup OWN-PORT OTHER-PORT
artemis_configure() {
    local dir
    dir=$(artemis_dir "$1")
    mkdir -p "$dir/etc" "$dir/tmp"
    cat >"$dir/etc/broker.xml" <<XML
<configuration xmlns="urn:activemq"><core xmlns="urn:activemq:core">
  <name>$1</name>
  <persistence-enabled>true</persistence-enabled>
  <security-enabled>false</security-enabled>
  <journal-type>$artemis_journal</journal-type>
  <journal-datasync>true</journal-datasync>
  <journal-pool-files>10</journal-pool-files>
  <journal-buffer-timeout>$artemis_buffer_ns</journal-buffer-timeout>
  <journal-max-io>$([[ $artemis_journal = ASYNCIO ]] && echo 4096 || echo 1)</journal-max-io>
  <journal-directory>$dir/data/journal</journal-directory>
  <bindings-directory>$dir/data/bindings</bindings-directory>
  <large-messages-directory>$dir/data/large</large-messages-directory>
  <paging-directory>$dir/data/paging</paging-directory>
  <cluster-user>bench</cluster-user>
  <cluster-password>bench</cluster-password>
  <connectors>
    <connector name="own">tcp://127.0.0.1:$2</connector>
    <connector name="other">tcp://127.0.0.1:$3</connector>
  </connectors>
  <acceptors>
    <acceptor name="core">tcp://127.0.0.1:$2?protocols=CORE</acceptor>
    <acceptor name="stomp">tcp://127.0.0.1:$(artemis_stomp_port)?protocols=STOMP;anycastPrefix=/queue/;multicastPrefix=/topic/;tcpNoDelay=true;stompConsumerWindowSize=$((1000 * 1200))</acceptor>
  </acceptors>
  <cluster-connections>
    <cluster-connection name="pair">
      <connector-ref>own</connector-ref>
      <static-connectors><connector-ref>other</connector-ref></static-connectors>
    </cluster-connection>
  </cluster-connections>
  <ha-policy><replication><$1/></replication></ha-policy>
  <addresses>
    <address name="many"><anycast><queue name="many"/></anycast></address>
    <address name="one"><anycast><queue name="one"/></anycast></address>
  </addresses>
</core></configuration>
XML
}

artemis_launch() {
    local dir
    dir=$(artemis_dir "$1")
    launch "$dir" java -Xms512M -Xmx2G -XX:+UseG1GC -XX:+UseStringDeduplication -XX:AutoBoxCacheMax=20000 \
        -Djava.library.path="$artemis_lib/native/lib/linux-$(uname -m)" -Djava.io.tmpdir="$dir/tmp" \
        -Dorg.slf4j.simpleLogger.log.org.apache.activemq.audit=warn -cp "$artemis_lib/lib/*" \
        org.apache.activemq.artemis.core.server.embedded.Main "$dir"
}

artemis_said() { grep -q "$2" "$(artemis_dir "$1")/log"; }

artemis_start() {
    artemis_journal=ASYNCIO
    has_libaio || { artemis_journal=NIO; say 'no libaio on this system: the journal of Artemis is NIO'; }
    # As "artemis create" sets it: the time of one write and sync on this disk, at most what it is without.
    artemis_buffer_ns=$((1000000000 / $(for _ in 1 2 3; do raw_rounds; done | sort -n | tail -1)))
    ((artemis_buffer_ns <= 500000)) || artemis_buffer_ns=500000
    rm -rf "$artemis_work"
    artemis_configure primary $((bench_port + 65)) $((bench_port + 66))
    artemis_configure backup $((bench_port + 66)) $((bench_port + 65))
    artemis_launch primary
    until_true 60 listens 127.0.0.1 "$(artemis_stomp_port)" || fail "Artemis does not serve; its log: $(artemis_dir primary)/log"
    artemis_launch backup
    # AMQ221024: the backup is synchronized with the primary.
    until_true 60 artemis_said backup AMQ221024 || artemis_said primary AMQ221025 || fail "the Artemis backup does not replicate; its log: $(artemis_dir backup)/log"
    # It falls back by itself to NIO when the library does not load.
    artemis_said primary AMQ221012 || { [[ $artemis_journal = NIO ]] || say 'Artemis could not load libaio: its journal is NIO'; artemis_journal=NIO; }
}

artemis_stop() {
    local name
    [[ -d $artemis_work ]] || return 0
    for name in backup primary; do end_process "$(artemis_dir "$name")" KILL 10 || say "Artemis $name is left" >&2; done
    rm -rf "$artemis_work"
}

artemis_settings() {
    echo "primary and backup that replicate, journal $artemis_journal with datasync and a buffer time out of $artemis_buffer_ns ns, stompConsumerWindowSize 1,200,000, -Xms512M -Xmx2G, G1"
}
artemis_syncs() { :; }
# A Java broker has compiled its path after some ten thousand messages.
artemis_warm() { warm artemis queue/warm 20; }
