//! Both sides' books after very many packets on a way that loses some of everything.

use layer_minus_delivery::Mode;
use layer_minus_message::LaneNote;
use layer_minus_node::{Effect, Event};
use rand::Rng as _;

use crate::{EARNED_SMALL, Pair, UNIT_PUSD, note_to, pay_at, world::SMALL};

impl Pair {
    /// Bobo takes all that waits, over the creditor. Returns how many pushes that were.
    fn take_all(&mut self, wire: &mut Wire) -> u32 {
        let lane = Some(self.creditor_node());
        let mut stream = self.debtor.listen_on(&self.bobo, 1, Mode::Each, lane);
        let (mut pushes, mut last) = (0, None);
        while let Some((seq, _)) = stream.pushed.pop() {
            (pushes, last) = (pushes + 1, Some(seq));
            let connection = stream.id;
            let batch = self.debtor.batch(vec![Event::Handed { connection, seq }]);
            assert_eq!(batch.error, None);
            stream.take(&batch.effects);
            for effect in batch.effects {
                if let Effect::Note { note, .. } = effect {
                    wire.carry(self, note);
                }
            }
        }
        self.debtor.close(&stream);
        if let Some(last) = last {
            self.debtor.ack_through(&self.bobo, 1, last);
        }
        // To listen is a pass of its own.
        pushes + 1
    }
}

/// What the way from the debtor to the creditor does to notes.
struct Wire {
    late: Vec<LaneNote>,
    lost: u32,
}

impl Wire {
    /// Some are lost, some come twice, some much later; the rest come now.
    fn carry(&mut self, pair: &mut Pair, note: LaneNote) {
        let mut arriving = Vec::new();
        match pair.creditor.rng.gen_range(0..10) {
            0..4 => self.lost += 1,
            4 => arriving.extend([note, note]),
            5 => self.late.push(note),
            _ => arriving.push(note),
        }
        if !self.late.is_empty() && pair.creditor.rng.gen_bool(0.1) {
            let at = pair.creditor.rng.gen_range(0..self.late.len());
            arriving.push(self.late.swap_remove(at));
        }
        let peer = pair.debtor_node();
        let events = arriving.into_iter().map(|note| Event::Note { peer, note });
        let batch = pair.creditor.batch(events.collect());
        assert_eq!(batch.error, None);
        let refused = |effect: &Effect| matches!(effect, Effect::VoucherRefused { .. });
        assert!(!batch.effects.iter().any(refused), "{:?}", batch.effects);
    }
}

#[test]
fn books_agree_after_ten_thousand_packets_with_drops() {
    const PACKETS: u32 = 10_000;
    let mut pair = Pair::new(pay_at(7 * EARNED_SMALL), pay_at(7 * EARNED_SMALL));
    (pair.debtor.checked, pair.creditor.checked) = (false, false);
    let mut wire = Wire {
        late: Vec::new(),
        lost: 0,
    };
    let (mut passes, mut lost_packets) = (0, 0);
    for packet in 1..=PACKETS {
        let lane = Some(pair.creditor_node());
        let text = packet.to_string();
        let (id, mut event) = pair.debtor.mail_event(&pair.bobo, text.as_bytes(), SMALL);
        if let Event::Mail { request, .. } = &mut event {
            request.lane = lane;
        }
        // Of the packets themselves some are lost too, and some come a second time.
        match pair.debtor.rng.gen_range(0..20) {
            0 => lost_packets += 1,
            draw => {
                let copies = vec![event; if draw == 1 { 2 } else { 1 }];
                let batch = pair.debtor.batch(copies);
                assert_eq!(batch.error, None);
                passes += 1;
                wire.carry(&mut pair, note_to(&batch.effects, id));
            }
        }
        if packet % 200 == 0 {
            passes += pair.take_all(&mut wire);
        }
        match pair.creditor.rng.gen_range(0..500) {
            0 => pair.debtor.restart(),
            1 => pair.creditor.restart(),
            2 => {
                let held = pair.peer().held;
                pair.open(held);
            }
            3 if pair.peer().collect => {
                let note = pair.collect(pair.peer().held);
                wire.carry(&mut pair, note);
            }
            _ => {}
        }
        let (owed, due) = pair.books();
        assert!(due.promised_pusd <= owed.promised_pusd, "packet {packet}");
        assert!(owed.promised_pusd <= owed.credited_pusd, "packet {packet}");
    }
    assert!(lost_packets > 400 && wire.lost > 4_000 && !wire.late.is_empty());

    // One answer that arrives puts all of it right.
    let note = pair.collect(pair.peer().held);
    pair.deliver(note);
    let note = pair.collect(pair.peer().held);
    assert_eq!(note.voucher, None, "the debtor knows that it is held");
    let (owed, due) = pair.books();
    assert_eq!(owed.credited_pusd, u64::from(passes) * EARNED_SMALL);
    assert!(owed.credited_pusd - owed.promised_pusd < UNIT_PUSD);
    assert_eq!(due.promised_pusd, owed.promised_pusd);
    assert_eq!(owed.held_pusd, owed.promised_pusd);
    assert_eq!(due.papers[0].units, owed.papers[0].units);
    assert_eq!(due.papers[0].signature, owed.papers[0].signature);
    pair.debtor.check();
    pair.creditor.check();
}
