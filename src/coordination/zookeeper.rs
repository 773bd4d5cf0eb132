//! The coordinator on ZooKeeper: one session, one ephemeral sequential member, one-shot watches on everything shown.
//!
//! Watches are hints: after each of them, and after each reconnect, the tree is read again. Only one-shot watches are
//! used, because servers before 3.6 know no others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::timeout;
use zookeeper_client::{
    Acl, Acls, AuthId, Client, CreateMode, Error, EventType, OneshotWatcher, Permission, SessionState,
    WatchedEvent,
};

use super::{
    Coordinator, CoordinatorEvent, CoordinatorEvents, CoordinatorRequest, GroupRecord, Member, MemberId,
    MemberRecord, View, new_guid,
};
use crate::model::StoreId;

/// Longest that one call may take before its outcome counts as unknown.
const CALL_TIME_MAX: Duration = Duration::from_secs(10);
/// Pause before a lost session is replaced, so that a refusing server is not hammered.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// A member record or group record larger than this is not read: ZooKeeper's own limit is 1 MiB.
const RECORD_BYTES_MAX: usize = 256 * 1024;

/// How to reach and use ZooKeeper.
#[derive(Clone, Debug)]
pub struct ZooKeeperOptions {
    /// `host:port`, comma separated.
    pub address: String,
    /// The group's znode; its parents are created when they are missing.
    pub path: String,
    /// Session timeout asked for; the server may bound it.
    pub session_timeout: Duration,
    /// `user:password` for digest authentication.
    pub auth: Option<String>,
    /// Access list for the znodes that are created, for example `digest:user:hash:cdrwa`; open without one.
    pub acl: Vec<(i32, String, String)>,
}

/// The coordinator on ZooKeeper.
#[derive(Debug)]
pub struct ZooKeeperCoordinator;

impl ZooKeeperCoordinator {
    /// Starts the coordinator; it reconnects for ever and ends when its handle is dropped or the member leaves.
    pub fn start(options: ZooKeeperOptions, events: CoordinatorEvents) -> Coordinator {
        let (requests, inbox) = mpsc::unbounded_channel();
        let acl = access_list(&options);
        let run =
            Run { options, acl, inbox, events, member: None, pending: None, answered: 0, leaving: false };
        tokio::spawn(run.run());
        Coordinator { requests }
    }
}

/// The access list for created znodes.
fn access_list(options: &ZooKeeperOptions) -> Vec<Acl> {
    let of = |(bits, scheme, id): &(i32, String, String)| {
        let all =
            [Permission::READ, Permission::WRITE, Permission::CREATE, Permission::DELETE, Permission::ADMIN];
        let granted = all.into_iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, p)| p);
        Acl::new(granted.fold(Permission::NONE, |sum, p| sum | p), AuthId::new(scheme, id))
    };
    options.acl.iter().map(of).collect()
}

/// What outlives a session.
struct Run {
    options: ZooKeeperOptions,
    acl: Vec<Acl>,
    inbox: mpsc::UnboundedReceiver<CoordinatorRequest>,
    events: CoordinatorEvents,
    /// The member record that the tree should show.
    member: Option<Box<MemberRecord>>,
    /// A group write that has not been sent yet.
    pending: Option<(i32, Box<GroupRecord>)>,
    answered: u64,
    leaving: bool,
}

/// What ends with its session.
struct Session<'a> {
    client: &'a Client,
    guid: StoreId,
    mine: Option<MemberId>,
    shown: Option<Box<MemberRecord>>,
    group: Option<(Vec<u8>, i32)>,
    members: BTreeMap<MemberId, Vec<u8>>,
    /// What must be read again before the tree is known.
    stale: BTreeSet<Place>,
}

/// A thing that is read and watched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Place {
    Children,
    Group,
    Member(MemberId),
}

/// Why a session's loop ended.
enum End {
    Expired(String),
    Left,
}

impl Run {
    async fn run(mut self) {
        // Without a member record there is nothing to register.
        while self.member.is_none() && !self.leaving {
            match self.inbox.recv().await {
                Some(request) => self.take(request),
                None => return,
            }
        }
        while !self.leaving {
            match self.connect().await {
                Ok(client) => match self.session(&client).await {
                    End::Left => {
                        drop(client);
                        break;
                    }
                    End::Expired(reason) => self.unreachable(reason),
                },
                Err(error) => {
                    self.unreachable(format!("cannot connect to {}: {error}", self.options.address))
                }
            }
            // Requests are taken meanwhile, so that the newest record is registered and a leave is seen.
            let pause = tokio::time::sleep(RETRY_PAUSE);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    request = self.inbox.recv() => match request {
                        Some(request) => self.take(request),
                        None => return,
                    },
                }
            }
            self.fail_pending();
        }
        let _ = self.events.send(CoordinatorEvent::Left);
    }

    fn take(&mut self, request: CoordinatorRequest) {
        match request {
            CoordinatorRequest::SetMember(record) => self.member = Some(record),
            CoordinatorRequest::WriteGroup { version, record } => self.pending = Some((version, record)),
            CoordinatorRequest::Leave => self.leaving = true,
        }
    }

    fn unreachable(&self, reason: String) {
        let _ = self.events.send(CoordinatorEvent::Unreachable(reason));
    }

    /// A group write that could not be sent counts as answered; the next view shows that it did not happen.
    fn fail_pending(&mut self) {
        if self.pending.take().is_some() {
            self.answered += 1;
        }
    }

    async fn connect(&mut self) -> Result<Client, Error> {
        let mut connector = Client::connector().with_session_timeout(self.options.session_timeout);
        if let Some(auth) = &self.options.auth {
            connector = connector.with_auth("digest", auth.as_bytes());
        }
        connector.connect(&self.options.address).await
    }

    fn create_options(&self, mode: CreateMode) -> zookeeper_client::CreateOptions<'_> {
        mode.with_acls(if self.acl.is_empty() { Acls::anyone_all() } else { Acls::new(&self.acl) })
    }

    /// One session from registration to its end. In-flight calls are never cut short by other events, so the order of
    /// what this node wrote and read is the order of this code.
    async fn session(&mut self, client: &Client) -> End {
        let mut state = client.state_watcher();
        let mut watches: FuturesUnordered<_> = FuturesUnordered::new();
        let stale = BTreeSet::from([Place::Children, Place::Group]);
        let mut session = Session {
            client,
            guid: new_guid(),
            mine: None,
            shown: None,
            group: None,
            members: BTreeMap::new(),
            stale,
        };
        loop {
            if self.leaving {
                return End::Left;
            }
            let retry = match self.converge(&mut session).await {
                Ok(added) => {
                    for (place, watcher) in added {
                        watches.push(async move { (place, watcher.changed().await) });
                    }
                    false
                }
                Err(Error::SessionExpired | Error::ClientClosed | Error::AuthFailed) => {
                    return End::Expired("the session has expired".into());
                }
                Err(error) => {
                    // The outcome is unknown: read everything again when the connection is back.
                    session.stale.extend([Place::Children, Place::Group]);
                    session.shown = None;
                    self.unreachable(format!("{}: {error}", self.options.address));
                    true
                }
            };
            tokio::select! {
                changed = state.changed() => match changed {
                    SessionState::Expired | SessionState::Closed | SessionState::AuthFailed => {
                        return End::Expired(format!("the session ended: {changed}"));
                    }
                    SessionState::Disconnected => {
                        self.unreachable(format!("the connection to {} is lost", self.options.address));
                    }
                    _ => {
                        session.stale.extend([Place::Children, Place::Group]);
                        session.stale.extend(session.members.keys().map(|id| Place::Member(*id)));
                    }
                },
                Some((place, event)) = watches.next() => session.stale(place, &event),
                request = self.inbox.recv() => match request {
                    Some(request) => self.take(request),
                    None => return End::Left,
                },
                () = tokio::time::sleep(RETRY_PAUSE), if retry => {}
            }
            while let Ok(request) = self.inbox.try_recv() {
                self.take(request);
            }
        }
    }

    /// Makes the tree show this node's member, sends a waiting group write, reads what is stale, and tells the view.
    async fn converge(&mut self, session: &mut Session<'_>) -> Result<Vec<(Place, OneshotWatcher)>, Error> {
        let mut changed = self.write_member(session).await?;
        if let Some((version, record)) = self.pending.take() {
            self.answered += 1;
            changed = true;
            session.stale.insert(Place::Group);
            let data = to_json(&record);
            match call(session.client.set_data(&self.options.path, &data, Some(version))).await {
                Ok(_) | Err(Error::BadVersion | Error::NoNode) => {}
                Err(error) => return Err(error),
            }
        }
        let mut added = Vec::new();
        while let Some(place) = session.stale.first().copied() {
            added.extend(self.read(session, place).await?.map(|watcher| (place, watcher)));
            session.stale.remove(&place);
            changed = true;
        }
        if changed && session.mine.is_some() {
            let view = session.view(self.answered);
            let _ = self.events.send(CoordinatorEvent::View(Box::new(view)));
        }
        Ok(added)
    }

    /// Registers the member, or rewrites its record if that differs from what the tree shows.
    async fn write_member(&mut self, session: &mut Session<'_>) -> Result<bool, Error> {
        let Some(record) = &self.member else { return Ok(false) };
        if session.shown.as_ref() == Some(record) && session.mine.is_some() {
            return Ok(false);
        }
        let mut told = record.clone();
        told.guid = session.guid;
        let data = to_json(&told);
        if let Some(mine) = session.mine {
            let path = format!("{}/{}", self.options.path, mine.name());
            match call(session.client.set_data(&path, &data, None)).await {
                Ok(_) => {
                    session.shown = Some(record.clone());
                    // What this node wrote it need not read: nobody else writes its member.
                    session.members.insert(mine, data);
                    return Ok(true);
                }
                // Somebody removed it, or the tree was emptied: register again.
                Err(Error::NoNode) => session.mine = None,
                Err(error) => return Err(error),
            }
        }
        // An earlier create may have succeeded without an answer: look for our guid before creating another.
        let id = match self.find_own(session).await? {
            Some(id) => id,
            None => self.create_member(session.client, &data).await?,
        };
        session.mine = Some(id);
        session.shown = None;
        session.stale.insert(Place::Children);
        Ok(true)
    }

    async fn find_own(&self, session: &Session<'_>) -> Result<Option<MemberId>, Error> {
        let children = match call(session.client.list_children(&self.options.path)).await {
            Ok(children) => children,
            Err(Error::NoNode) => return Ok(None),
            Err(error) => return Err(error),
        };
        for id in children.iter().filter_map(|name| MemberId::from_name(name)) {
            let path = format!("{}/{}", self.options.path, id.name());
            match call(session.client.get_data(&path)).await {
                Ok((data, _)) if from_json::<MemberRecord>(&data).is_some_and(|r| r.guid == session.guid) => {
                    return Ok(Some(id));
                }
                Ok(_) | Err(Error::NoNode) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn create_member(&self, client: &Client, data: &[u8]) -> Result<MemberId, Error> {
        let prefix = format!("{}/0", self.options.path);
        let options = self.create_options(CreateMode::EphemeralSequential);
        let created = match call(client.create(&prefix, data, &options)).await {
            Err(Error::NoNode) => {
                let parents = self.create_options(CreateMode::Persistent);
                call(client.mkdir(&self.options.path, &parents)).await?;
                call(client.create(&prefix, data, &options)).await?
            }
            other => other?,
        };
        Ok(MemberId(created.1.into_i64() as u64))
    }

    async fn read(&self, session: &mut Session<'_>, place: Place) -> Result<Option<OneshotWatcher>, Error> {
        let path = &self.options.path;
        match place {
            Place::Children => {
                let (names, watcher) = call(session.client.list_and_watch_children(path)).await?;
                let now: BTreeSet<_> = names.iter().filter_map(|name| MemberId::from_name(name)).collect();
                session.members.retain(|id, _| now.contains(id));
                let new = now.into_iter().filter(|id| !session.members.contains_key(id)).map(Place::Member);
                session.stale.extend(new);
                Ok(Some(watcher))
            }
            Place::Group => {
                let (data, stat, watcher) = call(session.client.get_and_watch_data(path)).await?;
                session.group = Some((data, stat.version));
                Ok(Some(watcher))
            }
            Place::Member(id) => {
                let name = format!("{path}/{}", id.name());
                match call(session.client.get_and_watch_data(&name)).await {
                    Ok((data, _, watcher)) => {
                        session.members.insert(id, data);
                        Ok(Some(watcher))
                    }
                    Err(Error::NoNode) => {
                        session.members.remove(&id);
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }
}

impl Session<'_> {
    /// A watch fired: what it watched must be read again.
    fn stale(&mut self, place: Place, event: &WatchedEvent) {
        if event.event_type == EventType::Session {
            return;
        }
        if let (Place::Member(id), EventType::NodeDeleted) = (place, event.event_type) {
            self.members.remove(&id);
            if self.mine == Some(id) {
                self.mine = None;
            }
            self.stale.insert(Place::Children);
            return;
        }
        // The group's znode was removed: member ids and versions begin again, and all members with them.
        if event.event_type == EventType::NodeDeleted {
            self.group = None;
            self.mine = None;
            self.shown = None;
            self.stale.extend([Place::Children, Place::Group]);
            return;
        }
        self.stale.insert(place);
    }

    fn view(&self, answered: u64) -> View {
        let member = |(id, data): (&MemberId, &Vec<u8>)| {
            let record = from_json::<MemberRecord>(data);
            if record.is_none() {
                tracing::warn!(member = %id, "the member's record cannot be read; it is ignored");
            }
            Some(Member { id: *id, record: record? })
        };
        let version = self.group.as_ref().map_or(0, |(_, version)| *version);
        let group =
            self.group.as_ref().and_then(|(data, version)| Some((from_json::<GroupRecord>(data)?, *version)));
        View {
            group,
            version,
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

fn from_json<T: serde::de::DeserializeOwned>(data: &[u8]) -> Option<T> {
    if data.len() > RECORD_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(data).ok()
}
