//! What is done to the group, kind by kind. A fault counts only when its effect was seen.

mod clock;
mod damage;
mod disks;
mod links;
mod processes;
mod zookeeper;

use std::time::Duration;

use super::dice::Dice;
use super::group::Group;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    KillMaster,
    KillSlave,
    PauseMaster,
    PauseSlave,
    RollingRestart,
    CutMaster,
    CutSlave,
    CutLink,
    CutOneWay,
    CutRing,
    CutFromZooKeeper,
    CutServer,
    Reset,
    SlowLink,
    PowerOne,
    PowerAll,
    SyncFails,
    SyncSlow,
    DiskFull,
    BitFlip,
    Truncation,
    Wipe,
    ServerLost,
    EnsembleLost,
    EnsembleEmptied,
    SessionExpired,
    ClockJump,
}

impl Kind {
    /// All kinds, with what they are called in reports and how often they come in a long run.
    pub(crate) const ALL: [(Kind, &'static str, u64); 27] = [
        (Kind::KillMaster, "kill -9 of the master", 5),
        (Kind::KillSlave, "kill -9 of a slave", 1),
        (Kind::PauseMaster, "SIGSTOP of the master", 1),
        (Kind::PauseSlave, "SIGSTOP of a slave", 1),
        (Kind::RollingRestart, "rolling restart", 1),
        (Kind::CutMaster, "master cut off", 1),
        (Kind::CutSlave, "slave cut off", 1),
        (Kind::CutLink, "link between two nodes cut", 1),
        (Kind::CutOneWay, "link between two nodes cut one way", 1),
        (Kind::CutRing, "each node hears one other only", 1),
        (Kind::CutFromZooKeeper, "node without ZooKeeper", 1),
        (Kind::CutServer, "ZooKeeper server cut off", 1),
        (Kind::Reset, "TCP resets", 1),
        (Kind::SlowLink, "slow link", 1),
        (Kind::PowerOne, "power cut of one node", 1),
        (Kind::PowerAll, "power cut of all nodes", 3),
        (Kind::SyncFails, "fsync fails", 1),
        (Kind::SyncSlow, "fsync is slow", 1),
        (Kind::DiskFull, "disk full", 1),
        (Kind::BitFlip, "bit flip in one store", 1),
        (Kind::Truncation, "one store truncated", 1),
        (Kind::Wipe, "one store wiped", 1),
        (Kind::ServerLost, "ZooKeeper server lost", 1),
        (Kind::EnsembleLost, "ZooKeeper ensemble lost", 1),
        (Kind::EnsembleEmptied, "ZooKeeper ensemble emptied", 1),
        (Kind::SessionExpired, "ZooKeeper session ended", 1),
        (Kind::ClockJump, "clock of one node jumps", 1),
    ];

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        Kind::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| *name)
    }

    /// Whether it may happen while another fault lasts, without the two together being more than the group promises
    /// to survive.
    pub(crate) fn mixes(self) -> bool {
        use Kind::*;
        matches!(
            self,
            KillMaster
                | KillSlave
                | PauseSlave
                | CutSlave
                | CutLink
                | CutOneWay
                | Reset
                | SlowLink
                | PowerOne
                | SyncSlow
                | ServerLost
                | SessionExpired
                | ClockJump
                | CutFromZooKeeper
        )
    }

    /// Whether it harms what a node has synced, so that the node must find that out and begin anew.
    pub(crate) fn damages(self) -> bool {
        matches!(self, Kind::BitFlip | Kind::Truncation | Kind::Wipe)
    }

    /// Does it, holds it for a while, undoes it. What was seen of it, if anything was.
    pub(crate) async fn strike(self, group: &Group, dice: &mut Dice) -> Option<String> {
        use Kind::*;
        match self {
            KillMaster => processes::kill(group, true, dice).await,
            KillSlave => processes::kill(group, false, dice).await,
            PauseMaster => processes::pause(group, true, dice).await,
            PauseSlave => processes::pause(group, false, dice).await,
            RollingRestart => processes::rolling_restart(group).await,
            CutMaster => links::cut_off(group, true, dice).await,
            CutSlave => links::cut_off(group, false, dice).await,
            CutLink => links::cut_link(group, false, dice).await,
            CutOneWay => links::cut_link(group, true, dice).await,
            CutRing => links::ring(group, dice).await,
            CutFromZooKeeper => links::without_zookeeper(group, dice).await,
            CutServer => links::server_cut_off(group, dice).await,
            Reset => links::reset(group, dice).await,
            SlowLink => links::slow(group, dice).await,
            PowerOne => disks::power_cut(group, false, dice).await,
            PowerAll => disks::power_cut(group, true, dice).await,
            SyncFails => disks::sync_fails(group, dice).await,
            SyncSlow => disks::sync_slow(group, dice).await,
            DiskFull => disks::full(group, dice).await,
            BitFlip => damage::strike(group, damage::How::Flip, dice).await,
            Truncation => damage::strike(group, damage::How::Truncate, dice).await,
            Wipe => damage::strike(group, damage::How::Wipe, dice).await,
            ServerLost => zookeeper::server_lost(group, dice).await,
            EnsembleLost => zookeeper::ensemble_lost(group, false, dice).await,
            EnsembleEmptied => zookeeper::ensemble_lost(group, true, dice).await,
            SessionExpired => zookeeper::session_expired(group, dice).await,
            ClockJump => clock::jump(group, dice).await,
        }
    }
}

/// Lets a fault last for so many milliseconds, from and to.
async fn hold(dice: &mut Dice, from: u64, to: u64) {
    tokio::time::sleep(Duration::from_millis(from + dice.below(to - from))).await;
}

/// The node that serves, or another one.
async fn target<'a>(group: &'a Group, master: bool, dice: &mut Dice) -> &'a super::group::Node {
    let serving = group.master().await;
    if master {
        return serving;
    }
    let others: Vec<usize> =
        group.nodes.iter().map(|node| node.number).filter(|number| *number != serving.number).collect();
    group.node(dice.pick(&others))
}
