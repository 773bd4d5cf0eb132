//! Consumers and destinations of one connection: how they begin, change and end.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::broker::{Command, DeliveryId, Refusal, SubscribeOptions, Verdict};
use crate::protocol::Output;
use crate::selector::Selector;

use super::adapter::{OpenWireAdapter, What};
use super::codec::{
    ConsumerControl, ConsumerInfo, DestinationInfo, MessagePull, ProducerInfo, RemoveInfo,
    RemoveSubscriptionInfo, Structure,
};
use super::consumer::Consumer;
use super::consumers::{CONSUMERS_MAX, ConsumerNumber};
use super::convert::read_destination;
use super::failure::Failure;
use super::places;

/// The application has had none of the messages.
const LAST_DELIVERED_NONE: i64 = -1;
/// Longest time that a pull waits; the client asks again by then, or has gone.
const PULL_TIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// Highest priority of a consumer. That of a bridge is below 0.
const PRIORITY_MAX: i8 = 127;

impl OpenWireAdapter {
    /// A consumer begins, or a browser.
    pub(super) fn add_consumer(
        &mut self,
        info: ConsumerInfo,
        request: Option<i32>,
        bytes: usize,
        commands: &mut Vec<Command>,
    ) -> Result<(), Failure> {
        let (kind, name) = read_destination(info.destination.as_deref())?;
        let places = places::read(kind, name)?;
        let options = options(&info, name)?;
        let id = info.consumer_id.ok_or_else(|| Failure::general("a consumer without an id"))?;
        if self.consumers.find(&id).is_some() {
            return Err(Failure::general("there is already a consumer of this id"));
        }
        if self.consumers.len() >= CONSUMERS_MAX {
            return Err(Failure::limit(format!("a connection has at most {CONSUMERS_MAX} consumers")));
        }
        let number = self.consumers.number();
        let parts: Vec<_> = (0..places.len()).map(|part| number.part(part)).collect();
        // None of several takes anything out of a queue before it is clear that none is refused.
        let may_take = places.len() > 1 && places.iter().any(|place| !place.kind.is_topic());
        let granted = if may_take { 0 } else { options.prefetch };
        let mut consumer = Consumer::new(parts.clone(), granted);
        consumer.set_prefetch(options.prefetch);
        self.consumers.insert(number, id, consumer);
        for (subscription, destination) in parts.into_iter().zip(places) {
            let options = SubscribeOptions { prefetch: granted, ..options.clone() };
            let correlation = self.wait(request, What::Join(number), Some(bytes));
            commands.push(Command::Subscribe { subscription, destination, options, correlation });
        }
        Ok(())
    }

    /// One of a consumer's subscriptions has begun, or was refused; the last one answers the request.
    pub(super) fn joined(
        &mut self,
        number: ConsumerNumber,
        request: Option<i32>,
        result: Result<(), Refusal>,
        output: &mut Output,
    ) {
        // It may have ended meanwhile.
        let Some(known) = self.consumers.get_mut(number) else { return self.respond(request, output) };
        known.joining = known.joining.saturating_sub(1);
        known.refusal = known.refusal.take().or(result.err());
        if known.joining > 0 {
            return;
        }
        let Some(refusal) = known.refusal.take() else {
            known.regrant(&mut self.owed);
            return self.respond(request, output);
        };
        if let Some(gone) = self.consumers.remove(number) {
            self.owed_later.extend(gone.consumer.parts.into_iter().map(unsubscribe));
        }
        self.fail(request, Failure::of_place(&refusal), output);
    }

    /// A consumer ends, of whose deliveries the application has had those up to `last`.
    fn end_consumer(&mut self, number: ConsumerNumber, last: i64, commands: &mut Vec<Command>) {
        let Some(gone) = self.consumers.remove(number) else { return };
        let last = match last {
            LAST_DELIVERED_NONE => None,
            // Clients that do not tell may have had all of them.
            ..=0 => Some(DeliveryId(u64::MAX)),
            some => Some(DeliveryId(some as u64)),
        };
        let (had, unseen) = gone.consumer.end(last);
        for (deliveries, verdict) in [(had, Verdict::Released { counted: true }), (unseen, Verdict::Unseen)] {
            if !deliveries.is_empty() {
                commands.push(Command::Settle { deliveries, verdict, transaction: None, correlation: None });
            }
        }
        commands.extend(gone.consumer.parts.into_iter().map(unsubscribe));
    }

    /// A producer begins.
    pub(super) fn add_producer(
        &mut self,
        info: ProducerInfo,
        request: Option<i32>,
        bytes: usize,
        commands: &mut Vec<Command>,
    ) -> Result<(), Failure> {
        let places = match info.destination.as_deref() {
            Some(destination) => {
                let (kind, name) = read_destination(Some(destination))?;
                places::read(kind, name)?
            }
            None => Vec::new(),
        };
        let id = info.producer_id.ok_or_else(|| Failure::general("a producer without an id"))?;
        let producer = self.producers.insert(id, info.window_size, commands)?;
        // One that sends to several at once belongs to none of them.
        let destination = <[_; 1]>::try_from(places).ok().map(|[place]| place);
        let correlation = self.wait(request, What::Produce(producer), Some(bytes));
        commands.push(Command::Produce { producer, destination, correlation });
        Ok(())
    }

    /// A consumer, a producer, a session or the connection ends.
    pub(super) fn remove(
        &mut self,
        info: &RemoveInfo,
        request: Option<i32>,
        bytes: usize,
        commands: &mut Vec<Command>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let ended = match info.object_id.as_deref() {
            Some(Structure::ConsumerId(id)) => self.consumers.find(id).into_iter().collect(),
            Some(Structure::SessionId(id)) => {
                self.producers.remove_of(id.value, commands);
                self.consumers.like(|it| it.session_id == id.value)
            }
            Some(Structure::ConnectionId(_)) => self.consumers.like(|_| true),
            Some(Structure::ProducerId(id)) => {
                self.producers.remove(id, commands);
                Vec::new()
            }
            _ => return Err(Failure::general("this cannot be removed")),
        };
        for number in &ended {
            self.end_consumer(*number, info.last_delivered_sequence_id, commands);
        }
        if let Some(Command::Unsubscribe { correlation, .. }) = commands.last_mut()
            && !ended.is_empty()
            && request.is_some()
        {
            *correlation =
                Some(self.unanswered.wait(super::adapter::Asked { request, what: What::Other }, Some(bytes)));
        } else {
            self.respond(request, output);
        }
        Ok(())
    }

    /// A client asks for one message.
    pub(super) fn pull(&mut self, pull: &MessagePull, commands: &mut Vec<Command>) {
        let Some(number) = pull.consumer_id.as_ref().and_then(|id| self.consumers.find(id)) else { return };
        let Some(known) = self.consumers.get_mut(number) else { return };
        if !known.consumer.is_pulled() {
            return;
        }
        known.consumer.pull(true);
        known.regrant(commands);
        match u64::try_from(pull.timeout) {
            Ok(0) => self.consumers.wait(number, None),
            Ok(ms) => {
                let until = Instant::now() + Duration::from_millis(ms).min(PULL_TIME_MAX);
                self.consumers.wait(number, Some(until));
            }
            Err(_) => {
                let parts = known.consumer.parts.clone();
                known.drains += parts.len();
                self.consumers.wait(number, None);
                for subscription in parts {
                    let correlation = self.wait(None, What::Drain(number), None);
                    commands.push(Command::Drain { subscription, correlation });
                }
            }
        }
    }

    /// There is nothing more for a consumer whose client does not wait.
    pub(super) fn drained(&mut self, number: ConsumerNumber, output: &mut Output) {
        let Some(known) = self.consumers.get_mut(number) else { return };
        known.drains = known.drains.saturating_sub(1);
        if known.drains == 0 && known.consumer.pulls() {
            known.consumer.pull(false);
            known.regrant(&mut self.owed);
            self.deliver_none(number, output);
        }
    }

    /// Tells those whose clients have waited long enough.
    pub(super) fn wake_waiting(&mut self, commands: &mut Vec<Command>, output: &mut Output) {
        let now = Instant::now();
        while let Some(number) = self.consumers.take_waited(now) {
            if let Some(known) = self.consumers.get_mut(number).filter(|known| known.consumer.pulls()) {
                known.consumer.pull(false);
                known.regrant(commands);
                self.deliver_none(number, output);
            }
        }
    }

    /// A consumer changes.
    pub(super) fn control(&mut self, control: &ConsumerControl, commands: &mut Vec<Command>) {
        let Some(number) = control.consumer_id.as_ref().and_then(|id| self.consumers.find(id)) else {
            return;
        };
        if control.close {
            return self.end_consumer(number, LAST_DELIVERED_NONE - 1, commands);
        }
        if let Some(known) = self.consumers.get_mut(number) {
            known.consumer.set_prefetch(u32::try_from(control.prefetch).unwrap_or_default());
            known.regrant(commands);
        }
    }

    /// A durable subscription ends.
    pub(super) fn end_durable(
        &mut self,
        info: &RemoveSubscriptionInfo,
        request: Option<i32>,
        bytes: usize,
        commands: &mut Vec<Command>,
    ) {
        let name = info.subcription_name.as_deref().unwrap_or_default().to_owned();
        let correlation = self.wait(request, What::Place, Some(bytes));
        // Whatever client the command names, a client ends its own.
        commands.push(Command::RemoveSubscription { client_id: None, name, correlation });
    }

    /// A destination comes or goes.
    pub(super) fn destination(
        &mut self,
        info: &DestinationInfo,
        request: Option<i32>,
        bytes: usize,
        commands: &mut Vec<Command>,
    ) -> Result<(), Failure> {
        let (kind, name) = read_destination(info.destination.as_deref())?;
        for destination in places::read(kind, name)?.into_iter().take(1) {
            let correlation = self.wait(request, What::Place, Some(bytes));
            commands.push(match info.operation_type {
                0 => Command::Create { destination, correlation },
                _ => Command::Delete { destination, if_empty: false, correlation },
            });
        }
        Ok(())
    }
}

fn unsubscribe(subscription: crate::broker::SubscriptionKey) -> Command {
    Command::Unsubscribe { subscription, transacted: Vec::new(), correlation: None }
}

/// How a consumer wants its messages.
fn options(info: &ConsumerInfo, name: &str) -> Result<SubscribeOptions, Failure> {
    let unsupported = |what: &str| Err(Failure::general(format!("{what} is not supported by this version")));
    if info.network_subscription {
        return unsupported("a bridge's consumer");
    }
    if info.retroactive {
        return unsupported("consumer.retroactive=true");
    }
    if info.maximum_pending_message_limit > 0 {
        return unsupported("consumer.maximumPendingMessageLimit");
    }
    let mut options = SubscribeOptions {
        prefetch: u32::try_from(info.prefetch_size).unwrap_or_default(),
        selector: info.selector.as_deref().unwrap_or_default().to_owned(),
        exclusive: info.exclusive,
        priority: info.priority.clamp(0, PRIORITY_MAX),
        no_local: info.no_local,
        browse: info.browser,
        durable_name: info.subscription_name.as_deref().map(str::to_owned),
        shared: false,
        bridge: Bytes::new(),
    };
    places::configure(name, &mut options)?;
    if !options.selector.trim().is_empty() {
        Selector::parse(&options.selector).map_err(|error| Failure::selector(error.to_string()))?;
    }
    Ok(options)
}
