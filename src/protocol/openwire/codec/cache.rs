//! What both sides remember of a connection: ids and destinations that were sent once go by a number from then on. Each
//! direction has numbers of its own, given by its sender.

use std::collections::HashMap;
use std::hash::Hash;

use super::error::FrameError;

/// How much the sender keeps free, by forgetting what it sent longest ago; the Java client does the same.
const FREE: usize = 100;
/// Values in one that is remembered.
const NESTED_MAX: usize = 16;
/// The number of what is sent and not remembered.
const NOT_KEPT: u16 = u16::MAX;

/// What the peer has sent.
#[derive(Debug)]
pub(super) struct Heard<V> {
    entries: Vec<Option<V>>,
    size: usize,
}

impl<V: Clone> Heard<V> {
    /// Remembers up to `size` values, which takes memory only as they come.
    pub(super) fn new(size: u16) -> Heard<V> {
        Heard { entries: Vec::new(), size: usize::from(size) }
    }

    /// A value comes under this number; `None` stands for a null.
    pub(super) fn put(&mut self, number: u16, value: Option<V>) -> Result<(), FrameError> {
        let at = usize::from(number);
        if number == NOT_KEPT {
            return Ok(());
        }
        // Numbers are given in order, but that what stands in a value may come before it: nobody makes this much larger than
        // what was sent.
        if at >= self.size || at > self.entries.len() + NESTED_MAX {
            return Err(FrameError::NotCached(number));
        }
        if at >= self.entries.len() {
            self.entries.resize(at + 1, None);
        }
        self.entries[at] = value;
        Ok(())
    }

    /// What came under this number last.
    pub(super) fn get(&self, number: u16) -> Result<Option<&V>, FrameError> {
        self.entries.get(usize::from(number)).map(Option::as_ref).ok_or(FrameError::NotCached(number))
    }
}

/// What we have sent.
#[derive(Debug)]
pub(super) struct Told<V> {
    numbers: HashMap<Option<V>, u16>,
    /// By number.
    values: Vec<Option<Option<V>>>,
    size: usize,
    next: usize,
    oldest: usize,
}

impl<V: Clone + Eq + Hash> Told<V> {
    pub(super) fn new(size: u16) -> Told<V> {
        let size = usize::from(size);
        Told { numbers: HashMap::new(), values: Vec::new(), size, next: 0, oldest: 0 }
    }

    /// The number of a value that was sent.
    pub(super) fn number(&self, value: &Option<V>) -> Option<u16> {
        self.numbers.get(value).copied()
    }

    /// A number for a value that is about to be sent.
    pub(super) fn give(&mut self, value: Option<V>) -> u16 {
        let at = self.next;
        self.next = if at + 1 >= self.size { 0 } else { at + 1 };
        if self.numbers.len() >= self.size {
            return NOT_KEPT;
        }
        if self.values.len() <= at {
            self.values.resize(at + 1, None);
        }
        self.numbers.insert(value.clone(), at as u16);
        self.values[at] = Some(value);
        at as u16
    }

    /// A frame begins: forgets what is too much.
    pub(super) fn sweep(&mut self) {
        while self.numbers.len() > self.size.saturating_sub(FREE) {
            if let Some(gone) = self.values.get_mut(self.oldest).and_then(Option::take) {
                self.numbers.remove(&gone);
            }
            self.oldest = if self.oldest + 1 >= self.size { 0 } else { self.oldest + 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard_however_long_it_goes_on() {
        const SIZE: u16 = 130;
        let (mut told, mut heard) = (Told::new(SIZE), Heard::new(SIZE));
        for frame in 0..1000 {
            told.sweep();
            for value in [Some(frame), Some(frame / 2), Some(frame % 7), None] {
                match told.number(&value) {
                    Some(number) => assert_eq!(heard.get(number), Ok(value.as_ref())),
                    None => heard.put(told.give(value), value).unwrap(),
                }
            }
            assert!(told.numbers.len() <= usize::from(SIZE) && told.values.len() <= usize::from(SIZE));
        }
    }

    #[test]
    fn a_number_that_was_never_given_names_nothing() {
        let mut heard = Heard::new(10);
        assert_eq!(heard.get(0), Err(FrameError::NotCached(0)));
        heard.put(0, None).unwrap();
        assert_eq!((heard.get(0), heard.get(1)), (Ok(None), Err(FrameError::NotCached(1))));
        (1..10).for_each(|number| heard.put(number, Some(1)).unwrap());
        assert_eq!(heard.put(10, None), Err(FrameError::NotCached(10)), "too many");
        let far = NESTED_MAX as u16 + 1;
        assert_eq!(Heard::<u8>::new(100).put(far, None), Err(FrameError::NotCached(far)), "out of order");
        heard.put(NOT_KEPT, None).unwrap();
        assert_eq!(heard.get(NOT_KEPT), Err(FrameError::NotCached(NOT_KEPT)));
    }
}
