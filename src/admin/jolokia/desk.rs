//! Answers the requests of one call.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use super::beans::{Bean, ENTRIES_MAX, View};
use super::name::{DOMAIN, ObjectName};
use super::request::{Asked, Options};
use super::walk;
use crate::admin::shared::Shared;
use crate::admin::sums::Sums;
use crate::node::Snapshot;

/// Version of the protocol, and of the agent whose answers these are like.
const PROTOCOL: &str = "7.2";
const AGENT: &str = "1.7.2";
/// Why there is no value: Jolokia's status, and the Java exception that its clients know.
struct Fault {
    status: u16,
    exception: &'static str,
    text: String,
}

impl Fault {
    fn new(status: u16, exception: &'static str, text: impl Into<String>) -> Fault {
        Fault { status, exception, text: text.into() }
    }

    fn malformed(text: impl Into<String>) -> Fault {
        Fault::new(400, "java.lang.IllegalArgumentException", text)
    }
}

/// Answers the requests of one call from one moment of the node.
pub(super) struct Desk {
    shared: Shared,
    snapshot: Arc<Snapshot>,
    /// Made when the broker's own bean is read: few ask for that more often than for a queue.
    sums: OnceCell<Sums>,
}

impl Desk {
    pub(super) async fn new(shared: Shared) -> Desk {
        let snapshot = shared.snapshot().await;
        Desk { shared, snapshot, sums: OnceCell::new() }
    }

    pub(super) async fn answer(&self, asked: Result<Asked, String>) -> Value {
        let (echo, value) = match asked {
            Ok(asked) => (asked.echo.clone(), self.value(&asked).await),
            Err(error) => (Value::Null, Err(Fault::malformed(error))),
        };
        let timestamp = self.snapshot.status.time_ms / 1000;
        match value {
            Ok(value) => json!({ "request": echo, "value": value, "timestamp": timestamp, "status": 200 }),
            Err(Fault { status, exception, text }) => json!({
                "request": echo,
                "error_type": exception,
                "error": format!("{exception} : {text}"),
                "stacktrace": "",
                "timestamp": timestamp,
                "status": status,
            }),
        }
    }

    async fn value(&self, asked: &Asked) -> Result<Value, Fault> {
        let value = match &*asked.kind {
            "version" => self.version(),
            "read" => self.read(asked).await?,
            "list" => self.list(asked),
            "search" => {
                let found = self.matching(&named(asked)?).await?;
                found.into_iter().map(|(name, _)| name.text(asked.options.canonical)).collect()
            }
            "exec" | "write" => return Err(self.refusal(asked)),
            other => return Err(Fault::malformed(format!("no request is of the type {other:?}"))),
        };
        Ok(match asked.options.depth_max {
            0 => value,
            depth => cut(value, depth),
        })
    }

    fn version(&self) -> Value {
        let info =
            json!({ "product": "quorate", "vendor": "quorate", "version": self.snapshot.status.version });
        let config = json!({ "maxCollectionSize": ENTRIES_MAX.to_string(), "canonicalNaming": "true" });
        json!({ "agent": AGENT, "protocol": PROTOCOL, "config": config, "info": info })
    }

    fn refusal(&self, asked: &Asked) -> Fault {
        let what = match &*asked.kind {
            "exec" => format!("exec of {:?}", asked.operation),
            _ => format!("write of {:?}", asked.attributes.join(",")),
        };
        let text = format!("{what} on {} is not supported yet", asked.mbean);
        Fault::new(501, "java.lang.UnsupportedOperationException", text)
    }

    async fn sums(&self) -> Sums {
        let sums = self.sums.get_or_init(|| Sums::of(&self.shared.shown.figures, &self.shared.last));
        sums.await.clone()
    }

    fn view<'a>(&'a self, options: Options, sums: &'a Sums) -> View<'a> {
        let entries_max = if options.entries_max == 0 { ENTRIES_MAX } else { options.entries_max };
        View {
            snapshot: &self.snapshot,
            figures: &self.shared.shown.figures,
            sums,
            entries_max: entries_max.min(ENTRIES_MAX),
            canonical: options.canonical,
        }
    }

    async fn matching(&self, name: &ObjectName) -> Result<Vec<(ObjectName, Bean)>, Fault> {
        let found = walk::matching(&self.shared.shown.figures, &self.snapshot.status.broker, name).await;
        found.map_err(|error| Fault::new(500, "java.lang.IllegalStateException", error))
    }

    async fn read(&self, asked: &Asked) -> Result<Value, Fault> {
        let name = named(asked)?;
        let found = self.matching(&name).await?;
        let counted = found.iter().any(|(_, bean)| *bean == Bean::Broker);
        let sums = if counted { self.sums().await } else { Sums::default() };
        let view = self.view(asked.options, &sums);
        if name.is_pattern() {
            let mut all = Map::new();
            for (name, bean) in found {
                let values = some(&bean, asked, &view);
                if !values.is_empty() {
                    all.insert(name.text(asked.options.canonical), Value::Object(values));
                }
            }
            return inside(Value::Object(all), &asked.path);
        }
        let Some((_, bean)) = found.into_iter().next() else {
            let text = format!("No MBean {} found", asked.mbean);
            return Err(Fault::new(404, "javax.management.InstanceNotFoundException", text));
        };
        let missing = |attribute: &str| {
            let text = format!("No such attribute: {attribute}");
            Fault::new(404, "javax.management.AttributeNotFoundException", text)
        };
        let value = match &asked.attributes[..] {
            [one] => bean.read(one, &view).ok_or_else(|| missing(one))?,
            several => {
                let mut values = some(&bean, asked, &view);
                for attribute in several {
                    if values.contains_key(attribute) {
                        continue;
                    }
                    let Fault { exception, text, .. } = missing(attribute);
                    if !asked.options.ignore_errors {
                        return Err(missing(attribute));
                    }
                    values.insert(attribute.clone(), json!(format!("ERROR: {exception} : {text}")));
                }
                Value::Object(values)
            }
        };
        inside(value, &asked.path)
    }

    /// What there is, by domain and name. Of destinations the first of each kind are listed: who wants others searches.
    fn list(&self, asked: &Asked) -> Value {
        let mut beans = Map::new();
        for (name, bean) in walk::first(&self.shared.shown.figures, &self.snapshot.status.broker, ENTRIES_MAX)
        {
            let attributes = bean.attributes().iter().map(|(attribute, kind)| {
                ((*attribute).to_owned(), json!({ "rw": false, "type": kind, "desc": attribute }))
            });
            let attributes: Map<_, _> = attributes.collect();
            let described =
                json!({ "class": bean.class(), "desc": bean.class(), "attr": attributes, "op": {} });
            beans.insert(name.properties(asked.options.canonical), described);
        }
        inside(json!({ DOMAIN: beans }), &asked.path).unwrap_or_else(|_| json!({}))
    }
}

fn named(asked: &Asked) -> Result<ObjectName, Fault> {
    let malformed = |error| Fault::new(400, "javax.management.MalformedObjectNameException", error);
    ObjectName::parse(&asked.mbean).map_err(malformed)
}

/// Those of the attributes that are asked for which a bean has.
fn some(bean: &Bean, asked: &Asked, view: &View<'_>) -> Map<String, Value> {
    let all = bean.attributes().iter().map(|(attribute, _)| *attribute);
    let wanted = |it: &&str| asked.attributes.is_empty() || asked.attributes.iter().any(|one| one == it);
    all.filter(wanted).filter_map(|it| Some((it.to_owned(), bean.read(it, view)?))).collect()
}

/// What a path leads to.
fn inside(mut value: Value, path: &[String]) -> Result<Value, Fault> {
    for part in path {
        let within = match &mut value {
            Value::Object(fields) => fields.remove(part),
            Value::Array(entries) => part.parse().ok().and_then(|at: usize| entries.get(at).cloned()),
            _ => None,
        };
        value = within.ok_or_else(|| Fault::malformed(format!("the path leads nowhere at {part:?}")))?;
    }
    Ok(value)
}

/// The upper levels of a value; what is below is told as a text.
fn cut(value: Value, depth: usize) -> Value {
    match value {
        Value::Object(_) | Value::Array(_) if depth == 0 => json!(value.to_string()),
        Value::Object(fields) => fields.into_iter().map(|(key, it)| (key, cut(it, depth - 1))).collect(),
        Value::Array(entries) => entries.into_iter().map(|it| cut(it, depth - 1)).collect(),
        plain => plain,
    }
}
