//! What a selector says, as a tree. A condition is true, false or unknown; an operand has a value.

use super::like::Like;
use super::property::Property;
use super::value::{Comparison, Literal, Operator};

/// What is true, false or unknown.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Constant(bool),
    /// A property that is true itself.
    Flag(Property),
    Not(Box<Condition>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Compare(Operand, Comparison, Operand),
    /// `NOT BETWEEN` is not the negation: of what has no order both are false.
    Between {
        subject: Operand,
        low: Operand,
        high: Operand,
        negated: bool,
    },
    Like(Operand, Like),
    /// The list is sorted and holds nothing twice.
    In(Property, Box<[Box<str>]>),
    IsNull(Operand),
}

/// What has a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Literal(Literal),
    Property(Property),
    Negate(Box<Operand>),
    Arithmetic(Box<Operand>, Operator, Box<Operand>),
    Condition(Box<Condition>),
}
