//! What every coordinator does.

use quorate::coordination::{Coordinator, CoordinatorEvents, FixedCoordinator, ZooKeeperCoordinator};
use quorate::model::{Epoch, StoreId};

use super::probe::{Probe, member, nodes, observer, options, server, weighing, weight};

/// The contract; ends with the member gone.
async fn holds(start: impl FnOnce(CoordinatorEvents) -> Coordinator) {
    let mut probe = Probe::start(start);
    probe.set(member("one"));
    probe.until("the member is shown", |view| nodes(view) == ["one"]).await;
    let first = probe.mine().clone();
    assert_ne!(first.record.guid, StoreId(0), "the coordinator draws the guid");
    assert_eq!((&probe.view.group, probe.view.answered), (&None, 0));

    probe.set(weighing("one", 5));
    probe.until("the rewritten record is shown", |view| weight(view, "one") == Some(5)).await;
    assert_eq!((probe.mine().id, probe.mine().record.guid), (first.id, first.record.guid));
    assert_eq!(probe.view.members.len(), 1);

    let blank = probe.view.version;
    probe.write(blank, 1);
    probe.until("the first write is answered", |view| view.answered == 1).await;
    let (record, version) = probe.view.group.clone().unwrap();
    assert_eq!((record.epoch, version), (Epoch(1), probe.view.version));
    assert_ne!(version, blank);

    probe.write(blank, 2);
    probe.until("a stale write is answered", |view| view.answered == 2).await;
    assert_eq!(probe.view.group, Some((record, version)), "and changes nothing");

    // Of two at one version one lands, and both are answered.
    probe.write(version, 3);
    probe.write(version, 4);
    probe.until("both writes are answered", |view| view.answered == 4).await;
    let (record, after) = probe.view.group.clone().unwrap();
    assert!(record.epoch == Epoch(3) || record.epoch == Epoch(4), "{record:?}");
    assert_eq!(after, version + 1);
    probe.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_coordinator_of_a_lone_node_keeps_the_contract() {
    holds(FixedCoordinator::start).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_coordinator_on_zookeeper_keeps_the_contract_and_its_member_is_gone_when_it_has_left() {
    let cluster = server();
    let path = "/coordination/contract/with/missing/parents";
    let observer = observer(&cluster).await;
    for _ in 0..10 {
        holds(|events| ZooKeeperCoordinator::start(options(cluster.zookeeper(1), path), events)).await;
        assert!(observer.list_children(path).await.unwrap().is_empty(), "the member outlives its farewell");
        super::probe::empty(&observer, path).await;
    }
}
