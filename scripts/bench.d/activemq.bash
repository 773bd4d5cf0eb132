# One ActiveMQ 5 from Debian's package, with KahaDB as it comes: synced at each commit, no service.

activemq_dir=$run/activemq
activemq_lib=/usr/share/activemq/lib

need_activemq() { [[ -e $activemq_lib/activemq-broker.jar ]] || install_packages 'ActiveMQ is missing' activemq; }

activemq_version() { dpkg-query -W -f '${Version}' activemq 2>/dev/null || echo unknown; }
activemq_stomp_port() { echo $((bench_port + 67)); }
activemq_addresses() { echo "127.0.0.1:$(activemq_stomp_port)"; }
activemq_pids() { cat "$activemq_dir/pid"; }

activemq_start() {
    rm -rf "$activemq_dir"
    mkdir -p "$activemq_dir/tmp"
    cat >"$activemq_dir/activemq.xml" <<XML
<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans-2.0.xsd
  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" useJmx="false" brokerName="bench" dataDirectory="$activemq_dir/data">
    <persistenceAdapter><kahaDB directory="$activemq_dir/data/kahadb"/></persistenceAdapter>
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp+nio://127.0.0.1:$(activemq_stomp_port)?transport.tcpNoDelay=true"/>
    </transportConnectors>
  </broker>
</beans>
XML
    launch "$activemq_dir" java -Xms64M -Xmx1G -Djava.io.tmpdir="$activemq_dir/tmp" -Dactivemq.home=/usr/share/activemq \
        -Dactivemq.base="$activemq_dir" -Dactivemq.conf="$activemq_dir" -Dactivemq.data="$activemq_dir/data" \
        -jar /usr/share/activemq/bin/activemq.jar start "xbean:file:$activemq_dir/activemq.xml"
    until_true 60 listens 127.0.0.1 "$(activemq_stomp_port)" || fail "ActiveMQ does not serve; its log: $activemq_dir/log"
}

activemq_stop() {
    [[ -d $activemq_dir ]] || return 0
    end_process "$activemq_dir" KILL 10 || say 'ActiveMQ is left' >&2
    rm -rf "$activemq_dir"
}

activemq_settings() { echo "KahaDB as it comes (each journal write synced), stomp+nio with tcpNoDelay, -Xms64M -Xmx1G"; }
activemq_syncs() { :; }
# A Java broker has compiled its path after some ten thousand messages.
activemq_warm() { warm activemq queue/warm 20; }
