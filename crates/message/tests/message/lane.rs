//! What nodes owe each other.

use layer_minus_message::{
    Chain, LaneNote, LaneParty, LaneVoucher, MessageError, lane_channel,
    limits::LANE_NOTE_BYTES_MAX,
};
use layer_minus_wallet::Address;
use proptest::prelude::*;

use crate::world::world;

#[test]
fn a_voucher_counts_on_its_channel_for_its_amount_and_by_its_debtor_only() {
    let world = world();
    let channel = world.lane_channel();
    let voucher = world.voucher();
    voucher.verify(&channel).unwrap();

    let more = LaneVoucher {
        units: voucher.units + 1,
        ..voucher
    };
    assert!(matches!(
        more.verify(&channel),
        Err(MessageError::WrongSigner { .. } | MessageError::Wallet(_))
    ));
    let forged = LaneVoucher::sign(&channel, &world.peter, 12).unwrap();
    assert!(matches!(
        forged.verify(&channel),
        Err(MessageError::WrongSigner { found, .. }) if found == world.peter.address()
    ));
    let elsewhere = Chain {
        chain_id: 1,
        ..Chain::default()
    };
    let party = LaneParty::from(&world.record);
    let other_node = LaneParty {
        node: world.peter.address(),
        ..party
    };
    let other_cash = LaneParty {
        cash: Address::ZERO,
        ..party
    };
    for other in [
        lane_channel(elsewhere, party, party),
        lane_channel(Chain::default(), other_node, party),
        lane_channel(Chain::default(), party, other_node),
        lane_channel(Chain::default(), other_cash, party),
        lane_channel(Chain::default(), party, other_cash),
    ] {
        assert!(matches!(voucher.verify(&other), Err(MessageError::Rule(_))));
    }
}

#[test]
fn the_longest_note_fits() {
    let world = world();
    let note = LaneNote {
        credited_pusd: u64::MAX,
        voucher: Some(LaneVoucher::sign(&world.lane_channel(), &world.node, u64::MAX).unwrap()),
    };
    let bytes = note.to_bytes().unwrap();
    assert!(bytes.len() <= LANE_NOTE_BYTES_MAX, "{}", bytes.len());
    assert_eq!(LaneNote::read(&bytes).unwrap(), note);
}

proptest! {
    #[test]
    fn any_bytes_are_a_note_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(LaneNote::read(&bytes).is_err());
    }

    #[test]
    fn every_note_comes_back(credited_pusd: u64, units: Option<u64>) {
        let world = world();
        let sign = |units| LaneVoucher::sign(&world.lane_channel(), &world.node, units).unwrap();
        let note = LaneNote { credited_pusd, voucher: units.map(sign) };
        prop_assert_eq!(LaneNote::read(&note.to_bytes().unwrap()).unwrap(), note);
    }
}
