//! ZooKeeper servers that are lost, emptied, and forget a session.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::dice::Dice;
use super::super::ensemble::SERVERS;
use super::super::group::{Group, RECOVERY, ZK_PATH};
use super::hold;
use crate::harness::eventually;

/// kill -9 of one server.
pub(super) async fn server_lost(group: &Group, dice: &mut Dice) -> Option<String> {
    let number = 1 + dice.below(SERVERS as u64) as usize;
    let mode = group.ensemble.mode(number);
    let killed = group.ensemble.server(number).kill();
    hold(dice, 1500, 4000).await;
    group.ensemble.start().await;
    killed.then(|| format!("zk{number}, {}", mode.unwrap_or_default()))
}

/// kill -9 of all servers; with everything that they knew, or not. Seen: all were alive, and a lost record of the group is
/// there again.
pub(super) async fn ensemble_lost(group: &Group, emptied: bool, dice: &mut Dice) -> Option<String> {
    let before = SystemTime::now();
    let mut killed = true;
    for number in 1..=SERVERS {
        killed &= group.ensemble.server(number).kill();
    }
    hold(dice, 1000, 4000).await;
    if emptied {
        (1..=SERVERS).for_each(|number| group.ensemble.empty(number));
    }
    group.ensemble.start().await;
    group.whole().await;
    // The nodes do not need the record to go on, so it may take a moment until one of them puts it there again.
    let stat = eventually("the group's record is in ZooKeeper", RECOVERY, || async {
        let client = group.ensemble.client().await.ok()?;
        client.get_data(ZK_PATH).await.ok().map(|(_, stat)| stat)
    })
    .await;
    let created = UNIX_EPOCH + Duration::from_millis(u64::try_from(stat.ctime).unwrap_or(0));
    let anew = !emptied || created > before;
    (killed && anew).then(|| format!("record created by transaction {:#x}", stat.czxid))
}

/// The session of a node is ended by somebody else. Seen: its member has another session.
pub(super) async fn session_expired(group: &Group, dice: &mut Dice) -> Option<String> {
    let sessions = group.ensemble.sessions(ZK_PATH).await.ok().filter(|sessions| !sessions.is_empty())?;
    let (node, session) = &sessions[dice.below(sessions.len() as u64) as usize];
    // The owner takes its session back when it can; in the end the servers know no such session.
    for _ in 0..20 {
        if !group.ensemble.end_session(*session) {
            break;
        }
    }
    hold(dice, 500, 1500).await;
    group.whole().await;
    let after = group.ensemble.sessions(ZK_PATH).await.ok()?;
    let gone = after.iter().all(|(_, other)| other != session);
    (gone && after.iter().any(|(other, _)| other == node)).then(|| node.clone())
}
