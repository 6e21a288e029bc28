//! What a client saw itself: the driver's own record, which the node's is compared with.

use std::collections::{BTreeMap, BTreeSet};

pub(crate) type LetterId = [u8; 16];

/// When a letter left the mailbox: between the first acknowledgement of it that was sent and the
/// first that was answered, unix seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) from: u64,
    pub(crate) until: Option<u64>,
}

/// Of one client, as a recipient.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Letters to it that somebody began to send.
    pub(crate) sent: BTreeSet<LetterId>,
    /// Letters to it for which the node's signed acceptance came: when they became durable.
    pub(crate) accepted: BTreeMap<LetterId, u64>,
    /// Letters that its person saw, and how often.
    pub(crate) shown: BTreeMap<LetterId, u32>,
    pub(crate) taken: BTreeMap<LetterId, Taken>,
    /// Records with a packet that came, repeated ones too.
    pub(crate) pushes: u64,
    /// Pushes that a stream which broke may have had on its way.
    pub(crate) pushes_lost_max: u64,
    /// Streams that were opened.
    pub(crate) listens: u64,
    /// Attempts of which nothing was heard.
    pub(crate) listens_unknown: u64,
}

impl Log {
    /// Letters accepted and not known to have left the mailbox.
    pub(crate) fn waiting(&self) -> usize {
        let is_taken = |id: &&LetterId| {
            let taken = self.taken.get(*id);
            taken.is_none_or(|taken| taken.until.is_none())
        };
        self.accepted.keys().filter(is_taken).count()
    }

    /// A stream broke: whatever had not left the mailbox may have been on it.
    pub(crate) fn stream_broke(&mut self) {
        let taken = self.taken.values().filter(|taken| taken.until.is_some());
        let open = self.sent.len().saturating_sub(taken.count());
        self.pushes_lost_max += open as u64;
    }

    pub(crate) fn summary(&self) -> String {
        format!(
            "{} sent, {} accepted, {} shown, {} waiting, {} pushes",
            self.sent.len(),
            self.accepted.len(),
            self.shown.len(),
            self.waiting(),
            self.pushes
        )
    }
}
