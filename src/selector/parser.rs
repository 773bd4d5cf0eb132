//! Tokens to a tree, by the binding powers of the operators (Pratt, 1973). Written by hand: a library's combinators would
//! not bound nesting and size, nor say what was expected in a user's words.

use super::lexer::{Fault, Keyword, Lexer, Symbol, Token};
use super::power;
use super::property::Property;
use super::syntax::{Condition, Operand};
use super::value::{Literal, Operator};

/// Longest text of a selector in bytes; STOMP's header lines end before. Read, it takes up to sixteen times that.
pub const SELECTOR_BYTES_MAX: usize = 16 << 10;
/// Levels of nesting, parentheses included: what reads, judges, prints or drops a selector recurses as deep.
pub(super) const DEPTH_MAX: usize = 64;
/// The text form of a selector has a pair of parentheses more for each level.
const NESTING_MAX: usize = 2 * DEPTH_MAX + 2;
/// Names, literals and operators; what one message costs at most is a multiple of this.
pub(super) const NODES_MAX: usize = 1000;

/// Reads a text from a byte on.
pub(super) fn parse(text: &str, from: usize) -> Result<Condition, Fault> {
    if text.len() > SELECTOR_BYTES_MAX {
        let at = text.floor_char_boundary(SELECTOR_BYTES_MAX);
        return Err(Fault::new(at, format!("a selector has at most {SELECTOR_BYTES_MAX} bytes")));
    }
    let mut lexer = Lexer::new(text, from);
    let (token, at) = lexer.next()?;
    let mut parser = Parser { lexer, token, at, nesting: 0, nodes: 0 };
    let whole = parser.expression(power::ANYTHING)?;
    if parser.token != Token::End {
        return Err(parser.expected("an operator or the end"));
    }
    whole.into_condition()
}

/// See the module.
pub(super) struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token that is next, and where it stands.
    pub(super) token: Token<'a>,
    pub(super) at: usize,
    nesting: usize,
    nodes: usize,
}

/// A part that has been read.
pub(super) struct Part {
    pub(super) operand: Operand,
    /// Where it begins.
    pub(super) at: usize,
    /// Levels of nesting in it.
    pub(super) depth: usize,
}

impl Part {
    fn into_condition(self) -> Result<Condition, Fault> {
        match self.operand {
            Operand::Condition(condition) => Ok(*condition),
            Operand::Property(property) => Ok(Condition::Flag(property)),
            _ => Err(Fault::new(self.at, "a condition was expected, this is a value")),
        }
    }

    /// For arithmetic and for what has an order.
    pub(super) fn into_number(self) -> Result<Operand, Fault> {
        match &self.operand {
            Operand::Condition(_) => Err(Fault::new(self.at, "a number was expected, this is true or false")),
            Operand::Literal(Literal::Text(_)) => {
                Err(Fault::new(self.at, "a number was expected, this is a string"))
            }
            _ => Ok(self.operand),
        }
    }
}

impl<'a> Parser<'a> {
    /// Takes the next token.
    pub(super) fn take(&mut self) -> Result<Token<'a>, Fault> {
        let (next, at) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, next))
    }

    pub(super) fn take_if(&mut self, token: Token<'_>) -> Result<bool, Fault> {
        let is_it = self.token == token;
        if is_it {
            self.take()?;
        }
        Ok(is_it)
    }

    pub(super) fn want(&mut self, token: Token<'_>) -> Result<(), Fault> {
        if self.token == token {
            return self.take().map(drop);
        }
        Err(self.expected(&token.to_string()))
    }

    pub(super) fn expected(&self, what: &str) -> Fault {
        Fault::new(self.at, format!("{what} was expected, found {}", self.token))
    }

    /// A new part over others of which the deepest has so many levels.
    fn part(&mut self, at: usize, depth: usize, operand: Operand) -> Result<Part, Fault> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let problem = format!("a selector has at most {NODES_MAX} names, literals and operators");
            return Err(Fault::new(at, problem));
        }
        if depth >= DEPTH_MAX {
            return Err(Fault::new(at, format!("a selector is nested at most {DEPTH_MAX} levels deep")));
        }
        Ok(Part { operand, at, depth: depth + 1 })
    }

    pub(super) fn condition(&mut self, at: usize, depth: usize, condition: Condition) -> Result<Part, Fault> {
        self.part(at, depth, Operand::Condition(Box::new(condition)))
    }

    /// The opposite of a condition.
    pub(super) fn negated(&mut self, at: usize, part: Part) -> Result<Part, Fault> {
        let depth = part.depth;
        let condition = Condition::Not(Box::new(part.into_condition()?));
        self.condition(at, depth, condition)
    }

    /// What stands here up to an operator that binds no more strongly than `least`.
    pub(super) fn expression(&mut self, least: u8) -> Result<Part, Fault> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX {
            return Err(Fault::new(self.at, format!("a selector is nested at most {DEPTH_MAX} levels deep")));
        }
        let mut left = self.prefix(least)?;
        while let Some(power) = self.infix_power().filter(|power| *power > least) {
            left = match power {
                power::OR => self.chain(left, Keyword::Or, power, Condition::Or)?,
                power::AND => self.chain(left, Keyword::And, power, Condition::And)?,
                power::SUM | power::PRODUCT => self.arithmetic(left, power)?,
                _ => self.predicate(left, power)?,
            };
        }
        self.nesting -= 1;
        Ok(left)
    }

    fn infix_power(&self) -> Option<u8> {
        Some(match &self.token {
            Token::Keyword(keyword) => match keyword {
                Keyword::Or => power::OR,
                Keyword::And => power::AND,
                Keyword::Is => power::EQUALITY,
                Keyword::Like | Keyword::In | Keyword::Between | Keyword::Not => power::ORDER,
                _ => return None,
            },
            Token::Symbol(symbol) => match symbol {
                Symbol::Equal | Symbol::NotEqual => power::EQUALITY,
                Symbol::Less | Symbol::LessOrEqual | Symbol::Greater | Symbol::GreaterOrEqual => power::ORDER,
                Symbol::Plus | Symbol::Minus => power::SUM,
                Symbol::Star | Symbol::Slash | Symbol::Percent => power::PRODUCT,
                Symbol::Open | Symbol::Close | Symbol::Comma => return None,
            },
            _ => return None,
        })
    }

    /// A value or condition with what stands before it.
    fn prefix(&mut self, least: u8) -> Result<Part, Fault> {
        let at = self.at;
        match self.take_prefix(least)? {
            Token::Keyword(Keyword::Not) => {
                let part = self.expression(power::NOT)?;
                self.negated(at, part)
            }
            Token::Keyword(truth @ (Keyword::True | Keyword::False)) => {
                self.condition(at, 0, Condition::Constant(truth == Keyword::True))
            }
            Token::Symbol(Symbol::Open) => {
                let part = self.expression(power::ANYTHING)?;
                self.want(Token::Symbol(Symbol::Close))?;
                Ok(part)
            }
            Token::Symbol(sign) => self.signed(at, sign),
            Token::Exact(number, long) => {
                let number = i64::try_from(number);
                let number =
                    number.map_err(|_| Fault::new(at, "this number is out of the range of a long"))?;
                self.part(at, 0, Operand::Literal(exact(number, long)))
            }
            Token::Approximate(number) => self.part(at, 0, Operand::Literal(Literal::Double(number))),
            Token::Text(text) => self.part(at, 0, Operand::Literal(Literal::Text(text.into()))),
            Token::Name(name) => self.name(at, name),
            Token::Keyword(_) | Token::End => Err(self.expected("a value")),
        }
    }

    /// The next token, if a value or condition can begin with it.
    fn take_prefix(&mut self, least: u8) -> Result<Token<'a>, Fault> {
        match self.token {
            Token::Keyword(Keyword::Not) if least > power::NOT => {
                Err(Fault::new(self.at, "a value was expected; NOT stands in parentheses here"))
            }
            Token::Keyword(Keyword::Null) => {
                Err(Fault::new(self.at, "a value was expected; NULL stands after IS and IS NOT only"))
            }
            Token::Keyword(Keyword::Not | Keyword::True | Keyword::False)
            | Token::Symbol(Symbol::Open | Symbol::Plus | Symbol::Minus)
            | Token::Exact(..)
            | Token::Approximate(_)
            | Token::Text(_)
            | Token::Name(_) => self.take(),
            _ => Err(self.expected("a value")),
        }
    }

    /// What stands behind a sign. Numbers take it in: the least of all longs has no positive form.
    fn signed(&mut self, at: usize, sign: Symbol) -> Result<Part, Fault> {
        if sign == Symbol::Minus
            && let Token::Exact(number, long) = self.token
        {
            self.take()?;
            // A number is at most 2^63, which wraps to the least long.
            let negative = (number as i64).wrapping_neg();
            let long = long || number > i32::MAX as u64;
            return self.part(at, 0, Operand::Literal(exact(negative, long)));
        }
        let part = self.expression(power::SIGN)?;
        let depth = part.depth;
        let negated = match (sign, part.into_number()?) {
            (Symbol::Minus, Operand::Literal(Literal::Int(number))) => {
                Operand::Literal(Literal::Int(number.wrapping_neg()))
            }
            (Symbol::Minus, Operand::Literal(Literal::Long(number))) => {
                Operand::Literal(Literal::Long(number.wrapping_neg()))
            }
            (Symbol::Minus, Operand::Literal(Literal::Double(number))) => {
                Operand::Literal(Literal::Double(-number))
            }
            (Symbol::Minus, operand) => Operand::Negate(Box::new(operand)),
            (_, operand) => return Ok(Part { operand, at, depth }),
        };
        self.part(at, depth, negated)
    }

    fn name(&mut self, at: usize, name: &str) -> Result<Part, Fault> {
        if self.token == Token::Symbol(Symbol::Open) {
            return Err(Fault::new(at, format!("{name:.60}: functions are not supported")));
        }
        let is_query = ["XPATH", "XQUERY"].iter().any(|query| query.eq_ignore_ascii_case(name));
        if is_query && matches!(self.token, Token::Text(_)) {
            return Err(Fault::new(at, format!("{name} is not supported, as it would look at bodies")));
        }
        let property = Property::of_name(name).map_err(|problem| Fault::new(at, problem))?;
        self.part(at, 0, Operand::Property(property))
    }

    /// `a AND b AND c` as one node, so that many of them nest no deeper than two.
    fn chain(
        &mut self,
        left: Part,
        keyword: Keyword,
        power: u8,
        of: fn(Vec<Condition>) -> Condition,
    ) -> Result<Part, Fault> {
        let (at, mut depth) = (left.at, left.depth);
        let mut all = vec![left.into_condition()?];
        while self.take_if(Token::Keyword(keyword))? {
            let next = self.expression(power)?;
            depth = depth.max(next.depth);
            all.push(next.into_condition()?);
        }
        self.condition(at, depth, of(all))
    }

    fn arithmetic(&mut self, left: Part, power: u8) -> Result<Part, Fault> {
        let operator = match self.take()? {
            Token::Symbol(Symbol::Plus) => Operator::Plus,
            Token::Symbol(Symbol::Minus) => Operator::Minus,
            Token::Symbol(Symbol::Star) => Operator::Times,
            Token::Symbol(Symbol::Slash) => Operator::Divide,
            _ => Operator::Remainder,
        };
        let right = self.expression(power)?;
        let (at, depth) = (left.at, left.depth.max(right.depth));
        let (left, right) = (Box::new(left.into_number()?), Box::new(right.into_number()?));
        self.part(at, depth, Operand::Arithmetic(left, operator, right))
    }
}

/// A whole number is an int if it can be one and does not say that it is a long.
fn exact(number: i64, long: bool) -> Literal {
    match i32::try_from(number) {
        Ok(number) if !long => Literal::Int(number),
        _ => Literal::Long(number),
    }
}
