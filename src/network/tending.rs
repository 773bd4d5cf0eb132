//! Tends bridges: each has a task that makes it, and makes it again after a pause when it has failed.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::config::{Discovery, NetworkConnector};

use super::ends::{Ends, OwnBroker};
use super::failure::Failure;
use super::passage::{End, Passage};
use super::route::Route;
use super::status::{BridgeState, BridgeStatus, Bridges, Counts};

/// The bridges of a serving broker. Dropping it ends them: what was not confirmed is sent again by whoever serves next.
pub struct Network {
    tasks: JoinSet<()>,
    bridges: Bridges,
}

impl Network {
    /// Makes the bridges of all connectors; they show themselves in `bridges`.
    pub fn start(connectors: &[NetworkConnector], own: &OwnBroker, bridges: Bridges) -> Network {
        let mut tasks = JoinSet::new();
        let mut number = 0;
        for connector in connectors {
            let connector = Arc::new(connector.clone());
            let lists: Vec<Vec<String>> = match connector.discovery {
                Discovery::Static => connector.brokers.iter().map(|uri| vec![uri.clone()]).collect(),
                Discovery::MasterSlave => vec![connector.brokers.clone()],
            };
            for uris in lists {
                for direction in [Direction::Out, Direction::In] {
                    if direction == Direction::In && !connector.duplex {
                        continue;
                    }
                    let bridge = Bridge {
                        connector: Arc::clone(&connector),
                        uris: uris.clone(),
                        direction,
                        own: own.clone(),
                        number,
                        bridges: bridges.clone(),
                        counts: Arc::default(),
                    };
                    number += 1;
                    tasks.spawn(bridge.tend());
                }
            }
        }
        Network { tasks, bridges }
    }

    /// Ends all bridges.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.bridges.clear();
    }
}

/// Which way messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Out,
    In,
}

/// One bridge, over all of its connections.
struct Bridge {
    connector: Arc<NetworkConnector>,
    /// Where the other broker may be; the first one that answers is it.
    uris: Vec<String>,
    direction: Direction,
    own: OwnBroker,
    number: usize,
    bridges: Bridges,
    counts: Arc<Counts>,
}

impl Bridge {
    async fn tend(self) {
        let direction = match self.direction {
            Direction::Out => "out",
            Direction::In => "in",
        };
        let status = BridgeStatus {
            connector: self.connector.name.clone(),
            uri: self.uris.join(","),
            direction: direction.to_owned(),
            since_ms: self.own.clock.wall_ms(),
            ..BridgeStatus::default()
        };
        self.bridges.add(self.number, status, Arc::clone(&self.counts));
        let retry = self.connector.retry;
        let mut pause = retry.pause_min;
        loop {
            let (stood, failure) = self.stand().await;
            if stood >= retry.lasting_time {
                pause = retry.pause_min;
            }
            // What leads to ourselves may lead elsewhere after a failover, and until then there is no hurry.
            let next = if failure == Failure::Itself { retry.pause_max } else { pause };
            self.tell(direction, &failure, next);
            self.show(BridgeState::Waiting, |status| {
                status.last_error = failure.to_string();
                status.failures += 1;
            });
            sleep(next).await;
            pause = retry.longer(pause);
            self.show(BridgeState::Connecting, |_| {});
        }
    }

    /// One line for each pause.
    fn tell(&self, direction: &str, failure: &Failure, next: Duration) {
        let (name, uris) = (&self.connector.name, self.uris.join(","));
        let seconds = next.as_secs_f32();
        if *failure == Failure::Itself {
            info!(
                "network connector {name} ({direction}) to {uris}: {failure}; looked at again in {seconds} s"
            );
        } else {
            warn!("network connector {name} ({direction}) to {uris}: {failure}; tried again in {seconds} s");
        }
    }

    /// Makes the bridge and carries messages until it fails; gives for how long it stood.
    async fn stand(&self) -> (Duration, Failure) {
        let mut failure = Failure::Unreachable("there is no address".to_owned());
        for uri in &self.uris {
            match Ends::open(&self.own, &self.connector, uri).await {
                Ok(ends) => {
                    let since = Instant::now();
                    let failure = self.carry(ends, uri).await;
                    self.counts.set_under_way(0);
                    self.counts.set_subscriptions(0);
                    return (since.elapsed(), failure);
                }
                Err(error) => failure = error,
            }
        }
        (Duration::ZERO, failure)
    }

    async fn carry(&self, ends: Ends, uri: &str) -> Failure {
        let Ends { own, remote } = ends;
        let (me, peer) = (own.peer(), remote.peer());
        let (from, to) = match self.direction {
            Direction::Out => (&me, &peer),
            Direction::In => (&peer, &me),
        };
        info!(
            "network connector {}: a bridge from {} to {} stands, with {uri}",
            self.connector.name, from.name, to.name
        );
        let route = Route::new(&self.connector, &from.id, &to.id);
        self.show(BridgeState::Bridging, |status| {
            status.broker.clone_from(&peer.name);
            status.broker_id.clone_from(&peer.id);
        });
        let passage = Passage::new(&self.connector, route, Arc::clone(&self.counts));
        let (ends, own_end) = match self.direction {
            Direction::Out => ((own, remote), End::Source),
            Direction::In => ((remote, own), End::Target),
        };
        match passage.run(&self.connector, ends).await {
            (end, Failure::Remote(error)) if end == own_end => Failure::Own(error),
            (_, failure) => failure,
        }
    }

    fn show(&self, state: BridgeState, change: impl FnOnce(&mut BridgeStatus)) {
        let now = self.own.clock.wall_ms();
        self.bridges.change(self.number, |status| {
            (status.state, status.since_ms) = (state, now);
            change(status);
        });
    }
}
