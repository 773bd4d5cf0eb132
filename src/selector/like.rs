//! Patterns of LIKE: `%` stands for any characters, `_` for one. Matching looks at each character once.

use std::fmt;

/// Characters between two `%` when one of them is `_`: as many as a word has bits.
pub(super) const WILD_PIECE_CHARS_MAX: usize = 64;
/// Pieces of a pattern, between `%` and `%`.
pub(super) const PIECES_MAX: usize = 64;

/// A pattern, ready to match. Equal if its text and its escape character are.
#[derive(Clone)]
pub(super) struct Like {
    pub(super) pattern: Box<str>,
    pub(super) escape: Option<char>,
    first: Piece,
    /// Between the first `%` and the last one, without empty pieces.
    middle: Box<[Piece]>,
    /// What stands behind the last `%`, if there is one.
    last: Option<Piece>,
}

/// What stands between two `%`.
#[derive(Clone)]
enum Piece {
    Text(Box<str>),
    Wild(Wild),
}

/// Characters of which some may be any (`None`).
#[derive(Clone)]
struct Wild {
    chars: Box<[Option<char>]>,
    /// For each character that is asked for, the places at which it may stand; sorted. Only of pieces in the middle.
    places: Box<[(char, u64)]>,
    anywhere: u64,
}

impl Like {
    /// Reads a pattern. Before anything but `%`, `_` and itself the escape character stands for itself, as in ActiveMQ.
    pub(super) fn parse(pattern: &str, escape: Option<char>) -> Result<Like, String> {
        let mut pieces = vec![Vec::new()];
        let mut chars = pattern.chars().peekable();
        while let Some(char) = chars.next() {
            let escapes = Some(char) == escape;
            let escaped = chars.next_if(|next| escapes && (matches!(next, '%' | '_') || *next == char));
            let atom = match (escaped, char) {
                (Some(escaped), _) => Some(escaped),
                (None, '%') => {
                    pieces.push(Vec::new());
                    continue;
                }
                (None, '_') => None,
                (None, char) => Some(char),
            };
            if let Some(piece) = pieces.last_mut() {
                piece.push(atom);
            }
        }
        if pieces.len() > PIECES_MAX {
            return Err(format!("a pattern of at most {PIECES_MAX} pieces between % was expected"));
        }
        let last = if pieces.len() > 1 { pieces.pop().map(|chars| Piece::new(&chars)) } else { None };
        let mut pieces = pieces.into_iter();
        let first = Piece::new(&pieces.next().unwrap_or_default());
        let middle = pieces.filter(|chars| !chars.is_empty()).map(|chars| Piece::new(&chars).searchable());
        let middle = middle.collect::<Result<_, _>>()?;
        Ok(Like { pattern: pattern.into(), escape, first, middle, last })
    }

    /// Whether all of a text is as the pattern says.
    pub(super) fn matches(&self, text: &str) -> bool {
        let Some(rest) = self.first.strip_from_start(text) else { return false };
        let Some(last) = &self.last else { return rest.is_empty() };
        let found = self.middle.iter().try_fold(rest, |rest, piece| piece.skip_past(rest));
        found.is_some_and(|rest| last.ends(rest))
    }
}

impl PartialEq for Like {
    fn eq(&self, other: &Like) -> bool {
        (&self.pattern, self.escape) == (&other.pattern, other.escape)
    }
}

impl fmt::Debug for Like {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Like").field("pattern", &self.pattern).field("escape", &self.escape).finish()
    }
}

impl Piece {
    fn new(chars: &[Option<char>]) -> Piece {
        match chars.iter().copied().collect::<Option<String>>() {
            Some(text) => Piece::Text(text.into()),
            None => Piece::Wild(Wild { chars: chars.into(), places: Box::default(), anywhere: 0 }),
        }
    }

    /// The same, prepared for [`Piece::skip_past`].
    fn searchable(mut self) -> Result<Piece, String> {
        if let Piece::Wild(wild) = &mut self {
            if wild.chars.len() > WILD_PIECE_CHARS_MAX {
                let most = WILD_PIECE_CHARS_MAX;
                return Err(format!(
                    "at most {most} characters were expected between two %, as one of them is _"
                ));
            }
            let mut places: Vec<(char, u64)> = Vec::new();
            for (at, char) in wild.chars.iter().enumerate() {
                match char {
                    None => wild.anywhere |= 1 << at,
                    Some(char) => match places.iter_mut().find(|(known, _)| known == char) {
                        Some((_, bits)) => *bits |= 1 << at,
                        None => places.push((*char, 1 << at)),
                    },
                }
            }
            places.sort_unstable();
            wild.places = places.into();
        }
        Ok(self)
    }

    fn strip_from_start<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Piece::Text(piece) => text.strip_prefix(&**piece),
            Piece::Wild(wild) => {
                let mut rest = text.chars();
                wild.chars.iter().all(|wanted| fits(*wanted, rest.next())).then_some(rest.as_str())
            }
        }
    }

    fn ends(&self, text: &str) -> bool {
        match self {
            Piece::Text(piece) => text.ends_with(&**piece),
            Piece::Wild(wild) => {
                let mut rest = text.chars().rev();
                wild.chars.iter().rev().all(|wanted| fits(*wanted, rest.next()))
            }
        }
    }

    /// What stands behind the first place at which the piece is found.
    fn skip_past<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Piece::Text(piece) => text.get(text.find(&**piece)? + piece.len()..),
            Piece::Wild(wild) => wild.skip_past(text),
        }
    }
}

impl Wild {
    /// Bit n of `found` says that the piece's first n + 1 characters end here (Baeza-Yates and Gonnet, 1992).
    fn skip_past<'a>(&self, text: &'a str) -> Option<&'a str> {
        let whole = 1u64 << (self.chars.len() - 1);
        let mut found = 0u64;
        let mut rest = text.chars();
        while let Some(char) = rest.next() {
            let place = self.places.binary_search_by_key(&char, |(known, _)| *known);
            let places = place.map_or(0, |at| self.places[at].1);
            found = (found << 1 | 1) & (places | self.anywhere);
            if found & whole != 0 {
                return Some(rest.as_str());
            }
        }
        None
    }
}

fn fits(wanted: Option<char>, found: Option<char>) -> bool {
    found.is_some() && (wanted.is_none() || wanted == found)
}
