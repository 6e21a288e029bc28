//! A file that takes room on the disk and is removed when there is none: what collects mail and lets it
//! expire has to write a little before it makes room.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::files::beside;

const SUFFIX: &str = "-ballast";
/// Time between two attempts to lay it again.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Bytes written at a time.
const PIECE_BYTES: usize = 65_536;

/// What is known of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The store is new. Who runs for less than [`AGAIN_AFTER`] needs none.
    Young,
    /// It is there.
    Held,
    /// It was removed, and what it took is for making room.
    Released,
}

/// The file of one store. Time counts from when it was last tried to lay it.
#[derive(Debug)]
pub(crate) struct Ballast {
    path: PathBuf,
    bytes: u64,
    state: Cell<State>,
    tried: Cell<Option<Instant>>,
}

impl Ballast {
    /// The ballast of the store at `store`, which was made just now if it `is_new`.
    pub(crate) fn of(store: &Path, bytes: u64, is_new: bool) -> Self {
        let path = beside(store, SUFFIX);
        let there = fs::metadata(&path).is_ok_and(|file| file.len() >= bytes);
        let (state, tried) = match (there, is_new) {
            (true, _) => (State::Held, None),
            (false, true) => (State::Young, Some(Instant::now())),
            (false, false) => (State::Released, None),
        };
        Self {
            path,
            bytes,
            state: Cell::new(state),
            tried: Cell::new(tried),
        }
    }

    /// Gives the room back to the disk, and true if there was any to give.
    pub(crate) fn release(&self) -> bool {
        let there = fs::remove_file(&self.path).is_ok();
        self.state.set(State::Released);
        self.tried.set(Some(Instant::now()));
        there
    }

    /// Whether it is there, or need not be yet. Lays it when that is due and the disk has room again.
    pub(crate) fn is_held(&self) -> bool {
        let due = self
            .tried
            .get()
            .is_none_or(|tried| tried.elapsed() >= AGAIN_AFTER);
        if self.state.get() != State::Held && due {
            self.tried.set(Some(Instant::now()));
            let laid = self.lay().is_ok();
            if !laid {
                let _ = fs::remove_file(&self.path);
            }
            self.state
                .set(if laid { State::Held } else { State::Released });
        }
        self.state.get() != State::Released
    }

    /// Whether it was removed and not laid again.
    pub(crate) fn is_released(&self) -> bool {
        self.state.get() == State::Released
    }

    /// The disk got room: laying it is tried at once.
    pub(crate) fn try_soon(&self) {
        self.tried.set(None);
    }

    /// Room for twice as much is asked for: else it would be released again at once.
    fn lay(&self) -> io::Result<()> {
        let mut file = File::create(&self.path)?;
        let mut piece = vec![0; PIECE_BYTES];
        // Noise: a file system that compresses would give nothing back for zeros.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut left = self.bytes.saturating_mul(2);
        while left > 0 {
            for byte in &mut piece {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *byte = state as u8;
            }
            let count = usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
            file.write_all(&piece[..count])?;
            left -= count as u64;
        }
        file.set_len(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_laid_when_a_store_is_opened_again_and_released_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store.db");
        let file = folder.path().join("store.db-ballast");
        let young = Ballast::of(&store, 100_000, true);
        assert!(young.is_held() && !file.exists());

        let again = Ballast::of(&store, 100_000, false);
        assert!(again.is_held());
        assert_eq!(fs::metadata(&file).unwrap().len(), 100_000);
        assert!(again.release() && !file.exists());
        // Not at once, or it would take what it gave.
        assert!(!again.is_held() && !again.release());

        let third = Ballast::of(&store, 100_000, false);
        assert!(third.is_held() && file.exists());
        assert!(Ballast::of(&store, 100_000, true).is_held());
    }

    #[test]
    fn a_disk_without_room_for_it_is_not_held() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("missing").join("store.db");
        let ballast = Ballast::of(&nowhere, 100_000, false);
        assert!(!ballast.is_held());
    }
}
