//! The coordinator on ZooKeeper: sessions and their ends. What is done within one session is in `tree.rs`.

use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use zookeeper_client::{Acl, AuthId, Client, Error, Permission, SessionState, StateWatcher};

use super::ensemble::locate;
use super::tree::{Tree, Wanted, Watches};
use super::{Coordinator, CoordinatorEvent, CoordinatorEvents, CoordinatorRequest, Process, View};
use crate::env::Names;

/// Pause before a lost session is replaced or a failed call repeated, so that a refusing server is not hammered. It
/// doubles while no session comes of it.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Pause before trouble that lasts is told again; it doubles each time.
const TOLD_PAUSE: Duration = Duration::from_secs(5);
const TOLD_PAUSE_MAX: Duration = Duration::from_secs(300);
/// How much longer than its session the member of a process that has ended may stand: servers end sessions in turns.
const EXPIRY_TIME: Duration = Duration::from_secs(3);
/// Longest wait for the server's word that a session is closed.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(2);

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
    /// How the servers' names are looked up.
    pub names: Names,
    /// This process, as its member shows it.
    pub process: Process,
}

impl ZooKeeperOptions {
    /// The access list for created znodes.
    fn access_list(&self) -> Vec<Acl> {
        let of = |(bits, scheme, id): &(i32, String, String)| {
            let all = [
                Permission::READ,
                Permission::WRITE,
                Permission::CREATE,
                Permission::DELETE,
                Permission::ADMIN,
            ];
            let granted = all.into_iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, p)| p);
            Acl::new(granted.fold(Permission::NONE, |sum, p| sum | p), AuthId::new(scheme, id))
        };
        self.acl.iter().map(of).collect()
    }

    /// What an error means to whoever wrote these options.
    fn explain(&self, error: &Error) -> String {
        let (address, path) = (&self.address, &self.path);
        match (error, &self.auth) {
            (Error::NoAuth, Some(_)) => {
                format!("{address} denies access to {path}: its access list does not admit zk_auth")
            }
            (Error::NoAuth, None) => {
                format!("{address} denies access to {path}: its access list admits nobody without zk_auth")
            }
            (Error::InvalidAcl, _) => format!("{address} refuses the access list in zk_acl"),
            (Error::NoHosts | Error::Timeout, _) => format!("no server answers at {address}"),
            (Error::NoNode, _) => format!("{address} has no znode where {path} could be created"),
            _ => format!("{address}: {error}"),
        }
    }
}

/// The coordinator on ZooKeeper.
#[derive(Debug)]
pub struct ZooKeeperCoordinator;

impl ZooKeeperCoordinator {
    /// Starts the coordinator; it reconnects for ever and ends when its handle is dropped or the member leaves.
    pub fn start(options: ZooKeeperOptions, events: CoordinatorEvents) -> Coordinator {
        let (requests, inbox) = mpsc::unbounded_channel();
        let wanted = Wanted { member: None, write: None, answered: 0, known: false };
        let run = Run { options, inbox, events, wanted, leaving: false, told: None, twin: None };
        tokio::spawn(run.run());
        Coordinator { requests }
    }
}

/// What outlives a session.
struct Run {
    options: ZooKeeperOptions,
    inbox: mpsc::UnboundedReceiver<CoordinatorRequest>,
    events: CoordinatorEvents,
    wanted: Wanted,
    leaving: bool,
    /// When trouble was told last, and the pause before it is told again.
    told: Option<(Instant, Duration)>,
    /// Another process that says that it is this node, as it was told.
    twin: Option<String>,
}

impl Run {
    /// Another process is this node, and has outlived every session that a process before this one can have had.
    async fn refused(&mut self) {
        let twin = self.twin.clone().unwrap_or_default();
        let _ =
            self.events.send(CoordinatorEvent::Refused(format!("this node cannot join its group: {twin}")));
        while !self.leaving {
            let request = self.inbox.recv().await;
            self.take(request);
        }
    }

    async fn run(mut self) {
        // Without a member record there is nothing to register.
        while self.wanted.member.is_none() && !self.leaving {
            let request = self.inbox.recv().await;
            self.take(request);
        }
        let mut pause = RETRY_PAUSE;
        while !self.leaving {
            let connecting = connect(self.options.clone());
            match self.meanwhile(connecting).await {
                Some(Ok(client)) => {
                    pause = RETRY_PAUSE;
                    let mut state = client.state_watcher();
                    if let Err(reason) = self.session(&client, &mut state).await {
                        self.unreachable(reason);
                    }
                    // Without handles the session is closed, and its member goes.
                    drop(client);
                    if self.leaving {
                        closed(state).await;
                    }
                }
                Some(Err(reason)) => self.unreachable(format!("cannot connect: {reason}")),
                None => {}
            }
            self.meanwhile(tokio::time::sleep(pause)).await;
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        }
        let _ = self.events.send(CoordinatorEvent::Left);
    }

    /// Takes requests until something is done that needs no session; `None` when the node leaves before.
    async fn meanwhile<T>(&mut self, done: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(done);
        while !self.leaving {
            // Nothing is written without a connection: what made it right may have passed when there is one.
            self.wanted.take_write();
            tokio::select! {
                done = &mut done => return Some(done),
                request = self.inbox.recv() => self.take(request),
            }
        }
        None
    }

    fn take(&mut self, request: Option<CoordinatorRequest>) {
        match request {
            Some(CoordinatorRequest::SetMember(record)) => self.wanted.member = Some(record),
            Some(CoordinatorRequest::WriteGroup { version, record }) => {
                // One that was not sent yet is overtaken.
                self.wanted.take_write();
                self.wanted.write = Some((version, record));
            }
            Some(CoordinatorRequest::Leave) | None => self.leaving = true,
        }
    }

    /// Tells the node, and from time to time the log.
    fn unreachable(&mut self, reason: String) {
        let again = self.told.is_none_or(|(at, pause)| at.elapsed() >= pause);
        if again {
            tracing::warn!(
                reason,
                "ZooKeeper cannot be used; it is tried again, and nothing changes until then"
            );
            let next = self.told.map_or(TOLD_PAUSE, |(_, pause)| (pause * 2).min(TOLD_PAUSE_MAX));
            self.told = Some((Instant::now(), next));
        }
        // The node has ended: nobody waits for it any more.
        let _ = self.events.send(CoordinatorEvent::Unreachable(reason));
    }

    fn shows(&mut self, view: View) {
        if self.told.take().is_some() {
            tracing::info!("ZooKeeper answers again");
        }
        // As above.
        let _ = self.events.send(CoordinatorEvent::View(Box::new(view)));
    }

    /// Tells of another process that says that it is this node, and of its end.
    fn twin(&mut self, twin: Option<String>) {
        if self.twin != twin {
            match &twin {
                Some(twin) => tracing::error!("{twin}"),
                None => tracing::info!("no other process says any more that it is this node"),
            }
            self.twin.clone_from(&twin);
            // As above.
            let _ = self.events.send(CoordinatorEvent::Twin(twin));
        }
    }

    /// One session until it ends, which is an error that says why, or the node leaves. In-flight calls are never cut
    /// short by other events, so the order of what this node wrote and read is the order of this code.
    async fn session(&mut self, client: &Client, state: &mut StateWatcher) -> Result<(), String> {
        let (path, acl) = (self.options.path.clone(), self.options.access_list());
        let process = self.options.process.clone();
        let mut tree = Tree::new(client, &path, &acl, &process);
        let mut watches = Watches::new();
        let patience = client.session_timeout() + EXPIRY_TIME;
        // Until when an earlier process of this node may be one that has ended.
        let mut may_expire: Option<Instant> = None;
        while !self.leaving {
            let mut failed = false;
            match state.peek_state() {
                SessionState::SyncConnected => match tree.converge(&mut self.wanted, &mut watches).await {
                    Ok(Some(view)) => self.shows(view),
                    Ok(None) => {}
                    Err(error @ (Error::SessionExpired | Error::ClientClosed | Error::AuthFailed)) => {
                        return Err(format!("the session ended: {}", self.options.explain(&error)));
                    }
                    Err(error) => {
                        failed = true;
                        tree.doubt();
                        self.unreachable(self.options.explain(&error));
                    }
                },
                ended @ (SessionState::Expired | SessionState::Closed | SessionState::AuthFailed) => {
                    return Err(format!("{}: the session ended: {ended}", self.options.address));
                }
                _ => drop(self.wanted.take_write()),
            }
            let earlier = tree.earlier_twin(&self.wanted);
            may_expire = earlier.as_ref().map(|_| may_expire.unwrap_or_else(|| Instant::now() + patience));
            self.twin(earlier.or_else(|| tree.later_twin(&self.wanted)));
            let until = may_expire.filter(|_| !self.wanted.known);
            tokio::select! {
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {
                    self.refused().await;
                }
                changed = state.changed() => {
                    tree.doubt();
                    may_expire = None;
                    if changed == SessionState::Disconnected {
                        self.unreachable(format!("the connection to {} is lost", self.options.address));
                    }
                }
                Some((place, event)) = watches.next() => tree.changed(place, &event),
                request = self.inbox.recv() => self.take(request),
                () = tokio::time::sleep(RETRY_PAUSE), if failed => {}
            }
            while let Ok(request) = self.inbox.try_recv() {
                self.take(Some(request));
            }
        }
        Ok(())
    }
}

async fn connect(options: ZooKeeperOptions) -> Result<Client, String> {
    let servers = locate(&options.names, &options.address).await?;
    // One round over the servers: the next follows after our pause, not after one that doubles with every round.
    let mut connector = Client::connector().with_session_timeout(options.session_timeout).with_fail_eagerly();
    if let Some(auth) = &options.auth {
        connector = connector.with_auth("digest", auth.as_bytes());
    }
    connector.connect(&servers).await.map_err(|error| options.explain(&error))
}

/// Waits until the server has closed the session. Without a connection there is nothing to wait for: the session ends
/// by its timeout.
async fn closed(mut state: StateWatcher) {
    let closed = async {
        while state.peek_state() == SessionState::SyncConnected {
            state.changed().await;
        }
    };
    // A silent server is not waited for either.
    let _ = timeout(FAREWELL_TIME_MAX, closed).await;
}
