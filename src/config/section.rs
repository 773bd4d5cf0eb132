//! Reading a configuration: a [`Section`] is asked for its keys one by one, each with its default. Every question is
//! noted, so that afterwards whatever was written and never asked for is known to be a mistake, and what was meant can
//! be guessed.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::fault::{ConfigError, Fault, Origin, nearest};
use super::raw::{Node, Value, add_default, element_name, kind, lay_over, parse};
use super::{Secret, activemq};

/// A key that was asked for, and what it turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Section as in the file's header, e.g. `store.replicated` or `transport_connector`.
    pub section: String,
    /// Name of the element in a list of sections; empty elsewhere.
    pub element: String,
    /// Key within the section.
    pub key: &'static str,
    /// Value in TOML; `None` if it has none. Secrets are stars.
    pub value: Option<String>,
    /// Where the value came from.
    pub place: Origin,
}

/// All layers of a configuration, and what was found out while reading it.
pub(super) struct Source {
    file: Option<String>,
    root: Node,
    environment: Vec<(String, String)>,
    faults: RefCell<Vec<Fault>>,
    pub(super) settings: RefCell<Vec<Setting>>,
    /// Header paths of sections, whether they are lists.
    pub(super) sections: RefCell<Vec<(String, bool)>>,
    /// Variables that were asked for.
    pub(super) variables: RefCell<BTreeSet<String>>,
}

/// What the names of all variables begin with that are ours.
pub(super) const VARIABLE_PREFIX: &str = "QUORATE_";

impl Source {
    /// Reads `text`, then lays the arguments and the variables over it. `default` is a list of sections, and the element
    /// that it has where the file has none.
    pub(super) fn new(
        file: Option<&str>,
        text: &str,
        default: (&str, &[(&str, &str)]),
        arguments: &[String],
        environment: &[(String, String)],
    ) -> Result<Source, ConfigError> {
        let file = file.map(str::to_owned);
        if activemq::is_xml(text) {
            let place = Origin::File { line: 1, column: 1 };
            let fault = Fault { place, key: String::new(), message: activemq::XML.to_owned() };
            return Err(ConfigError { file, faults: vec![fault] });
        }
        let (root, mut faults) = parse(text);
        let Some(mut root) = root else { return Err(ConfigError { file, faults }) };
        add_default(&mut root, default.0, default.1);
        for argument in arguments {
            if let Err(message) = lay_over(&mut root, argument) {
                let path = argument.split('=').next().unwrap_or_default();
                let place = Origin::Argument(path.to_owned());
                faults.push(Fault { place, key: String::new(), message });
            }
        }
        Ok(Source {
            file,
            root,
            environment: environment.to_vec(),
            faults: RefCell::new(faults),
            settings: RefCell::default(),
            sections: RefCell::default(),
            variables: RefCell::default(),
        })
    }

    /// The whole file as a section.
    pub(super) fn root(&self) -> Section<'_> {
        Section { source: self, node: Some(&self.root), path: String::new(), element: String::new() }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Notes a fault.
    pub(super) fn fault(&self, place: Origin, key: impl Into<String>, message: impl Into<String>) {
        self.faults.borrow_mut().push(Fault { place, key: key.into(), message: message.into() });
    }

    /// Ends reading: complains about whatever nobody asked for.
    pub(super) fn finish(self) -> Result<Vec<Setting>, ConfigError> {
        self.unknown(&self.root, "", "");
        for (name, value) in &self.environment {
            self.unknown_variable(name, value);
        }
        let mut faults = self.faults.into_inner();
        if faults.is_empty() {
            return Ok(self.settings.into_inner());
        }
        faults.sort_by(|a, b| a.place.cmp(&b.place));
        faults.dedup();
        Err(ConfigError { file: self.file, faults })
    }
}

/// One `[section]`, or one element of `[[sections]]`. Absent sections answer with defaults.
pub(super) struct Section<'a> {
    source: &'a Source,
    node: Option<&'a Node>,
    path: String,
    element: String,
}

impl<'a> Section<'a> {
    /// The section of this name below this one.
    pub(super) fn section(&self, name: &str) -> Section<'a> {
        let path = join(&self.path, name);
        self.source.sections.borrow_mut().push((path.clone(), false));
        let mut node = self.child(name);
        if let Some(other) = node.filter(|n| !matches!(n.value, Value::Table(_))) {
            let message = format!("expected a section [{path}], found {}", kind(&other.value));
            self.source.fault(other.place.clone(), path.clone(), message);
            node = None;
        }
        Section { source: self.source, node, path, element: String::new() }
    }

    /// The elements of `[[name]]`, in the order of the file.
    pub(super) fn sections(&self, name: &str) -> Vec<Section<'a>> {
        let path = join(&self.path, name);
        self.source.sections.borrow_mut().push((path.clone(), true));
        let Some(node) = self.child(name) else { return Vec::new() };
        let Value::List(elements) = &node.value else {
            let message = format!("expected [[{path}]] with two brackets, because there may be several");
            self.source.fault(node.key_place.clone(), path, message);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            if !matches!(element.value, Value::Table(_)) {
                let message = format!("expected [[{path}]] sections, found {}", kind(&element.value));
                self.source.fault(element.place.clone(), path.clone(), message);
                continue;
            }
            let (node, element) = (Some(element), element_name(element, index));
            sections.push(Section { source: self.source, node, path: path.clone(), element });
        }
        sections
    }

    /// Whether the section is written anywhere.
    pub(super) fn is_present(&self) -> bool {
        self.node.is_some()
    }

    /// Whether a key is written anywhere.
    pub(super) fn is_written(&self, key: &str) -> bool {
        self.written(key).is_some()
    }

    /// Where the section begins.
    pub(super) fn place(&self) -> Origin {
        self.node.map_or(Origin::Default, |node| node.key_place.clone())
    }

    /// Where the value of a key stands; of the section if the key is not written.
    fn place_of(&self, key: &str) -> Origin {
        match self.written(key) {
            Some(node) => node.place,
            None => self.place(),
        }
    }

    /// Dotted path of a key, with the element's name.
    pub(super) fn path_of(&self, key: &str) -> String {
        join(&join(&self.path, &self.element), key)
    }

    /// Notes a fault at a key.
    pub(super) fn fault(&self, key: &str, message: impl Into<String>) {
        self.source.fault(self.place_of(key), self.path_of(key), message);
    }

    fn child(&self, name: &str) -> Option<&'a Node> {
        match self.node.map(|node| &node.value) {
            Some(Value::Table(entries)) => entries.iter().find(|(n, _)| n == name).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The value that counts: argument, then environment, then file.
    fn written(&self, key: &str) -> Option<Node> {
        let child = self.child(key);
        let name = variable_name(&self.path_of(key));
        self.source.variables.borrow_mut().insert(name.clone());
        if let Some(node) = child.filter(|node| matches!(node.place, Origin::Argument(_))) {
            return Some(node.clone());
        }
        match self.source.variable(&name) {
            Some(text) => {
                let value = Value::Loose(text.to_owned());
                let place = Origin::Environment(name);
                Some(Node { value, key_place: place.clone(), place })
            }
            None => child.cloned(),
        }
    }

    /// Reads a key with `parse`; faults are noted and answered with `None`, like absence.
    pub(super) fn read<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&Value) -> Result<T, String>,
        show: impl Fn(&T) -> String,
        default: Option<&str>,
    ) -> Option<T> {
        let written = self.written(key).and_then(|node| {
            let value = self.expand(key, &node)?;
            match parse(&value) {
                Ok(value) => Some((value, node.place)),
                Err(message) => {
                    self.source.fault(node.place, self.path_of(key), message);
                    None
                }
            }
        });
        let found = written.or_else(|| {
            let value = parse(&Value::Loose(default?.to_owned())).ok()?;
            Some((value, Origin::Default))
        });
        let (value, place) = match found {
            Some((value, place)) => (Some(value), place),
            None => (None, Origin::Default),
        };
        self.source.settings.borrow_mut().push(Setting {
            section: self.path.clone(),
            element: self.element.clone(),
            key,
            value: value.as_ref().map(show),
            place,
        });
        value
    }

    /// Puts the environment into `${env:NAME}`.
    fn expand(&self, key: &str, node: &Node) -> Option<Value> {
        let (Value::Text(text) | Value::Loose(text)) = &node.value else { return Some(node.value.clone()) };
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                self.source.fault(node.place.clone(), self.path_of(key), "\"${\" without a closing \"}\"");
                return None;
            };
            let Some(name) = name.strip_prefix("env:") else {
                let message = format!("\"${{{name}}}\" is no reference; expected ${{env:NAME}}");
                self.source.fault(node.place.clone(), self.path_of(key), message);
                return None;
            };
            let Some(value) = self.source.variable(name) else {
                let message = format!("the environment variable {name} is not set");
                self.source.fault(node.place.clone(), self.path_of(key), message);
                return None;
            };
            out.push_str(value);
            rest = after;
        }
        out.push_str(rest);
        Some(match node.value {
            Value::Text(_) => Value::Text(out),
            _ => Value::Loose(out),
        })
    }

    /// Text that `parse` understands; with a default.
    pub(super) fn parsed<T>(
        &self,
        key: &'static str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.read_text(key, Some(default), parse)
    }

    /// Text that `parse` understands; may be absent.
    pub(super) fn optional<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.read_text(key, None, parse)
    }

    fn read_text<T>(
        &self,
        key: &'static str,
        default: Option<&str>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let both = |value: &Value| match value {
            Value::Text(text) | Value::Loose(text) => Ok((parse(text)?, text.clone())),
            other => Err(format!("expected text in quotes, found {}", kind(other))),
        };
        self.read(key, both, |(_, text)| quote(text), default).map(|(value, _)| value)
    }

    /// A size in bytes, or a duration, or a limit: text, or for sizes a plain number.
    pub(super) fn measure<T>(
        &self,
        key: &'static str,
        default: T,
        range: Option<RangeInclusive<T>>,
        unit: &Unit<T>,
    ) -> T {
        self.read_measure(key, Some(&(unit.show)(&default)), range, unit).unwrap_or(default)
    }

    /// The same, and it may be absent.
    pub(super) fn optional_measure<T>(
        &self,
        key: &'static str,
        range: Option<RangeInclusive<T>>,
        unit: &Unit<T>,
    ) -> Option<T> {
        self.read_measure(key, None, range, unit)
    }

    fn read_measure<T>(
        &self,
        key: &'static str,
        default: Option<&str>,
        range: Option<RangeInclusive<T>>,
        unit: &Unit<T>,
    ) -> Option<T> {
        let parse = |value: &Value| {
            let value = match value {
                Value::Text(text) | Value::Loose(text) => (unit.parse)(text)?,
                Value::Integer(number) if unit.bare => (unit.parse)(&number.to_string())?,
                Value::Integer(number) => return Err(format!("{number} has no unit; {}", unit.expected)),
                other => return Err(format!("{}, found {}", unit.expected, kind(other))),
            };
            match &range {
                Some(range)
                    if !((unit.magnitude)(range.start())..=(unit.magnitude)(range.end()))
                        .contains(&(unit.magnitude)(&value)) =>
                {
                    Err(format!(
                        "{} is out of range; expected {} to {}",
                        (unit.show)(&value),
                        (unit.show)(range.start()),
                        (unit.show)(range.end())
                    ))
                }
                _ => Ok(value),
            }
        };
        let show = |value: &T| quote(&(unit.show)(value));
        self.read(key, parse, show, default)
    }

    /// A whole number.
    pub(super) fn integer(&self, key: &'static str, default: i64, range: RangeInclusive<i64>) -> i64 {
        self.whole(key, Some(&default.to_string()), &range).unwrap_or(default)
    }

    /// The same, and it may be absent.
    pub(super) fn optional_integer(&self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        self.whole(key, None, &range)
    }

    fn whole(&self, key: &'static str, default: Option<&str>, range: &RangeInclusive<i64>) -> Option<i64> {
        let parse = |value: &Value| {
            let number = match value {
                Value::Integer(number) => *number,
                Value::Loose(text) => text
                    .trim()
                    .parse()
                    .map_err(|_| format!("{text:?} is no number; expected {}", show_range(range)))?,
                other => return Err(format!("expected a whole number, found {}", kind(other))),
            };
            match i64::try_from(number) {
                Ok(number) if range.contains(&number) => Ok(number),
                _ => Err(format!("{number} is out of range; expected {}", show_range(range))),
            }
        };
        self.read(key, parse, i64::to_string, default)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, key: &'static str, default: bool) -> bool {
        let parse = |value: &Value| match value {
            Value::Boolean(value) => Ok(*value),
            Value::Loose(text) => {
                text.trim().parse().map_err(|_| format!("{text:?} is neither; expected true or false"))
            }
            other => Err(format!("expected true or false, found {}", kind(other))),
        };
        self.read(key, parse, bool::to_string, Some(&default.to_string())).unwrap_or(default)
    }

    /// One word of several.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, default: &str, words: &[(&str, T)]) -> Option<T> {
        self.parsed(key, default, |text| {
            if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
                return Ok(*value);
            }
            let all = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
            Err(match nearest(text, words.iter().map(|(word, _)| *word)) {
                Some(meant) => {
                    format!("unknown value {text:?}; did you mean {meant:?}? Expected one of {all}")
                }
                None => format!("unknown value {text:?}; expected one of {all}"),
            })
        })
    }

    /// A list of texts; empty by default.
    pub(super) fn texts(&self, key: &'static str) -> Vec<String> {
        let parse = |value: &Value| match value {
            Value::Loose(text) => Ok(text
                .split(',')
                .map(|part| part.trim().to_owned())
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()),
            Value::List(nodes) => nodes
                .iter()
                .map(|node| match &node.value {
                    Value::Text(text) => Ok(text.clone()),
                    other => Err(format!("expected a list of texts, found {} in it", kind(other))),
                })
                .collect(),
            other => Err(format!("expected a list of texts in brackets, found {}", kind(other))),
        };
        let show = |texts: &Vec<String>| {
            format!("[{}]", texts.iter().map(|t| quote(t)).collect::<Vec<_>>().join(", "))
        };
        self.read(key, parse, show, Some("")).unwrap_or_default()
    }

    /// A secret: text under `key`, or the content of the file named under `key_file`; not both.
    pub(super) fn secret(&self, key: &'static str, key_file: &'static str) -> Option<Secret> {
        let text = |value: &Value| match value {
            Value::Text(text) | Value::Loose(text) => Ok(text.clone()),
            other => Err(format!("expected text in quotes, found {}", kind(other))),
        };
        let inline = self.read(key, text, |_| quote("********"), None);
        let from_file = self.optional(key_file, |path| match std::fs::read_to_string(path) {
            Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => Err(format!("cannot read {path:?}: {error}")),
        });
        if inline.is_some() && from_file.is_some() {
            self.fault(key_file, format!("given together with {key}; keep one of them"));
        }
        inline.or(from_file).map(Secret::new)
    }
}

/// How to read and show a number with a unit.
pub(super) struct Unit<T> {
    pub parse: fn(&str) -> Result<T, String>,
    pub show: fn(&T) -> String,
    /// For comparing with bounds.
    pub magnitude: fn(&T) -> u128,
    pub expected: &'static str,
    /// Whether a plain number is one too.
    pub bare: bool,
}

fn show_range(range: &RangeInclusive<i64>) -> String {
    match range.end() {
        &i64::MAX => format!("{} or more", range.start()),
        end => format!("{} to {end}", range.start()),
    }
}

/// Text in TOML's quotes.
fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

pub(super) fn join(path: &str, name: &str) -> String {
    match (path.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => path.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

/// `store.replicated.zk_path` as `QUORATE_STORE_REPLICATED_ZK_PATH`.
pub(super) fn variable_name(path: &str) -> String {
    let mut name = VARIABLE_PREFIX.to_owned();
    name.extend(path.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }));
    name
}
