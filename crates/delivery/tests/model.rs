//! A mailbox under any sequence of arrivals, pushes, acknowledgements, broken connections,
//! restarts, retention and returning consumers: every packet reaches every consumer or is told
//! as a gap, and nothing is deleted early.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use layer_minus_delivery::{
    CONSUMER_IDLE_MAX, Consumer, ConsumerId, Gap, Leases, Mailbox, MailboxLimits, Mode, floor,
    gaps_for, next_to_push, taken_by_all,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

const CONNECTIONS: u64 = 3;

/// What can happen. The numbers pick a consumer, a connection, a packet among those there are.
#[derive(Debug, Clone)]
enum Step {
    Accept {
        bytes: u64,
    },
    Push {
        consumer: usize,
        connection: u64,
    },
    /// The client acknowledges some of what this connection was handed.
    Acknowledge {
        consumer: usize,
        connection: u64,
        part: usize,
    },
    AcknowledgeGaps {
        consumer: usize,
    },
    Disconnect {
        consumer: usize,
        connection: u64,
    },
    /// An acknowledgement sent before a connection broke arrives.
    LateAcknowledge {
        consumer: usize,
    },
    Collect,
    /// Retention reaches the oldest.
    Expire {
        packets: usize,
    },
    /// A damaged row, anywhere.
    Lose {
        packet: usize,
    },
    Join {
        mode: Mode,
    },
    Restart,
    Wait {
        secs: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let consumer = || 0_usize..8;
    let connection = || 0..CONNECTIONS;
    prop_oneof![
        8 => (1_u64..30).prop_map(|bytes| Step::Accept { bytes }),
        12 => (consumer(), connection())
            .prop_map(|(consumer, connection)| Step::Push { consumer, connection }),
        8 => (consumer(), connection(), 1_usize..5).prop_map(|(consumer, connection, part)| {
            Step::Acknowledge { consumer, connection, part }
        }),
        2 => consumer().prop_map(|consumer| Step::AcknowledgeGaps { consumer }),
        2 => (consumer(), connection())
            .prop_map(|(consumer, connection)| Step::Disconnect { consumer, connection }),
        1 => consumer().prop_map(|consumer| Step::LateAcknowledge { consumer }),
        4 => Just(Step::Collect),
        1 => (1_usize..4).prop_map(|packets| Step::Expire { packets }),
        1 => (0_usize..20).prop_map(|packet| Step::Lose { packet }),
        1 => prop_oneof![Just(Mode::Each), Just(Mode::Share)].prop_map(|mode| Step::Join { mode }),
        1 => Just(Step::Restart),
        1 => prop_oneof![1_u64..1000, Just(CONSUMER_IDLE_MAX / 2 + 1)]
            .prop_map(|secs| Step::Wait { secs }),
    ]
}

/// One consumer: the node's row and leases, and what the client knows.
struct Reader {
    row: Consumer,
    leases: Leases,
    /// Handed to each connection and not acknowledged by it, in order.
    out: BTreeMap<u64, Vec<u64>>,
    /// Highest handed to each connection, for `each`.
    after: BTreeMap<u64, u64>,
    /// Handed over, with the number of times.
    handed: BTreeMap<u64, u32>,
    /// How often a packet was given back unacknowledged.
    given_back: BTreeMap<u64, u32>,
    told: BTreeSet<u64>,
    late: Vec<u64>,
    /// What it can expect: stored when it came, or later.
    due: BTreeSet<u64>,
}

impl Reader {
    fn new(row: Consumer, due: BTreeSet<u64>) -> Self {
        Self {
            row,
            due,
            leases: Leases::new(),
            out: BTreeMap::new(),
            after: BTreeMap::new(),
            handed: BTreeMap::new(),
            given_back: BTreeMap::new(),
            told: BTreeSet::new(),
            late: Vec::new(),
        }
    }

    fn disconnect(&mut self, connection: u64) {
        let out = self.out.remove(&connection).unwrap_or_default();
        self.after.remove(&connection);
        self.leases.release_connection(connection);
        for seq in &out {
            *self.given_back.entry(*seq).or_default() += 1;
        }
        self.late = out;
    }

    fn acknowledge(&mut self, seqs: &[u64], mailbox: &Mailbox) {
        match self.row.mode {
            Mode::Each => {
                if let Some(last) = seqs.iter().max() {
                    self.row.acknowledge_through(*last, mailbox).unwrap();
                }
            }
            Mode::Share => {
                self.row.acknowledge(seqs, mailbox).unwrap();
                self.leases.release_done(&self.row);
            }
        }
        for out in self.out.values_mut() {
            out.retain(|seq| !self.row.is_done(*seq));
        }
    }
}

struct World {
    mailbox: Mailbox,
    rows: BTreeMap<u64, u64>,
    readers: Vec<Reader>,
    now: u64,
    joined: u8,
}

type Check = Result<(), TestCaseError>;

impl World {
    fn new() -> Self {
        let limits = MailboxLimits {
            bytes_max: 200,
            retention_secs: 60,
        };
        let mut world = Self {
            mailbox: Mailbox::new(1, limits),
            rows: BTreeMap::new(),
            readers: Vec::new(),
            now: 1_000,
            joined: 0,
        };
        for mode in [Mode::Each, Mode::Share, Mode::Each, Mode::Share] {
            world.join(mode);
        }
        world
    }

    fn join(&mut self, mode: Mode) {
        if self.readers.len() < 8 {
            self.joined += 1;
            let id = ConsumerId::new([self.joined; 16]);
            let row = Consumer::new(id, mode, &self.mailbox, self.now);
            self.readers
                .push(Reader::new(row, self.rows.keys().copied().collect()));
        }
    }

    fn reader(&mut self, pick: usize) -> usize {
        let n = pick % self.readers.len();
        let now = self.now;
        self.readers[n].row.seen(now);
        n
    }

    fn step(&mut self, step: Step) -> Check {
        match step {
            Step::Accept { bytes } => {
                let fits = self.mailbox.bytes + bytes <= self.mailbox.limits.bytes_max;
                let accepted = self.mailbox.accept(bytes);
                prop_assert_eq!(accepted.is_ok(), fits);
                if let Ok(seq) = accepted {
                    prop_assert!(self.rows.insert(seq, bytes).is_none());
                    for reader in &mut self.readers {
                        reader.due.insert(seq);
                    }
                }
            }
            Step::Push {
                consumer,
                connection,
            } => {
                self.push(consumer, connection)?;
            }
            Step::Acknowledge {
                consumer,
                connection,
                part,
            } => {
                let n = self.reader(consumer);
                let reader = &mut self.readers[n];
                let out = reader.out.get(&connection).cloned().unwrap_or_default();
                // `share` in any order, `each` from the oldest.
                let part: Vec<u64> = match reader.row.mode {
                    Mode::Each => out.iter().take(part).copied().collect(),
                    Mode::Share => out.iter().rev().step_by(part).copied().collect(),
                };
                reader.acknowledge(&part, &self.mailbox);
            }
            Step::AcknowledgeGaps { consumer } => self.acknowledge_gaps(consumer),
            Step::Disconnect {
                consumer,
                connection,
            } => {
                let n = self.reader(consumer);
                self.readers[n].disconnect(connection);
            }
            Step::LateAcknowledge { consumer } => {
                let n = self.reader(consumer);
                let late = std::mem::take(&mut self.readers[n].late);
                self.readers[n].acknowledge(&late, &self.mailbox);
            }
            Step::Collect => self.collect()?,
            Step::Expire { packets } => {
                let oldest: Vec<u64> = self.rows.keys().take(packets).copied().collect();
                oldest.into_iter().for_each(|seq| self.lose(seq));
            }
            Step::Lose { packet } => {
                if let Some(seq) = self.rows.keys().nth(packet).copied() {
                    self.lose(seq);
                }
            }
            Step::Join { mode } => self.join(mode),
            Step::Restart => self.restart(),
            Step::Wait { secs } => self.now += secs,
        }
        self.check()
    }

    /// As a node does it: looks for the next row there is, tells the gaps below, hands it over.
    fn push(&mut self, consumer: usize, connection: u64) -> Result<bool, TestCaseError> {
        let n = self.reader(consumer);
        let (mailbox, rows) = (&self.mailbox, &self.rows);
        let reader = &mut self.readers[n];
        // `each` is one reader: a second connection takes the first one's place.
        let connection = if reader.row.mode == Mode::Each {
            0
        } else {
            connection
        };
        let start = reader.after.get(&connection).copied().unwrap_or(0);
        let mut after = if reader.row.mode == Mode::Each {
            start
        } else {
            0
        };
        let seq = loop {
            match next_to_push(&reader.row, &reader.leases, after, mailbox) {
                None => return Ok(false),
                Some(seq) if rows.contains_key(&seq) => break seq,
                Some(seq) => {
                    prop_assert!(seq > after, "no progress");
                    after = seq;
                }
            }
        };
        for gap in gaps_for(&reader.row, mailbox) {
            reader.told.extend(gap.from..=gap.through);
        }
        prop_assert!(
            !reader.row.is_done(seq),
            "{seq} handed over after it was acknowledged"
        );
        match reader.row.mode {
            Mode::Each => prop_assert!(seq > start, "{seq} handed twice to one connection"),
            Mode::Share => {
                prop_assert_eq!(reader.leases.holder(seq), None);
                reader.leases.lease(seq, connection).unwrap();
            }
        }
        reader.out.entry(connection).or_default().push(seq);
        reader.after.insert(connection, seq);
        *reader.handed.entry(seq).or_default() += 1;
        let given_back = reader.given_back.get(&seq).copied().unwrap_or(0);
        prop_assert!(
            reader.handed[&seq] <= 1 + given_back,
            "{seq} handed twice for no reason"
        );
        Ok(true)
    }

    fn acknowledge_gaps(&mut self, consumer: usize) {
        let n = self.reader(consumer);
        let reader = &mut self.readers[n];
        for gap in gaps_for(&reader.row, &self.mailbox) {
            reader.told.extend(gap.from..=gap.through);
            reader.row.acknowledge_gap(gap, &self.mailbox).unwrap();
        }
        reader.leases.release_done(&reader.row);
    }

    fn collect(&mut self) -> Check {
        let consumers: Vec<Consumer> = self.readers.iter().map(|r| r.row.clone()).collect();
        let floor = floor(&consumers, self.now);
        let stored: Vec<(u64, u64)> = self
            .rows
            .iter()
            .map(|(seq, bytes)| (*seq, *bytes))
            .collect();
        for (seq, bytes) in stored {
            if seq <= floor || taken_by_all(&consumers, seq) {
                for consumer in consumers
                    .iter()
                    .filter(|consumer| !consumer.is_idle(self.now))
                {
                    prop_assert!(
                        consumer.is_done(seq),
                        "{seq} deleted before {} had it",
                        consumer.id
                    );
                }
                self.mailbox.remove(seq, bytes).unwrap();
                self.rows.remove(&seq);
            }
        }
        self.mailbox.advance_first(floor + 1);
        Ok(())
    }

    fn lose(&mut self, seq: u64) {
        let bytes = self.rows.remove(&seq).unwrap();
        self.mailbox.drop_packet(seq, bytes).unwrap();
        for reader in &mut self.readers {
            reader.leases.release(seq);
        }
    }

    /// Rows are read back as they were written; connections and leases are gone.
    fn restart(&mut self) {
        let json = serde_json::to_string(&self.mailbox).unwrap();
        self.mailbox = serde_json::from_str(&json).unwrap();
        for reader in &mut self.readers {
            for connection in 0..CONNECTIONS {
                reader.disconnect(connection);
            }
            reader.leases = Leases::new();
            let json = serde_json::to_string(&reader.row).unwrap();
            reader.row = serde_json::from_str(&json).unwrap();
        }
    }

    /// Each packet due to a consumer is acknowledged, stored, or a gap: one of the three.
    fn check(&self) -> Check {
        prop_assert_eq!(self.mailbox.count, self.rows.len() as u64);
        prop_assert_eq!(self.mailbox.bytes, self.rows.values().sum::<u64>());
        if let Some((first, _)) = self.rows.first_key_value() {
            prop_assert!(self.mailbox.first_seq <= *first);
        }
        for reader in &self.readers {
            let gaps = gaps_for(&reader.row, &self.mailbox);
            prop_assert!(gaps.windows(2).all(|pair| pair[0].through < pair[1].from));
            for &seq in &reader.due {
                let gap = gaps.iter().any(|gap| gap.contains(seq));
                let stored = self.rows.contains_key(&seq);
                let done = reader.row.is_done(seq);
                let id = reader.row.id;
                prop_assert!(done || stored || gap, "{seq} left {id} without a word");
                prop_assert!(!(gap && (done || stored)), "{seq} is no gap for {id}");
            }
        }
        Ok(())
    }

    /// Everybody comes back and takes what there is.
    fn drain(&mut self) -> Check {
        self.restart();
        for n in 0..self.readers.len() {
            let mut connection = 0;
            while self.push(n, connection)? {
                connection = (connection + 1) % CONNECTIONS;
            }
            for connection in 0..CONNECTIONS {
                let out = self.readers[n]
                    .out
                    .get(&connection)
                    .cloned()
                    .unwrap_or_default();
                self.readers[n].acknowledge(&out, &self.mailbox);
            }
            self.acknowledge_gaps(n);
        }
        self.collect()?;
        self.check()?;
        prop_assert!(self.rows.is_empty(), "left behind: {:?}", self.rows);
        prop_assert_eq!(self.mailbox.first_seq, self.mailbox.next_seq);
        // What was deleted from between before a consumer came is known as gone only now.
        (0..self.readers.len()).for_each(|n| self.acknowledge_gaps(n));
        for reader in &self.readers {
            prop_assert_eq!(reader.row.cursor, self.mailbox.newest());
            prop_assert_eq!(gaps_for(&reader.row, &self.mailbox), [] as [Gap; 0]);
            for seq in &reader.due {
                let got = reader.handed.contains_key(seq);
                prop_assert!(
                    got || reader.told.contains(seq),
                    "{seq} neither came nor was told"
                );
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_packet_arrives_or_is_told(steps in prop::collection::vec(step(), 1..150)) {
        let mut world = World::new();
        for step in steps {
            world.step(step)?;
        }
        world.drain()?;
    }
}
