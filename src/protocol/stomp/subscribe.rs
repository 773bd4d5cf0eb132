//! SUBSCRIBE with ActiveMQ's extension headers.

use std::borrow::Cow;

use crate::broker::SubscribeOptions;
use crate::model::DestinationKind;

use super::codec::{Frame, Version, bare};
use super::subscription::AckMode;
use super::value::{bounded, flag, number};

const PREFETCH_QUEUE: u32 = 1000;
const PREFETCH_TOPIC: u32 = 32_767;
const PREFETCH_DURABLE: u32 = 100;
const PREFETCH_BROWSER: u32 = 500;
/// Highest priority of a consumer.
const PRIORITY_MAX: u32 = 127;

/// What a SUBSCRIBE frame asks for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) id: Option<String>,
    pub(super) destination: String,
    pub(super) mode: AckMode,
    pub(super) receipt: Option<String>,
    browse: bool,
    settings: Settings,
}

impl Wanted {
    /// The same for the broker, with ActiveMQ's default prefetch for the kind of subscription.
    pub(super) fn options(&self, kind: DestinationKind) -> SubscribeOptions {
        let Settings { selector, prefetch, exclusive, no_local, priority, durable_name, shared } =
            &self.settings;
        let usual = match (self.browse, durable_name, kind.is_queue()) {
            (true, _, _) => PREFETCH_BROWSER,
            (_, Some(_), _) => PREFETCH_DURABLE,
            (_, None, true) => PREFETCH_QUEUE,
            (_, None, false) => PREFETCH_TOPIC,
        };
        SubscribeOptions {
            // There is no frame to pull with, so that 0 would mean nothing, ever.
            prefetch: prefetch.unwrap_or(usual).max(1),
            selector: selector.clone().unwrap_or_default(),
            exclusive: exclusive.unwrap_or_default(),
            priority: priority.unwrap_or_default(),
            no_local: no_local.unwrap_or_default(),
            browse: self.browse,
            durable_name: durable_name.clone(),
            shared: shared.unwrap_or_default(),
            bridge: bytes::Bytes::new(),
        }
    }
}

/// Reads a SUBSCRIBE frame.
pub(super) fn wanted(frame: &Frame, version: Version) -> Result<Wanted, String> {
    let value = |name: &str| frame.header(name);
    let destination = value("destination").ok_or("SUBSCRIBE needs a destination header")?.into_owned();
    let id = value("id").map(Cow::into_owned);
    if id.is_none() && version > Version::V1_0 {
        return Err("SUBSCRIBE needs an id header".to_owned());
    }
    if value("transformation").is_some() {
        return Err(
            "header transformation: the transformation of messages is not supported by this version".into()
        );
    }
    let mode = value("ack").unwrap_or(Cow::Borrowed("auto"));
    let mode = AckMode::from_text(mode.trim()).ok_or_else(|| format!("Unknown ack mode: {mode}"))?;
    let mut settings = Settings { selector: value("selector").map(Cow::into_owned), ..Settings::default() };
    for header in frame.headers() {
        let name = header.name();
        if let Some(setting) = bare(&name).strip_prefix("activemq.") {
            settings.set(&format!("header {}", bare(&name)), setting, &header.value())?;
        }
    }
    for option in destination.split_once('?').into_iter().flat_map(|(_, options)| options.split('&')) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let shown = format!("Destination option {name}");
        let setting = name.strip_prefix("consumer.").unwrap_or_default();
        settings.set(&shown, setting, value)?;
    }
    let browse = value("browser").map(|value| flag("browser", &value)).transpose()?;
    Ok(Wanted {
        id,
        destination,
        mode,
        receipt: value("receipt").map(Cow::into_owned),
        browse: browse.unwrap_or_default(),
        settings,
    })
}

/// ActiveMQ's settings of a consumer: `activemq.NAME` headers, and `consumer.NAME` options of the destination. The first
/// one of a name counts.
#[derive(Debug, Default)]
struct Settings {
    selector: Option<String>,
    prefetch: Option<u32>,
    exclusive: Option<bool>,
    no_local: Option<bool>,
    priority: Option<i8>,
    durable_name: Option<String>,
    shared: Option<bool>,
}

impl Settings {
    /// Takes one setting; `shown` is how the client wrote its name.
    fn set(&mut self, shown: &str, name: &str, value: &str) -> Result<(), String> {
        match name {
            "prefetchSize" => {
                let _ = self.prefetch.get_or_insert(bounded(shown, value, u32::MAX)?);
            }
            "exclusive" => {
                let _ = self.exclusive.get_or_insert(flag(shown, value)?);
            }
            "noLocal" => {
                let _ = self.no_local.get_or_insert(flag(shown, value)?);
            }
            "priority" => {
                let _ = self.priority.get_or_insert(bounded(shown, value, PRIORITY_MAX)? as i8);
            }
            "selector" => {
                let _ = self.selector.get_or_insert(value.to_owned());
            }
            // In either of ActiveMQ's spellings.
            "subscriptionName" | "subcriptionName" => {
                let _ = self.durable_name.get_or_insert(value.to_owned());
            }
            // Ours: several consumers of one durable subscription.
            "shared" => {
                let _ = self.shared.get_or_insert(flag(shown, value)?);
            }
            // Everything is dispatched so; it makes no difference that a client can see.
            "dispatchAsync" => {
                flag(shown, value)?;
            }
            "retroactive" if !flag(shown, value)? => {}
            "maximumPendingMessageLimit" if number(shown, value)? <= 0 => {}
            _ => return Err(format!("{shown} is not supported by this version")),
        }
        Ok(())
    }
}

/// The name of a durable subscription, in either of ActiveMQ's spellings.
pub(super) fn durable_name(frame: &Frame) -> Option<String> {
    let name = frame.header("activemq.subscriptionName").or_else(|| frame.header("activemq.subcriptionName"));
    name.map(Cow::into_owned)
}
