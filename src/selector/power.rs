//! How strongly operators bind what stands beside them.

pub(super) const ANYTHING: u8 = 0;
pub(super) const OR: u8 = 1;
pub(super) const AND: u8 = 2;
pub(super) const NOT: u8 = 3;
pub(super) const EQUALITY: u8 = 4;
pub(super) const ORDER: u8 = 5;
pub(super) const SUM: u8 = 6;
pub(super) const PRODUCT: u8 = 7;
pub(super) const SIGN: u8 = 8;
