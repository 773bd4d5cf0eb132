//! Names with wildcards: `*` stands for one part of a name, `>` at the end for all that follows.

use std::cmp::Ordering;

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

    /// Whether there may be a name that both mean.
    pub fn meets(&self, other: &Pattern) -> bool {
        let mut both = self.parts.iter().zip(&other.parts);
        if both.any(|(one, another)| one != another && one != "*" && another != "*") {
            return false;
        }
        match self.parts.len().cmp(&other.parts.len()) {
            Ordering::Less => self.rest,
            Ordering::Equal => true,
            Ordering::Greater => other.rest,
        }
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
    fn patterns_meet_where_a_name_is_meant_by_both() {
        let meets = |one: &str, other: &str| {
            let (one, other) = (Pattern::of(one), Pattern::of(other));
            assert_eq!(one.meets(&other), other.meets(&one));
            one.meets(&other)
        };
        assert!(meets(">", "A.*") && meets("A.>", "A") && meets("A.B.C", "A.>") && meets("A.*", "*.B"));
        assert!(!meets("A.B", "A") && !meets("A.>", "B.>") && !meets("A.*", "A.B.C") && !meets("*", "A.B"));
    }

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
