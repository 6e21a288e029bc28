//! Which packets are safe here and not yet acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use layer_minus_delivery::Mode;
use layer_minus_message::Position;

/// Most single numbers in one acknowledgement: they have to fit a command.
pub const ACK_SEQS_MAX: usize = 128;

/// What one acknowledgement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Which of the client's consumers speaks.
    pub mode: Mode,
    /// The store generation of the numbers.
    pub generation: u64,
    /// Everything up to this number.
    pub through: Option<u64>,
    /// These single numbers.
    pub seqs: Vec<u64>,
}

/// Collects what is safe, until it is told to the node.
///
/// A consumer in `each` mode acknowledges up to a number; that is true only if it took everything
/// before it, which holds because a node pushes to it in order. A consumer in `share` mode
/// acknowledges each number, because the numbers between belong to other connections.
#[derive(Clone, Debug)]
pub struct AckBook {
    mode: Mode,
    generation: u64,
    /// Everything up to here is safe or known to be lost (`each` only).
    done: u64,
    through: Option<u64>,
    seqs: BTreeSet<u64>,
    /// Gaps that are not acknowledged: first to last. In `each` mode those that lie beyond something
    /// that is still to come.
    gaps: BTreeMap<u64, u64>,
}

impl AckBook {
    /// An empty book.
    #[must_use]
    pub const fn new(mode: Mode) -> Self {
        Self {
            mode,
            generation: 0,
            done: 0,
            through: None,
            seqs: BTreeSet::new(),
            gaps: BTreeMap::new(),
        }
    }

    /// A stream was opened: where the consumer stands at the node.
    pub fn opened(&mut self, position: Position) {
        self.check_generation(position.generation);
        self.done = self.done.max(position.seq);
        self.gaps.clear();
    }

    /// The node says that these packets were dropped. Acknowledged as well, so that it is told once;
    /// but never beyond a packet that may still come.
    pub fn lost(&mut self, from: u64, through: u64) {
        if from > through {
            return;
        }
        self.gaps.insert(from, through);
        if self.mode == Mode::Each {
            self.pass_gaps();
        }
    }

    /// A packet is safe here. Numbers of an earlier generation are forgotten: the node's store was
    /// restored, and they would name other packets now.
    pub fn took(&mut self, position: Position) {
        self.check_generation(position.generation);
        match self.mode {
            Mode::Each => {
                self.done = self.done.max(position.seq);
                self.through = self.through.max(Some(position.seq));
                self.pass_gaps();
            }
            Mode::Share => {
                self.seqs.insert(position.seq);
            }
        }
    }

    fn check_generation(&mut self, generation: u64) {
        if generation != self.generation {
            *self = Self {
                generation,
                ..Self::new(self.mode)
            };
        }
    }

    fn pass_gaps(&mut self) {
        while let Some(gap) = self.gaps.first_entry() {
            if *gap.key() > self.done.saturating_add(1) {
                return;
            }
            let through = gap.remove();
            if through > self.done {
                self.done = through;
                self.through = Some(through);
            }
        }
    }

    /// Whether there is something to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let gaps = self.mode == Mode::Share && !self.gaps.is_empty();
        self.through.is_none() && self.seqs.is_empty() && !gaps
    }

    /// Takes out what the next acknowledgement says, if anything. A gap in `share` mode comes alone
    /// and last: a node that cannot take it yet says so, and tells of it again.
    pub fn take(&mut self) -> Option<Acknowledgement> {
        if self.is_empty() {
            return None;
        }
        let mut seqs = Vec::new();
        while seqs.len() < ACK_SEQS_MAX {
            let Some(seq) = self.seqs.pop_first() else {
                break;
            };
            seqs.push(seq);
        }
        let (mode, generation) = (self.mode, self.generation);
        let mut through = self.through.take();
        if seqs.is_empty() && mode == Mode::Share {
            through = self.gaps.pop_first().map(|(_, last)| last);
        }
        Some(Acknowledgement {
            mode,
            generation,
            through,
            seqs,
        })
    }

    /// Puts an acknowledgement back that could not be told.
    pub fn put_back(&mut self, ack: Acknowledgement) {
        if ack.generation != self.generation && !self.is_empty() {
            return;
        }
        self.generation = ack.generation;
        if self.mode == Mode::Each {
            self.through = self.through.max(ack.through);
        }
        self.seqs.extend(ack.seqs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(generation: u64, seq: u64) -> Position {
        Position { generation, seq }
    }

    #[test]
    fn each_tells_the_highest_number_once() {
        let mut book = AckBook::new(Mode::Each);
        assert_eq!(book.take(), None);
        for seq in [3, 4, 9] {
            book.took(at(1, seq));
        }
        let ack = book.take().unwrap();
        assert_eq!(
            (ack.generation, ack.through, ack.seqs.len()),
            (1, Some(9), 0)
        );
        assert_eq!(book.take(), None);
        book.put_back(ack);
        book.took(at(1, 12));
        assert_eq!(book.take().unwrap().through, Some(12));
    }

    #[test]
    fn share_tells_every_number_in_bounded_pieces() {
        let mut book = AckBook::new(Mode::Share);
        let all: Vec<u64> = (0..300).map(|i| i * 3).collect();
        all.iter().for_each(|&seq| book.took(at(1, seq)));
        let mut told = Vec::new();
        while let Some(ack) = book.take() {
            assert!(ack.seqs.len() <= ACK_SEQS_MAX && ack.through.is_none());
            told.extend(ack.seqs);
        }
        assert_eq!(told, all);
    }

    #[test]
    fn numbers_of_an_earlier_generation_are_never_told_as_new_ones() {
        let mut book = AckBook::new(Mode::Share);
        book.took(at(1, 500));
        let old = book.take().unwrap();
        book.took(at(2, 3));
        book.put_back(old);
        let ack = book.take().unwrap();
        assert_eq!((ack.generation, ack.through, ack.seqs), (2, None, vec![3]));
        assert!(book.is_empty());
    }

    #[test]
    fn a_gap_is_acknowledged_only_when_everything_before_it_is_here() {
        let mut book = AckBook::new(Mode::Each);
        book.opened(at(7, 2));
        book.lost(5, 6);
        assert!(book.is_empty(), "3 and 4 may still come");
        book.took(at(7, 3));
        assert_eq!(book.take().unwrap().through, Some(3));
        book.took(at(7, 4));
        assert_eq!(book.take().unwrap().through, Some(6));
        book.lost(7, 9);
        assert_eq!(book.take().unwrap().through, Some(9));
        book.lost(9, 8);
        assert!(book.is_empty());
        // A restored store counts anew.
        book.opened(at(8, 0));
        book.lost(1, 1);
        let ack = book.take().unwrap();
        assert_eq!((ack.generation, ack.through), (8, Some(1)));
    }

    #[test]
    fn a_gap_in_share_mode_is_told_alone_after_the_numbers() {
        let mut book = AckBook::new(Mode::Share);
        book.opened(at(1, 4));
        book.lost(10, u64::MAX);
        book.took(at(1, 9));
        let numbers = book.take().unwrap();
        assert_eq!((numbers.through, numbers.seqs), (None, vec![9]));
        let gap = book.take().unwrap();
        assert_eq!((gap.through, gap.seqs), (Some(u64::MAX), vec![]));
        assert_eq!(book.take(), None);
    }
}
