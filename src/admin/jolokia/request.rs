//! What is asked for, by the path of a GET or by the JSON of a POST.

use form_urlencoded::parse;
use serde_json::{Map, Value, json};

/// Parts of a path, and names of attributes in one request.
const PARTS_MAX: usize = 64;

/// One request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Asked {
    /// `read`, `list`, `search`, `version`, `exec`, ..
    pub(super) kind: String,
    pub(super) mbean: String,
    /// Attributes to read; none: all.
    pub(super) attributes: Vec<String>,
    /// Operation to execute.
    pub(super) operation: String,
    /// Into what was found.
    pub(super) path: Vec<String>,
    pub(super) options: Options,
    /// What is repeated in the answer.
    pub(super) echo: Value,
}

/// How the answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) ignore_errors: bool,
    /// Levels of an answer; 0: all.
    pub(super) depth_max: usize,
    /// Entries of a list in an answer; 0: as many as there may be.
    pub(super) entries_max: usize,
    /// Whether keys of names are told in alphabetical order.
    pub(super) canonical: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { ignore_errors: false, depth_max: 0, entries_max: 0, canonical: true }
    }
}

impl Options {
    /// Those of a query; tools send others too.
    pub(super) fn of(query: &str) -> Options {
        let mut options = Options::default();
        parse(query.as_bytes()).for_each(|(name, value)| options.set(&name, &value));
        options
    }

    fn set(&mut self, name: &str, value: &str) {
        let number = value.parse().unwrap_or_default();
        match name {
            "ignoreErrors" => self.ignore_errors = value == "true",
            "maxDepth" => self.depth_max = number,
            "maxCollectionSize" => self.entries_max = number,
            "canonicalNaming" => self.canonical = value != "false",
            _ => {}
        }
    }
}

impl Asked {
    /// Reads a path behind `/api/jolokia/`.
    pub(super) fn by_path(path: &str, options: Options) -> Result<Asked, String> {
        let mut parts = split(path)?.into_iter();
        let kind = parts.next().filter(|kind| !kind.is_empty()).unwrap_or_else(|| "version".to_owned());
        let mut asked = Asked { kind, options, ..Asked::default() };
        match &*asked.kind {
            "read" | "write" => {
                asked.mbean = parts.next().unwrap_or_default();
                let attributes = parts.next().unwrap_or_default();
                asked.attributes =
                    attributes.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect();
                asked.path = parts.collect();
            }
            "exec" => {
                asked.mbean = parts.next().unwrap_or_default();
                asked.operation = parts.next().unwrap_or_default();
            }
            "search" => asked.mbean = parts.next().unwrap_or_default(),
            _ => asked.path = parts.collect(),
        }
        asked.check()
    }

    /// Reads an object of a body.
    pub(super) fn by_json(value: &Value, options: Options) -> Result<Asked, String> {
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let mut asked = Asked {
            kind: text("type"),
            mbean: text("mbean"),
            operation: text("operation"),
            path: split(&text("path"))?,
            options,
            ..Asked::default()
        };
        asked.path.retain(|part| !part.is_empty());
        asked.attributes = match &value["attribute"] {
            Value::String(one) => vec![one.clone()],
            Value::Array(several) => {
                several.iter().filter_map(Value::as_str).take(PARTS_MAX + 1).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        for (name, value) in value["config"].as_object().into_iter().flatten() {
            match value {
                Value::String(text) => asked.options.set(name, text),
                other => asked.options.set(name, &other.to_string()),
            }
        }
        asked.check()
    }

    fn check(mut self) -> Result<Asked, String> {
        if self.attributes.len() > PARTS_MAX || self.path.len() > PARTS_MAX {
            return Err(format!("more than {PARTS_MAX} attributes or parts of a path"));
        }
        let mut echo = Map::from_iter([("type".to_owned(), json!(self.kind))]);
        let mut add = |name: &str, value: Value| drop(echo.insert(name.to_owned(), value));
        if !self.mbean.is_empty() {
            add("mbean", json!(self.mbean));
        }
        if !self.operation.is_empty() {
            add("operation", json!(self.operation));
        }
        match &self.attributes[..] {
            [] => {}
            [one] => add("attribute", json!(one)),
            several => add("attribute", json!(several)),
        }
        if !self.path.is_empty() {
            add("path", json!(self.path.join("/")));
        }
        self.echo = Value::Object(echo);
        Ok(self)
    }
}

/// The parts between the slashes. `!` takes its meaning from the character behind it.
fn split(path: &str) -> Result<Vec<String>, String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        match character {
            '!' => part.extend(characters.next()),
            '/' => parts.push(std::mem::take(&mut part)),
            other => part.push(other),
        }
        if parts.len() > PARTS_MAX {
            return Err(format!("more than {PARTS_MAX} parts of a path"));
        }
    }
    parts.push(part);
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_body_can_ask_for_the_same() {
        let options = Options::of("maxDepth=3&ignoreErrors=true&canonicalNaming=false&p=x");
        let path = "read/a:b=x!/y!!,c=d/One,Two/in/side";
        let by_path = Asked::by_path(path, options).unwrap();
        let body = json!({"type": "read", "mbean": "a:b=x/y!,c=d", "attribute": ["One", "Two"], "path": "in/side",
            "config": {"maxDepth": 3, "ignoreErrors": "true", "canonicalNaming": false}});
        assert_eq!(by_path, Asked::by_json(&body, Options::default()).unwrap());
        assert_eq!((by_path.attributes.len(), &*by_path.mbean), (2, "a:b=x/y!,c=d"));
        assert_eq!(Asked::by_path("", options).unwrap().kind, "version");
        assert!(Asked::by_path(&"a/".repeat(100), options).is_err());
    }
}
