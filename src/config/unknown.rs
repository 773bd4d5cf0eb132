//! What was written and never asked for: keys and variables that do not exist, and what may have been meant.

use super::activemq;
use super::fault::{Origin, nearest};
use super::policy;
use super::raw::{Node, Value, element_name};
use super::section::{Source, VARIABLE_PREFIX, join, variable_name};
use super::service::is_made_for_a_service;

/// Variables that are not keys: they belong to the command line.
const VARIABLES_OTHER: [&str; 4] = ["QUORATE_CONFIG", "QUORATE_URL", "QUORATE_CONSOLE", "QUORATE_LOG"];

impl Source {
    /// Complains about a variable that was meant for us: it is like one of ours, or begins with one of our sections.
    /// Others that begin with `QUORATE_` belong to scripts.
    pub(super) fn unknown_variable(&self, name: &str, value: &str) {
        let known = self.variables.borrow();
        let ours = known.contains(name) || VARIABLES_OTHER.contains(&name);
        if ours || !name.starts_with(VARIABLE_PREFIX) || is_made_for_a_service(name, value) {
            return;
        }
        let meant = nearest(name, known.iter().map(String::as_str));
        let sections = self.sections.borrow();
        let below = sections.iter().any(|(section, _)| name.starts_with(&(variable_name(section) + "_")));
        if meant.is_some() || below {
            self.fault(Origin::Environment(name.to_owned()), "", unknown_message("variable", meant));
        }
    }

    /// Complains about the keys below `node` that were never asked for. `path` is the header path, `shown` has the
    /// names of list elements in it.
    pub(super) fn unknown(&self, node: &Node, path: &str, shown: &str) {
        let Value::Table(entries) = &node.value else { return };
        for (name, child) in entries {
            let (path_below, shown_below) = (join(path, name), join(shown, name));
            let section = self.sections.borrow().iter().find(|(known, _)| *known == path_below).cloned();
            if let Some((_, list)) = section {
                match &child.value {
                    Value::List(elements) if list => {
                        for (index, element) in elements.iter().enumerate() {
                            let shown = join(&shown_below, &element_name(element, index));
                            self.unknown(element, &path_below, &shown);
                        }
                    }
                    _ if list => {}
                    _ => self.unknown(child, &path_below, &shown_below),
                }
                continue;
            }
            if !self.settings.borrow().iter().any(|s| s.section == path && s.key == name) {
                self.fault(child.key_place.clone(), shown_below, self.guess(path, name, child));
            }
        }
    }

    /// What to say about an unknown key.
    fn guess(&self, path: &str, name: &str, node: &Node) -> String {
        if let Some(why) = policy::why_no_key(name).filter(|_| path == "policy") {
            return why;
        }
        if let Some(hint) = activemq::hint(name) {
            return hint;
        }
        let settings = self.settings.borrow();
        let sections = self.sections.borrow();
        let is_section = matches!(node.value, Value::Table(_) | Value::List(_));
        let noun = if is_section && path.is_empty() { "section" } else { "key" };
        let siblings = settings.iter().filter(|s| s.section == path).map(|s| s.key);
        let below = sections.iter().filter_map(|(section, _)| {
            let (parent, last) = section.rsplit_once('.').unwrap_or(("", section));
            (parent == path).then_some(last)
        });
        if let Some(meant) = nearest(name, siblings.chain(below)) {
            return unknown_message(noun, Some(meant));
        }
        match settings.iter().find(|s| nearest(name, [s.key]).is_some() && s.key.len() > 3) {
            Some(other) if other.key == name => {
                format!("unknown key here; it belongs to [{}]", other.section)
            }
            Some(other) => format!("unknown key; did you mean {:?} of [{}]?", other.key, other.section),
            None => unknown_message(noun, None),
        }
    }
}

fn unknown_message(noun: &str, meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("unknown {noun}; did you mean {meant:?}?"),
        None => format!("unknown {noun}"),
    }
}
