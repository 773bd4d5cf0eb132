//! Rules: which groups may read, write and administer the destinations of a pattern. As in ActiveMQ a destination's rules add
//! up: what one of them allows is allowed, and what none allows is not.

use crate::model::Pattern;

use super::permission::{EVERYBODY, Permission};

/// What a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Queues of these names.
    Queue(String),
    /// Topics of these names.
    Topic(String),
}

/// Why a rule is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RuleError(String);

/// One rule, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    is_queue: bool,
    pattern: Pattern,
    groups: [Vec<String>; 3],
    /// Where it stands, for whoever asks why.
    place: String,
}

impl Rule {
    /// A rule for the groups that may read, write and administer; `place` says where it stands.
    ///
    /// # Errors
    /// [`RuleError`]: the name is no pattern.
    pub fn new(target: &Target, groups: [Vec<String>; 3], place: String) -> Result<Rule, RuleError> {
        let (Target::Queue(name) | Target::Topic(name)) = target;
        let fault = |what: &str| Err(RuleError(format!("{name:?} {what}")));
        if name.split('.').any(str::is_empty) {
            return fault(
                "is no pattern: a part between its dots is empty; expected one such as \"ORDERS.>\"",
            );
        }
        if name.chars().any(|c| c.is_control() || c == ',') {
            return fault("is no pattern: write one entry for each destination");
        }
        let mut parts = name.split('.');
        if parts.any(|part| part == ">") && parts.next().is_some() {
            return fault("is no pattern: nothing may stand after \">\"");
        }
        if name.split('.').any(|part| part.len() > 1 && part.contains(['*', '>'])) {
            return fault("is no pattern: \"*\" and \">\" stand for whole parts of a name");
        }
        let is_queue = matches!(target, Target::Queue(_));
        Ok(Rule { is_queue, pattern: Pattern::of(name), groups, place })
    }

    /// The groups that it names.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().flatten().map(String::as_str)
    }

    fn of(&self, verb: Permission) -> &[String] {
        &self.groups[verb as usize]
    }

    fn names_one_of(&self, verb: Permission, groups: &[String]) -> bool {
        self.of(verb).iter().any(|it| it == EVERYBODY || groups.contains(it))
    }

    fn means(&self, is_queue: bool, wanted: &Pattern) -> bool {
        self.is_queue == is_queue && self.pattern.covers(wanted)
    }
}

/// All rules; without any, who is let in may do everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights(Vec<Rule>);

/// What decides about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// There are no rules.
    NoRules,
    /// The rule that stands there allows it, for this group.
    Allowed {
        /// Where it stands.
        place: String,
        /// Which group has the right.
        group: String,
    },
    /// No rule allows it; where those stand that are about the destination, with the groups that they allow it.
    Denied(Vec<(String, Vec<String>)>),
}

impl Rights {
    /// These rules.
    pub fn new(rules: Vec<Rule>) -> Rights {
        Rights(rules)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What these groups may do; nothing to ask for if there are no rules.
    pub(super) fn grants(&self, groups: &[String]) -> Option<Grants> {
        if self.0.is_empty() {
            return None;
        }
        let of = |verb| {
            let rules = self.0.iter().filter(|rule| rule.names_one_of(verb, groups));
            rules.map(|rule| (rule.is_queue, rule.pattern.clone())).collect()
        };
        Some(Grants(Permission::ALL.map(of)))
    }

    /// Which rule decides about a queue or topic, which may have wildcards.
    pub fn explain(&self, groups: &[String], verb: Permission, is_queue: bool, name: &str) -> Ruling {
        if self.0.is_empty() {
            return Ruling::NoRules;
        }
        let wanted = Pattern::of(name);
        let mut about = self.0.iter().filter(|rule| rule.means(is_queue, &wanted));
        if let Some(rule) = about.clone().find(|rule| rule.names_one_of(verb, groups)) {
            let group = rule.of(verb).iter().find(|it| *it == EVERYBODY || groups.contains(it));
            return Ruling::Allowed { place: rule.place.clone(), group: group.cloned().unwrap_or_default() };
        }
        let denied = about.by_ref().map(|rule| (rule.place.clone(), rule.of(verb).to_vec())).collect();
        Ruling::Denied(denied)
    }
}

/// What somebody may do, by verb: whether it is about queues, and their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grants([Vec<(bool, Pattern)>; 3]);

impl Grants {
    pub(super) fn allow(&self, verb: Permission, is_queue: bool, name: &str) -> bool {
        let mut granted = self.0[verb as usize].iter().filter(|(queue, _)| *queue == is_queue);
        if name.contains(['*', '>']) {
            let wanted = Pattern::of(name);
            return granted.any(|(_, pattern)| pattern.covers(&wanted));
        }
        granted.any(|(_, pattern)| pattern.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Account;
    use super::*;
    use crate::model::DestinationKind::{Queue, TemporaryQueue, Topic};

    fn rule(name: &str, groups: [&str; 3]) -> Rule {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Rule::new(&Target::Queue(name.to_owned()), groups.map(words), format!("the line of {name}")).unwrap()
    }

    fn rights() -> Rights {
        Rights::new(vec![
            rule("A.>", ["a", "b", ""]),
            rule("A.B", ["", "c", ""]),
            rule("open", ["*", "", ""]),
        ])
    }

    fn of(groups: &[&str]) -> Account {
        let groups: Vec<String> = groups.iter().map(|it| (*it).to_owned()).collect();
        Account::new("somebody", &groups, &rights())
    }

    #[test]
    fn what_no_rule_allows_is_denied_from_the_first_rule_on() {
        assert!(
            !of(&["a"]).may(Permission::Write, Queue, "A.B")
                && !of(&["a"]).may(Permission::Read, Topic, "A.B")
        );
        assert!(!of(&[]).may(Permission::Read, Queue, "A.B") && of(&[]).may(Permission::Read, Queue, "open"));
        assert!(!of(&["a", "b", "c"]).may(Permission::Admin, Queue, "A.B"));
        let free = Account::new("somebody", &[], &Rights::default());
        assert!(Permission::ALL.into_iter().all(|verb| free.may(verb, Queue, "any")) && !free.is_bounded());
    }

    #[test]
    fn rules_of_one_destination_add_up() {
        for (groups, name, expected) in [
            ("b", "A.B", true),
            ("c", "A.B", true),
            ("c", "A.C", false),
            ("b", "A.C", true),
            ("a", "A.B", false),
        ] {
            assert_eq!(of(&[groups]).may(Permission::Write, Queue, name), expected, "{groups} {name}");
        }
    }

    #[test]
    fn a_wildcard_is_allowed_when_all_that_it_means_is() {
        for (name, expected) in
            [("A.*", true), ("A.>", true), ("A.B.>", true), (">", false), ("*.B", false), ("*", false)]
        {
            assert_eq!(of(&["a"]).may(Permission::Read, Queue, name), expected, "{name}");
        }
    }

    #[test]
    fn temporary_destinations_and_advisories_need_no_rule() {
        let nobody = of(&[]);
        assert!(Permission::ALL.into_iter().all(|verb| nobody.may(verb, TemporaryQueue, "x")));
        assert!(!nobody.may(Permission::Read, TemporaryQueue, ">"), "those of others would be among them");
        assert!(nobody.may(Permission::Read, Topic, "ActiveMQ.Advisory.>"));
        assert!(!nobody.may(Permission::Write, Topic, "ActiveMQ.Advisory.Connection"));
        assert!(!nobody.may(Permission::Read, Queue, "ActiveMQ.Advisory.Connection"));
    }

    #[test]
    fn a_verdict_names_the_line_that_decides() {
        let groups = |it: &str| vec![it.to_owned()];
        let verdict = rights().explain(&groups("c"), Permission::Write, true, "A.B");
        assert_eq!(verdict, Ruling::Allowed { place: "the line of A.B".into(), group: "c".into() });
        let Ruling::Denied(about) = rights().explain(&groups("x"), Permission::Write, true, "A.B") else {
            panic!("allowed")
        };
        assert_eq!(about[0], ("the line of A.>".to_owned(), vec!["b".to_owned()]));
        assert_eq!(about.len(), 2);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for name in ["", "A..B", "A.>.B", "A*", "A.B>", ".A", "A,B", "A\n"] {
            let made = Rule::new(&Target::Topic(name.to_owned()), Default::default(), String::new());
            assert!(made.is_err(), "{name:?}");
        }
    }
}
