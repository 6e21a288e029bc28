//! The exact packet sizes of a network, and the arithmetic of layers.

/// The octets that every layer reserves, whatever its algorithms need.
pub const LAYER_RESERVE: usize = 2_048;
/// The most layers around the innermost packet.
pub const LAYERS_MAX: usize = 4;
/// The most sizes in a network's list.
pub const SIZES_MAX: usize = 8;
/// The smallest size that a network may list: room for the layers and 1,808 octets inside.
pub const SIZE_MIN: usize = 10_000;
/// The largest size that a network may list.
pub const SIZE_MAX: usize = 16_000_000;

/// The network's list of exact packet sizes in octets, ascending.
///
/// ```
/// use layer_minus_packet::Sizes;
/// let sizes = Sizes::default();
/// assert!(sizes.contains(16_000) && sizes.contains(1_000_000) && !sizes.contains(16_001));
/// assert_eq!(Sizes::innermost(16_000), 16_000 - 4 * 2_048);
/// assert_eq!(sizes.smallest_for(7_808), Some(16_000));
/// assert_eq!(sizes.smallest_for(7_809), Some(1_000_000));
/// assert_eq!(sizes.smallest_for(1_000_000), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sizes {
    /// The sizes, ascending, the last one repeated to the end.
    list: [usize; SIZES_MAX],
    count: usize,
}

/// Why a list of packet sizes is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SizesError {
    /// None, or more than [`SIZES_MAX`].
    #[error("{count} packet sizes where 1 to {SIZES_MAX} are expected")]
    Count {
        /// How many there are.
        count: usize,
    },
    /// A size outside [`SIZE_MIN`]`..=`[`SIZE_MAX`].
    #[error("packet size {size} is not between {SIZE_MIN} and {SIZE_MAX}")]
    Range {
        /// The size.
        size: usize,
    },
    /// A size that is not larger than the one before it.
    #[error("packet size {size} does not ascend")]
    Order {
        /// The size.
        size: usize,
    },
}

impl Sizes {
    /// A list of 1 to [`SIZES_MAX`] strictly ascending sizes.
    ///
    /// # Errors
    /// [`SizesError`] names the entry that does not fit.
    pub fn new(sizes: &[usize]) -> Result<Self, SizesError> {
        let count = sizes.len();
        let (Some(&last), true) = (sizes.last(), count <= SIZES_MAX) else {
            return Err(SizesError::Count { count });
        };
        let mut list = [last; SIZES_MAX];
        let mut before = 0;
        for (place, &size) in list.iter_mut().zip(sizes) {
            if !(SIZE_MIN..=SIZE_MAX).contains(&size) {
                return Err(SizesError::Range { size });
            }
            if size <= before {
                return Err(SizesError::Order { size });
            }
            before = size;
            *place = size;
        }
        Ok(Self { list, count })
    }

    /// Whether a packet may have that total size.
    #[must_use]
    #[inline]
    pub fn contains(&self, size: usize) -> bool {
        self.list.contains(&size)
    }

    /// The smallest listed size whose innermost packet holds `inner_len` octets.
    #[must_use]
    pub fn smallest_for(&self, inner_len: usize) -> Option<usize> {
        self.iter().find(|&size| Self::innermost(size) >= inner_len)
    }

    /// The largest size.
    #[must_use]
    pub const fn largest(&self) -> usize {
        let [.., last] = self.list;
        last
    }

    /// The sizes, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = usize> + Clone + '_ {
        self.list.iter().copied().take(self.count)
    }

    /// How deep a layer of `len` octets lies in a packet of `size` octets, 0 being that packet itself;
    /// none if no layer of it has that size.
    ///
    /// ```
    /// use layer_minus_packet::Sizes;
    /// assert_eq!(Sizes::depth(16_000, 16_000), Some(0));
    /// assert_eq!(Sizes::depth(16_000, 16_000 - 3 * 2_048), Some(3));
    /// assert_eq!(Sizes::depth(16_000, 16_000 - 4 * 2_048), None);
    /// assert_eq!(Sizes::depth(16_000, 15_000), None);
    /// ```
    #[must_use]
    pub const fn depth(size: usize, len: usize) -> Option<usize> {
        let mut depth = 0;
        while depth < LAYERS_MAX {
            if len + depth * LAYER_RESERVE == size {
                return Some(depth);
            }
            depth += 1;
        }
        None
    }

    /// The total size of the innermost packet in a packet of `size` octets: what is left when
    /// [`LAYERS_MAX`] layers have taken [`LAYER_RESERVE`] each, however many there really are.
    #[must_use]
    pub const fn innermost(size: usize) -> usize {
        size.saturating_sub(LAYERS_MAX * LAYER_RESERVE)
    }
}

impl Default for Sizes {
    /// 16,000 and 1,000,000 octets, the latter the whitepaper's 1 MB.
    fn default() -> Self {
        let mut list = [1_000_000; SIZES_MAX];
        list[0] = 16_000;
        Self { list, count: 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_is_what_new_makes() {
        assert_eq!(Sizes::new(&[16_000, 1_000_000]), Ok(Sizes::default()));
        assert_eq!(
            Sizes::default().iter().collect::<Vec<_>>(),
            [16_000, 1_000_000]
        );
        assert_eq!(Sizes::default().largest(), 1_000_000);
    }

    #[test]
    fn bad_lists_are_refused() {
        assert_eq!(Sizes::new(&[]), Err(SizesError::Count { count: 0 }));
        assert_eq!(
            Sizes::new(&[16_000; 9]),
            Err(SizesError::Count { count: 9 })
        );
        assert_eq!(
            Sizes::new(&[16_000, 16_000]),
            Err(SizesError::Order { size: 16_000 })
        );
        assert_eq!(
            Sizes::new(&[20_000, 16_000]),
            Err(SizesError::Order { size: 16_000 })
        );
        assert_eq!(Sizes::new(&[9_999]), Err(SizesError::Range { size: 9_999 }));
        assert_eq!(
            Sizes::new(&[16_000_001]),
            Err(SizesError::Range { size: 16_000_001 })
        );
    }

    #[test]
    fn one_size_lists_only_itself() {
        let sizes = Sizes::new(&[1_000_000]).unwrap();
        assert_eq!(sizes.iter().len(), 1);
        assert_eq!(sizes.smallest_for(1), Some(1_000_000));
        assert!(!sizes.contains(0));
    }
}
