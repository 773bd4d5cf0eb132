//! Message selectors: the subset of SQL-92 that Jakarta Messaging 3.1 (section 3.8) has, read once and judged over the heads
//! of messages. Pure; a body is never looked at.
//!
//! A condition is true, false or unknown (a property that is missing makes what is said of it unknown), and a message is
//! selected if it is true. The specification leaves gaps; ActiveMQ's way through them is ours, so that a selector selects
//! what it selected there (`tests/classic` has its verdicts over some thousand questions):
//!
//! - exact numbers are int or long as in Java, and wrap as there; one that meets a double becomes a double.
//!   `/` and `%` always give doubles, so that a division by zero is infinite or no number (NaN), which equals itself and is
//!   above all others;
//! - what has the wrong type is unequal to everything, `LIKE` nothing, neither in a list nor out of it, and no true
//!   condition;
//! - comments are `/* .. */` and `-- ..` up to the end of the line; without an end of the line `--` is twice a minus;
//! - `convert_string_expressions:` in front makes strings be compared as numbers or truth where they meet such. STOMP has string
//!   properties only: without it, a comparison of one with a number is false.
//!
//! Beyond the specification, as in ActiveMQ: `JMSDestination` and `JMSReplyTo` (`queue://NAME`), `JMSExpiration`,
//! `JMSRedelivered` and `JMSXDeliveryCount` of what was refused before. Refused by name: `XPATH`, `XQUERY`, functions,
//! fields of ActiveMQ that no message has here.
//!
//! Where ActiveMQ strays from the specification, from SQL or from its own rules, we do not:
//!
//! | selector | ActiveMQ | here |
//! |---|---|---|
//! | `NOT a = 1` | `(NOT a) = 1`, never true | `NOT (a = 1)` |
//! | `a = NOT b` | `a = (NOT b)` | refused |
//! | `1 = missing`, `missing = missing` | false, true | unknown |
//! | `text <> 1`, of two types | true | false, as every comparison of two types |
//! | `text < other`, `flag < other` | by the letters; false before true | false: only numbers have an order |
//! | `text + 1`, `text * 1`, `flag + 1` | joined; an error that ends the send | unknown; refused of literals |
//! | `-4 % 2 = 0`, `-0.0 = 0` | false | true: both zeros are one number |
//! | `2147483647 + 1L` | wraps as int | a long, as the literal says |
//! | `5f`, `5.0D`, `0L`, `0x5L`, names beyond ASCII, a name `XPATH` | refused | as Java writes them |
//! | `9223372036854775808`, `1e999` | a decimal that equals nothing, infinite | refused: out of range |
//! | `a AND NULL`, `NULL IS NULL`, `a LIKE 'x' LIKE 'y'` | unknown, true, false | refused: such is no value |
//! | `TRUE = 1`, `1 = TRUE` | refused, false | false |
//! | converted: `n = 5`, n is `3000000000` | false, as it is no int | compared as longs |
//! | converted: `n = 5.0`, n is `NaN`, `5d` | as Java reads doubles | false, as it is no decimal number |
//! | converted: `TRUE = text`, `flag = 'true'` | an error that ends the send | converted, as in `text = TRUE` |
//! | `JMSDestination` of a send to several | `A,topic://B` or what else was written | `queue://A,topic://B` |

mod evaluate;
mod lexer;
mod like;
mod parser;
mod power;
mod predicate;
mod print;
mod property;
mod syntax;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;

use crate::model::Message;

pub use parser::SELECTOR_BYTES_MAX;

use evaluate::Candidate;
use syntax::Condition;

/// In front of a selector: strings are compared as numbers or truth where they meet such. The word is ActiveMQ's.
const CONVERT_PREFIX: &str = "convert_string_expressions:";

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the selector is wrong at character {position}: {problem}")]
pub struct SelectorError {
    /// Where, in characters from 1.
    pub position: usize,
    /// What is there, and what was expected.
    pub problem: String,
}

/// How far messages go that are taken for another broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Id of that broker: what has passed it does not go there again.
    pub broker: String,
    /// What has passed so many brokers goes no further; `None`: there is no bound.
    pub brokers_max: Option<u32>,
}

impl Reach {
    fn has(&self, message: &Message) -> bool {
        let mut passed = 0;
        message.broker_path().all(|id| {
            passed += 1;
            id != self.broker
        }) && self.brokers_max.is_none_or(|most| passed < most)
    }
}

/// A selector, ready to judge messages. Its text form reads back as an equal one, but for its reach.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    convert: bool,
    condition: Condition,
    reach: Option<Reach>,
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// [`SelectorError`] says where the text stops to be a selector; the client has to write another.
    pub fn parse(text: &str) -> Result<Selector, SelectorError> {
        let (convert, skipped) = match text.strip_prefix(CONVERT_PREFIX) {
            Some(_) => (true, CONVERT_PREFIX.len()),
            None => (false, 0),
        };
        let condition = parser::parse(text, skipped).map_err(|fault| SelectorError {
            position: text.get(..fault.at).unwrap_or(text).chars().count() + 1,
            problem: fault.problem,
        })?;
        Ok(Selector { convert, condition, reach: None })
    }

    /// The same for what is taken for another broker: it selects nothing beyond this reach.
    #[must_use]
    pub fn within(self, reach: Reach) -> Selector {
        Selector { reach: Some(reach), ..self }
    }

    /// Whether it selects a message of which so many deliveries have failed. Allocates for `JMSDestination` and `JMSReplyTo`
    /// only; takes at most the time of one look at the message's head for each name and pattern.
    pub fn matches(&self, message: &Message, failures: u32) -> bool {
        if self.reach.as_ref().is_some_and(|reach| !reach.has(message)) {
            return false;
        }
        let candidate = Candidate { message, failures, convert: self.convert };
        self.condition.truth(&candidate) == Some(true)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.convert { CONVERT_PREFIX } else { "" };
        write!(f, "{prefix}{}", self.condition)
    }
}
