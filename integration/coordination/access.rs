//! Credentials and access lists.

use std::time::Duration;

use quorate::coordination::ZooKeeperCoordinator;
use zookeeper_client::{Acl, Client, Error};

use super::probe::{Probe, member, nodes, observer, options, server, weighing, weight};

/// All five of ZooKeeper's permissions; read alone.
const ALL: i32 = 31;
const READ: i32 = 1;

fn entry(bits: i32, scheme: &str, id: &str) -> (i32, String, String) {
    (bits, scheme.to_owned(), id.to_owned())
}

async fn acl_of(client: &Client, path: &str) -> Vec<Acl> {
    client.get_acl(path).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_creator_owns_nobody_else_can_touch() {
    let cluster = server();
    let path = "/coordination-creator/stores/group";
    let mut creator = options(cluster.zookeeper(1), path);
    creator.auth = Some("broker:secret:with:colons".into());
    creator.acl = vec![entry(ALL, "auth", "")];
    let mut one = Probe::join(creator.clone(), "one").await;
    let mut two = Probe::join(creator.clone(), "two").await;
    one.write(one.view.version, 1);
    two.until("who has the credentials works with it", |view| view.group.is_some()).await;
    let znode = format!("{path}/{}", one.mine().id.name());

    // ZooKeeper's own client shows the creator's digest in place of the scheme `auth`.
    let shown = cluster.zk_session(&format!("addauth digest broker:secret:with:colons\ngetAcl {path}\n"));
    assert!(shown.contains("'digest,'broker:") && shown.contains(": cdrwa"), "{shown}");
    assert!(!shown.contains("world"), "{shown}");
    let stranger = observer(&cluster).await;
    for place in ["/coordination-creator", "/coordination-creator/stores", path, znode.as_str()] {
        assert_eq!(stranger.set_data(place, b"", None).await.unwrap_err(), Error::NoAuth, "{place}");
    }
    assert_eq!(stranger.get_data(&znode).await.unwrap_err(), Error::NoAuth);
    assert_eq!(stranger.delete(&znode, None).await.unwrap_err(), Error::NoAuth);

    // A session that comes back, or comes anew, presents its credentials again.
    two.leave().await;
    one.until("two has left", |view| nodes(view) == ["one"]).await;

    for wrong in [Some("broker:wrong".to_owned()), None] {
        let mut intruder = options(cluster.zookeeper(1), path);
        intruder.acl = if wrong.is_some() { creator.acl.clone() } else { Vec::new() };
        intruder.auth = wrong;
        let mut probe = Probe::start(|events| ZooKeeperCoordinator::start(intruder, events));
        probe.set(member("intruder"));
        let reason = probe.until_unreachable().await;
        assert!(reason.contains(path) && reason.contains("zk_auth"), "{reason}");
        probe.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_outlive_a_lost_connection_and_a_lost_session() {
    let cluster = server();
    let path = "/coordination-credentials/group";
    let proxy = super::proxy::Proxy::start(cluster.zookeeper(1)).await;
    let mut options = options(proxy.address(), path);
    options.auth = Some("broker:secret".into());
    options.acl = vec![entry(ALL, "auth", "")];
    let mut one = Probe::join(options, "one").await;
    proxy.set(super::proxy::Link::Cut);
    one.until_unreachable().await;
    proxy.set(super::proxy::Link::Open);
    one.set(weighing("one", 2));
    one.until("it writes after a reconnect", |view| weight(view, "one") == Some(2)).await;
    let old = one.mine().id;
    proxy.expire().await;
    one.until("it registers in a new session", |view| view.mine.is_some_and(|id| id != old)).await;
    assert_eq!(one.mine().record.weight, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_entries_stands_on_every_znode_as_it_is_written() {
    let cluster = server();
    let path = "/coordination-list/group";
    let mut options = options(cluster.zookeeper(1), path);
    options.auth = Some("broker:secret".into());
    options.acl =
        vec![entry(ALL, "auth", ""), entry(READ, "world", "anyone"), entry(ALL, "ip", "127.0.0.77")];
    let one = Probe::join(options, "one").await;
    let stranger = observer(&cluster).await;
    let znode = format!("{path}/{}", one.mine().id.name());
    for place in ["/coordination-list", path, znode.as_str()] {
        let list = acl_of(&stranger, place).await;
        let told: Vec<String> = list.iter().map(|acl| format!("{acl:?}")).collect();
        assert_eq!(list.len(), 3, "{told:?}");
        assert!(told[0].contains("digest") && told[0].contains("broker:"), "{told:?}");
        assert_eq!(list[1], Acl::new(zookeeper_client::Permission::READ, zookeeper_client::AuthId::anyone()));
        assert!(told[2].contains("127.0.0.77"), "{told:?}");
        stranger.get_data(place).await.unwrap();
        assert_eq!(stranger.set_data(place, b"", None).await.unwrap_err(), Error::NoAuth, "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_list_that_the_server_refuses_is_named() {
    let cluster = server();
    let mut options = options(cluster.zookeeper(1), "/coordination-refused/group");
    options.acl = vec![entry(ALL, "digest", "no hash")];
    options.session_timeout = Duration::from_secs(4);
    let mut probe = Probe::start(|events| ZooKeeperCoordinator::start(options, events));
    probe.set(member("one"));
    let reason = probe.until_unreachable().await;
    assert!(reason.contains("zk_acl"), "{reason}");
    probe.leave().await;
}
