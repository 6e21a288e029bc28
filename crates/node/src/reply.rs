//! Sealing of answers: once for every layer that this node opened, the innermost first.

use layer_minus_message::limits::ANSWER_SIZES;
use layer_minus_seal::{RECORD_FIRST_OVERHEAD, RECORD_OVERHEAD, RecordSealer, ReplyKey, SealError};
use rand::{CryptoRng, RngCore};

/// The reply keys of the layers that were opened, outermost first, and the records sealed so far.
///
/// Only the outermost seal pads: a link carries exact sizes, and what is inside adds a fixed overhead
/// per layer.
#[derive(Debug, Default)]
pub struct ReplyChain {
    keys: Vec<ReplyKey>,
    sealers: Vec<RecordSealer>,
    /// The first record of each sealer is out.
    begun: bool,
}

impl ReplyChain {
    pub(crate) fn push(&mut self, key: ReplyKey) {
        self.keys.push(key);
    }

    /// Seals the next record of the answer; the first one carries the stream's random.
    ///
    /// `size_bytes` is the exact size of the record on the wire; without it the smallest size of an
    /// answer is taken.
    ///
    /// # Errors
    /// [`SealError::SizeUnreachable`] before anything is sealed: another size may be tried.
    pub fn seal(
        &mut self,
        content: &[u8],
        size_bytes: Option<u32>,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Vec<u8>, SealError> {
        if self.sealers.is_empty() {
            self.sealers = self
                .keys
                .drain(..)
                .map(|key| RecordSealer::new(&key, rng))
                .collect();
        }
        let overhead = match self.begun {
            true => RECORD_OVERHEAD,
            false => RECORD_FIRST_OVERHEAD,
        };
        let needed = content.len() + overhead * self.sealers.len();
        // Every sealer counts its records: a record that one has sealed and that is not sent would leave
        // the reader behind for ever.
        if let Some(size) = size_bytes.map(|size| size as usize)
            && size < needed
        {
            return Err(SealError::SizeUnreachable { size, needed });
        }
        let mut record = content.to_vec();
        for (depth, sealer) in self.sealers.iter_mut().enumerate().rev() {
            let pad_to = (depth == 0).then(|| match size_bytes {
                Some(size) => size as usize,
                None => answer_size(record.len()),
            });
            record = sealer.seal(&record, pad_to)?;
        }
        self.begun = true;
        Ok(record)
    }
}

/// The smallest size of an answer that holds `content_bytes` and a first record's overhead.
fn answer_size(content_bytes: usize) -> usize {
    let need = content_bytes + RECORD_FIRST_OVERHEAD;
    ANSWER_SIZES
        .into_iter()
        .find(|&size| size >= need)
        .unwrap_or(need)
}

#[cfg(test)]
mod tests {
    use layer_minus_seal::RecordOpener;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn a_size_that_was_too_small_leaves_no_record_out() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let keys = [[1; 32], [2; 32]].map(ReplyKey::from_bytes);
        let mut chain = ReplyChain::default();
        keys.iter().for_each(|key| chain.push(key.clone()));
        let mut openers = keys.map(|key| RecordOpener::new(&key));
        for content in [vec![7; 100], vec![8; 4_090], vec![9; 5]] {
            let small = u32::try_from(content.len()).unwrap();
            assert!(matches!(
                chain.seal(&content, Some(small), &mut rng),
                Err(SealError::SizeUnreachable { .. })
            ));
            let mut record = chain.seal(&content, None, &mut rng).unwrap();
            assert!(ANSWER_SIZES.contains(&record.len()));
            for opener in &mut openers {
                record = opener.open(&record).unwrap();
            }
            assert_eq!(record, content);
        }
    }
}
