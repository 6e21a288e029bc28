//! Claims, exports and marks, from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::B256;
use layer_minus_message::{Authorization, Chain, LaneParty};
use layer_minus_settlement::{
    Claim, ClaimState, Due, Export, Mark, Marked, NOTE_BYTES_MAX, Settlement, SettlementError,
    export_csv, export_json, mark,
};
use layer_minus_wallet::Wallet;
use proptest::prelude::*;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

/// Picodollars in a token unit.
const UNIT: u128 = 1_000_000;

struct World {
    cash: Wallet,
    client: Wallet,
    node: Wallet,
    rng: ChaCha20Rng,
}

fn world() -> World {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let [cash, client, node] = std::array::from_fn(|_| Wallet::generate(&mut rng));
    World {
        cash,
        client,
        node,
        rng,
    }
}

impl World {
    /// A claim on a channel of its own.
    fn claim(&mut self, limit_units: u64, owed_pusd: u128, settled_units: u128) -> Claim {
        let (client, node) = (self.client.address(), self.node.address());
        let paper = Authorization::sign(
            &self.cash,
            client,
            LaneParty { node, cash: node },
            Chain::default(),
            limit_units,
            1_800_000_000,
            &mut self.rng,
        )
        .unwrap();
        Claim::of_authorization(&paper, client, owed_pusd, settled_units)
    }
}

#[test]
fn totals_are_floored_and_the_remainder_is_carried() {
    let mut world = world();
    let due = |claim: &Claim| claim.due();
    let mut claim = world.claim(100, UNIT - 1, 0);
    assert_eq!(due(&claim), Err(SettlementError::NothingDue));
    assert_eq!(
        claim.state(),
        Ok(ClaimState::Settled {
            remainder_pusd: 999_999
        })
    );
    // One picodollar more makes the unit: nothing of what was below it is lost.
    claim.owed_pusd += 1;
    assert_eq!(
        due(&claim),
        Ok(Due {
            total_units: 1,
            increase_units: 1,
            remainder_pusd: 0
        })
    );
    claim.owed_pusd = 99 * UNIT + 5;
    claim.settled_units = 40;
    assert_eq!(
        due(&claim),
        Ok(Due {
            total_units: 99,
            increase_units: 59,
            remainder_pusd: 5
        })
    );
}

#[test]
fn books_that_contradict_the_paper_are_refused() {
    let mut world = world();
    assert_eq!(
        world.claim(100, 101 * UNIT, 0).due(),
        Err(SettlementError::OverLimit {
            owed_units: 101,
            limit_units: 100
        })
    );
    assert!(world.claim(100, 101 * UNIT - 1, 0).due().is_ok());
    assert_eq!(
        world.claim(100, 50 * UNIT, 51).due(),
        Err(SettlementError::SettledBeyond {
            settled_units: 51,
            owed_units: 50
        })
    );
    let largest = world.claim(u64::MAX, u128::from(u64::MAX) * UNIT, 0);
    assert_eq!(largest.due().unwrap().total_units, u128::from(u64::MAX));
    assert!(matches!(
        world.claim(u64::MAX, u128::MAX, 0).due(),
        Err(SettlementError::OverLimit { .. })
    ));
}

#[test]
fn a_bad_claim_does_not_hold_up_the_others() {
    let mut world = world();
    let good = world.claim(100, 10 * UNIT, 0);
    let mut forged = world.claim(100, 10 * UNIT, 0);
    forged.signature = good.signature;
    let mut wordy = world.claim(100, 10 * UNIT, 0);
    wordy.note = "x".repeat(NOTE_BYTES_MAX + 1);
    let mut hasty = world.claim(100, 10 * UNIT, 0);
    hasty.channel.withdraw_delay_secs = 899;
    let nothing = world.claim(100, 0, 0);
    let older = Claim {
        owed_pusd: UNIT,
        ..good.clone()
    };
    let claims = [forged, good.clone(), wordy, hasty, nothing, older];
    let plan = Export.plan(&claims);
    let id = good.channel_id().unwrap();
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(
        plan.steps[0].marks,
        [Mark {
            channel_id: id,
            total_units: 10
        }]
    );
    let left: Vec<_> = plan.left.iter().map(|left| left.index).collect();
    assert_eq!(left, [0, 2, 3, 4, 5]);
    assert!(matches!(
        plan.left[0].why,
        SettlementError::WrongSigner { expected, .. } if expected == world.cash.address()
    ));
    assert_eq!(
        plan.left[1].why,
        SettlementError::Note {
            bytes: 256,
            max: 255
        }
    );
    assert_eq!(
        plan.left[2].why,
        SettlementError::WithdrawDelay { secs: 899 }
    );
    assert_eq!(plan.left[3].why, SettlementError::NothingDue);
    assert_eq!(plan.left[4].why, SettlementError::Twice(id));
    assert!(Export.plan(&claims[2..5]).steps.is_empty());
}

#[test]
fn csv_and_json_say_the_same_and_hold_the_whole_paper() {
    let mut world = world();
    let notes = [
        "=HYPERLINK(\"http://example.org\")",
        "+1",
        "-2",
        "@cmd",
        "a, \"quoted\"\nname",
        "'apostrophe",
    ];
    let claims: Vec<Claim> = notes
        .iter()
        .enumerate()
        .map(|(index, note)| {
            let mut claim = world.claim(1_000, (100 + index as u128) * UNIT + 7, 3);
            claim.note = (*note).to_owned();
            claim
        })
        .collect();
    let json: serde_json::Value = serde_json::from_str(&export_json(&claims)).unwrap();
    assert_eq!(json["layer_minus_settlement"], 1);
    let objects = json["claims"].as_array().unwrap();
    let text = export_csv(&claims);
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let names = table.headers().unwrap().clone();
    let lines: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!((lines.len(), objects.len()), (notes.len(), notes.len()));
    for ((line, object), claim) in lines.iter().zip(objects).zip(&claims) {
        assert_eq!(object.as_object().unwrap().len(), names.len());
        for (name, field) in names.iter().zip(line) {
            let value = object[name].as_str().unwrap();
            match name == "note" && value.starts_with(['=', '+', '-', '@']) {
                true => assert_eq!(field, format!("'{value}")),
                false => assert_eq!(field, value),
            }
            assert!(
                !field.starts_with(['=', '+', '-', '@', '\t', '\r']),
                "{name}"
            );
        }
        assert_eq!(object["payer"], world.cash.address().to_string());
        assert_eq!(object["receiver"], world.node.address().to_string());
        assert_eq!(object["note"], claim.note);
        assert_eq!(object["signature"], claim.signature.to_string());
        assert_eq!(object["salt"], B256::from(claim.channel.salt).to_string());
        assert_eq!(object["remainder_pusd"], "7");
        let (due, owed) = (claim.due().unwrap(), claim.owed_pusd);
        assert_eq!(object["due_units"], due.increase_units.to_string());
        assert_eq!(object["owed_pusd"], owed.to_string());
    }
    assert_eq!(export_csv(&[]).lines().count(), 1);
}

#[test]
fn a_mark_is_checked_and_repeating_it_changes_nothing() {
    let mut world = world();
    let mut claims = [
        world.claim(100, 50 * UNIT + 1, 10),
        world.claim(100, 20 * UNIT, 0),
    ];
    let id = claims[0].channel_id().unwrap();
    let to = |total_units| Mark {
        channel_id: id,
        total_units,
    };
    let change = Marked {
        channel_id: id,
        from_units: 10,
        to_units: 50,
        amount_pusd: 40 * UNIT,
    };
    assert_eq!(mark(&claims, &[to(50)]), Ok(vec![change]));
    assert_eq!(mark(&claims, &[to(10)]), Ok(vec![]));
    assert_eq!(
        mark(&claims, &[to(9)]),
        Err(SettlementError::Backwards {
            marked_units: 9,
            settled_units: 10
        })
    );
    assert_eq!(
        mark(&claims, &[to(51)]),
        Err(SettlementError::SettledBeyond {
            settled_units: 51,
            owed_units: 50
        })
    );
    let both = [to(50), to(50)];
    assert_eq!(mark(&claims, &both), Err(SettlementError::Twice(id)));
    let stranger = Mark {
        channel_id: [1; 32].into(),
        total_units: 1,
    };
    assert_eq!(
        mark(&claims, &[to(50), stranger]),
        Err(SettlementError::UnknownChannel(stranger.channel_id))
    );
    claims[0].settled_units = 50;
    assert_eq!(mark(&claims, &[to(50)]), Ok(vec![]));
}

#[test]
fn a_claim_comes_back_from_json_and_strays_are_refused() {
    let claim = world().claim(100, u128::MAX / 2, 1);
    let text = serde_json::to_string(&claim).unwrap();
    assert_eq!(serde_json::from_str::<Claim>(&text).unwrap(), claim);
    for (from, to) in [
        ("\"settled_units\":\"1\"", "\"settled_units\":1"),
        ("\"settled_units\":\"1\"", "\"settled_units\":\"01\""),
        ("\"settled_units\":\"1\"", "\"settled_units\":\"-1\""),
        ("\"note\":\"\"", "\"note\":\"\",\"more\":1"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        assert!(serde_json::from_str::<Claim>(&changed).is_err(), "{to}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the earnings come in and whenever they are settled, what is settled and what is left
    /// make up what was earned, to the picodollar.
    #[test]
    fn nothing_is_lost_between_settlements(earned in prop::collection::vec((0..5_000_000_u64, any::<bool>()), 1..40)) {
        let mut claim = world().claim(u64::MAX, 0, 0);
        let mut moved_pusd = 0;
        for (pusd, settle) in earned {
            claim.owed_pusd += u128::from(pusd);
            if settle && let Ok(due) = claim.due() {
                let marks = [Mark { channel_id: claim.channel_id().unwrap(), total_units: due.total_units }];
                for change in mark(std::slice::from_ref(&claim), &marks).unwrap() {
                    claim.settled_units = change.to_units;
                    moved_pusd += change.amount_pusd;
                }
                let ClaimState::Settled { remainder_pusd } = claim.state().unwrap() else {
                    return Err(TestCaseError::fail("still due"));
                };
                prop_assert_eq!(moved_pusd + u128::from(remainder_pusd), claim.owed_pusd);
            }
            prop_assert_eq!(moved_pusd, claim.settled_units * UNIT);
        }
    }
}
