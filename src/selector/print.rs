//! A selector as text that reads back as an equal one: all that is compound stands in parentheses.

use std::fmt::{self, Display, Formatter};

use super::syntax::{Condition, Operand};
use super::value::{Comparison, Literal, Operator};

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Constant(true) => f.write_str("TRUE"),
            Condition::Constant(false) => f.write_str("FALSE"),
            Condition::Flag(property) => f.write_str(property.name()),
            Condition::Not(condition) => write!(f, "NOT {}", Inner(&**condition)),
            Condition::And(all) => joined(f, all, " AND "),
            Condition::Or(any) => joined(f, any, " OR "),
            Condition::Compare(left, comparison, right) => {
                write!(f, "{} {comparison} {}", Inner(left), Inner(right))
            }
            Condition::Between { subject, low, high, negated } => {
                let not = if *negated { "NOT " } else { "" };
                write!(f, "{} {not}BETWEEN {} AND {}", Inner(subject), Inner(low), Inner(high))
            }
            Condition::Like(subject, like) => {
                write!(f, "{} LIKE {}", Inner(subject), Quoted(&like.pattern))?;
                match like.escape {
                    Some(escape) => write!(f, " ESCAPE {}", Quoted(escape.encode_utf8(&mut [0; 4]))),
                    None => Ok(()),
                }
            }
            Condition::In(subject, list) => {
                write!(f, "{} IN (", subject.name())?;
                for (at, text) in list.iter().enumerate() {
                    write!(f, "{}{}", if at == 0 { "" } else { ", " }, Quoted(text))?;
                }
                f.write_str(")")
            }
            Condition::IsNull(subject) => write!(f, "{} IS NULL", Inner(subject)),
        }
    }
}

fn joined(f: &mut Formatter<'_>, conditions: &[Condition], operator: &str) -> fmt::Result {
    for (at, condition) in conditions.iter().enumerate() {
        write!(f, "{}{}", if at == 0 { "" } else { operator }, Inner(condition))?;
    }
    Ok(())
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Literal(literal) => literal.fmt(f),
            Operand::Property(property) => f.write_str(property.name()),
            Operand::Negate(operand) => write!(f, "-{}", Inner(&**operand)),
            Operand::Arithmetic(left, operator, right) => {
                write!(f, "{} {operator} {}", Inner(&**left), Inner(&**right))
            }
            Operand::Condition(condition) => condition.fmt(f),
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Int(number) => write!(f, "{number}"),
            Literal::Long(number) => write!(f, "{number}L"),
            Literal::Double(number) => write!(f, "{number:?}"),
            Literal::Text(text) => Quoted(text).fmt(f),
        }
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        })
    }
}

impl Display for Operator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operator::Plus => "+",
            Operator::Minus => "-",
            Operator::Times => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
        })
    }
}

/// A part of something larger.
struct Inner<'a, T>(&'a T);

/// What needs no parentheses anywhere.
trait Part: Display {
    fn is_simple(&self) -> bool;
}

impl Part for Condition {
    fn is_simple(&self) -> bool {
        matches!(self, Condition::Constant(_) | Condition::Flag(_))
    }
}

impl Part for Operand {
    fn is_simple(&self) -> bool {
        match self {
            Operand::Literal(_) | Operand::Property(_) => true,
            Operand::Condition(condition) => condition.is_simple(),
            Operand::Negate(_) | Operand::Arithmetic(..) => false,
        }
    }
}

impl<T: Part> Display for Inner<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_simple() { self.0.fmt(f) } else { write!(f, "({})", self.0) }
    }
}

/// A string in quotes; its own are doubled.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.replace('\'', "''"))
    }
}
