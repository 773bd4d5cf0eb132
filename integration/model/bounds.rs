//! The configurations: small worlds, each aimed at one part of the protocol.
//!
//! What is bounded is how often something may happen, never when: every order of everything is explored. One fault of a
//! kind, two epochs and one write are enough for most planted bugs, because a broken rule needs one old epoch that does
//! not know of a new one; the third epoch is there for records of two earlier epochs under one master. Timers have no
//! length: each is an event of its own. Three nodes, or as many as the name says.

/// How large a world is and what may go wrong in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) name: &'static str,
    pub(super) nodes: usize,
    /// Highest epoch.
    pub(super) epochs: u8,
    pub(super) writes: u8,
    pub(super) crashes: u8,
    pub(super) expiries: u8,
    pub(super) wipes: u8,
    /// How often a lost disk may come back.
    pub(super) returns: u8,
    pub(super) empties: u8,
    /// Streams that break, fall silent, or are given up by their slave.
    pub(super) cuts: u8,
    /// Deadlines of winners that pass.
    pub(super) deadlines: u8,
    /// Group writes that are answered by a lost connection and arrive later or never.
    pub(super) lost: u8,
    /// Elections start at any moment, not only when one is due ...
    pub(super) any_bump: bool,
    /// ... but so often at most.
    pub(super) bumps: u8,
    /// Slaves attach; without them nobody serves, and only elections are looked at.
    pub(super) streams: bool,
    /// Writing and fsync are two steps, and a crash may lose what lies between.
    pub(super) unsynced: bool,
    /// Members of dead sessions stay until they expire.
    pub(super) linger: bool,
    pub(super) leases: bool,
    /// Starts with blank disks instead of a serving master.
    pub(super) blank: bool,
    /// Starts when an operator has recovered the group from so many of its voters; 0 if nobody has.
    pub(super) kept: usize,
    /// Masters that give their mastership away.
    pub(super) steps_down: u8,
    /// The way back to service is looked at: from every state, with no further fault but what `live` tells.
    pub(super) live: bool,
    /// How many further epochs that way may take.
    pub(super) further: u8,
    /// On that way what need not wait for a timer happens in one order; otherwise in every.
    pub(super) orderly: bool,
    /// On that way one node cannot open its port; otherwise one may be away.
    pub(super) unfit: bool,
}

const BASE: Bounds = Bounds {
    name: "",
    nodes: 3,
    epochs: 2,
    writes: 1,
    crashes: 0,
    expiries: 0,
    wipes: 0,
    returns: 0,
    empties: 0,
    cuts: 0,
    deadlines: 0,
    lost: 0,
    any_bump: true,
    bumps: u8::MAX,
    streams: true,
    unsynced: false,
    linger: false,
    leases: false,
    blank: false,
    kept: 0,
    steps_down: 0,
    live: false,
    further: 3,
    orderly: false,
    unfit: false,
};

/// Elections begin for a reason only, and from every state the way back to service is looked for.
const LIVE: Bounds = Bounds { any_bump: false, live: true, ..BASE };

impl Bounds {
    /// Whether numbers of two lives of the tree can meet.
    pub(super) fn empties_matter(&self) -> bool {
        self.empties > 0 || self.blank
    }

    /// Whether anybody looks at how long a winner takes.
    pub(super) fn lateness(&self) -> bool {
        self.deadlines > 0 || self.live
    }
}

/// The worlds, each explored to its end.
pub(super) fn worlds() -> Vec<Bounds> {
    vec![
        Bounds { name: "core", epochs: 3, writes: 0, crashes: 1, ..BASE },
        Bounds { name: "core-writes", epochs: 3, ..BASE },
        Bounds { name: "fsync", crashes: 1, unsynced: true, ..BASE },
        Bounds { name: "lost-replies", lost: 1, crashes: 1, ..BASE },
        Bounds { name: "sessions", writes: 0, expiries: 1, linger: true, ..BASE },
        Bounds { name: "suspects", writes: 0, cuts: 2, any_bump: false, ..BASE },
        Bounds { name: "voters", wipes: 1, ..BASE },
        Bounds { name: "voters-return", writes: 0, wipes: 1, returns: 1, ..BASE },
        Bounds { name: "recovered", epochs: 3, kept: 1, ..BASE },
        Bounds { name: "emptied", empties: 1, bumps: 0, ..BASE },
        Bounds { name: "elections-emptied", writes: 0, empties: 1, streams: false, ..BASE },
        Bounds { name: "blank", writes: 0, blank: true, ..BASE },
        Bounds { name: "lease", writes: 0, leases: true, ..BASE },
        Bounds { name: "replicas-2", nodes: 2, epochs: 3, writes: 2, crashes: 1, unsynced: true, ..BASE },
        Bounds { name: "live-suspects", writes: 0, cuts: 1, ..LIVE },
        Bounds { name: "live-sessions", writes: 0, expiries: 1, linger: true, orderly: true, ..LIVE },
        Bounds { name: "live-unfit", writes: 0, epochs: 1, cuts: 2, unfit: true, orderly: true, ..LIVE },
        Bounds { name: "live-wiped", writes: 0, wipes: 1, orderly: true, ..LIVE },
        Bounds { name: "live-recovered", writes: 0, kept: 1, orderly: true, ..LIVE },
        Bounds { name: "live-emptied", writes: 0, epochs: 1, empties: 1, orderly: true, ..LIVE },
        Bounds { name: "live-blank", writes: 0, epochs: 0, blank: true, orderly: true, ..LIVE },
        Bounds {
            name: "live-handover",
            writes: 0,
            epochs: 1,
            steps_down: 1,
            lost: 1,
            leases: true,
            orderly: true,
            ..LIVE
        },
        Bounds { name: "live-replicas-2", nodes: 2, crashes: 1, unsynced: true, ..LIVE },
        Bounds {
            name: "replicas-1",
            nodes: 1,
            epochs: 4,
            writes: 2,
            crashes: 2,
            expiries: 1,
            unsynced: true,
            ..BASE
        },
    ]
}

/// Larger ones, explored as far as time goes.
fn larger() -> Vec<Bounds> {
    vec![
        Bounds { name: "emptied-crash-large", writes: 0, empties: 1, crashes: 1, bumps: 0, ..BASE },
        Bounds { name: "live-unfit-large", writes: 0, crashes: 1, unfit: true, orderly: true, ..LIVE },
        Bounds { name: "live-crash-large", writes: 0, crashes: 1, orderly: true, ..LIVE },
        Bounds { name: "core-large", epochs: 3, crashes: 1, ..BASE },
        Bounds { name: "fsync-large", epochs: 3, writes: 2, crashes: 1, unsynced: true, ..BASE },
        Bounds { name: "sessions-large", epochs: 3, crashes: 1, expiries: 1, lost: 1, linger: true, ..BASE },
        Bounds {
            name: "suspects-large",
            cuts: 2,
            deadlines: 1,
            expiries: 1,
            linger: true,
            any_bump: false,
            ..BASE
        },
        Bounds { name: "voters-large", epochs: 3, wipes: 2, returns: 1, ..BASE },
        Bounds { name: "emptied-large", epochs: 3, empties: 1, crashes: 1, ..BASE },
        Bounds { name: "elections-emptied-large", epochs: 4, writes: 0, empties: 2, streams: false, ..BASE },
        Bounds { name: "blank-large", empties: 1, wipes: 1, blank: true, ..BASE },
        Bounds { name: "lease-large", epochs: 3, crashes: 1, leases: true, ..BASE },
    ]
}

/// The worlds that a wish like `core epochs=4` asks for; `large` is the larger ones.
pub(super) fn wished(wish: &str) -> Vec<Bounds> {
    let mut words = wish.split_whitespace();
    let name = words.next().unwrap_or_default();
    let of = |bounds: &Bounds| {
        bounds.name == name
            || name == "live" && bounds.live
            || name == "large" && bounds.name.ends_with("-large")
    };
    let mut found: Vec<Bounds> = worlds().into_iter().chain(larger()).filter(of).collect();
    assert!(!found.is_empty(), "no world is called {name}");
    for (key, value) in words.filter_map(|word| word.split_once('=')) {
        found.iter_mut().for_each(|bounds| bounds.set(key, value));
    }
    found
}

/// Each planted bug in a world that shows it.
#[cfg(bugs)]
pub(super) fn planted() -> Vec<(&'static str, Bounds)> {
    let of = |name: &str| worlds().into_iter().find(|bounds| bounds.name == name).unwrap_or(BASE);
    let writes = Bounds { writes: 2, ..of("core-writes") };
    let cut = Bounds { cuts: 1, ..of("core-writes") };
    let voters = Bounds { writes: 1, ..of("voters-return") };
    vec![
        ("acknowledge_before_quorum", of("core")),
        ("slave_acks_before_fsync", of("fsync")),
        ("promise_not_fsynced", of("core")),
        ("position_read_before_promise", writes),
        ("compare_by_length", writes),
        ("old_epoch_commits_by_count", writes),
        ("no_epoch_start", writes),
        ("lower_epoch_accepted", writes),
        ("slave_counted_twice", Bounds { cuts: 1, ..of("fsync") }),
        ("non_voter_counted", voters),
        ("wiped_disk_votes", voters),
        ("voter_replaced_without_joint_quorum", voters),
        ("truncate_below_commit", cut),
        ("member_counted_twice", Bounds { cuts: 1, expiries: 1, linger: true, ..of("suspects") }),
        ("emptied_zookeeper_starts_blank", of("emptied")),
        ("earlier_run_leads_on", of("core")),
        ("suspicion_not_withdrawn", of("suspects")),
        ("deposed_master_dispatches", of("lease")),
        ("lease_not_outlived", of("lease")),
        ("member_keeps_its_guid", Bounds { epochs: 3, bumps: 1, ..of("elections-emptied") }),
    ]
}

impl Bounds {
    /// `key=value`, to look around a named world.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        let number: u8 = value.parse().unwrap_or(0);
        match key {
            "epochs" => self.epochs = number,
            "writes" => self.writes = number,
            "crashes" => self.crashes = number,
            "expiries" => self.expiries = number,
            "wipes" => self.wipes = number,
            "returns" => self.returns = number,
            "empties" => self.empties = number,
            "cuts" => self.cuts = number,
            "deadlines" => self.deadlines = number,
            "lost" => self.lost = number,
            "streams" => self.streams = number == 1,
            "nodes" => self.nodes = usize::from(number),
            "bumps" => self.bumps = number,
            "any_bump" => self.any_bump = number == 1,
            "unsynced" => self.unsynced = number == 1,
            "linger" => self.linger = number == 1,
            "blank" => self.blank = number == 1,
            "kept" => self.kept = usize::from(number),
            "steps_down" => self.steps_down = number,
            "leases" => self.leases = number == 1,
            "live" => self.live = number == 1,
            "unfit" => self.unfit = number == 1,
            "orderly" => self.orderly = number == 1,
            "further" => self.further = number,
            _ => panic!("unknown bound {key}"),
        }
    }
}
