//! What a crash leaves on the simulated disk: of what was not synced, as much as it is told to keep.

/// Torn writes are cut at multiples of this.
pub(super) const SECTOR_BYTES: usize = 512;
/// What a crash keeps of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All of it: only the process died. It is as unsynced as it was.
    All,
    /// Nothing: the power failed before anything was written back.
    Nothing,
    /// Some writes, some parts of writes, in any order; names in the order of their changes. The seed decides which.
    Some(u64),
}

impl Keep {
    /// What decides; none when the machine stays up.
    pub(super) fn chance(self) -> Option<Chance> {
        match self {
            Keep::All => None,
            Keep::Nothing => Some(Chance { seed: 0, never: true }),
            Keep::Some(seed) => Some(Chance { seed, never: false }),
        }
    }
}

/// A change of a file that is not synced.
#[derive(Clone)]
pub(super) enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

impl Change {
    pub(super) fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Write(at, bytes) => {
                let (at, end) = (*at as usize, *at as usize + bytes.len());
                to.resize(to.len().max(end), 0);
                to[at..end].copy_from_slice(bytes);
            }
            Change::Length(bytes) => to.resize(*bytes as usize, 0),
        }
    }

    /// Nothing, all, or some of the sectors.
    pub(super) fn apply_some(&self, to: &mut Vec<u8>, chance: &mut Chance) {
        match (self, chance.below(3)) {
            (_, 0) => {}
            (Change::Write(at, bytes), 1) => {
                let mut done = 0;
                while done < bytes.len() {
                    let sector = SECTOR_BYTES - (*at as usize + done) % SECTOR_BYTES;
                    let part = &bytes[done..bytes.len().min(done + sector)];
                    if chance.below(2) == 0 {
                        Change::Write(at + done as u64, part.to_vec()).apply(to);
                    }
                    done += part.len();
                }
            }
            _ => self.apply(to),
        }
    }
}

/// Numbers that look random and are the same for the same seed (splitmix64), or always 0.
pub(super) struct Chance {
    seed: u64,
    never: bool,
}

impl Chance {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        if self.never { 0 } else { ((z ^ (z >> 31)) % n.max(1) as u64) as usize }
    }
}
