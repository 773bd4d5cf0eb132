//! What others do to the tree.

use zookeeper_client::{Acls, CreateMode};

use super::probe::{Probe, empty, nodes, observer, options, server, weighing, weight};

/// How long anything may take on a loaded machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn members_see_each_others_changes_and_only_one_of_two_writers_wins() {
    let cluster = server();
    let options = options(cluster.zookeeper(1), "/coordination/two");
    let mut one = Probe::join(options.clone(), "one").await;
    let mut two = Probe::join(options, "two").await;
    one.until("one sees two", |view| nodes(view) == ["one", "two"]).await;
    assert_eq!(nodes(&two.view), ["one", "two"]);
    for round in 2..10 {
        one.set(weighing("one", round));
        two.until("two sees one's record", |view| weight(view, "one") == Some(round)).await;
        let version = two.view.version;
        let answered = two.view.answered;
        one.write(version, round as u64 * 2);
        two.write(version, round as u64 * 2 + 1);
        one.until("one's write is answered", |view| view.answered > answered).await;
        two.until("two's write is answered", |view| view.answered > answered).await;
        one.until("one sees the new version", |view| view.version == version + 1).await;
        two.until("two sees the new version", |view| view.version == version + 1).await;
        assert_eq!(one.view.group, two.view.group);
    }
    two.leave().await;
    one.until("one sees that two has left", |view| nodes(view) == ["one"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_register_again_when_the_tree_is_emptied_or_their_znode_is_deleted() {
    let cluster = server();
    let path = "/coordination/emptied";
    let options = options(cluster.zookeeper(1), path);
    let observer = observer(&cluster).await;
    let mut one = Probe::join(options.clone(), "one").await;
    let mut two = Probe::join(options, "two").await;
    one.write(one.view.version, 1);
    for round in 1..=3 {
        for probe in [&mut one, &mut two] {
            probe.until("both see the group", |view| view.group.is_some()).await;
        }
        empty(&observer, path).await;
        for probe in [&mut one, &mut two] {
            probe
                .until("both are there again, without a group", |view| {
                    view.group.is_none() && view.version == 0 && view.members.len() == 2
                })
                .await;
        }
        assert_eq!(observer.list_children(path).await.unwrap().len(), 2);
        one.write(0, round);
    }
    for probe in [&mut one, &mut two] {
        probe.until("both see the last group", |view| view.group.is_some()).await;
        let old = probe.mine().clone();
        observer.delete(&format!("{path}/{}", old.id.name()), None).await.unwrap();
        probe
            .until("it has a new number", |view| {
                view.members.len() == 2 && view.mine.is_some_and(|id| id != old.id)
            })
            .await;
        assert_eq!(probe.mine().record.node, old.record.node);
    }
    assert_eq!(observer.list_children(path).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_the_tree_does_not_hide_the_rest() {
    let cluster = server();
    let path = "/coordination/garbage";
    let observer = observer(&cluster).await;
    let mut one = Probe::join(options(cluster.zookeeper(1), path), "one").await;
    let open = CreateMode::Persistent.with_acls(Acls::anyone_all());
    let (own, _) = observer.get_data(&format!("{path}/{}", one.mine().id.name())).await.unwrap();
    let big = vec![b'x'; 900_000];
    // The second looks like a member, but no session keeps it alive; the last may not be read by anybody.
    let hidden = [zookeeper_client::Acl::new(
        zookeeper_client::Permission::DELETE,
        zookeeper_client::AuthId::anyone(),
    )];
    let closed = CreateMode::Persistent.with_acls(Acls::new(&hidden));
    for (number, data) in [(90, &b"\xff{not json"[..]), (91, &own), (92, b""), (93, b"[]"), (94, &big)] {
        observer.create(&format!("{path}/000000000{number}"), data, &open).await.unwrap();
    }
    observer.create(&format!("{path}/00000000095"), b"", &closed).await.unwrap();
    observer.create(&format!("{path}/notes of an operator"), b"", &open).await.unwrap();
    observer.set_data(path, b"{\"epoch\": \"none\"}", None).await.unwrap();
    let mut two = Probe::join(options(cluster.zookeeper(1), path), "two").await;
    for probe in [&mut one, &mut two] {
        probe
            .until("both see each other and no group", |view| {
                nodes(view) == ["one", "two"] && view.group.is_none() && view.version == 1
            })
            .await;
    }
    one.write(one.view.version, 1);
    two.until("the group's record is written over the garbage", |view| view.group.is_some()).await;

    // What somebody else wrote into a member's own znode is written over by its owner.
    let mine = format!("{path}/{}", one.mine().id.name());
    observer.set_data(&mine, b"garbage", None).await.unwrap();
    one.set(weighing("one", 2));
    two.until("the owner's record is back", |view| weight(view, "one") == Some(2)).await;
    // It may be written over before anybody has seen it: the znode's version tells that it was there.
    let garbage = observer.set_data(&mine, b"garbage", None).await.unwrap().version;
    crate::harness::eventually("the owner's record is back without a change of it", PATIENCE, || async {
        let (data, stat) = observer.get_data(&mine).await.ok()?;
        (stat.version > garbage && data != b"garbage").then_some(())
    })
    .await;
    two.until("two sees it", |view| weight(view, "one") == Some(2)).await;
}
