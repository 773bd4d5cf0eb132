//! Object names as ActiveMQ gives them: `org.apache.activemq:type=Broker,brokerName=..,destinationType=Queue,destinationName=..`.

use std::borrow::Cow;

/// The domain of all names here.
pub(super) const DOMAIN: &str = "org.apache.activemq";
/// Keys of a name.
const KEYS_MAX: usize = 16;

/// A name, or a pattern of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ObjectName {
    domain: String,
    /// As they were given.
    keys: Vec<(String, String)>,
    /// Whether others may have more keys: a `*` among the keys.
    open: bool,
}

impl ObjectName {
    pub(super) fn of(keys: &[(&str, &str)]) -> ObjectName {
        let keys = keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        ObjectName { domain: DOMAIN.to_owned(), keys, open: false }
    }

    /// Reads a name.
    ///
    /// # Errors
    /// It is none; the text says why.
    pub(super) fn parse(text: &str) -> Result<ObjectName, String> {
        let (domain, keys) = text.split_once(':').ok_or_else(|| format!("no domain in {text:?}"))?;
        let mut name = ObjectName { domain: domain.to_owned(), keys: Vec::new(), open: false };
        for part in keys.split(',') {
            if part == "*" {
                name.open = true;
                continue;
            }
            let (key, value) = part.split_once('=').ok_or_else(|| format!("no key=value in {part:?}"))?;
            if key.is_empty() || value.is_empty() || name.keys.len() == KEYS_MAX || name.get(key).is_some() {
                return Err(format!("{text:?} is no object name"));
            }
            let plain = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            name.keys.push((key.to_owned(), plain.unwrap_or(value).to_owned()));
        }
        Ok(name)
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.keys.iter().find(|(it, _)| it == key).map(|(_, value)| &**value)
    }

    /// Whether it may stand for several.
    pub(super) fn is_pattern(&self) -> bool {
        let wild = |text: &str| text.contains(['*', '?']);
        self.open || wild(&self.domain) || self.keys.iter().any(|(_, value)| wild(value))
    }

    /// Whether the name with these keys, and no others, is one of those that this stands for.
    pub(super) fn admits(&self, keys: &[(&str, &str)]) -> bool {
        let of = |wanted: &str| keys.iter().find(|(key, _)| *key == wanted).map(|(_, value)| *value);
        (self.open || self.keys.len() == keys.len())
            && is_like(&self.domain, DOMAIN)
            && self.keys.iter().all(|(key, pattern)| of(key).is_some_and(|value| is_like(pattern, value)))
    }

    /// The keys, in alphabetical order if `canonical`.
    pub(super) fn properties(&self, canonical: bool) -> String {
        let mut keys: Vec<_> = self.keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
        if canonical {
            keys.sort_unstable();
        }
        keys.join(",")
    }

    pub(super) fn text(&self, canonical: bool) -> String {
        format!("{}:{}", self.domain, self.properties(canonical))
    }
}

/// Whether a text is like a pattern, in which `*` stands for any characters and `?` for one.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut place) = (0, 0);
    // Where to go on when what follows the last star does not fit.
    let mut star = None;
    while place < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, place));
                at += 1;
            }
            Some(it) if *it == b'?' || *it == text[place] => (at, place) = (at + 1, place + 1),
            _ => match star {
                Some((behind, tried)) => {
                    star = Some((behind, tried + 1));
                    (at, place) = (behind, tried + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|it| *it == b'*')
}

/// A text as a value in a name, as ActiveMQ's `JMXSupport.encodeObjectNamePart` makes it. Different texts can become one.
pub(super) fn encoded(text: &str) -> Cow<'_, str> {
    if !text.contains([':', ',', '\'', '"', '?', '=', '*']) {
        return Cow::Borrowed(text);
    }
    let text = text.replace([':', ',', '\'', '"'], "_");
    Cow::Owned(text.replace('?', "&qe;").replace('=', "&amp;").replace('*', "&ast;"))
}

/// What became this value, unless it had one of the characters that become `_`.
pub(super) fn decoded(value: &str) -> String {
    value.replace("&qe;", "?").replace("&amp;", "=").replace("&ast;", "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_names_with_its_keys_in_any_order() {
        let keys = [("type", "Broker"), ("brokerName", "b"), ("destinationName", "a.b/c")];
        for (text, admits) in [
            ("org.apache.activemq:destinationName=a.b/c,type=Broker,brokerName=b", true),
            ("org.apache.activemq:type=Broker,*", true),
            ("*:*", true),
            ("org.*:type=Broker,brokerName=*,destinationName=a.?/*", true),
            ("org.apache.activemq:type=Broker,brokerName=b", false),
            ("org.apache.activemq:type=Broker,destinationName=*c*b,*", false),
            ("java.lang:*", false),
            ("org.apache.activemq:type=Broker,service=*,*", false),
        ] {
            assert_eq!(ObjectName::parse(text).unwrap().admits(&keys), admits, "{text}");
        }
        for text in ["", "a", "a:", "a:b", "a:b=", "a:=b", "a:b=1,b=2", "a:b=1,,c=2"] {
            assert!(ObjectName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_become_values_as_activemq_writes_them() {
        for (text, value) in [("a.b", "a.b"), ("a?b=c*", "a&qe;b&amp;c&ast;"), ("a:b,c'd\"", "a_b_c_d_")] {
            assert_eq!(encoded(text), value);
        }
        assert_eq!(decoded(&encoded("a?b=c*")), "a?b=c*");
    }

    #[test]
    fn many_stars_take_no_longer_than_the_product_of_both_lengths() {
        assert!(!is_like(&"*a".repeat(500), &"a".repeat(499)));
        assert!(is_like(&"*a".repeat(500), &"a".repeat(1000)));
    }
}
