//! What happened, line by line, and a digest of it: two runs of a seed give the same one.

use std::collections::VecDeque;

use sha2::{Digest as _, Sha256};

/// Lines that a failure shows.
const TAIL_LINES: usize = 60;

/// The lines of a run.
#[derive(Debug)]
pub(crate) struct Trace {
    digest: Sha256,
    tail: VecDeque<String>,
    /// All lines, if somebody wants them.
    kept: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(keep: bool) -> Self {
        Self {
            digest: Sha256::new(),
            tail: VecDeque::with_capacity(TAIL_LINES),
            kept: keep.then(Vec::new),
        }
    }

    pub(crate) fn line(&mut self, now_ms: u64, text: &str) {
        let line = format!("{:>9}.{:03} {text}", now_ms / 1_000, now_ms % 1_000);
        self.digest.update(line.as_bytes());
        self.digest.update(b"\n");
        if let Some(kept) = &mut self.kept {
            kept.push(line.clone());
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    pub(crate) fn digest(&self) -> String {
        hex::encode(&self.digest.clone().finalize()[..16])
    }

    pub(crate) fn tail(&self) -> Vec<String> {
        self.tail.iter().cloned().collect()
    }

    pub(crate) fn take_kept(&mut self) -> Vec<String> {
        self.kept.take().unwrap_or_default()
    }
}
