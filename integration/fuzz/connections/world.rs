//! One run: the clients, the core, and what happens between them.

use std::sync::Arc;
use std::time::Duration;

use quorate::broker::Gate;
use quorate::config::Scheme;
use quorate::env::Clock;
use quorate::protocol::serve;
use quorate::protocol::stomp::Verb;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, yield_now};

use super::client::Client;
use super::core::{Core, WALL_MS, Written};
use super::script::{self, Step};

/// Largest body that the simulated connector takes.
const BODY_BYTES_MAX: usize = 700_000;
/// Bytes that all clients of one run may write.
const SAID_BYTES_MAX: usize = 3 << 20;
/// Steps of one run.
const STEPS_MAX: usize = 200;
/// Rounds without any effect after which nothing is under way.
const QUIET_ROUNDS: usize = 3;
/// Rounds within which everything comes to rest.
const ROUNDS_MAX: usize = 20_000;
const CLIENTS: usize = 4;

/// What came of a run: for each client what it heard, and how it ended.
pub(super) struct Seen {
    pub(super) clients: Vec<(u32, String)>,
    pub(super) written: Written,
}

/// Stands still: only the broker's own time passes.
struct Still;

impl Clock for Still {
    fn now(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn wall_ms(&self) -> i64 {
        WALL_MS
    }
}

struct World {
    gate: Gate,
    core: Core,
    connections: JoinSet<()>,
    clients: [Option<Client>; CLIENTS],
    at: usize,
    said: usize,
    seen: Vec<(u32, String)>,
}

pub(super) fn run(input: &[u8]) -> Seen {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (gate, core) = Core::start();
        let mut world = World {
            gate,
            core,
            connections: JoinSet::new(),
            clients: Default::default(),
            at: 0,
            said: 0,
            seen: Vec::new(),
        };
        world.turn(0, 3);
        for step in script::steps(input).take(STEPS_MAX) {
            world.step(step).await;
        }
        world.core.holds = false;
        world.settle().await;
        world.serve_somebody().await;
        world.end().await
    })
}

impl World {
    async fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Settle => self.settle().await,
            Step::Turn(at, version) => self.turn(at, version),
            Step::Close => {
                self.settle().await;
                self.leave(self.at);
            }
            Step::Pass(ms) => {
                self.settle().await;
                self.core.pass(Duration::from_millis(ms));
            }
            Step::Hold => {
                self.settle().await;
                self.core.holds ^= true;
            }
            Step::Deafen => {
                if let Some(client) = &mut self.clients[self.at] {
                    client.deaf ^= true;
                }
            }
            Step::Name(back) => {
                let name = self.clients[self.at].as_ref().map_or(Vec::new(), |client| client.name(back));
                self.say(&name);
            }
            text => self.say(&text.text()),
        }
    }

    fn say(&mut self, text: &[u8]) {
        let room = SAID_BYTES_MAX.saturating_sub(self.said);
        let text = &text[..text.len().min(room)];
        self.said += text.len();
        if let Some(client) = &mut self.clients[self.at] {
            client.say(text);
        }
    }

    /// Speaks on another connection, a new one if that one is over.
    fn turn(&mut self, at: usize, version: u8) {
        self.at = at;
        if self.clients[at].as_ref().is_some_and(Client::is_open) {
            return;
        }
        self.leave(at);
        let mut client = self.connect();
        if version > 0 {
            client.say(format!("CONNECT\naccept-version:1.{}\nhost:h\n\n\0", version - 1).as_bytes());
        }
        self.clients[at] = Some(client);
    }

    fn connect(&mut self) -> Client {
        let (client, stream) = Client::new();
        let remote = "tcp://127.0.0.1:1".to_owned();
        let (gate, clock) = (self.gate.clone(), Arc::new(Still));
        self.connections.spawn(serve(Scheme::Stomp, stream, remote, gate, clock, BODY_BYTES_MAX));
        client
    }

    fn leave(&mut self, at: usize) {
        if let Some(client) = self.clients[at].take() {
            self.seen.push((client.verbs, client.error));
        }
    }

    /// Goes on until nothing happens any more.
    async fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..ROUNDS_MAX {
            let clients = self.clients.iter_mut().flatten();
            let spoke = clients.fold(false, |some, client| client.work() | some);
            let worked = self.core.round();
            yield_now().await;
            while let Some(ended) = self.connections.try_join_next() {
                if let Err(error) = ended
                    && let Ok(panic) = error.try_into_panic()
                {
                    std::panic::resume_unwind(panic);
                }
            }
            quiet = if spoke || worked { 0 } else { quiet + 1 };
            if quiet == QUIET_ROUNDS {
                return;
            }
        }
        panic!("there is no end to it");
    }

    /// A newcomer who behaves is served, whatever the others did.
    async fn serve_somebody(&mut self) {
        for at in 1..CLIENTS {
            self.leave(at);
        }
        let (client, at) = (self.connect(), 1);
        self.clients[at] = Some(client);
        let told: [(&[u8], Verb); 3] = [
            (b"CONNECT\naccept-version:1.2\nhost:h\n\n\0", Verb::Connected),
            (b"SEND\ndestination:/queue/served\npersistent:true\nreceipt:r\n\nserved\0", Verb::Receipt),
            (b"SUBSCRIBE\nid:1\ndestination:/queue/served\n\n\0", Verb::Message),
        ];
        for (text, wanted) in told {
            if let Some(client) = &mut self.clients[at] {
                client.say(text);
            }
            self.settle().await;
            let last = self.clients[at].as_ref().and_then(|client| client.last.as_ref());
            assert_eq!(last.map(|frame| frame.verb), Some(wanted), "a newcomer is not served: {last:?}");
        }
        self.clients[at] = None;
    }

    /// All hang up.
    async fn end(mut self) -> Seen {
        for at in 0..CLIENTS {
            self.leave(at);
        }
        self.settle().await;
        self.core.compare();
        Seen { clients: self.seen, written: self.core.written }
    }
}
