//! Files: cut, delivered in any order, lost and repeated, joined, resumed, capped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use bytes::Bytes;
use layer_minus_client_sdk::{
    Assembler, Caps, Identity, Inbox, Join, Outcome, Plan, SdkError, Unwanted, Wallets, assemble,
    content,
};
use layer_minus_message::{Letter, letter::sha256};
use layer_minus_packet::Sizes;
use layer_minus_seal::Version;
use layer_minus_wallet::Address;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use std::{collections::BTreeMap, sync::OnceLock};

const NOW: u64 = 1_800_000_000;

fn sender() -> &'static Identity {
    static SENDER: OnceLock<Identity> = OnceLock::new();
    SENDER.get_or_init(|| {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let wallets = Wallets::generate(&mut rng);
        Identity::generate(&wallets.wallet, "testnet", Version::V6, NOW, &mut rng).unwrap()
    })
}

/// A small network, so that small contents have many parts.
fn sizes() -> Sizes {
    Sizes::new(&[16_000]).unwrap()
}

fn cut(content: &[u8], seed: u64) -> (Plan, Vec<Letter>) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let to = Address::repeat_byte(9);
    let plan = Plan::of(to, content::BYTES, content, &sizes(), NOW, &mut rng).unwrap();
    let plan = Plan {
        part_bytes: 100,
        ..plan.named("photo.jpg")
    };
    let letters = (0..plan.parts()).map(|index| {
        let range = plan.range(index);
        let body = &content[range.start as usize..range.end as usize];
        plan.letter(sender(), index, Bytes::copy_from_slice(body), None)
            .unwrap()
    });
    let letters = letters.collect();
    (plan, letters)
}

#[derive(Default)]
struct Receiver {
    inbox: Inbox,
    stored: BTreeMap<u32, Bytes>,
    joined: Vec<Vec<u8>>,
    duplicates: usize,
}

impl Receiver {
    fn take(&mut self, letter: &Letter) {
        match self.inbox.take(letter, &Caps::STRANGER, NOW) {
            Outcome::Whole => self.joined.push(letter.body.to_vec()),
            Outcome::Part { have, count } => {
                self.stored
                    .insert(letter.claims.part.index, letter.body.clone());
                assert_eq!(have as usize, self.stored.len());
                assert!(have < count);
            }
            Outcome::Complete(transfer) => {
                self.stored
                    .insert(letter.claims.part.index, letter.body.clone());
                let mut join = Join::new(&transfer);
                self.stored.values().for_each(|body| join.push(body));
                join.finish().unwrap();
                let parts = std::mem::take(&mut self.stored);
                self.joined.push(parts.into_values().flatten().collect());
            }
            Outcome::Duplicate => self.duplicates += 1,
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_order_with_repeats_and_restarts_joins_once(
        content in proptest::collection::vec(any::<u8>(), 0..1_500),
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
        order in any::<u64>(),
        restart_every in 1_usize..7,
    ) {
        let (plan, letters) = cut(&content, 1);
        prop_assert_eq!(plan.parts() as usize, letters.len());
        let mut arriving: Vec<&Letter> = picks.iter().map(|pick| pick.get(&letters)).collect();
        // Whatever was lost comes again, in another order.
        let mut rest: Vec<&Letter> = letters.iter().collect();
        rest.sort_by_key(|letter| sha256(&[&letter.claims.body_digest[..], &order.to_be_bytes()].concat()));
        arriving.extend(rest);
        let total = arriving.len();
        let mut receiver = Receiver::default();
        for (i, letter) in arriving.into_iter().enumerate() {
            receiver.take(letter);
            if i % restart_every == 0 {
                let stored = serde_json::to_vec(&receiver.inbox).unwrap();
                receiver.inbox = serde_json::from_slice(&stored).unwrap();
            }
        }
        prop_assert_eq!(&receiver.joined, &vec![content]);
        prop_assert_eq!(receiver.duplicates, total - letters.len());
        prop_assert_eq!(receiver.inbox.assembler().transfers().count(), 0);
    }

    #[test]
    fn ranges_tile_the_whole(total in 0_u64..10_000_000, part in 1_u64..5_000) {
        let (plan, _) = cut(b"", 1);
        let plan = Plan { total_bytes: total, part_bytes: part, ..plan };
        let mut at = 0;
        for index in 0..plan.parts() {
            let range = plan.range(index);
            prop_assert_eq!(range.start, at);
            prop_assert!(range.end > range.start || total == 0);
            at = range.end;
        }
        prop_assert_eq!(at, total);
        let stored = serde_json::to_vec(&plan).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Plan>(&stored).unwrap(), plan);
    }
}

#[test]
fn parts_that_contradict_each_other_or_the_digest_are_refused() {
    let content = vec![5; 250];
    let (_, letters) = cut(&content, 1);
    let mut assembler = Assembler::new();
    let take =
        |assembler: &mut Assembler, letter: &Letter| assembler.take(letter, &Caps::STRANGER, NOW);
    assert_eq!(
        take(&mut assembler, &letters[0]),
        Outcome::Part { have: 1, count: 3 }
    );
    let mut other = letters[1].clone();
    other.claims.part.digest = [0; 32];
    assert_eq!(
        take(&mut assembler, &other),
        Outcome::Refused(Unwanted::Contradiction)
    );
    let mut long = letters[1].clone();
    long.body = Bytes::from(vec![5; 200]);
    assert_eq!(
        take(&mut assembler, &long),
        Outcome::Refused(Unwanted::Broken)
    );
    let mut short = letters[1].clone();
    short.body = Bytes::from(vec![5; 99]);
    assert_eq!(
        take(&mut assembler, &short),
        Outcome::Part { have: 2, count: 3 }
    );
    assert_eq!(
        take(&mut assembler, &letters[2]),
        Outcome::Refused(Unwanted::Broken)
    );
    assert_eq!(assembler.transfers().count(), 0, "it is over");

    // A whole whose digest is not that of its only part.
    let (_, mut single) = cut(b"whole", 2);
    single[0].claims.part.digest = [1; 32];
    assert_eq!(
        take(&mut assembler, &single[0]),
        Outcome::Refused(Unwanted::Broken)
    );

    let (_, letters) = cut(&content, 3);
    let mut whole = None;
    for letter in &letters {
        if let Outcome::Complete(transfer) = take(&mut assembler, letter) {
            whole = Some(transfer);
        }
    }
    let mut join = Join::new(&whole.clone().unwrap());
    join.push(&[5; 100]);
    join.push(&[6; 100]);
    join.push(&[5; 50]);
    assert!(matches!(join.finish(), Err(SdkError::Broken(_))));
    let mut join = Join::new(&whole.unwrap());
    join.push(&content);
    assert!(
        matches!(join.finish(), Err(SdkError::Broken(_))),
        "three parts, not one"
    );
}

#[test]
fn what_one_sender_leaves_unfinished_is_capped() {
    let mut assembler = Assembler::new();
    let first = |assembler: &mut Assembler, content: &[u8], seed: u64, caps: &Caps| {
        let (_, letters) = cut(content, seed);
        assembler.take(&letters[0], caps, NOW)
    };
    let caps = Caps {
        sender_bytes_max: 20_000,
        sender_transfers_max: 3,
        transfers_max: 10,
    };
    assert!(matches!(
        first(&mut assembler, &[1; 250], 1, &caps),
        Outcome::Part { .. }
    ));
    // It announces 15,000 bytes in 150 parts, which count as 150 kB at least.
    let refused = first(&mut assembler, &[1; 15_000], 2, &caps);
    assert!(matches!(
        refused,
        Outcome::Refused(Unwanted::TooMuch { max: 20_000, .. })
    ));
    for seed in 3..5 {
        assert!(matches!(
            first(&mut assembler, &[1; 250], seed, &caps),
            Outcome::Part { .. }
        ));
    }
    let refused = first(&mut assembler, &[1; 250], 5, &caps);
    assert_eq!(refused, Outcome::Refused(Unwanted::TooMany { max: 3 }));
    assert!(matches!(
        first(&mut assembler, &[1; 250], 5, &Caps::CONTACT),
        Outcome::Part { .. }
    ));
    let full = Caps {
        transfers_max: 4,
        ..Caps::CONTACT
    };
    let refused = first(&mut assembler, &[1; 250], 6, &full);
    assert_eq!(refused, Outcome::Refused(Unwanted::TooMany { max: 4 }));

    assert!(
        assembler
            .expire(NOW + assemble::UNFINISHED_SECS_MAX)
            .is_empty()
    );
    assert_eq!(
        assembler
            .expire(NOW + assemble::UNFINISHED_SECS_MAX + 1)
            .len(),
        4
    );
    assert_eq!(assembler.transfers().count(), 0);
}

#[test]
fn every_part_of_a_large_file_fits_the_largest_packet() {
    let sizes = Sizes::default();
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let bytes = 3_000_000;
    let plan = Plan::new(
        Address::ZERO,
        content::BYTES,
        bytes,
        [0; 32],
        &sizes,
        NOW,
        &mut rng,
    )
    .unwrap();
    assert_eq!(
        (plan.parts(), plan.part_bytes),
        (4, content::part_bytes(&sizes))
    );
    let room = Sizes::innermost(1_000_000) as u64;
    assert!(plan.part_bytes + 6_148 + 1_400 <= room && plan.part_bytes > room - 8_000);
    let body = Bytes::from(vec![0; 10]);
    assert!(matches!(
        plan.letter(sender(), 4, body.clone(), None),
        Err(SdkError::Part { index: 4 })
    ));
    assert!(matches!(
        plan.letter(sender(), 0, body, None),
        Err(SdkError::Part { index: 0 })
    ));
    let huge = Plan::new(
        Address::ZERO,
        content::BYTES,
        u64::MAX,
        [0; 32],
        &sizes,
        NOW,
        &mut rng,
    );
    assert!(matches!(huge, Err(SdkError::TooManyParts { .. })));
    let name = |name: &str| plan.clone().named(name).name;
    assert_eq!(name("../../etc/pass\\wd").unwrap(), "wd");
    assert_eq!(name("a\u{1b}[31mred\n.txt").unwrap(), "a[31mred.txt");
    assert_eq!(
        (name(".."), name("dir/"), name("\u{7}")),
        (None, None, None)
    );
    assert_eq!(name(&"é".repeat(200)).unwrap().len(), 254);
}
