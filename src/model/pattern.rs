//! Names with wildcards: `*` stands for one part of a name, `>` at the end for all that follows.

/// A name to subscribe to, which may have wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<String>,
    rest: bool,
}

impl Pattern {
    /// Reads a name; `None` if it has no wildcard and so stands for itself.
    pub fn parse(name: &str) -> Option<Pattern> {
        if !name.contains(['*', '>']) {
            return None;
        }
        let wild = name.split('.').any(|part| part == "*" || part == ">");
        let parts: Vec<String> = name.split('.').take_while(|part| *part != ">").map(str::to_owned).collect();
        let rest = name.split('.').any(|part| part == ">");
        wild.then_some(Pattern { parts, rest })
    }

    /// Reads a name; one without a wildcard stands for itself.
    pub fn of(name: &str) -> Pattern {
        let itself = || Pattern { parts: name.split('.').map(str::to_owned).collect(), rest: false };
        Pattern::parse(name).unwrap_or_else(itself)
    }

    /// How much of a name it says: parts that are words, parts in all, and whether that is all. More is more specific.
    pub fn specificity(&self) -> (usize, usize, bool) {
        let words = self.parts.iter().filter(|part| *part != "*").count();
        (words, self.parts.len(), !self.rest)
    }

    /// Whether every name that `other` means is meant, whatever names there will be.
    pub fn covers(&self, other: &Pattern) -> bool {
        let mut parts = other.parts.iter();
        for wanted in &self.parts {
            match parts.next() {
                Some(part) if wanted == "*" || wanted == part => {}
                _ => return false,
            }
        }
        self.rest || parts.next().is_none() && !other.rest
    }

    /// Whether a name without wildcards is meant. As in ActiveMQ, `A.>` means `A` too.
    pub fn matches(&self, name: &str) -> bool {
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
    fn a_pattern_covers_those_that_mean_less() {
        let covers = |one: &str, other: &str| Pattern::of(one).covers(&Pattern::of(other));
        assert!(covers(">", "A.*") && covers("A.>", "A") && covers("A.>", "A.>") && covers("A.*", "A.B"));
        assert!(covers("A.*", "A.*") && covers("A.B", "A.B") && covers("A.>", "A.*.C"));
        assert!(
            !covers("A.*", "A.>") && !covers("A.B", "A.*") && !covers("A.*.C", "A.>") && !covers("A", "B")
        );
    }

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
