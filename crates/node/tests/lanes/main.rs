//! Money between nodes: what a debtor promises, and what a creditor makes of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod books;
#[path = "../world/mod.rs"]
mod world;

use layer_minus_message::{
    Answer, Chain, Channel, Command, LaneNote, LaneParty, LaneVoucher, Reason, lane_channel,
};
use layer_minus_node::{
    Effect, Event, NodeConfig, PeerState, Table,
    admin::{self, LaneBook, SettleError, Side},
    config::LANE_CHANNELS_MAX,
};
use layer_minus_wallet::{Address, Wallet};
use world::{LARGE, Person, SMALL, World, answer_to};

const UNIT_PUSD: u64 = 1_000_000;
const EARNED_LARGE: u64 = 10 * LARGE as u64;
const EARNED_SMALL: u64 = 10 * SMALL as u64;

/// A recipient, and a relay that forwards to it.
struct Pair {
    debtor: World,
    creditor: World,
    bobo: Person,
    /// Where the creditor says that it is paid.
    cash: Address,
    texts: u32,
}

impl Pair {
    fn new(debtor: NodeConfig, creditor: NodeConfig) -> Self {
        let mut debtor = World::new(debtor);
        // Worlds begin alike, and a node has no lane to itself.
        let creditor = World::seeded(creditor, 8);
        let bobo = debtor.client();
        let cash = creditor.keys.cash;
        let mut pair = Self {
            debtor,
            creditor,
            bobo,
            cash,
            texts: 0,
        };
        pair.open(None);
        pair
    }

    fn debtor_node(&self) -> Address {
        self.debtor.keys.wallet.address()
    }

    fn creditor_node(&self) -> Address {
        self.creditor.keys.wallet.address()
    }

    /// The creditor opens its lane, and hears on which channel it is paid.
    fn open(&mut self, held: Option<LaneVoucher>) -> (Channel, LaneNote) {
        let wallet = self.creditor.keys.wallet.clone();
        let record = self.debtor.record_of(&wallet, self.cash);
        let answer = self
            .debtor
            .command(wallet.address(), Command::Lane { record, held });
        let Answer::LaneOpen { channel, note, .. } = answer else {
            panic!("no lane but {answer:?}")
        };
        let peer = LaneParty {
            node: self.debtor_node(),
            cash: self.debtor.keys.cash,
        };
        self.creditor.run(vec![Event::LaneJoined {
            peer,
            channel: Box::new(channel),
            note,
        }]);
        (channel, note)
    }

    /// Mail for Bobo on the creditor's lane; the note that comes back.
    fn mail(&mut self, size_bytes: u32) -> LaneNote {
        self.texts += 1;
        let text = self.texts.to_string();
        let lane = Some(self.creditor_node());
        let (id, mut event) = self
            .debtor
            .mail_event(&self.bobo, text.as_bytes(), size_bytes);
        if let Event::Mail { request, .. } = &mut event {
            request.lane = lane;
        }
        let effects = self.debtor.run(vec![event]);
        note_to(&effects, id)
    }

    fn deliver(&mut self, note: LaneNote) -> Vec<Effect> {
        let peer = self.debtor_node();
        self.creditor.run(vec![Event::Note { peer, note }])
    }

    fn collect(&mut self, held: Option<LaneVoucher>) -> LaneNote {
        let node = self.creditor_node();
        let stopped = false;
        match self
            .debtor
            .command(node, Command::Collect { held, stopped })
        {
            Answer::Lane(note) => note,
            other => panic!("no note but {other:?}"),
        }
    }

    fn peer(&self) -> PeerState {
        self.creditor.node.peers()[0]
    }

    fn books(&self) -> (LaneBook, LaneBook) {
        let owed = admin::lane_books(self.debtor.node.store()).unwrap();
        let due = admin::lane_books(self.creditor.node.store()).unwrap();
        (owed[0].clone(), due[0].clone())
    }
}

fn note_to(effects: &[Effect], id: layer_minus_node::RequestId) -> LaneNote {
    assert!(matches!(answer_to(effects, id), Answer::Accepted(_)));
    let note = effects.iter().find_map(|effect| match effect {
        Effect::Answer { request, note, .. } if *request == id => *note,
        _ => None,
    });
    note.expect("an answer on a lane says where it stands")
}

fn pay_at(pay_at_pusd: u64) -> NodeConfig {
    let mut config = NodeConfig::default();
    config.lanes.pay_at_pusd = pay_at_pusd;
    config
}

#[test]
fn a_large_packet_is_promised_at_once_and_both_books_agree() {
    let mut pair = Pair::new(pay_at(EARNED_LARGE), NodeConfig::default());
    for count in 1..=3 {
        let note = pair.mail(LARGE);
        assert_eq!(note.credited_pusd, count * EARNED_LARGE);
        assert_eq!(
            note.voucher.unwrap().units,
            count * EARNED_LARGE / UNIT_PUSD
        );
        pair.deliver(note);
    }
    let (owed, due) = pair.books();
    assert_eq!((owed.side, due.side), (Side::Owed, Side::Due));
    assert_eq!(owed.promised_pusd, 3 * EARNED_LARGE);
    assert_eq!(due.promised_pusd, owed.promised_pusd);
    assert_eq!(due.papers[0].units, owed.papers[0].units);
    assert_eq!(due.papers[0].signature, owed.papers[0].signature);
    assert_eq!(due.papers[0].id, owed.papers[0].id);
    // Not yet: nobody told the debtor that its promise arrived.
    assert_eq!(owed.held_pusd, 0);
    let note = pair.collect(pair.peer().held);
    assert_eq!(note.voucher, None, "what is held is not sent again");
    assert_eq!(pair.books().0.held_pusd, 3 * EARNED_LARGE);
}

#[test]
fn small_packets_share_a_signature_and_fractions_are_carried() {
    let mut pair = Pair::new(pay_at(5 * EARNED_SMALL), NodeConfig::default());
    for count in 1..=4 {
        let note = pair.mail(SMALL);
        assert_eq!(note.credited_pusd, count * EARNED_SMALL);
        assert_eq!(note.voucher, None, "{count}");
    }
    // 800,000 p$ are owed and reach the threshold, but no whole unit.
    let note = pair.mail(SMALL);
    assert_eq!((note.credited_pusd, note.voucher), (800_000, None));
    for _ in 0..5 {
        pair.mail(SMALL);
    }
    // 1,600,000 p$: one unit is promised, 600,000 are carried.
    let note = pair.collect(None);
    assert_eq!(note.credited_pusd, 1_600_000);
    assert_eq!(note.voucher.unwrap().units, 1);
    let (owed, _) = pair.books();
    assert_eq!(
        (owed.credited_pusd, owed.promised_pusd),
        (1_600_000, 1_000_000)
    );
}

#[test]
fn lost_repeated_and_reordered_notes_come_to_the_same() {
    let mut pair = Pair::new(pay_at(EARNED_LARGE), NodeConfig::default());
    let notes: Vec<LaneNote> = (0..4).map(|_| pair.mail(LARGE)).collect();
    // The first is lost, the last comes before the third, and each of them twice.
    for at in [1, 3, 2, 3, 2, 1] {
        pair.deliver(notes[at]);
    }
    let (owed, due) = pair.books();
    assert_eq!(due.promised_pusd, owed.promised_pusd);
    let held = pair.peer().held.unwrap();
    assert_eq!(held, notes[3].voucher.unwrap());
}

#[test]
fn forged_vouchers_are_refused_and_change_nothing() {
    let mut pair = Pair::new(pay_at(EARNED_LARGE), NodeConfig::default());
    let note = pair.mail(LARGE);
    pair.deliver(note);
    let before = pair.books().1;
    let (channel, _) = pair.open(None);
    let thief = Wallet::generate(&mut pair.creditor.rng);
    let good = note.voucher.unwrap();
    let forged = LaneVoucher::sign(&channel, &thief, 1_000).unwrap();
    let raised = LaneVoucher {
        units: good.units + 1,
        ..good
    };
    for voucher in [forged, raised] {
        let effects = pair.deliver(LaneNote {
            credited_pusd: note.credited_pusd,
            voucher: Some(voucher),
        });
        assert!(
            matches!(&effects[..], [Effect::VoucherRefused { .. }]),
            "{effects:?}"
        );
    }
    // On a channel that is not the lane's it is no voucher at all.
    let elsewhere = Chain {
        chain_id: 5,
        ..Chain::default()
    };
    let party = |world: &World| LaneParty {
        node: world.keys.wallet.address(),
        cash: world.keys.cash,
    };
    let other = lane_channel(elsewhere, party(&pair.debtor), party(&pair.creditor));
    let voucher = LaneVoucher::sign(&other, &pair.debtor.keys.wallet, 1_000).unwrap();
    pair.deliver(LaneNote {
        credited_pusd: note.credited_pusd,
        voucher: Some(voucher),
    });
    assert_eq!(pair.books().1, before);
}

#[test]
fn a_channel_that_pays_somebody_else_is_not_joined() {
    let mut pair = Pair::new(NodeConfig::default(), NodeConfig::default());
    let (channel, note) = pair.open(None);
    let peer = LaneParty {
        node: pair.debtor_node(),
        cash: pair.debtor.keys.cash,
    };
    let mut wrong = channel;
    wrong.receiver = Address::repeat_byte(9);
    let mut cold = channel;
    cold.payer = Address::repeat_byte(9);
    for channel in [wrong, cold] {
        let effects = pair.creditor.run(vec![Event::LaneJoined {
            peer,
            channel: Box::new(channel),
            note,
        }]);
        assert!(matches!(&effects[..], [Effect::VoucherRefused { .. }]));
    }
    assert_eq!(pair.books().1.papers.len(), 1);
}

#[test]
fn who_promises_nothing_is_served_again_once_it_does() {
    let mut creditor = NodeConfig::default();
    creditor.lanes.pay_at_pusd = EARNED_LARGE;
    creditor.lanes.unpromised_max_pusd = 2 * EARNED_LARGE;
    let mut pair = Pair::new(pay_at(u64::MAX), creditor);
    for _ in 0..2 {
        let note = pair.mail(LARGE);
        assert_eq!(note.voucher, None);
        pair.deliver(note);
    }
    assert!(pair.peer().serves && pair.peer().collect);
    let note = pair.mail(LARGE);
    let effects = pair.deliver(note);
    assert!(matches!(&effects[..], [Effect::Peer(peer)] if !peer.serves));
    let note = pair.collect(None);
    assert_eq!(note.voucher.unwrap().units, 3 * EARNED_LARGE / UNIT_PUSD);
    let effects = pair.deliver(note);
    assert!(matches!(&effects[..], [Effect::Peer(peer)] if peer.serves && !peer.collect));
}

#[test]
fn who_settles_nothing_is_beyond_its_credit_until_it_does() {
    let mut creditor = NodeConfig::default();
    creditor.lanes.credit_pusd = 2 * EARNED_LARGE;
    let mut pair = Pair::new(pay_at(EARNED_LARGE), creditor);
    for _ in 0..3 {
        let note = pair.mail(LARGE);
        pair.deliver(note);
    }
    assert!(!pair.peer().serves);
    // The paper is kept all the same: it is money.
    let (_, due) = pair.books();
    assert_eq!(due.promised_pusd, 3 * EARNED_LARGE);
    // A restart does not forget it.
    pair.creditor.restart();
    assert!(!pair.peer().serves);

    let (node, id, now) = (pair.debtor_node(), due.papers[0].id, pair.creditor.now);
    let store = pair.creditor.node.store_mut();
    let too_much = admin::settle_lane(store, node, Side::Due, &id, 31, now);
    assert!(matches!(
        too_much,
        Err(SettleError::TooMuch {
            most: 30,
            wanted: 31
        })
    ));
    assert_eq!(
        admin::settle_lane(store, node, Side::Due, &id, 10, now).unwrap(),
        10
    );
    assert_eq!(
        admin::settle_lane(store, node, Side::Due, &id, 10, now).unwrap(),
        0
    );
    let effects = pair.creditor.tick(1);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Peer(peer) if peer.serves))
    );
    assert_eq!(pair.books().1.settled_pusd, EARNED_LARGE);

    let store = pair.debtor.node.store_mut();
    let node = pair.creditor.keys.wallet.address();
    assert_eq!(
        admin::settle_lane(store, node, Side::Owed, &id, 10, now).unwrap(),
        10
    );
    assert!(matches!(
        admin::settle_lane(store, node, Side::Owed, &[0; 32], 10, now),
        Err(SettleError::NoPaper)
    ));
    pair.debtor.check();
    pair.creditor.check();
}

#[test]
fn a_grant_to_a_node_is_credit_on_top() {
    let mut creditor = NodeConfig::default();
    creditor.lanes.credit_pusd = 0;
    let mut pair = Pair::new(pay_at(EARNED_LARGE), creditor);
    let note = pair.mail(LARGE);
    pair.deliver(note);
    assert!(!pair.peer().serves);
    let node = pair.debtor_node();
    admin::grant(pair.creditor.node.store_mut(), node, EARNED_LARGE).unwrap();
    pair.creditor.tick(1);
    assert!(pair.peer().serves);
}

#[test]
fn a_debtor_that_lost_its_rows_learns_from_its_own_signature() {
    let mut pair = Pair::new(pay_at(EARNED_LARGE), NodeConfig::default());
    for _ in 0..3 {
        let note = pair.mail(LARGE);
        pair.deliver(note);
    }
    let held = pair.peer().held;
    // Restored from a copy that knows nothing of it.
    pair.debtor.wipe();
    pair.bobo = pair.debtor.client();
    let (_, note) = pair.open(held);
    assert_eq!(note.credited_pusd, 3 * EARNED_LARGE);
    let (owed, due) = pair.books();
    assert_eq!(owed.promised_pusd, due.promised_pusd);
    // What is earned from now on comes on top, and nothing is promised twice.
    let note = pair.mail(LARGE);
    assert_eq!(note.voucher.unwrap().units, 4 * EARNED_LARGE / UNIT_PUSD);
    pair.debtor.check();

    // Somebody else's signature is no promise of this node.
    let (channel, _) = pair.open(None);
    let forged = LaneVoucher::sign(&channel, &pair.creditor.keys.wallet, 1_000).unwrap();
    let (wallet, cash) = (pair.creditor.keys.wallet.clone(), pair.creditor.keys.cash);
    let record = pair.debtor.record_of(&wallet, cash);
    let held = Some(forged);
    let answer = pair
        .debtor
        .command(wallet.address(), Command::Lane { record, held });
    assert_eq!(answer, Answer::Refused(Reason::BadSignature));
}

#[test]
fn what_nobody_paid_for_earns_nothing() {
    let mut pair = Pair::new(pay_at(1), NodeConfig::default());
    let before = pair.books().0;
    // Unknown keys, retries, questions of strangers.
    let stranger = pair.debtor.person();
    let lane = Some(pair.creditor_node());
    let (_, mut event) = pair.debtor.mail_event(&stranger, b"x", LARGE);
    if let Event::Mail { request, .. } = &mut event {
        request.lane = lane;
    }
    pair.debtor.run(vec![event]);
    let (_, effects) = pair
        .debtor
        .command_on(stranger.address(), Command::Status, lane);
    assert!(!effects.is_empty());
    assert_eq!(pair.books().0, before);
}

#[test]
fn nobody_collects_without_a_lane() {
    let mut world = World::new(NodeConfig::default());
    let node = Wallet::generate(&mut world.rng).address();
    let ask = Command::Collect {
        held: None,
        stopped: true,
    };
    assert!(matches!(
        world.command(node, ask),
        Answer::Refused(Reason::Malformed { .. })
    ));
}

#[test]
fn what_settled_channels_promised_is_not_forgotten_with_them() {
    let mut pair = Pair::new(pay_at(EARNED_LARGE), NodeConfig::default());
    for chain_id in 1..=12 {
        pair.debtor.config.lanes.chain.chain_id = chain_id;
        pair.debtor.restart();
        pair.open(pair.peer().held);
        let note = pair.mail(LARGE);
        pair.deliver(note);
        let (owed, due) = pair.books();
        assert_eq!(owed.promised_pusd, chain_id * EARNED_LARGE);
        assert_eq!(due.promised_pusd, owed.promised_pusd);
        assert_eq!(owed.credited_pusd, owed.promised_pusd);
        assert!(!pair.peer().collect, "nothing is left to promise");
        // Both sides settle.
        let id = due.papers.last().unwrap().id;
        let (debtor, creditor) = (pair.debtor_node(), pair.creditor_node());
        for (world, node, side) in [
            (&mut pair.debtor, creditor, Side::Owed),
            (&mut pair.creditor, debtor, Side::Due),
        ] {
            let now = world.now;
            admin::settle_lane(world.node.store_mut(), node, side, &id, 10, now).unwrap();
        }
        let (owed, due) = pair.books();
        assert_eq!(owed.settled_pusd, owed.promised_pusd);
        assert_eq!(due.settled_pusd, due.promised_pusd);
    }
}

#[test]
fn a_channel_that_was_paid_and_is_taken_up_again_is_not_paid_again() {
    let mut pair = Pair::new(pay_at(EARNED_LARGE), NodeConfig::default());
    let own_cash = pair.cash;
    let note = pair.mail(LARGE);
    let voucher = note.voucher.unwrap();
    pair.deliver(note);
    let (node, now) = (pair.creditor_node(), pair.debtor.now);
    let store = pair.debtor.node.store_mut();
    admin::settle_lane(store, node, Side::Owed, &voucher.channel, 10, now).unwrap();
    // The creditor names cash wallets as it likes, more than are kept, and comes back with the paper.
    for cash in 0..=LANE_CHANNELS_MAX {
        pair.cash = Address::repeat_byte(cash as u8 + 100);
        pair.open(None);
    }
    pair.cash = own_cash;
    let (channel, note) = pair.open(Some(voucher));
    assert_eq!(channel.id().unwrap().0, voucher.channel);
    assert_eq!((note.voucher, note.credited_pusd), (None, EARNED_LARGE));
    let (owed, _) = pair.books();
    assert_eq!(owed.credited_pusd, EARNED_LARGE);
    assert_eq!(
        (owed.promised_pusd, owed.settled_pusd),
        (EARNED_LARGE, EARNED_LARGE)
    );
    pair.debtor.check();
}

#[test]
fn more_channels_with_promises_than_are_kept_are_refused() {
    let mut pair = Pair::new(pay_at(EARNED_LARGE), NodeConfig::default());
    for cash in 1..LANE_CHANNELS_MAX {
        pair.mail(LARGE);
        pair.cash = Address::repeat_byte(cash as u8 + 100);
        pair.open(None);
    }
    pair.mail(LARGE);
    let (wallet, cash) = (pair.creditor.keys.wallet.clone(), Address::repeat_byte(1));
    let record = pair.debtor.record_of(&wallet, cash);
    let held = None;
    let answer = pair
        .debtor
        .command(wallet.address(), Command::Lane { record, held });
    assert!(
        matches!(answer, Answer::Refused(Reason::OverLimit { .. })),
        "{answer:?}"
    );
    // What it has goes on.
    pair.mail(LARGE);
    pair.debtor.check();
}

#[test]
fn a_voucher_over_more_than_there_is_money_is_refused_and_stops_nothing() {
    let mut pair = Pair::new(pay_at(EARNED_LARGE), NodeConfig::default());
    let (channel, _) = pair.open(None);
    let voucher = LaneVoucher::sign(&channel, &pair.debtor.keys.wallet, u64::MAX).unwrap();
    let note = LaneNote {
        credited_pusd: 0,
        voucher: Some(voucher),
    };
    let peer = pair.debtor_node();
    let batch = pair.creditor.batch(vec![Event::Note { peer, note }]);
    assert_eq!(batch.error, None);
    assert!(matches!(
        &batch.effects[..],
        [Effect::VoucherRefused { .. }]
    ));
    // Nor does one's own, shown by somebody who has the key too.
    let (wallet, cash) = (pair.creditor.keys.wallet.clone(), pair.creditor.keys.cash);
    let record = pair.debtor.record_of(&wallet, cash);
    let held = Some(voucher);
    let answer = pair
        .debtor
        .command(wallet.address(), Command::Lane { record, held });
    assert_eq!(answer, Answer::Refused(Reason::Unavailable));
    pair.debtor.check();
}

#[test]
fn a_creditor_that_lost_vouchers_is_sent_them_again() {
    let mut creditor = NodeConfig::default();
    creditor.lanes.unpromised_max_pusd = EARNED_LARGE;
    let mut pair = Pair::new(pay_at(EARNED_LARGE), creditor.clone());
    for _ in 0..3 {
        let note = pair.mail(LARGE);
        pair.deliver(note);
    }
    let held = pair.peer().held;
    pair.collect(held);
    assert_eq!(pair.collect(held).voucher, None, "it is held");
    // Restored from a copy that knows nothing of it, it is owed more than it lets be unpromised.
    pair.creditor = World::seeded(creditor, 8);
    let (_, note) = pair.open(None);
    assert_eq!(note.voucher, held);
    assert!(pair.peer().serves && !pair.peer().collect);
    let (owed, due) = pair.books();
    assert_eq!(owed.promised_pusd, due.promised_pusd);
    // From an older copy, with a part.
    let (channel, _) = pair.open(held);
    let older = LaneVoucher::sign(&channel, &pair.debtor.keys.wallet, 10).unwrap();
    assert_eq!(pair.collect(Some(older)).voucher, held);
    // And on a former channel, whatever is held of the newest.
    let note = pair.mail(LARGE);
    pair.cash = Address::repeat_byte(7);
    pair.open(held);
    assert_eq!(pair.collect(held).voucher, note.voucher);
}

#[test]
fn what_a_failed_batch_made_of_a_peer_is_told() {
    let mut creditor = NodeConfig::default();
    creditor.lanes.unpromised_max_pusd = EARNED_LARGE;
    let mut pair = Pair::new(pay_at(u64::MAX), creditor);
    let carol = pair.creditor.client();
    let (store, key) = (pair.creditor.node.store_mut(), carol.address());
    store.damage(Table::Mailboxes, key.as_slice());
    let note = LaneNote {
        credited_pusd: 2 * EARNED_LARGE,
        voucher: None,
    };
    let peer = pair.debtor_node();
    let (_, mail) = pair.creditor.mail_event(&carol, b"lost", SMALL);
    let batch = pair.creditor.batch(vec![Event::Note { peer, note }, mail]);
    assert!(batch.error.is_some());
    let told = |effect: &Effect| matches!(effect, Effect::Peer(state) if state.node == peer && !state.serves);
    assert!(batch.effects.iter().any(told), "{:?}", batch.effects);
    assert!(!pair.peer().serves);
}
