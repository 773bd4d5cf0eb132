//! The way of messages over a bridge: what it subscribes to, what is under way, and what becomes of each message.

use std::collections::HashMap;
use std::sync::Arc;

use tracing::{info, warn};

use crate::client::openwire::{Acknowledgement, Delivered, Exception, OpenWireConnection, OpenWireEvent};
use crate::config::NetworkConnector;
use crate::model::{Destination, Pattern};
use crate::protocol::openwire::client::{
    BrokerId, ConsumerId, ConsumerInfo, Message, MessageDispatch, Structure, destinations, write_destination,
};

use super::demand::{Change, Demand, Want, advisories};
use super::failure::Failure;
use super::route::{Ignored, Route};
use super::status::Counts;

/// Bytes that may wait to be written to the target; then nothing more is taken from the source.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// What a frame has beside what [`frame_bytes`] counts: numbers, ids and one destination, generously.
const FRAME_BYTES_AROUND: usize = 16 * 1024;
/// Bytes of one broker's id in a path; they are much shorter.
const BROKER_ID_BYTES: usize = 256;
/// Advisories that may be on their way before one is acknowledged.
const ADVISORY_PREFETCH: i32 = 1000;
/// Classes of exceptions that are about the message and not about the moment, without their packages.
const ABOUT_THE_MESSAGE: [&str; 3] =
    ["InvalidDestinationException", "MessageFormatException", "JMSException"];

/// A subscription at the source.
#[derive(Debug)]
struct Subscribed {
    want: Want,
    /// Messages that the target has not confirmed.
    under_way: usize,
    /// Nobody wants it any more: it ends when nothing is under way.
    is_ending: bool,
}

/// A message on its way.
#[derive(Debug)]
struct UnderWay {
    delivered: Delivered,
    place: String,
}

/// See the module.
pub(super) struct Passage {
    route: Route,
    demand: Demand,
    counts: Arc<Counts>,
    prefetch: u32,
    confirms_all: bool,
    subscribed: HashMap<ConsumerId, Subscribed>,
    of_wants: HashMap<Want, ConsumerId>,
    /// Requests at the source that begin a subscription.
    beginning: HashMap<i32, Want>,
    /// Requests at the target.
    under_way: HashMap<i32, UnderWay>,
    /// Whether a topic was ever wanted by wildcards.
    wildcards: bool,
    /// The request at the target that begins to listen to its advisories.
    listening: Option<i32>,
}

impl Passage {
    pub(super) fn new(connector: &NetworkConnector, route: Route, counts: Arc<Counts>) -> Passage {
        Passage {
            demand: Demand::new(connector.conduit_subscriptions),
            route,
            counts,
            prefetch: connector.prefetch_size,
            confirms_all: connector.always_sync_send,
            subscribed: HashMap::new(),
            of_wants: HashMap::new(),
            beginning: HashMap::new(),
            under_way: HashMap::new(),
            wildcards: false,
            listening: None,
        }
    }

    /// Carries messages until one of both ends is lost.
    pub(super) async fn run(
        mut self,
        connector: &NetworkConnector,
        (mut source, mut target): (OpenWireConnection, OpenWireConnection),
    ) -> (End, Failure) {
        for destination in &connector.statically_included_destinations {
            let change = self.demand.include(destination, &self.route);
            self.carry_out(change, &mut source);
        }
        if !connector.static_bridge {
            let (_, request) = target.consume(ConsumerInfo {
                destination: Some(Box::new(write_destination(&advisories()))),
                prefetch_size: ADVISORY_PREFETCH,
                dispatch_async: true,
                ..ConsumerInfo::default()
            });
            self.listening = Some(request);
        }
        loop {
            source.hold(target.waiting_bytes() > WAITING_BYTES_MAX);
            tokio::select! {
                event = target.event() => match event {
                    Ok(event) => if let Err(failure) = self.at_target(event, &mut source, &mut target) {
                        return (End::Target, failure);
                    },
                    Err(error) => return (End::Target, Failure::Remote(error)),
                },
                event = source.event() => match event {
                    Ok(event) => if let Err(failure) = self.at_source(event, &mut source, &mut target) {
                        return (End::Source, failure);
                    },
                    Err(error) => return (End::Source, Failure::Remote(error)),
                },
            }
        }
    }

    /// What happens at the target: somebody comes or goes, or a message is confirmed.
    fn at_target(
        &mut self,
        event: OpenWireEvent,
        source: &mut OpenWireConnection,
        target: &mut OpenWireConnection,
    ) -> Result<(), Failure> {
        match event {
            OpenWireEvent::Delivery(advisory) => {
                for change in self.demand.hear(&advisory, &self.route)? {
                    self.carry_out(change, source);
                }
                if let Some(delivered) = Delivered::of(&advisory) {
                    target.acknowledge(delivered, Acknowledgement::Individual, None);
                }
            }
            OpenWireEvent::Answered(request, result) if Some(request) == self.listening => {
                result.map_err(Failure::Advisories)?;
            }
            OpenWireEvent::Answered(request, result) => {
                let Some(UnderWay { delivered, place }) = self.under_way.remove(&request) else {
                    return Ok(());
                };
                match result {
                    Ok(()) => self.settle(delivered, None, source),
                    Err(why) if ABOUT_THE_MESSAGE.contains(&why.name()) => {
                        warn!(
                            "a message of {place} is a dead letter, because the other broker refuses it: {why}"
                        );
                        self.settle(delivered, Some(why.to_string()), source);
                    }
                    Err(why) => return Err(Failure::Refused { place, why }),
                }
            }
        }
        Ok(())
    }

    /// What happens at the source: a message comes, or a subscription has begun.
    fn at_source(
        &mut self,
        event: OpenWireEvent,
        source: &mut OpenWireConnection,
        target: &mut OpenWireConnection,
    ) -> Result<(), Failure> {
        match event {
            OpenWireEvent::Delivery(delivery) => self.forward(*delivery, source, target),
            OpenWireEvent::Answered(request, result) => {
                if let (Some(want), Err(why)) = (self.beginning.remove(&request), result) {
                    self.not_begun(&want, &why);
                }
            }
        }
        Ok(())
    }

    /// The source refuses a subscription; the others go on.
    fn not_begun(&mut self, want: &Want, why: &Exception) {
        warn!("nothing is forwarded from {}, because it cannot be consumed: {why}", want.destination);
        if let Some(id) = self.of_wants.remove(want) {
            self.subscribed.remove(&id);
        }
        self.counts.set_subscriptions(self.subscribed.len());
    }

    fn carry_out(&mut self, change: Change, source: &mut OpenWireConnection) {
        match change {
            Change::Begin { want, selector, priority, path } => {
                info!("{} is wanted by the other broker", want.destination);
                let id = |broker: String| Structure::BrokerId(BrokerId { value: Some(broker.into()) }.into());
                let (consumer, request) = source.consume(ConsumerInfo {
                    destination: Some(Box::new(write_destination(&want.destination))),
                    prefetch_size: i32::try_from(self.prefetch).unwrap_or(i32::MAX),
                    dispatch_async: true,
                    selector,
                    priority,
                    broker_path: Some(path.into_iter().map(id).collect()),
                    additional_predicate: Some(Box::new(self.route.filter())),
                    network_subscription: true,
                    ..ConsumerInfo::default()
                });
                let wanted = &want.destination;
                self.wildcards |= wanted.kind.is_topic() && Pattern::parse(&wanted.name).is_some();
                self.beginning.insert(request, want.clone());
                self.of_wants.insert(want.clone(), consumer.clone());
                let subscribed = Subscribed { want, under_way: 0, is_ending: false };
                self.subscribed.insert(consumer, subscribed);
            }
            Change::End(want) => {
                info!("{} is not wanted any more by the other broker", want.destination);
                if let Some(id) = self.of_wants.remove(&want) {
                    if let Some(subscribed) = self.subscribed.get_mut(&id) {
                        subscribed.is_ending = true;
                    }
                    self.end_if_idle(&id, source);
                }
            }
            Change::Ignored(destination, Ignored::Wildcards) => warn!(
                "a consumer of {destination} at the other broker gets nothing over this bridge: it has wildcards, and queues are excluded"
            ),
            Change::Ignored(_, Ignored::Outside) => {}
        }
        self.counts.set_subscriptions(self.subscribed.len());
    }

    /// Ends a subscription that nobody wants once all that it has forwarded is settled; the rest of its messages goes back.
    fn end_if_idle(&mut self, id: &ConsumerId, source: &mut OpenWireConnection) {
        if self.subscribed.get(id).is_some_and(|it| it.is_ending && it.under_way == 0) {
            self.subscribed.remove(id);
            source.end_consumer(id.clone());
        }
    }

    fn forward(
        &mut self,
        delivery: MessageDispatch,
        source: &mut OpenWireConnection,
        target: &mut OpenWireConnection,
    ) {
        let Some(delivered) = Delivered::of(&delivery) else { return };
        let Some(id) = delivered.consumer.clone() else { return };
        // What an ending subscription still gets goes back with its end.
        let Some(subscribed) = self.subscribed.get(&id).filter(|it| !it.is_ending) else { return };
        let MessageDispatch { destination, message, .. } = delivery;
        let Some(Structure::Message(message)) = message.map(|message| *message) else { return };
        let message = Message { destination, ..*message };
        let wanted = &subscribed.want.destination;
        let (place, is_topic) = (wanted.to_string(), wanted.kind.is_topic());
        if !may_go(&self.route, wanted, &message) || is_topic && self.comes_twice(&id, &message) {
            if is_topic {
                self.settle_unsent(delivered, None, source);
            }
            return;
        }
        let bytes = frame_bytes(&message);
        if bytes > target.frame_bytes_max() {
            let cause = format!("a message of {bytes} bytes is more than the other broker takes in");
            warn!("a message of {place} is a dead letter: {cause}");
            return self.settle_unsent(delivered, Some(cause), source);
        }
        let is_confirmed = message.persistent || self.confirms_all;
        let message = on_its_way(message, self.route.source());
        if is_confirmed {
            if let Some(subscribed) = self.subscribed.get_mut(&id) {
                subscribed.under_way += 1;
            }
            let request = target.send(message);
            self.under_way.insert(request, UnderWay { delivered, place });
            self.counts.set_under_way(self.under_way.len());
        } else {
            target.send_unconfirmed(message);
            self.counts.forward();
            source.acknowledge(delivered, Acknowledgement::Individual, None);
        }
    }

    /// Whether a message of a topic also comes by a subscription that was there earlier: two of them can mean one topic.
    fn comes_twice(&self, by: &ConsumerId, message: &Message) -> bool {
        let of = destinations(message.destination.as_deref());
        let Some(topic) = of.first().filter(|_| self.wildcards) else { return false };
        self.subscribed.iter().any(|(id, it)| {
            let wanted = &it.want.destination;
            id.value < by.value
                && !it.is_ending
                && wanted.kind == topic.kind
                && Pattern::of(&wanted.name).matches(&topic.name)
        })
    }

    /// A message has arrived, or is given up for this cause: the source need not keep it.
    fn settle(&mut self, delivered: Delivered, cause: Option<String>, source: &mut OpenWireConnection) {
        let consumer = delivered.consumer.clone();
        if cause.is_none() {
            self.counts.forward();
        }
        self.counts.set_under_way(self.under_way.len());
        self.settle_unsent(delivered, cause, source);
        if let Some(id) = consumer {
            if let Some(subscribed) = self.subscribed.get_mut(&id) {
                subscribed.under_way = subscribed.under_way.saturating_sub(1);
            }
            self.end_if_idle(&id, source);
        }
    }

    fn settle_unsent(&self, delivered: Delivered, cause: Option<String>, source: &mut OpenWireConnection) {
        let acknowledgement = match cause {
            Some(_) => Acknowledgement::Poison,
            None => Acknowledgement::Individual,
        };
        if cause.is_some() {
            self.counts.give_up();
        }
        source.acknowledge(delivered, acknowledgement, cause);
    }
}

/// At which end of a bridge something has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Where messages come from.
    Source,
    /// Where they go.
    Target,
}

/// Whether a message may go to the target. The source knows of the route; of wildcards it knows nothing that is excluded.
fn may_go(route: &Route, wanted: &Destination, message: &Message) -> bool {
    let path = message.broker_path.iter().flatten().filter_map(|passed| match passed {
        Structure::BrokerId(id) => id.value.as_deref(),
        _ => None,
    });
    if !route.takes_message(path) {
        return false;
    }
    if Pattern::parse(&wanted.name).is_none() {
        return true;
    }
    let of = destinations(message.destination.as_deref());
    of.iter().all(|destination| route.admits(destination).is_ok())
}

/// Bytes that a message takes in a frame at the most.
fn frame_bytes(message: &Message) -> usize {
    let bytes = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
    let texts = [&message.group_id, &message.correlation_id, &message.r#type, &message.user_id];
    let texts: usize = texts.into_iter().flatten().map(|text| text.len()).sum();
    let sent_to = match message.original_destination.as_deref() {
        Some(Structure::ActiveMQQueue(it)) => it.physical_name.as_ref().map_or(0, |name| name.len()),
        Some(Structure::ActiveMQTopic(it)) => it.physical_name.as_ref().map_or(0, |name| name.len()),
        _ => 0,
    };
    let path = message.broker_path.as_ref().map_or(0, Vec::len) * BROKER_ID_BYTES;
    let head = texts + sent_to + path + FRAME_BYTES_AROUND;
    bytes(&message.content) + bytes(&message.marshalled_properties) + head
}

/// The message as the target gets it: it keeps its id, and has passed one broker more.
fn on_its_way(message: Message, source: &str) -> Message {
    let passed = Structure::BrokerId(BrokerId { value: Some(source.into()) }.into());
    let mut path = message.broker_path.unwrap_or_default();
    path.push(passed);
    Message {
        original_transaction_id: message.original_transaction_id.or(message.transaction_id),
        transaction_id: None,
        target_consumer_id: None,
        redelivery_counter: 0,
        recieved_by_df_bridge: true,
        broker_path: Some(path),
        ..message
    }
}
