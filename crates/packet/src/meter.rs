//! Counting the work: every packet header and every body length read is one step.
//!
//! Readers are generic over the counter and the public functions pass the unit, which
//! counts nothing and costs nothing. The tests pass a number and bound it.

/// Something that is told of every step.
pub(crate) trait Meter {
    /// One header or one length is about to be read.
    fn step(&mut self);
}

impl Meter for () {
    #[inline]
    fn step(&mut self) {}
}

impl Meter for usize {
    #[inline]
    fn step(&mut self) {
        *self = self.saturating_add(1);
    }
}
