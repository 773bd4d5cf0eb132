//! The group's tree as one session shows it to its node, and writes it.
//!
//! Watches are hints: after each of them, and after each reconnect, the place is read again. Only one-shot watches are
//! used, because servers before 3.6 know no others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::timeout;
use zookeeper_client::{Acl, Acls, Client, CreateMode, CreateOptions, Error, EventType, Stat, WatchedEvent};

use super::claimant::{Claimant, Joining};
use super::{GroupRecord, Member, MemberId, MemberRecord, Process, View, new_guid};
use crate::bugs;
use crate::model::StoreId;

/// Longest that one call may take before its outcome counts as unknown.
const CALL_TIME_MAX: Duration = Duration::from_secs(10);
/// A member record or group record larger than this is not read: ZooKeeper's own limit is 1 MiB.
const RECORD_BYTES_MAX: usize = 256 * 1024;

/// The watches that stand, each with what it watches.
pub(super) type Watches = FuturesUnordered<BoxFuture<'static, (Place, WatchedEvent)>>;

/// A thing that is read and watched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Place {
    Group,
    Children,
    Member(MemberId),
}

/// What stands in a member's znode.
enum Seen {
    /// Nothing that counts.
    Nothing,
    /// A process that is about to become a member.
    Joining(Claimant),
    Member(Box<MemberRecord>),
}

impl Seen {
    fn record(&self) -> Option<&MemberRecord> {
        match self {
            Seen::Member(record) => Some(record),
            _ => None,
        }
    }
}

/// What the node wants of the tree.
pub(super) struct Wanted {
    /// The member record that the tree should show.
    pub(super) member: Option<Box<MemberRecord>>,
    /// A group write that has not been sent yet.
    pub(super) write: Option<(i32, Box<GroupRecord>)>,
    /// How many group writes were answered.
    pub(super) answered: u64,
    /// Whether this process has been a member before.
    pub(super) known: bool,
}

impl Wanted {
    /// Takes the waiting group write, which counts as answered from now on: the next view shows what came of it.
    pub(super) fn take_write(&mut self) -> Option<(i32, Box<GroupRecord>)> {
        let write = self.write.take()?;
        self.answered += 1;
        Some(write)
    }
}

/// What one session knows.
pub(super) struct Tree<'a> {
    client: &'a Client,
    path: &'a str,
    acl: &'a [Acl],
    process: &'a Process,
    guid: StoreId,
    mine: Option<MemberId>,
    /// Whether the member's record may be shown: nobody else is this node.
    admitted: bool,
    /// Transaction that created the group's znode: another one means another tree, with numbers and versions anew.
    created: Option<i64>,
    /// The group's record, if it can be read, and its version.
    group: (Option<GroupRecord>, i32),
    /// What stands in the members' znodes.
    members: BTreeMap<MemberId, Seen>,
    /// What must be read again before the tree is known.
    stale: BTreeSet<Place>,
    /// Whether a write may still be on its way, or this server may not have caught up with what the last one showed.
    doubtful: bool,
}

impl<'a> Tree<'a> {
    pub(super) fn new(client: &'a Client, path: &'a str, acl: &'a [Acl], process: &'a Process) -> Tree<'a> {
        Tree {
            client,
            path,
            acl,
            process,
            guid: new_guid(),
            mine: None,
            admitted: false,
            created: None,
            group: (None, 0),
            members: BTreeMap::new(),
            stale: BTreeSet::new(),
            doubtful: false,
        }
    }

    /// Everything must be read again: a call has failed or the connection was lost.
    pub(super) fn doubt(&mut self) {
        self.doubtful = true;
        self.stale.extend([Place::Group, Place::Children]);
        self.stale.extend(self.members.keys().map(|id| Place::Member(*id)));
    }

    /// A watch fired.
    pub(super) fn changed(&mut self, place: Place, event: &WatchedEvent) {
        match event.event_type {
            // The end of the session; whoever waits for its state sees it too.
            EventType::Session => {}
            // With the whole tree gone this number may be another's by now: the group's znode, read first, tells.
            EventType::NodeDeleted => self.stale.extend([Place::Group, Place::Children, place]),
            _ => drop(self.stale.insert(place)),
        }
    }

    /// Reads what is stale, makes the tree show what is wanted, and gives the view if anything came of it.
    pub(super) async fn converge(
        &mut self,
        wanted: &mut Wanted,
        watches: &mut Watches,
    ) -> Result<Option<View>, Error> {
        if self.doubtful {
            call(self.client.sync(self.path)).await?;
            self.doubtful = false;
        }
        let mut changed = false;
        loop {
            if let Some(place) = self.stale.first().copied() {
                self.read(place, watches).await?;
                self.stale.remove(&place);
            } else if let Some(record) = self.unshown(wanted) {
                if self.mine.is_some() && !self.may_enter(wanted) {
                    return Ok(changed.then(|| self.view(wanted.answered)));
                }
                self.write_member(record, wanted).await?;
            } else if let Some((version, record)) = wanted.take_write() {
                self.stale.insert(Place::Group);
                match call(self.client.set_data(self.path, &to_json(&record), Some(version))).await {
                    Ok(_) | Err(Error::BadVersion | Error::NoNode) => {}
                    Err(error) => return Err(error),
                }
            } else {
                return Ok(changed.then(|| self.view(wanted.answered)));
            }
            changed = true;
        }
    }

    /// The member record as it should stand in the tree, if it does not.
    fn unshown(&self, wanted: &Wanted) -> Option<MemberRecord> {
        let process = Some(self.process.clone());
        let record = MemberRecord { guid: self.guid, process, ..*wanted.member.clone()? };
        let shown = self.mine.and_then(|id| self.members.get(&id)?.record());
        (shown != Some(&record)).then_some(record)
    }

    /// What this process says that it is.
    fn claim(&self, wanted: &Wanted) -> Option<Claimant> {
        let record = wanted.member.as_ref()?;
        let (node, store, process) = (record.node.clone(), record.store, self.process.clone());
        Some(Claimant { node, store, process, known: wanted.known })
    }

    /// Whether this process may be a member. All znodes have been read since its own was created, so of two that begin
    /// at once the later one sees the earlier one.
    fn may_enter(&mut self, wanted: &mut Wanted) -> bool {
        self.admitted = self.admitted || self.earlier_twin(wanted).is_none();
        wanted.known |= self.admitted;
        self.admitted
    }

    /// Who has a better right to be this node than this process; names both.
    pub(super) fn earlier_twin(&self, wanted: &Wanted) -> Option<String> {
        let claim = self.claim(wanted).filter(|_| !self.admitted)?;
        let mine = self.mine?;
        let first = |(id, seen): (&MemberId, &Seen)| match seen {
            Seen::Nothing => None,
            Seen::Member(record) => Claimant::of(record).filter(|other| claim.is_rival(other)),
            Seen::Joining(other) => {
                let first = (!other.known, *id) < (!claim.known, mine);
                (first && claim.is_rival(other)).then(|| other.clone())
            }
        };
        self.members.iter().find_map(first).map(|other| claim.against(&other))
    }

    /// Who wants to be this node while this process is it; names both.
    pub(super) fn later_twin(&self, wanted: &Wanted) -> Option<String> {
        let claim = self.claim(wanted).filter(|_| self.admitted)?;
        let rival = |seen: &Seen| match seen {
            Seen::Joining(other) if claim.is_rival(other) => Some(other.clone()),
            Seen::Member(record) => Claimant::of(record).filter(|other| claim.is_rival(other)),
            _ => None,
        };
        self.members.values().find_map(rival).map(|other| other.against(&claim))
    }

    /// Registers the member, or rewrites its record.
    async fn write_member(&mut self, record: MemberRecord, wanted: &Wanted) -> Result<(), Error> {
        if let Some(mine) = self.mine {
            let (path, data) = (self.path_of(mine), to_json(&record));
            match call(self.client.set_data(&path, &data, None)).await {
                Ok(stat) if self.owns(&stat) => {
                    self.members.insert(mine, Seen::Member(Box::new(record)));
                }
                // The number came again in an emptied tree; its new owner sees this and writes its record anew.
                Ok(_) => self.forget(),
                // Somebody removed it, or the tree was emptied: register again.
                Err(Error::NoNode) => self.mine = None,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
        // An earlier create may have succeeded without an answer: look for our member before creating another.
        let own = if bugs::on("create_retried_blindly") { None } else { self.find_own().await? };
        let id = match own {
            Some(id) => id,
            None => {
                // In an emptied tree numbers and versions begin again, and a late write may name what stood there
                // before: a member that is created anew is another one.
                if !bugs::on("member_keeps_its_guid") {
                    self.guid = new_guid();
                }
                let Some(joining) = self.claim(wanted) else { return Ok(()) };
                let id = self.create_member(&to_json(&Joining { joining })).await?;
                self.members.insert(id, Seen::Nothing);
                id
            }
        };
        self.admitted = false;
        self.mine = Some(id);
        self.stale.extend([Place::Group, Place::Children, Place::Member(id)]);
        Ok(())
    }

    async fn find_own(&self) -> Result<Option<MemberId>, Error> {
        let children = match call(self.client.list_children(self.path)).await {
            Ok(children) => children,
            Err(Error::NoNode) => return Ok(None),
            Err(error) => return Err(error),
        };
        for id in children.iter().filter_map(|name| MemberId::from_name(name)) {
            match call(self.client.check_stat(&self.path_of(id))).await {
                Ok(Some(stat)) if self.owns(&stat) => return Ok(Some(id)),
                // Newer servers show nothing of what may not be read; what we create we may read.
                Ok(_) | Err(Error::NoAuth) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn create_member(&self, data: &[u8]) -> Result<MemberId, Error> {
        let prefix = format!("{}/0", self.path);
        let options = self.create_options(CreateMode::EphemeralSequential);
        let created = match call(self.client.create(&prefix, data, &options)).await {
            Err(Error::NoNode) => {
                let parents = self.create_options(CreateMode::Persistent);
                call(self.client.mkdir(self.path, &parents)).await?;
                call(self.client.create(&prefix, data, &options)).await?
            }
            other => other?,
        };
        Ok(MemberId(created.1.into_i64() as u64))
    }

    fn create_options(&self, mode: CreateMode) -> CreateOptions<'_> {
        mode.with_acls(if self.acl.is_empty() { Acls::anyone_all() } else { Acls::new(self.acl) })
    }

    async fn read(&mut self, place: Place, watches: &mut Watches) -> Result<(), Error> {
        let watcher = match place {
            Place::Group => self.read_group().await?,
            Place::Children => self.read_children().await?,
            Place::Member(id) => self.read_member(id).await?,
        };
        if let Some(watcher) = watcher {
            watches.push(Box::pin(async move { (place, watcher.changed().await) }));
        }
        Ok(())
    }

    async fn read_group(&mut self) -> Result<Option<zookeeper_client::OneshotWatcher>, Error> {
        let (data, stat, watcher) = match call(self.client.get_and_watch_data(self.path)).await {
            Err(Error::NoNode) => {
                self.forget();
                self.stale.clear();
                return Ok(None);
            }
            other => other?,
        };
        self.same_tree(&stat);
        self.group = (from_json(&data, "the group"), stat.version);
        Ok(Some(watcher))
    }

    async fn read_children(&mut self) -> Result<Option<zookeeper_client::OneshotWatcher>, Error> {
        let (names, stat, watcher) = match call(self.client.get_and_watch_children(self.path)).await {
            Err(Error::NoNode) => {
                self.forget();
                self.stale.clear();
                return Ok(None);
            }
            other => other?,
        };
        self.same_tree(&stat);
        let now: BTreeSet<_> = names.iter().filter_map(|name| MemberId::from_name(name)).collect();
        self.members.retain(|id, _| now.contains(id));
        self.mine = self.mine.filter(|id| now.contains(id));
        let new = now.into_iter().filter(|id| !self.members.contains_key(id)).map(Place::Member);
        self.stale.extend(new);
        Ok(Some(watcher))
    }

    async fn read_member(&mut self, id: MemberId) -> Result<Option<zookeeper_client::OneshotWatcher>, Error> {
        match call(self.client.get_and_watch_data(&self.path_of(id))).await {
            Ok((data, stat, watcher)) => {
                // What no session keeps alive, a restored copy of a member for example, is none.
                let seen = if stat.ephemeral_owner == 0 { Seen::Nothing } else { see(&data) };
                self.members.insert(id, seen);
                if self.mine == Some(id) && !self.owns(&stat) {
                    self.mine = None;
                }
                Ok(Some(watcher))
            }
            Err(Error::NoNode) => {
                self.members.remove(&id);
                self.mine = self.mine.filter(|mine| *mine != id);
                Ok(None)
            }
            Err(Error::NoAuth) => {
                tracing::warn!(member = %id, "the member's access list does not let it be read; it is ignored");
                self.members.insert(id, Seen::Nothing);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Forgets a tree that is not there any more.
    fn forget(&mut self) {
        self.created = None;
        self.group = (None, 0);
        self.members.clear();
        self.mine = None;
        self.stale.extend([Place::Group, Place::Children]);
    }

    /// Forgets the tree that was known if this is another one.
    fn same_tree(&mut self, stat: &Stat) {
        if self.created.is_some_and(|created| created != stat.czxid) {
            self.forget();
        }
        self.created = Some(stat.czxid);
    }

    fn owns(&self, stat: &Stat) -> bool {
        stat.ephemeral_owner == self.client.session_id().0
    }

    fn path_of(&self, id: MemberId) -> String {
        format!("{}/{}", self.path, id.name())
    }

    fn view(&self, answered: u64) -> View {
        let member =
            |(id, seen): (&MemberId, &Seen)| Some(Member { id: *id, record: seen.record()?.clone() });
        let (group, version) = &self.group;
        View {
            group: group.clone().map(|group| (group, *version)),
            version: *version,
            members: self.members.iter().filter_map(member).collect(),
            mine: self.mine,
            answered,
        }
    }
}

/// Bounds a call in time. A call that takes longer has an unknown outcome, like a lost connection.
async fn call<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(CALL_TIME_MAX, future).await.unwrap_or(Err(Error::Timeout))
}

/// Records are made of strings and numbers: they always have a JSON form.
fn to_json(record: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(record).unwrap_or_default()
}

/// What a member's znode holds.
fn see(data: &[u8]) -> Seen {
    if let Ok(Joining { joining }) = serde_json::from_slice(&data[..data.len().min(RECORD_BYTES_MAX)]) {
        return Seen::Joining(joining);
    }
    from_json(data, "a member").map_or(Seen::Nothing, |record| Seen::Member(Box::new(record)))
}

fn from_json<T: serde::de::DeserializeOwned>(data: &[u8], whose: &str) -> Option<T> {
    if data.is_empty() {
        return None;
    }
    let record = serde_json::from_slice(&data[..data.len().min(RECORD_BYTES_MAX)]);
    record
        .inspect_err(|error| tracing::warn!(%error, "the record of {whose} cannot be read; it is ignored"))
        .ok()
}
