//! Names with wildcards: `*` stands for one part of a name, `>` at the end for all that follows.

/// A name to subscribe to, which may have wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker) struct Pattern {
    parts: Vec<String>,
    rest: bool,
}

impl Pattern {
    /// Reads a name; `None` if it has no wildcard and so stands for itself.
    pub(in crate::broker) fn parse(name: &str) -> Option<Pattern> {
        if !name.contains(['*', '>']) {
            return None;
        }
        let wild = name.split('.').any(|part| part == "*" || part == ">");
        let parts: Vec<String> = name.split('.').take_while(|part| *part != ">").map(str::to_owned).collect();
        let rest = name.split('.').any(|part| part == ">");
        wild.then_some(Pattern { parts, rest })
    }

    /// Whether a name without wildcards is meant. As in ActiveMQ, `A.>` means `A` too.
    pub(in crate::broker) fn matches(&self, name: &str) -> bool {
        let mut parts = name.split('.');
        for wanted in &self.parts {
            match parts.next() {
                Some(part) if wanted == "*" || wanted == part => {}
                _ => return false,
            }
        }
        self.rest || parts.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn wildcards_mean_what_they_mean_in_activemq() {
        let matches = |pattern: &str, name: &str| Pattern::parse(pattern).unwrap().matches(name);
        assert!(matches("A.*", "A.B") && !matches("A.*", "A") && !matches("A.*", "A.B.C"));
        assert!(matches("A.>", "A.B") && matches("A.>", "A.B.C") && matches("A.>", "A"));
        assert!(!matches("A.>", "AB") && matches(">", "x.y") && matches("*.B", "A.B"));
        assert!(matches("A.>.ignored", "A.C"), "what stands after > is ignored");
        assert_eq!(Pattern::parse("A.B*"), None);
        assert_eq!(Pattern::parse("plain"), None);
    }
}
