//! Notes of lanes on the wire: what a node says about a lane to the node that forwards on it.
//!
//! ```text
//! note      a sealed answer of one record, padded to 512 bytes, under the note key; inside, JSON
//! note key  HMAC-SHA256(lane key, "layer-minus lane note v1")
//! ```
//! Between the sealed answers they travel as records of their own type, so that the node at the edge
//! takes them out without opening anything that is not for it.

use bytes::Bytes;
use layer_minus_message::LaneNote;
use layer_minus_node::LaneKey;
use layer_minus_seal::{RecordOpener, RecordSealer, ReplyKey};
use layer_minus_wallet::Address;
use rand::rngs::OsRng;
use ring::hmac;
use tracing::debug;

use crate::NodeHandle;

/// Size of a note on the wire: all alike, so that nothing shows whether a voucher is in it.
pub(crate) const NOTE_BYTES: usize = 512;

const LABEL: &[u8] = b"layer-minus lane note v1";

fn note_key(key: &LaneKey) -> Option<ReplyKey> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key.0), LABEL);
    tag.as_ref().try_into().ok().map(ReplyKey::from_bytes)
}

/// Seals a note, or one that says nothing: every lane on a way carries as many, so that nobody can tell
/// from sizes which link is the last. None if it is too long, which no note is.
pub(crate) fn seal(note: Option<&LaneNote>, key: &LaneKey) -> Option<Bytes> {
    let content = note.map(LaneNote::to_bytes).transpose().ok()?;
    RecordSealer::new(&note_key(key)?, &mut OsRng)
        .seal(&content.unwrap_or_default(), Some(NOTE_BYTES))
        .ok()
        .map(Bytes::from)
}

/// The note, if it says something; none if it does not open.
fn open(sealed: &[u8], key: &LaneKey) -> Option<Option<LaneNote>> {
    if sealed.len() != NOTE_BYTES {
        return None;
    }
    let content = RecordOpener::new(&note_key(key)?).open(sealed).ok()?;
    if content.is_empty() {
        return Some(None);
    }
    LaneNote::read(&content).ok().map(Some)
}

/// Takes the notes that come back on a lane to another node.
#[derive(Clone, Debug)]
pub(crate) struct NoteSink {
    pub(crate) node: NodeHandle,
    /// The node at the far end of the lane.
    pub(crate) peer: Address,
    pub(crate) key: LaneKey,
}

impl NoteSink {
    /// Tells the node what came. What does not open is somebody else's and is passed over.
    pub(crate) fn take(&self, sealed: &[u8]) {
        match open(sealed, &self.key) {
            Some(Some(note)) => self.node.note(self.peer, note),
            Some(None) => {}
            None => debug!(next = %self.peer, "a note that does not open"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: LaneKey = LaneKey([7; 32]);

    fn note(credited_pusd: u64) -> LaneNote {
        LaneNote {
            credited_pusd,
            voucher: None,
        }
    }

    #[test]
    fn a_note_opens_under_its_lanes_key_only() {
        let sealed = seal(Some(&note(12)), &KEY).unwrap();
        assert_eq!(sealed.len(), NOTE_BYTES);
        assert_eq!(open(&sealed, &KEY), Some(Some(note(12))));
        assert_eq!(open(&sealed, &LaneKey([8; 32])), None);
        for at in [0, 40, NOTE_BYTES - 1] {
            let mut other = sealed.to_vec();
            other[at] ^= 1;
            assert_eq!(open(&other, &KEY), None, "byte {at}");
        }
        assert_eq!(open(&sealed[1..], &KEY), None);
        let again = seal(Some(&note(12)), &KEY).unwrap();
        assert_ne!(sealed, again, "fresh every time");
    }

    #[test]
    fn a_note_that_says_nothing_looks_like_any_other() {
        let blank = seal(None, &KEY).unwrap();
        assert_eq!(blank.len(), NOTE_BYTES);
        assert_eq!(open(&blank, &KEY), Some(None));
        assert_eq!(open(&blank, &LaneKey([8; 32])), None);
    }
}
