//! What makes a condition of values: comparisons, BETWEEN, LIKE, IN, IS NULL.

use super::lexer::{Fault, Keyword, Symbol, Token};
use super::like::Like;
use super::parser::{Parser, Part};
use super::power;
use super::syntax::{Condition, Operand};
use super::value::{Comparison, Literal};

impl Parser<'_> {
    /// Reads on from an operator that makes a condition of what stands left of it.
    pub(super) fn predicate(&mut self, left: Part, power: u8) -> Result<Part, Fault> {
        let comparison = match self.take()? {
            Token::Keyword(Keyword::Is) => return self.is_null(left),
            Token::Keyword(Keyword::Not) => {
                let found = self.at;
                return match self.take()? {
                    Token::Keyword(Keyword::Between) => self.between(left, true),
                    Token::Keyword(keyword @ (Keyword::Like | Keyword::In)) => {
                        let part = self.like_or_in(left, keyword)?;
                        self.negated(part.at, part)
                    }
                    other => {
                        Err(Fault::new(found, format!("LIKE, IN or BETWEEN was expected, found {other}")))
                    }
                };
            }
            Token::Keyword(Keyword::Between) => return self.between(left, false),
            Token::Keyword(keyword) => return self.like_or_in(left, keyword),
            Token::Symbol(Symbol::NotEqual) => Comparison::NotEqual,
            Token::Symbol(Symbol::Less) => Comparison::Less,
            Token::Symbol(Symbol::LessOrEqual) => Comparison::LessOrEqual,
            Token::Symbol(Symbol::Greater) => Comparison::Greater,
            Token::Symbol(Symbol::GreaterOrEqual) => Comparison::GreaterOrEqual,
            _ => Comparison::Equal,
        };
        let right = self.expression(power)?;
        let (at, depth) = (left.at, left.depth.max(right.depth));
        let (left, right) = match power {
            power::EQUALITY => (left.operand, right.operand),
            _ => (left.into_number()?, right.into_number()?),
        };
        self.condition(at, depth, Condition::Compare(left, comparison, right))
    }

    fn is_null(&mut self, left: Part) -> Result<Part, Fault> {
        let negated = self.take_if(Token::Keyword(Keyword::Not))?;
        self.want(Token::Keyword(Keyword::Null))?;
        let part = self.condition(left.at, left.depth, Condition::IsNull(left.operand))?;
        if negated { self.negated(part.at, part) } else { Ok(part) }
    }

    fn between(&mut self, subject: Part, negated: bool) -> Result<Part, Fault> {
        let low = self.expression(power::ORDER)?;
        self.want(Token::Keyword(Keyword::And))?;
        let high = self.expression(power::ORDER)?;
        let (at, depth) = (subject.at, subject.depth.max(low.depth).max(high.depth));
        let (subject, low, high) = (subject.into_number()?, low.into_number()?, high.into_number()?);
        self.condition(at, depth, Condition::Between { subject, low, high, negated })
    }

    /// What stands behind LIKE or IN.
    fn like_or_in(&mut self, subject: Part, keyword: Keyword) -> Result<Part, Fault> {
        let Part { operand, at, depth } = subject;
        if keyword == Keyword::In {
            let Operand::Property(subject) = operand else {
                return Err(Fault::new(at, "IN was expected behind the name of a property only"));
            };
            let list = self.list()?;
            return self.condition(at, depth, Condition::In(subject, list));
        }
        if !matches!(operand, Operand::Property(_) | Operand::Literal(Literal::Text(_))) {
            return Err(Fault::new(at, "LIKE was expected behind a property or a string only"));
        }
        let pattern_at = self.at;
        let pattern = self.string()?;
        let mut escape = None;
        if self.take_if(Token::Keyword(Keyword::Escape))? {
            let escape_at = self.at;
            let text = self.string()?;
            let mut chars = text.chars();
            escape = chars.next();
            if escape.is_none() || chars.next().is_some() {
                return Err(Fault::new(escape_at, "one character was expected as the escape character"));
            }
        }
        let like = Like::parse(&pattern, escape).map_err(|problem| Fault::new(pattern_at, problem))?;
        self.condition(at, depth, Condition::Like(operand, like))
    }

    fn list(&mut self) -> Result<Box<[Box<str>]>, Fault> {
        self.want(Token::Symbol(Symbol::Open))?;
        let mut list = vec![self.string()?];
        while self.take_if(Token::Symbol(Symbol::Comma))? {
            list.push(self.string()?);
        }
        self.want(Token::Symbol(Symbol::Close))?;
        list.sort_unstable();
        list.dedup();
        Ok(list.into())
    }

    fn string(&mut self) -> Result<Box<str>, Fault> {
        if !matches!(self.token, Token::Text(_)) {
            return Err(self.expected("a string"));
        }
        match self.take()? {
            Token::Text(text) => Ok(text.into()),
            _ => Ok(Box::default()),
        }
    }
}
