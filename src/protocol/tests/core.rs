//! A core that lives in memory and commits at once: queues, topics, browsers, prefetch.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::broker::{
    Command, DeliveryId, Gate, Inbound, Refusal, SessionEvent, SessionId, Submission, SubscriptionKey,
    Verdict,
};
use crate::model::{Destination, Field, Message};

struct Consumer {
    session: SessionId,
    key: SubscriptionKey,
    destination: Destination,
    prefetch: usize,
    browse: bool,
    held: BTreeMap<DeliveryId, (Message, bool)>,
}

#[derive(Default)]
struct Core {
    sessions: BTreeMap<SessionId, mpsc::UnboundedSender<Vec<SessionEvent>>>,
    queues: BTreeMap<Destination, VecDeque<(Message, bool)>>,
    consumers: Vec<Consumer>,
    deliveries: u64,
    /// Submissions that wait, as for room.
    kept: Vec<Submission>,
    let_go: bool,
}

/// Whether it sends a message of this type.
fn says(submission: &Submission, kind: &str) -> bool {
    let is_it = |command: &Command| matches!(command, Command::Send { message, .. } if message.text(Field::Type) == Some(kind));
    submission.commands.iter().any(is_it)
}

/// Starts a core; it ends with its last gate.
pub(crate) fn start() -> (Gate, JoinHandle<()>) {
    start_bounded(usize::MAX)
}

/// The same, with so much memory for messages that wait.
pub(crate) fn start_bounded(bytes_max: usize) -> (Gate, JoinHandle<()>) {
    let (gate, mut inbound) = Gate::bounded(bytes_max);
    let task = tokio::spawn(async move {
        let mut core = Core::default();
        while let Some(inbound) = inbound.recv().await {
            core.take(inbound);
            core.dispatch();
        }
    });
    (gate, task)
}

impl Core {
    fn take(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Open { session, info, events, .. } => {
                if info.principal.user() == "closed" {
                    let reason = "not served".to_owned();
                    let _ = events.send(vec![SessionEvent::Closed { reason }]);
                    return;
                }
                self.sessions.insert(session, events);
            }
            Inbound::Commands { submission, .. } if !self.let_go && says(&submission, "hold") => {
                self.kept.push(submission);
            }
            Inbound::Commands { session, submission } => {
                if says(&submission, "let go") {
                    self.let_go = true;
                    self.kept.clear();
                }
                for command in submission.commands {
                    self.carry_out(session, command);
                }
            }
            Inbound::Drained { .. } => {}
            Inbound::Close { session } => {
                self.sessions.remove(&session);
                self.release(|consumer| consumer.session == session);
            }
        }
    }

    fn carry_out(&mut self, session: SessionId, command: Command) {
        let (correlation, result) = match command {
            Command::Send { message, correlation, .. } => {
                let result = match message.text(Field::Type) {
                    Some("refuse") => Err(Refusal::Denied("not for you".to_owned())),
                    // An outcome that stays unknown.
                    Some("lose") => {
                        let reason = "lost".to_owned();
                        let _ = self.sessions[&session].send(vec![SessionEvent::Closed { reason }]);
                        return;
                    }
                    _ => Ok(()),
                };
                if result.is_ok() {
                    for destination in message.destinations(Field::Destination) {
                        self.queues.entry(destination).or_default().push_back((message.clone(), false));
                    }
                }
                (correlation, result)
            }
            Command::Subscribe { subscription, destination, options, correlation } => {
                let held = BTreeMap::new();
                let (prefetch, browse) = (options.prefetch as usize, options.browse);
                let consumer = Consumer { session, key: subscription, destination, prefetch, browse, held };
                self.consumers.push(consumer);
                (correlation, Ok(()))
            }
            Command::Unsubscribe { subscription, correlation, .. } => {
                self.release(|consumer| consumer.session == session && consumer.key == subscription);
                (correlation, Ok(()))
            }
            Command::Settle { deliveries, verdict, correlation, .. } => {
                self.settle(session, &deliveries, verdict);
                (correlation, Ok(()))
            }
            Command::Begin { correlation, .. }
            | Command::Finish { correlation, .. }
            | Command::Create { correlation, .. }
            | Command::Delete { correlation, .. }
            | Command::Leave { correlation } => (correlation, Ok(())),
            Command::Credit { .. } | Command::Abandon { .. } => (None, Ok(())),
        };
        if let (Some(correlation), Some(events)) = (correlation, self.sessions.get(&session)) {
            let _ = events.send(vec![SessionEvent::Done { correlation, result }]);
        }
    }

    fn settle(&mut self, session: SessionId, deliveries: &[DeliveryId], verdict: Verdict) {
        for delivery in deliveries {
            let found = self.consumers.iter_mut().filter(|consumer| consumer.session == session);
            let message = found.filter_map(|consumer| consumer.held.remove(delivery)).next();
            if let (Some((message, _)), Verdict::Rejected) = (message, verdict) {
                let dead = Destination::new(crate::model::DestinationKind::Queue, "ActiveMQ.DLQ").unwrap();
                self.queues.entry(dead).or_default().push_back((message, false));
            }
        }
    }

    fn release(&mut self, which: impl Fn(&Consumer) -> bool) {
        for consumer in self.consumers.extract_if(.., |consumer| which(consumer)) {
            let queue = self.queues.entry(consumer.destination).or_default();
            for (_, (message, _)) in consumer.held.into_iter().rev() {
                if !consumer.browse {
                    queue.push_front((message, true));
                }
            }
        }
    }

    fn dispatch(&mut self) {
        let Core { sessions, queues, consumers, deliveries, .. } = self;
        consumers.retain_mut(|consumer| {
            let Some(events) = sessions.get(&consumer.session) else { return true };
            let empty = VecDeque::new();
            let mut batch = Vec::new();
            let (subscription, mut deliver) = (consumer.key, |message: Message, redelivered| {
                *deliveries += 1;
                let delivery = DeliveryId(*deliveries);
                let several = message.destinations(Field::Destination).count() > 1;
                let destination = several.then(|| Box::new(consumer.destination.clone()));
                batch.push(SessionEvent::Delivery {
                    subscription: consumer.key,
                    delivery,
                    destination,
                    message,
                    redelivered,
                    failures: 0,
                });
                delivery
            });
            if consumer.browse {
                for (message, redelivered) in queues.get(&consumer.destination).unwrap_or(&empty) {
                    deliver(message.clone(), *redelivered);
                }
                batch.push(SessionEvent::BrowseEnd { subscription });
                let _ = events.send(batch);
                return false;
            }
            let Some(queue) = queues.get_mut(&consumer.destination) else { return true };
            while consumer.held.len() < consumer.prefetch {
                let Some((message, redelivered)) = queue.pop_front() else { break };
                let delivery = deliver(message.clone(), redelivered);
                consumer.held.insert(delivery, (message, redelivered));
            }
            if !batch.is_empty() {
                let _ = events.send(batch);
            }
            true
        });
    }
}
