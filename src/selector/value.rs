//! Values and what is done with them: comparison with Java's promotion, arithmetic.

use std::borrow::Cow;
use std::cmp::Ordering;

/// A number or a string. A double is finite.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Int(i32),
    Long(i64),
    Double(f64),
    Text(Box<str>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is done with two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Plus,
    Minus,
    Times,
    Divide,
    Remainder,
}

/// What an operand is in one message.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// There is none.
    Null,
    Bool(bool),
    Int(i32),
    Long(i64),
    Double(f64),
    Text(Cow<'a, str>),
    /// Of a type that selectors do not have.
    Other,
}

/// A number.
#[derive(Clone, Copy)]
enum Number {
    Int(i32),
    Long(i64),
    Double(f64),
}

impl Number {
    /// What a string stands for beside this number: one of its kind.
    fn read_alike(self, text: &str) -> Option<Number> {
        match self {
            Number::Int(_) | Number::Long(_) => text.parse().ok().map(Number::Long),
            Number::Double(_) => {
                text.trim().parse().ok().filter(|it: &f64| it.is_finite()).map(Number::Double)
            }
        }
    }

    fn long(self) -> Option<i64> {
        match self {
            Number::Int(number) => Some(number.into()),
            Number::Long(number) => Some(number),
            Number::Double(_) => None,
        }
    }

    fn double(self) -> f64 {
        match self {
            Number::Int(number) => number.into(),
            Number::Long(number) => number as f64,
            Number::Double(number) => number,
        }
    }

    /// NaN equals itself and is above all others.
    fn order(self, other: Number) -> Ordering {
        if let (Some(left), Some(right)) = (self.long(), other.long()) {
            return left.cmp(&right);
        }
        let (left, right) = (self.double(), other.double());
        left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
    }
}

impl<'a> Value<'a> {
    pub(super) fn of_literal(literal: &'a Literal) -> Value<'a> {
        match literal {
            Literal::Int(number) => Value::Int(*number),
            Literal::Long(number) => Value::Long(*number),
            Literal::Double(number) => Value::Double(*number),
            Literal::Text(text) => Value::Text(Cow::Borrowed(text)),
        }
    }

    fn number(&self) -> Option<Number> {
        match self {
            Value::Int(number) => Some(Number::Int(*number)),
            Value::Long(number) => Some(Number::Long(*number)),
            Value::Double(number) => Some(Number::Double(*number)),
            _ => None,
        }
    }

    /// Whether the comparison holds; unknown if one side is missing, false if they are of two types. Only numbers have
    /// an order.
    pub(super) fn compare(&self, comparison: Comparison, other: &Value<'_>, convert: bool) -> Option<bool> {
        if matches!(self, Value::Null) || matches!(other, Value::Null) {
            return None;
        }
        if let (Some(left), Some(right)) = (self.number(), other.number()) {
            return Some(comparison.holds(left.order(right)));
        }
        let order = match (self, other) {
            (Value::Text(left), Value::Text(right)) => equality(left == right, comparison),
            (Value::Bool(left), Value::Bool(right)) => equality(left == right, comparison),
            (Value::Text(text), Value::Bool(flag)) | (Value::Bool(flag), Value::Text(text)) if convert => {
                equality(text.eq_ignore_ascii_case("true") == *flag, comparison)
            }
            (Value::Text(text), _) if convert => {
                other.number().and_then(|right| Some(right.read_alike(text)?.order(right)))
            }
            (_, Value::Text(text)) if convert => {
                self.number().and_then(|left| Some(left.order(left.read_alike(text)?)))
            }
            _ => None,
        };
        Some(order.is_some_and(|order| comparison.holds(order)))
    }

    pub(super) fn negated(self) -> Value<'a> {
        match self {
            Value::Int(number) => Value::Int(number.wrapping_neg()),
            Value::Long(number) => Value::Long(number.wrapping_neg()),
            Value::Double(number) => Value::Double(-number),
            _ => Value::Null,
        }
    }

    /// Missing if one side is no number.
    pub(super) fn calculate(&self, operator: Operator, other: &Value<'_>) -> Value<'static> {
        let (Some(left), Some(right)) = (self.number(), other.number()) else { return Value::Null };
        let exact = !matches!(operator, Operator::Divide | Operator::Remainder);
        match (left, right, left.long().zip(right.long())) {
            (Number::Int(left), Number::Int(right), _) if exact => Value::Int(match operator {
                Operator::Plus => left.wrapping_add(right),
                Operator::Minus => left.wrapping_sub(right),
                _ => left.wrapping_mul(right),
            }),
            (_, _, Some((left, right))) if exact => Value::Long(match operator {
                Operator::Plus => left.wrapping_add(right),
                Operator::Minus => left.wrapping_sub(right),
                _ => left.wrapping_mul(right),
            }),
            _ => {
                let (left, right) = (left.double(), right.double());
                Value::Double(match operator {
                    Operator::Plus => left + right,
                    Operator::Minus => left - right,
                    Operator::Times => left * right,
                    Operator::Divide => left / right,
                    Operator::Remainder => left % right,
                })
            }
        }
    }
}

/// An order that holds what equality says; none if more is asked than that.
fn equality(equal: bool, comparison: Comparison) -> Option<Ordering> {
    let asked = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    asked.then_some(if equal { Ordering::Equal } else { Ordering::Less })
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
}
