//! The file as written: its tables, with the place of every value, and the `--set` arguments laid over them.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Origin, nearest};

/// A value as written.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i128),
    Boolean(bool),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
    /// From `--set` or the environment: typed by whoever asks.
    Loose(String),
    /// A kind that no key takes: a float or a date.
    Other(&'static str),
}

/// A value, where it stands and where its key stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub value: Value,
    pub place: Origin,
    pub key_place: Origin,
}

/// Reads a file. The faults are what is no TOML; `None` if nothing can be made of the rest then.
pub(super) fn parse(text: &str) -> (Option<Node>, Vec<Fault>) {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut faults = Vec::new();
    let mut usable = true;
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let duplicate = error.message().contains("duplicate key");
        usable &= duplicate;
        let key = if duplicate { path_at(text, span.clone()) } else { String::new() };
        let message = if duplicate {
            "written twice; keep one of them".to_owned()
        } else {
            format!("no TOML: {}", error.message())
        };
        faults.push(Fault { place: lines.place(span.start), key, message });
    }
    let place = Origin::Default;
    let value = table_value(table.get_ref(), &lines);
    (usable.then_some(Node { value, place: place.clone(), key_place: place }), faults)
}

/// What a person would call this value.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Text(_) | Value::Loose(_) => "text",
        Value::Integer(_) => "a number",
        Value::Boolean(_) => "a boolean",
        Value::List(_) => "a list",
        Value::Table(_) => "a section",
        Value::Other(kind) => kind,
    }
}

/// Dotted path of the key that stands at `span`, from the text alone.
fn path_at(text: &str, span: std::ops::Range<usize>) -> String {
    let before = text.get(..span.start).unwrap_or_default();
    let key = text.get(span).unwrap_or_default();
    let header = before.lines().rev().find_map(|line| line.trim_start().strip_prefix('['));
    match header {
        // The header itself is what stands twice.
        Some(header) if before.ends_with(header) => {
            format!("{header}{key}").trim_start_matches('[').to_owned()
        }
        Some(header) => {
            format!("{}.{key}", header.trim_start_matches('[').split(']').next().unwrap_or_default())
        }
        None => key.to_owned(),
    }
}

/// The `name` of a list's element, else its number from 1.
pub(super) fn element_name(element: &Node, index: usize) -> String {
    if let Value::Table(entries) = &element.value
        && let Some((_, node)) = entries.iter().find(|(name, _)| name == "name")
        && let Value::Text(name) | Value::Loose(name) = &node.value
    {
        return name.clone();
    }
    (index + 1).to_string()
}

/// Adds the only element that the list `name` has if the file has none.
pub(super) fn add_default(root: &mut Node, name: &str, element: &[(&str, &str)]) {
    let Value::Table(entries) = &mut root.value else { return };
    let new = |value| Node { value, place: Origin::Default, key_place: Origin::Default };
    let values = element.iter().map(|(key, text)| ((*key).to_owned(), new(Value::Text((*text).to_owned()))));
    let list = new(Value::List(vec![new(Value::Table(values.collect()))]));
    match entries.iter_mut().find(|(written, _)| written == name) {
        None => entries.push((name.to_owned(), list)),
        Some((_, node)) if matches!(&node.value, Value::List(elements) if elements.is_empty()) => {
            *node = list
        }
        Some(_) => {}
    }
}

/// Lays `path=value` over the tree. An element of a list is named; one that is not there is added.
pub(super) fn lay_over(root: &mut Node, argument: &str) -> Result<(), String> {
    let Some((path, text)) = argument.split_once('=') else {
        return Err("expected key=value".to_owned());
    };
    let path = path.trim();
    let parts: Vec<&str> = path.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(format!("{path:?} is no key; expected a dotted path such as store.kind"));
    }
    let place = Origin::Argument(path.to_owned());
    let new = |value| Node { value, place: place.clone(), key_place: place.clone() };
    let mut node = root;
    for (depth, part) in parts.iter().enumerate() {
        let last = depth + 1 == parts.len();
        node = match &mut node.value {
            Value::List(elements) => {
                let found =
                    elements.iter().enumerate().position(|(i, element)| element_name(element, i) == *part);
                let index = found.unwrap_or(elements.len());
                if found.is_none() {
                    if let Some(meant) = misspelt(part, elements) {
                        let list = parts[0].replace('_', " ");
                        return Err(format!("there is no {list} {part:?}; did you mean {meant:?}?"));
                    }
                    let name = ("name".to_owned(), new(Value::Text((*part).to_owned())));
                    elements.push(new(Value::Table(vec![name])));
                }
                &mut elements[index]
            }
            Value::Table(entries) => {
                let found = entries.iter().position(|(name, _)| name == part);
                let index = found.unwrap_or(entries.len());
                if found.is_none() {
                    let list =
                        depth == 0 && matches!(*part, "transport_connector" | "network_connector" | "users");
                    let value = if list { Value::List(Vec::new()) } else { Value::Table(Vec::new()) };
                    entries.push(((*part).to_owned(), new(value)));
                }
                if last {
                    entries[index].1 = new(Value::Loose(text.trim().to_owned()));
                    return Ok(());
                }
                &mut entries[index].1
            }
            _ => return Err(format!("{:?} is a key, not a section", parts[..depth].join("."))),
        };
    }
    Err(format!("{path:?} is a section; expected one of its keys"))
}

/// The element that was meant, if a name is so much like its name that nobody would call a second one so. Names that
/// go on (`stomp-tls`) or count on (`group1`, `group2`) are those of a new element.
fn misspelt(name: &str, elements: &[Node]) -> Option<String> {
    let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let names: Vec<String> = elements.iter().enumerate().map(|(index, it)| element_name(it, index)).collect();
    let alike = names.iter().map(String::as_str).filter(|other| {
        name.len().min(other.len()) >= NAME_ALIKE_MIN
            && !name.starts_with(other)
            && letters(name) != letters(other)
    });
    nearest(name, alike).map(str::to_owned)
}

/// Shorter names are always alike.
const NAME_ALIKE_MIN: usize = 4;

/// Turns byte offsets into lines and columns.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Lines<'a> {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Lines { text, starts }
    }

    fn place(&self, offset: usize) -> Origin {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        let column = self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        Origin::File { line, column }
    }
}

fn table_value(table: &DeTable<'_>, lines: &Lines<'_>) -> Value {
    let mut entries: Vec<(String, Node)> = Vec::new();
    for (key, value) in table {
        let mut node = node(value, lines);
        node.key_place = lines.place(key.span().start);
        entries.push((key.get_ref().to_string(), node));
    }
    entries.sort_by(|a, b| a.1.key_place.cmp(&b.1.key_place));
    Value::Table(entries)
}

fn node(value: &Spanned<DeValue<'_>>, lines: &Lines<'_>) -> Node {
    let place = lines.place(value.span().start);
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Other("a number that is too large"),
        },
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(values) => Value::List(values.iter().map(|value| node(value, lines)).collect()),
        DeValue::Table(table) => table_value(table, lines),
    };
    Node { value, key_place: place.clone(), place }
}
