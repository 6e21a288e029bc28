//! Sealing of answers: once for every layer that this node opened, the innermost first.

use layer_minus_message::limits::ANSWER_SIZES;
use layer_minus_seal::{RecordSealer, ReplyKey, SealError};
use rand::{CryptoRng, RngCore};

/// The reply keys of the layers that were opened, outermost first, and the records sealed so far.
///
/// Only the outermost seal pads: a link carries exact sizes, and what is inside adds a fixed overhead
/// per layer.
#[derive(Debug, Default)]
pub struct ReplyChain {
    keys: Vec<ReplyKey>,
    sealers: Vec<RecordSealer>,
}

impl ReplyChain {
    pub(crate) fn push(&mut self, key: ReplyKey) {
        self.keys.push(key);
    }

    /// Seals the next record of the answer; the first one carries the stream's random.
    ///
    /// `size_bytes` is the exact size of the record on the wire; without it the smallest size of an
    /// answer is taken.
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
        let mut record = content.to_vec();
        for (depth, sealer) in self.sealers.iter_mut().enumerate().rev() {
            let pad_to = (depth == 0).then(|| match size_bytes {
                Some(size) => size as usize,
                None => answer_size(record.len()),
            });
            record = sealer.seal(&record, pad_to)?;
        }
        Ok(record)
    }
}

/// The smallest size of an answer that holds `content_bytes` and a first record's overhead.
fn answer_size(content_bytes: usize) -> usize {
    let need = content_bytes + layer_minus_seal::RECORD_FIRST_OVERHEAD;
    ANSWER_SIZES
        .into_iter()
        .find(|&size| size >= need)
        .unwrap_or(need)
}
