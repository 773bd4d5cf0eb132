//! A group whose masters are killed, joined to a lone broker: the bridge follows the mastership on both sides.

use std::collections::BTreeSet;
use std::time::Duration;

use super::world::{Consumer, LIMIT, bridges, connector, send};
use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::lone::Lone;
use crate::harness::publish;

const STRETCH: u32 = 1_000;
/// Both brokers forward both queues: what has come over a bridge does not go back.
const INCLUDED: &str =
    "duplex = true\nstatically_included_destinations = [\"queue://There\", \"queue://Back\"]";

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_of_a_group_loses_nothing_when_masters_are_killed() {
    let cluster = Cluster::prepare("network-near", Options { zk_servers: 1, ..Options::default() });
    cluster.add_openwire();
    let lone = Lone::with_openwire().await;
    cluster.configure(|_| connector("group-to-lone", &[lone.openwire()], INCLUDED));
    carry_over_kills("from the group", &cluster, &lone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_to_a_group_loses_nothing_when_masters_are_killed() {
    let cluster = Cluster::prepare("network-far", Options { zk_servers: 1, ..Options::default() });
    cluster.add_openwire();
    let nodes: Vec<_> = (1..=NODES).map(|node| cluster.openwire(node)).collect();
    let lone = Lone::with_openwire_and(&connector("lone-to-group", &nodes, INCLUDED)).await;
    carry_over_kills("to the group", &cluster, &lone).await;
}

/// Sends on both sides while masters are killed, and consumes at the other side what has come over.
async fn carry_over_kills(what: &str, cluster: &Cluster, lone: &Lone) {
    cluster.verb(&["start", "1", "2", "3"]);
    let mut master = cluster.master(LIMIT).await;
    for stretch in 0..3 {
        let bodies = stretch * STRETCH..(stretch + 1) * STRETCH;
        send(cluster.stomp(master), "/queue/There", bodies.clone()).await;
        send(lone.stomp(), "/queue/Back", bodies).await;
        // Much of it is under way.
        if stretch < 2 {
            cluster.kill(master);
            let next = cluster.master(LIMIT).await;
            cluster.start_node(master);
            master = next;
        }
    }
    let messages = 3 * STRETCH;
    for (address, queue) in [(lone.stomp(), "/queue/There"), (cluster.stomp(master), "/queue/Back")] {
        let mut consumer = Consumer::of(address, queue).await;
        let taken = consumer.take(messages as usize).await;
        let distinct: BTreeSet<u32> = taken.into_iter().collect();
        assert_eq!(distinct, (0..messages).collect(), "{queue}");
        assert_eq!(consumer.next(Duration::from_millis(500)).await, None, "{queue}: nothing comes twice");
    }
    let shown = [cluster.console(master), lone.console()];
    let mut failures = 0;
    for console in shown {
        let all = bridges(console, "bridges are shown", |_| true).await;
        failures += all.iter().map(|it| it["failures"].as_u64().unwrap()).sum::<u64>();
    }
    publish(&format!(
        "bridge {what}, two masters killed: {messages} messages each way, lost 0, twice 0, {failures} failed tries"
    ));
}
