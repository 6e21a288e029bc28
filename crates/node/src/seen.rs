//! What was seen: frames until they expire, nonces for the clock's window. Nothing counts twice.

use layer_minus_message::{CommandSigner, Reason, limits::CLOCK_WINDOW_SECS};

use crate::{
    config::{SEEN_UNPAID_ROWS_MAX, SWEEP_ROWS_MAX},
    event::{Effect, Request},
    node::{FORGOTTEN_KEY, Parts},
    store::{Store, StoreError, Table},
    tx::Stop,
};

/// How many frames of those who pay for nothing are remembered.
const UNPAID_KEY: &[u8] = b"seen-unpaid";
/// Value of such a frame's entry among those that expire.
const UNPAID: &[u8] = &[1];

impl<S: Store> Parts<'_, S> {
    /// Remembers the frames of a request. False, and garbage to the runtime, if one was seen before, or
    /// has expired while it waited: by then what was seen of it may be forgotten.
    pub(crate) fn see(&mut self, request: &Request, paid: bool) -> Result<bool, Stop> {
        let forgotten = self.forgotten()?;
        for mark in &request.marks {
            if mark.expires_at < forgotten {
                // The sweep may have forgotten it while the clock was ahead: that it was not seen cannot
                // be known.
                let node_time = self.tx.now;
                return Err(Reason::StaleTime { node_time }.into());
            }
            let over = mark.expires_at < self.tx.now;
            if over || self.tx.store.get(Table::Seen, &mark.digest)?.is_some() {
                self.tx.effects.push(Effect::Garbage {
                    request: request.id,
                });
                return Ok(false);
            }
        }
        if !paid {
            let rows = self.tx.get(Table::Meta, UNPAID_KEY)?.unwrap_or(0);
            if rows >= SEEN_UNPAID_ROWS_MAX {
                return Err(Reason::Unavailable.into());
            }
            let rows = rows + request.marks.len() as u64;
            self.tx.put(Table::Meta, UNPAID_KEY, &rows)?;
        }
        let value: &[u8] = if paid { &[] } else { UNPAID };
        for mark in &request.marks {
            self.remember(&mark.digest, mark.expires_at, value)?;
        }
        Ok(true)
    }

    /// Up to which expiry frames were forgotten.
    pub(crate) fn forgotten(&self) -> Result<u64, StoreError> {
        let bytes = self.tx.store.get(Table::Meta, FORGOTTEN_KEY)?;
        Ok(bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u64::from_be_bytes))
    }

    pub(crate) fn see_nonce(&mut self, signer: &CommandSigner) -> Result<(), Stop> {
        let key = self
            .ids
            .keyed("nonce", &[signer.wallet.as_slice(), &signer.nonce]);
        if self.tx.store.get(Table::Seen, &key)?.is_some() {
            return Err(Reason::ReplayedNonce.into());
        }
        let until = signer.time.saturating_add(2 * CLOCK_WINDOW_SECS);
        Ok(self.remember(&key, until, &[])?)
    }

    fn remember(&mut self, digest: &[u8], expires_at: u64, value: &[u8]) -> Result<(), StoreError> {
        // Straight to the store: having seen a frame is kept even if what it asks for is refused.
        self.tx.store.put(Table::Seen, digest, &[])?;
        let mut key = expires_at.to_be_bytes().to_vec();
        key.extend_from_slice(digest);
        self.tx.store.put(Table::SeenExpiry, &key, value)
    }

    /// Forgets frames that their own expiry refuses by now, some of them; true if there may be more.
    pub(crate) fn sweep_seen(&mut self) -> Result<bool, StoreError> {
        let to = self.tx.now.to_be_bytes();
        let rows = self
            .tx
            .store
            .scan(Table::SeenExpiry, &[], &to, SWEEP_ROWS_MAX)?;
        let mut unpaid = 0;
        for (key, value) in &rows {
            unpaid += u64::from(value.as_slice() == UNPAID);
            if let Some((_, digest)) = key.split_at_checked(8) {
                self.tx.delete(Table::Seen, digest)?;
            }
            self.tx.delete(Table::SeenExpiry, key)?;
        }
        if unpaid > 0 {
            let remembered: u64 = self.tx.get(Table::Meta, UNPAID_KEY)?.unwrap_or(0);
            let remembered = remembered.saturating_sub(unpaid);
            self.tx.put(Table::Meta, UNPAID_KEY, &remembered)?;
        }
        if !rows.is_empty() && self.forgotten()? < self.tx.now {
            // The clock may be set back, and what was forgotten come again.
            self.tx.put_bytes(Table::Meta, FORGOTTEN_KEY, &to)?;
        }
        Ok(rows.len() >= SWEEP_ROWS_MAX)
    }
}
