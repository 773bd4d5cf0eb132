//! SUBSCRIBE with ActiveMQ's extension headers.

use std::borrow::Cow;

use crate::broker::SubscribeOptions;
use crate::model::DestinationKind;

use super::frame::{Frame, Version};
use super::subscription::AckMode;

const PREFETCH_QUEUE: u32 = 1000;
const PREFETCH_TOPIC: u32 = 32_767;
const PREFETCH_DURABLE: u32 = 100;
const PREFETCH_BROWSER: u32 = 500;

/// What a SUBSCRIBE frame asks for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) id: Option<String>,
    pub(super) destination: String,
    pub(super) mode: AckMode,
    pub(super) receipt: Option<String>,
    selector: String,
    prefetch: Option<u32>,
    exclusive: bool,
    no_local: bool,
    browse: bool,
    priority: i8,
    durable_name: Option<String>,
}

impl Wanted {
    /// The same for the broker, with ActiveMQ's default prefetch for the kind of subscription.
    pub(super) fn options(&self, kind: DestinationKind) -> SubscribeOptions {
        let usual = match (self.browse, &self.durable_name, kind.is_queue()) {
            (true, _, _) => PREFETCH_BROWSER,
            (_, Some(_), _) => PREFETCH_DURABLE,
            (_, None, true) => PREFETCH_QUEUE,
            (_, None, false) => PREFETCH_TOPIC,
        };
        SubscribeOptions {
            // There is no frame to pull with, so that 0 would mean nothing, ever.
            prefetch: self.prefetch.unwrap_or(usual).max(1),
            selector: self.selector.clone(),
            exclusive: self.exclusive,
            priority: self.priority,
            no_local: self.no_local,
            browse: self.browse,
            durable_name: self.durable_name.clone(),
        }
    }
}

/// Reads a SUBSCRIBE frame.
pub(super) fn wanted(frame: &Frame, version: Version) -> Result<Wanted, String> {
    let value = |name: &str| frame.header(name);
    let flag = |name: &str| value(name).is_some_and(|value| value.trim() == "true");
    let destination = value("destination").ok_or("SUBSCRIBE needs a destination header")?.into_owned();
    let id = value("id").map(Cow::into_owned);
    if id.is_none() && version > Version::V1_0 {
        return Err("SUBSCRIBE needs an id header".to_owned());
    }
    let mode = value("ack").unwrap_or(Cow::Borrowed("auto"));
    let mode = AckMode::from_text(mode.trim()).ok_or_else(|| format!("Unknown ack mode: {mode}"))?;
    let number = |name: &str| match value(name) {
        None => Ok(None),
        Some(text) => {
            text.trim().parse::<u32>().map(Some).map_err(|_| format!("header {name} is no number: {text}"))
        }
    };
    let prefetch = number("activemq.prefetchSize")?;
    let priority = number("activemq.priority")?.unwrap_or(0).min(127) as i8;
    Ok(Wanted {
        id,
        destination,
        mode,
        receipt: value("receipt").map(Cow::into_owned),
        selector: value("selector").unwrap_or_default().into_owned(),
        prefetch,
        exclusive: flag("activemq.exclusive"),
        no_local: flag("activemq.noLocal"),
        browse: flag("browser"),
        priority,
        durable_name: durable_name(frame),
    })
}

/// The name of a durable subscription, in either of ActiveMQ's spellings.
pub(super) fn durable_name(frame: &Frame) -> Option<String> {
    let name = frame.header("activemq.subscriptionName").or_else(|| frame.header("activemq.subcriptionName"));
    name.map(Cow::into_owned)
}
