# The tests of coordination, a whole group among them, against the last server of each line of ZooKeeper, or against those named.
# The servers come from Maven Central into target/zookeeper; the client of zkCli.sh is the system's.

zookeeper_lines=(3.5.10 3.6.4 3.7.2 3.8.4 3.9.3)

# zookeeper_server VERSION: prints its class path.
zookeeper_server() {
    local place=$root/target/zookeeper/$1
    if [[ ! -e $place/complete ]]; then
        rm -rf "$place"
        mkdir -p "$place"
        # Two of its dependencies are left to whoever packages it; its own way of logging is ours in every version.
        cat >"$place/pom.xml" <<POM
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>quorate</groupId><artifactId>zookeeper-server</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.zookeeper</groupId><artifactId>zookeeper</artifactId><version>$1</version>
      <exclusions>
        <exclusion><groupId>ch.qos.logback</groupId><artifactId>*</artifactId></exclusion>
        <exclusion><groupId>org.slf4j</groupId><artifactId>slf4j-log4j12</artifactId></exclusion>
      </exclusions>
    </dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
    <dependency><groupId>io.dropwizard.metrics</groupId><artifactId>metrics-core</artifactId><version>4.1.12.1</version></dependency>
    <dependency><groupId>org.xerial.snappy</groupId><artifactId>snappy-java</artifactId><version>1.1.10.5</version></dependency>
  </dependencies>
</project>
POM
        mvn -q -B -f "$place/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$place" >"$place/log" 2>&1 ||
            { cat "$place/log" >&2; return 1; }
        touch "$place/complete"
    fi
    echo "$place/*"
}

zookeeper_versions() {
    local version path said failed=()
    command -v mvn >/dev/null || { echo 'long: Maven is missing: apt-get install maven' >&2; exit 1; }
    whole 'ZooKeeper versions' true
    for version in "${@:-${zookeeper_lines[@]}}"; do
        path=$(zookeeper_server "$version")
        said=$root/target/zookeeper/$version/tests
        QUORATE_ZOOKEEPER_CLASSPATH=$path "${tests[@]}" coordination:: 2>&1 | tee "$said" || failed+=("$version")
        grep -q "Zookeeper version: $version-" "$said" || failed+=("$version (another one ran)")
        printf -- '- server %s: %s\n' "$version" "$(sed -n 's/^test result: //p' "$said" | tail -1)" | tee -a "$results"
    done
    [[ -z ${failed[*]} ]] || { echo "long: failed with ZooKeeper ${failed[*]}" >&2; exit 1; }
}
