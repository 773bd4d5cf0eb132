//! ActiveMQ's own names, and what stands for each of them here: what somebody writes who moves a broker over.

/// What to write instead of a name of `activemq.xml`, or of its `replicatedLevelDB`; `None` for names that are not known
/// there, and for those whose snake_case is a key here.
pub(super) fn hint(name: &str) -> Option<String> {
    let plain = plain(name);
    let (theirs, ours) = NAMES.iter().find(|(theirs, _)| self::plain(theirs) == plain)?;
    Some(format!("unknown key; for ActiveMQ's {theirs} {ours}"))
}

/// What to say about a file that is ActiveMQ's XML.
pub(super) const XML: &str = "this is XML; a configuration here is TOML with ActiveMQ's names in snake_case. Begin with a copy of config/broker.toml: \
    <broker brokerName dataDirectory> becomes [broker] name and data_directory; <replicatedLevelDB> [store] kind = \"replicated\" with its attributes \
    in [store.replicated]; <kahaDB> and <levelDB> kind = \"local\"; each <transportConnector> a [[transport_connector]] with the same name and uri; \
    each <networkConnector> a [[network_connector]]; <systemUsage> [system_usage]. What has no key there is not served by this version";

/// Whether a text is XML rather than TOML.
pub(super) fn is_xml(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with('<')
}

const POLICIES: &str = "write a [[policy]] for each policyEntry, with its attributes in snake_case";
const LOGINS: &str =
    "there is no key: logins and rights are not served by this version, every login is admitted";
const CLUSTERS: &str = "there is no key: clients are not told of other brokers by this version; write all addresses in their failover: URL";
const DURABLE: &str = "there is no key: durable subscriptions are not bridged by this version; write \"statically_included_destinations\"";
const FIXED: &str = "there is no key: it is chosen by itself";
const KIND_LOCAL: &str = "write kind = \"local\" in [store]";

/// ActiveMQ's name, and what to do.
const NAMES: &[(&str, &str)] = &[
    ("brokerName", "write \"name\" in [broker]"),
    (
        "persistent",
        "write kind = \"memory\" in [store], if false is meant; \"local\" or \"replicated\" persist",
    ),
    ("persistenceAdapter", "write \"kind\" in [store]"),
    ("persistenceFactory", "write \"kind\" in [store]"),
    ("kahaDB", KIND_LOCAL),
    ("mKahaDB", KIND_LOCAL),
    ("levelDB", KIND_LOCAL),
    ("jdbcPersistenceAdapter", KIND_LOCAL),
    ("memoryPersistenceAdapter", "write kind = \"memory\" in [store]"),
    ("replicatedLevelDB", "write kind = \"replicated\" in [store], and its attributes in [store.replicated]"),
    ("journalMaxFileLength", "write \"log_size\" in [store.local] or [store.replicated]"),
    ("zkPassword", "write \"zk_auth\" (user:password) in [store.replicated]"),
    ("securityToken", "write \"secret\" in [store.replicated]"),
    ("transportConnectors", "write a [[transport_connector]] for each"),
    ("networkConnectors", "write a [[network_connector]] for each"),
    ("memoryUsage", "write \"memory\" in [system_usage]"),
    ("memoryLimit", POLICIES),
    ("percentOfJvmHeap", "write a share such as memory = \"70%\" in [system_usage]"),
    ("storeUsage", "write \"store\" in [system_usage]"),
    ("tempUsage", "write \"temp\" in [system_usage]"),
    ("tempDataStore", "write \"temp\" in [system_usage]"),
    (
        "sslContext",
        "write [store.replicated.tls] for the nodes; TLS for clients is not served by this version",
    ),
    ("managementContext", "write \"bind\" in [console]; there is no JMX"),
    ("useJmx", "there is no key: there is no JMX, the port of [console] tells the same"),
    ("destinationPolicy", POLICIES),
    ("policyMap", POLICIES),
    ("policyEntries", POLICIES),
    ("policyEntry", POLICIES),
    ("deadLetterStrategy", POLICIES),
    ("destinations", "write \"destinations\" in [broker], a list such as [\"queue://A\", \"topic://B\"]"),
    ("destinationInterceptors", "there is no key: virtual destinations are not served by this version"),
    ("virtualDestinations", "there is no key: virtual destinations are not served by this version"),
    ("simpleAuthenticationPlugin", LOGINS),
    ("jaasAuthenticationPlugin", LOGINS),
    ("authorizationPlugin", LOGINS),
    ("plugins", LOGINS),
    ("updateClusterClients", CLUSTERS),
    ("updateClusterClientsOnRemove", CLUSTERS),
    ("updateClusterFilter", CLUSTERS),
    ("rebalanceClusterClients", CLUSTERS),
    (
        "discoveryUri",
        "there is no key: brokers are not discovered by this version; write their addresses in the uri of a [[network_connector]]",
    ),
    (
        "jmsBridgeConnectors",
        "there is no key: bridges to other JMS providers are not served; a client can carry the messages",
    ),
    ("proxyConnectors", "there is no key: ports are not passed on; use a TCP proxy"),
    ("remoteUserName", "write \"user_name\"; it is shown to the other broker only"),
    ("remotePassword", "write \"password\"; it is shown to the other broker only"),
    ("destinationFilter", "write \"dynamically_included_destinations\""),
    ("durableDestinations", DURABLE),
    ("syncDurableSubs", DURABLE),
    (
        "useVirtualDestSubs",
        "there is no key: virtual destinations make no demand by themselves in this version; write \"statically_included_destinations\"",
    ),
    (
        "useVirtualDestSubsOnCreation",
        "there is no key: virtual destinations make no demand by themselves in this version; write \"statically_included_destinations\"",
    ),
    ("advisoryPrefetchSize", FIXED),
    ("advisoryAckPercentage", FIXED),
    ("dispatchAsync", FIXED),
    ("consumerPriorityBase", "there is no key: it is -5, as in ActiveMQ"),
    ("useCompression", "there is no key: messages cross as they are; producers can compress them"),
    ("clientIdToken", FIXED),
    ("useBrokerNamesAsIdSeed", FIXED),
    (
        "conduitNetworkQueueSubscriptions",
        "there is no key: consumers of bridges count as any others; write \"conduit_subscriptions\"",
    ),
    (
        "suppressDuplicateTopicSubscriptions",
        "there is no key: parallel ways of one topic are not told apart by this version; write \"excluded_destinations\" on one of them",
    ),
    ("checkDuplicateMessagesOnDuplex", "there is no key: what is sent again is recognised by its id"),
    (
        "advisoryForFailedForward",
        "there is no key: `quorate network`, the log and metrics tell of messages that are refused",
    ),
    ("gcDestinationViews", FIXED),
    ("gcSweepTime", FIXED),
    ("autoStart", "there is no key: leave the [[network_connector]] out to have no bridge"),
    ("bridgeFactory", FIXED),
    ("networkConnectorStartAsync", "there is no key: clients never wait for bridges"),
    ("advisorySupport", "there is no key: advisory messages are not served by this version"),
    ("schedulerSupport", "there is no key: scheduled messages are not served by this version"),
];

/// Letters and digits alone, so that `broker_name` and `brokername` count as `brokerName`.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
