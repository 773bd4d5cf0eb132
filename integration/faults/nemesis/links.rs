//! Links that are cut, reset and slow.

use std::time::Duration;

use super::super::dice::Dice;
use super::super::ensemble::SERVERS;
use super::super::group::{Group, NODES, SESSION_TIMEOUT};
use super::super::network::Host;
use super::{hold, target};

/// A direction: who is not heard, and by whom.
type Way = (Host, Host);

fn nodes() -> impl Iterator<Item = Host> {
    (1..=NODES).map(Host::Node)
}

fn servers() -> impl Iterator<Item = Host> {
    (1..=SERVERS).map(Host::ZooKeeper)
}

fn both(one: Host, other: Host) -> [Way; 2] {
    [(one, other), (other, one)]
}

/// Packets that were lost or refused so far, anywhere.
fn struck(group: &Group) -> u64 {
    nodes().chain(servers()).map(|host| group.network.struck(host)).sum()
}

/// Cuts all these ways for a while. Seen: packets were lost.
async fn cut(group: &Group, ways: &[Way], dice: &mut Dice, from: u64, to: u64) -> Option<String> {
    let before = struck(group);
    for (one, other) in ways {
        group.network.cut(*one, *other);
    }
    hold(dice, from, to).await;
    for (one, other) in ways {
        group.network.mend(*one, *other);
    }
    (struck(group) > before).then(|| format!("{ways:?}"))
}

/// A node hears no other node and no server, nor they it; its clients stay. Seen: packets were lost, and if it was the
/// master a later one serves.
pub(super) async fn cut_off(group: &Group, master: bool, dice: &mut Dice) -> Option<String> {
    let node = target(group, master, dice).await;
    let epoch = group.epoch();
    let others = nodes().chain(servers()).filter(|host| *host != node.host());
    let ways: Vec<Way> = others.flat_map(|other| both(node.host(), other)).collect();
    let cut = cut(group, &ways, dice, 3500, 6000).await;
    let moved = !master || group.epoch_moves(epoch, Duration::from_secs(20)).await;
    cut.filter(|_| moved).map(|_| node.name())
}

/// The master and a slave do not hear each other, or one of them does not hear the other; the third node hears both. Two
/// slaves have nothing to say to each other.
pub(super) async fn cut_link(group: &Group, one_way: bool, dice: &mut Dice) -> Option<String> {
    let slave = target(group, false, dice).await.host();
    let master = group.master().await.host();
    let ways = if one_way && dice.chance(2) { both(slave, master) } else { both(master, slave) };
    let ways = if one_way { &ways[..1] } else { &ways[..] };
    cut(group, ways, dice, 2000, 6000).await
}

/// Each node hears one of the two others, and not the one that hears it.
pub(super) async fn ring(group: &Group, dice: &mut Dice) -> Option<String> {
    let ways: Vec<Way> = (0..NODES).map(|n| (Host::Node(n + 1), Host::Node((n + 1) % NODES + 1))).collect();
    cut(group, &ways, dice, 2000, 5000).await
}

/// A node and the ensemble do not hear each other, or one of them does not hear the other, for longer than a session.
pub(super) async fn without_zookeeper(group: &Group, dice: &mut Dice) -> Option<String> {
    let node = group.node(1 + dice.below(NODES as u64) as usize).host();
    let (hears, heard) = (dice.chance(3), dice.chance(3));
    let ways: Vec<Way> = servers().flat_map(|server| both(node, server)).collect();
    // Deaf, mute or both.
    let ways: Vec<Way> =
        ways.into_iter().filter(|(from, _)| if *from == node { !heard || hears } else { !hears }).collect();
    let session = SESSION_TIMEOUT.as_millis() as u64;
    cut(group, &ways, dice, session / 2, session * 3).await
}

/// A server of the ensemble hears nobody and nobody hears it.
pub(super) async fn server_cut_off(group: &Group, dice: &mut Dice) -> Option<String> {
    let server = Host::ZooKeeper(1 + dice.below(SERVERS as u64) as usize);
    let others = nodes().chain(servers()).filter(|host| *host != server);
    let ways: Vec<Way> = others.flat_map(|other| both(server, other)).collect();
    cut(group, &ways, dice, 2000, 6000).await
}

/// All connections of a node with others are refused for a moment. Seen: resets were sent.
pub(super) async fn reset(group: &Group, dice: &mut Dice) -> Option<String> {
    let node = Host::Node(1 + dice.below(NODES as u64) as usize);
    let others = nodes().chain(servers()).filter(|host| *host != node);
    let ways: Vec<Way> = others.flat_map(|other| both(node, other)).collect();
    let before = struck(group);
    for (one, other) in &ways {
        group.network.reset(*one, *other);
    }
    hold(dice, 50, 500).await;
    for (one, other) in &ways {
        group.network.mend(*one, *other);
    }
    (struck(group) > before).then(|| format!("{node:?}"))
}

/// What a node sends is held back. Seen: packets had to wait.
pub(super) async fn slow(group: &Group, dice: &mut Dice) -> Option<String> {
    let node = Host::Node(1 + dice.below(NODES as u64) as usize);
    let kilobits = dice.pick(&[128, 512, 2048]);
    group.network.slow(node, kilobits);
    hold(dice, 2000, 5000).await;
    let late = group.network.quick(node);
    (late > 0).then(|| format!("{node:?}: {kilobits} kbit/s, {late} packets waited"))
}
