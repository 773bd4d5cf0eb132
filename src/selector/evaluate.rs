//! A selector over one message, in three-valued logic: `None` is unknown. Recursion is bounded by the parser.

use crate::model::Message;

use super::syntax::{Condition, Operand};
use super::value::{Comparison, Value};

/// What is judged, and how.
pub(super) struct Candidate<'a> {
    pub(super) message: &'a Message,
    pub(super) failures: u32,
    /// Whether strings count as numbers or truth where they meet such.
    pub(super) convert: bool,
}

impl Condition {
    pub(super) fn truth(&self, candidate: &Candidate<'_>) -> Option<bool> {
        match self {
            Condition::Constant(truth) => Some(*truth),
            Condition::Flag(property) => match property.of(candidate.message, candidate.failures) {
                Value::Null => None,
                Value::Bool(flag) => Some(flag),
                _ => Some(false),
            },
            Condition::Not(condition) => condition.truth(candidate).map(|truth| !truth),
            Condition::And(all) => unless(false, all, candidate),
            Condition::Or(any) => unless(true, any, candidate),
            Condition::Compare(left, comparison, right) => {
                let (left, right) = (left.value(candidate), right.value(candidate));
                left.compare(*comparison, &right, candidate.convert)
            }
            Condition::Between { subject, low, high, negated } => {
                let (above, below) = match negated {
                    false => (Comparison::GreaterOrEqual, Comparison::LessOrEqual),
                    true => (Comparison::Less, Comparison::Greater),
                };
                let subject = subject.value(candidate);
                let above = subject.compare(above, &low.value(candidate), candidate.convert);
                let below = subject.compare(below, &high.value(candidate), candidate.convert);
                joined(*negated, [above, below])
            }
            Condition::Like(subject, like) => match subject.value(candidate) {
                Value::Null => None,
                Value::Text(text) => Some(like.matches(&text)),
                _ => Some(false),
            },
            Condition::In(subject, list) => match subject.of(candidate.message, candidate.failures) {
                Value::Text(text) => Some(list.binary_search_by(|it| (**it).cmp(&*text)).is_ok()),
                _ => None,
            },
            Condition::IsNull(subject) => Some(matches!(subject.value(candidate), Value::Null)),
        }
    }
}

impl Operand {
    fn value<'a>(&'a self, candidate: &Candidate<'a>) -> Value<'a> {
        match self {
            Operand::Literal(literal) => Value::of_literal(literal),
            Operand::Property(property) => property.of(candidate.message, candidate.failures),
            Operand::Negate(operand) => operand.value(candidate).negated(),
            Operand::Arithmetic(left, operator, right) => {
                left.value(candidate).calculate(*operator, &right.value(candidate))
            }
            Operand::Condition(condition) => condition.truth(candidate).map_or(Value::Null, Value::Bool),
        }
    }
}

/// The truth of an OR (`decisive` is true) or an AND (false): decided by one that is `decisive`, unknown if one is.
fn unless(decisive: bool, conditions: &[Condition], candidate: &Candidate<'_>) -> Option<bool> {
    joined(decisive, conditions.iter().map(|it| it.truth(candidate)))
}

fn joined(decisive: bool, truths: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(!decisive);
    for truth in truths {
        match truth {
            Some(truth) if truth == decisive => return Some(decisive),
            Some(_) => {}
            None => all = None,
        }
    }
    all
}
