//! Text to tokens, one at a time, without a copy but of strings.

use std::borrow::Cow;
use std::fmt;

/// What a selector is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Keyword(Keyword),
    /// A name that is no keyword, as written.
    Name(&'a str),
    /// A whole number up to 2^63, and whether it says that it is a long. The last of them has to be negated.
    Exact(u64, bool),
    Approximate(f64),
    /// Without its quotes.
    Text(Cow<'a, str>),
    Symbol(Symbol),
    End,
}

/// A word with a meaning of its own, in any case of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Between,
    Escape,
    False,
    In,
    Is,
    Like,
    Not,
    Null,
    Or,
    True,
}

const KEYWORDS: [(&str, Keyword); 11] = [
    ("AND", Keyword::And),
    ("BETWEEN", Keyword::Between),
    ("ESCAPE", Keyword::Escape),
    ("FALSE", Keyword::False),
    ("IN", Keyword::In),
    ("IS", Keyword::Is),
    ("LIKE", Keyword::Like),
    ("NOT", Keyword::Not),
    ("NULL", Keyword::Null),
    ("OR", Keyword::Or),
    ("TRUE", Keyword::True),
];

/// What is written without letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    Close,
    Comma,
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Minus,
    NotEqual,
    Open,
    Percent,
    Plus,
    Slash,
    Star,
}

/// Longer ones come before those that they begin with.
const SYMBOLS: [(&str, Symbol); 14] = [
    ("<>", Symbol::NotEqual),
    ("<=", Symbol::LessOrEqual),
    (">=", Symbol::GreaterOrEqual),
    ("<", Symbol::Less),
    (">", Symbol::Greater),
    ("=", Symbol::Equal),
    ("(", Symbol::Open),
    (")", Symbol::Close),
    (",", Symbol::Comma),
    ("+", Symbol::Plus),
    ("-", Symbol::Minus),
    ("*", Symbol::Star),
    ("/", Symbol::Slash),
    ("%", Symbol::Percent),
];

/// What is wrong, and at which byte.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) problem: String,
}

impl Fault {
    pub(super) fn new(at: usize, problem: impl Into<String>) -> Fault {
        Fault { at, problem: problem.into() }
    }
}

/// Where reading stands.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    /// Reads a text from a byte on.
    pub(super) fn new(text: &'a str, at: usize) -> Lexer<'a> {
        Lexer { text, at }
    }

    /// The next token and where it begins; [`Token::End`] for ever behind the last one.
    pub(super) fn next(&mut self) -> Result<(Token<'a>, usize), Fault> {
        self.skip_blanks()?;
        let (at, rest) = (self.at, self.rest());
        let Some(first) = rest.chars().next() else { return Ok((Token::End, at)) };
        let token = match first {
            '\'' => self.text()?,
            '0'..='9' => self.number()?,
            '.' if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => self.number()?,
            _ if starts_name(first) => self.word(),
            _ => {
                let found = SYMBOLS.iter().find(|(written, _)| rest.starts_with(written));
                let (written, symbol) = found
                    .ok_or_else(|| Fault::new(at, format!("{first:?} means nothing outside of a string")))?;
                self.at += written.len();
                Token::Symbol(*symbol)
            }
        };
        Ok((token, at))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Blanks, and comments as ActiveMQ has them: `--` begins one only if the line has an end.
    fn skip_blanks(&mut self) -> Result<(), Fault> {
        loop {
            let rest = self.rest();
            if rest.starts_with([' ', '\t', '\n', '\r', '\x0c']) {
                self.at += 1;
            } else if rest.starts_with("--")
                && let Some(line) = rest.find(['\n', '\r'])
            {
                self.at += line + 1;
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let end = comment.find("*/");
                let end = end.ok_or_else(|| Fault::new(self.at, "this comment has no end"))?;
                self.at += end + 4;
            } else {
                return Ok(());
            }
        }
    }

    fn text(&mut self) -> Result<Token<'a>, Fault> {
        let began = self.at;
        self.at += 1;
        let mut text = Cow::Borrowed("");
        loop {
            let rest = self.rest();
            let end = rest.find('\'').ok_or_else(|| Fault::new(began, "this string has no end"))?;
            text += &rest[..end];
            self.at += end + 1;
            if !self.rest().starts_with('\'') {
                return Ok(Token::Text(text));
            }
            self.at += 1;
            text += "'";
        }
    }

    fn word(&mut self) -> Token<'a> {
        let word = taken_while(self.rest(), continues_name);
        self.at += word.len();
        let keyword = KEYWORDS.iter().find(|(keyword, _)| keyword.eq_ignore_ascii_case(word));
        keyword.map_or(Token::Name(word), |(_, keyword)| Token::Keyword(*keyword))
    }

    fn number(&mut self) -> Result<Token<'a>, Fault> {
        let began = self.at;
        let rest = self.rest();
        if rest.starts_with("0x") || rest.starts_with("0X") {
            self.at += 2;
            return self.exact(began, 16, |char| char.is_ascii_hexdigit());
        }
        let whole = taken_while(rest, |char| char.is_ascii_digit()).len();
        let mut length = whole;
        if rest[length..].starts_with('.') {
            length += 1;
            length += taken_while(&rest[length..], |char| char.is_ascii_digit()).len();
        }
        if let Some(exponent) = rest[length..].strip_prefix(['e', 'E']) {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.starts_with(|char: char| char.is_ascii_digit()) {
                let sign = exponent.len() - digits.len();
                length += 1 + sign + taken_while(digits, |char| char.is_ascii_digit()).len();
            }
        }
        let suffixed = self.has_suffix(began + length, ['f', 'F', 'd', 'D']);
        if length > whole || suffixed {
            self.at = began + length + usize::from(suffixed);
            let number: f64 = rest[..length].parse().unwrap_or(f64::INFINITY);
            if number.is_finite() {
                return Ok(Token::Approximate(number));
            }
            return Err(Fault::new(began, "this number is out of the range of a double"));
        }
        let octal = rest.starts_with('0');
        self.exact(began, if octal { 8 } else { 10 }, |char| char.is_ascii_digit())
    }

    /// Reads the digits of a whole number.
    fn exact(&mut self, began: usize, radix: u32, is_digit: fn(char) -> bool) -> Result<Token<'a>, Fault> {
        let digits = taken_while(self.rest(), is_digit);
        let name = match radix {
            8 => "an octal number",
            16 => "a hexadecimal number",
            _ => "a number",
        };
        if digits.is_empty() || digits.chars().any(|digit| !digit.is_digit(radix)) {
            return Err(Fault::new(began, format!("this is not {name}")));
        }
        self.at += digits.len();
        let long = self.has_suffix(self.at, ['l', 'L', 'l', 'L']);
        self.at += usize::from(long);
        // Only a decimal one can be negated to the least of all longs; ActiveMQ has it so.
        let most = if radix == 10 { 1 << 63 } else { i64::MAX as u64 };
        let number = u64::from_str_radix(digits, radix).ok().filter(|number| *number <= most);
        let number = number.ok_or_else(|| Fault::new(began, "this number is out of the range of a long"))?;
        Ok(Token::Exact(number, long))
    }

    /// Whether one of these letters stands there, and nothing of a name behind it.
    fn has_suffix(&self, at: usize, letters: [char; 4]) -> bool {
        let mut rest = self.text.get(at..).unwrap_or_default().chars();
        rest.next().is_some_and(|letter| letters.contains(&letter))
            && !rest.next().is_some_and(continues_name)
    }
}

/// A letter of any script, as Java's names begin; of the signs that Java also has there, `_` and `$`.
fn starts_name(char: char) -> bool {
    char.is_alphabetic() || matches!(char, '_' | '$')
}

fn continues_name(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '$')
}

fn taken_while(text: &str, belongs: impl Fn(char) -> bool) -> &str {
    let end = text.find(|char| !belongs(char)).unwrap_or(text.len());
    &text[..end]
}

impl fmt::Display for Token<'_> {
    /// As it is shown where something else was expected.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Keyword(keyword) => {
                let written = KEYWORDS.iter().find(|(_, known)| known == keyword);
                f.write_str(written.map_or("", |(written, _)| written))
            }
            Token::Name(name) => write!(f, "{name:.60}"),
            Token::Exact(number, _) => write!(f, "{number}"),
            Token::Approximate(number) => write!(f, "{number:?}"),
            Token::Text(text) => write!(f, "'{text:.60}'"),
            Token::Symbol(symbol) => {
                let written = SYMBOLS.iter().find(|(_, known)| known == symbol);
                f.write_str(written.map_or("", |(written, _)| written))
            }
            Token::End => f.write_str("the end"),
        }
    }
}
