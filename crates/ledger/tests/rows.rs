//! Rows come back from bytes and from JSON as they were, and nothing else is read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use layer_minus_ledger::{
    ACCOUNT_ROW_BYTES, Account, AccountId, Amount, DebitLimit, LedgerError, TRANSFER_ROW_BYTES,
    Transfer, TransferId, TransferState,
};
use proptest::prelude::*;

prop_compose! {
    fn account()(
        id: [u8; 16], debits_pending: u128, debits_posted: u128, credits_pending: u128,
        credits_posted: u128, limit in prop::option::of(any::<u128>()), overdraft: bool,
    ) -> Account {
        let some = if overdraft { DebitLimit::Overdraft } else { DebitLimit::UpTo };
        Account {
            id: AccountId::new(id), debits_pending, debits_posted, credits_pending, credits_posted,
            limit: limit.map_or(DebitLimit::None, some),
        }
    }
}

prop_compose! {
    fn transfer()(
        id: [u8; 16], debit: [u8; 16], credit: [u8; 16], amount in 1_u64.., kind in 0_u8..7,
        share in 0.0..1.0_f64, expires_at: u64, rest: bool, last: bool, pending: [u8; 16],
        code: u16, at: u64,
    ) -> Transfer {
        // At most amount - 1, so that it suits every state.
        let captured = Amount::new(((amount - 1) as f64 * share) as u64 % amount);
        let (state, part) = match kind {
            0 => (TransferState::Posted, false),
            1 => (TransferState::Pending { expires_at, captured }, false),
            2 => {
                let captured = captured.max(Amount::new(1));
                (TransferState::PostedFrom { expires_at, captured }, false)
            }
            3 => (TransferState::Voided { expires_at, captured }, false),
            4 => (TransferState::Expired { expires_at, captured }, false),
            5 => (TransferState::Captured { rest, last: rest || last }, true),
            _ => (TransferState::Released, true),
        };
        let (debit, mut credit) = (AccountId::new(debit), AccountId::new(credit));
        if credit == debit {
            credit = AccountId::new([!debit.as_bytes()[0]; 16]);
        }
        Transfer {
            id: TransferId::new(id), debit, credit, amount: Amount::new(amount), state,
            pending: part.then(|| TransferId::new(pending)), code, at,
        }
    }
}

proptest! {
    #[test]
    fn accounts_come_back(account in account()) {
        let row = account.to_bytes();
        prop_assert_eq!(Account::from_bytes(&row), Ok(account));
        let json = serde_json::to_string(&account).unwrap();
        prop_assert_eq!(serde_json::from_str::<Account>(&json).unwrap(), account);
    }

    #[test]
    fn transfers_come_back(transfer in transfer()) {
        prop_assert_eq!(transfer.check(), Ok(()));
        let row = transfer.to_bytes();
        prop_assert_eq!(Transfer::from_bytes(&row), Ok(transfer));
        let json = serde_json::to_string(&transfer).unwrap();
        prop_assert_eq!(serde_json::from_str::<Transfer>(&json).unwrap(), transfer);
    }

    #[test]
    fn one_value_has_one_row(transfer in transfer(), account in account(), at: usize, bits in 1_u8..) {
        let mut row = transfer.to_bytes();
        row[at % TRANSFER_ROW_BYTES] ^= bits;
        if let Ok(other) = Transfer::from_bytes(&row) {
            prop_assert_eq!(other.to_bytes(), row);
        }
        let mut row = account.to_bytes();
        row[at % ACCOUNT_ROW_BYTES] ^= bits;
        if let Ok(other) = Account::from_bytes(&row) {
            prop_assert_eq!(other.to_bytes(), row);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = Account::from_bytes(&bytes);
        let _ = Transfer::from_bytes(&bytes);
    }
}

fn capture() -> Transfer {
    Transfer {
        id: TransferId::new([1; 16]),
        debit: AccountId::new([2; 16]),
        credit: AccountId::new([3; 16]),
        amount: Amount::new(336_000),
        state: TransferState::Captured {
            rest: true,
            last: true,
        },
        pending: Some(TransferId::new([4; 16])),
        code: 7,
        at: 1_700_000_000,
    }
}

#[test]
fn the_layout_is_as_documented() {
    let row = capture().to_bytes();
    assert_eq!(row[0], 1);
    assert_eq!(row[1..17], [1; 16]);
    assert_eq!(row[17..33], [2; 16]);
    assert_eq!(row[33..49], [3; 16]);
    assert_eq!(row[49..57], 336_000_u64.to_be_bytes());
    assert_eq!(row[57], 5);
    assert_eq!(row[58..74], [0; 16]);
    assert_eq!(row[74], 3);
    assert_eq!(row[75], 1);
    assert_eq!(row[76..92], [4; 16]);
    assert_eq!(row[92..94], 7_u16.to_be_bytes());
    assert_eq!(row[94..], 1_700_000_000_u64.to_be_bytes());

    let mut account = Account::open(AccountId::new([9; 16]), DebitLimit::UpTo(5));
    account.credits_posted = 4;
    let row = account.to_bytes();
    assert_eq!((row[0], row[80], row[81], row[97]), (1, 4, 1, 5));
}

#[test]
fn the_json_of_a_transfer_is_short() {
    let json = serde_json::to_string(&Transfer {
        state: TransferState::Posted,
        pending: None,
        ..capture()
    });
    assert_eq!(
        json.unwrap(),
        concat!(
            r#"{"id":"01010101010101010101010101010101","dr":"02020202020202020202020202020202","#,
            r#""cr":"03030303030303030303030303030303","amount":"336000","state":"posted","#,
            r#""code":7,"at":1700000000}"#
        )
    );
}

#[test]
fn versions_lengths_and_tags_are_refused_by_name() {
    let good = capture().to_bytes();
    let with = |at: usize, byte: u8| {
        let mut row = good;
        row[at] = byte;
        Transfer::from_bytes(&row)
    };
    assert_eq!(
        with(0, 2),
        Err(LedgerError::RowVersion {
            version: 2,
            known: 1
        })
    );
    assert_eq!(
        with(57, 7),
        Err(LedgerError::RowTag {
            what: "state",
            tag: 7
        })
    );
    assert_eq!(
        with(75, 2),
        Err(LedgerError::RowTag {
            what: "reservation",
            tag: 2
        })
    );
    assert!(
        matches!(with(75, 0), Err(LedgerError::RowTag { .. })),
        "an id without its tag"
    );
    assert!(
        matches!(with(74, 7), Err(LedgerError::Contradiction { .. })),
        "an unknown flag"
    );
    assert!(
        matches!(with(73, 1), Err(LedgerError::Contradiction { .. })),
        "captured by a capture"
    );
    assert!(
        matches!(with(57, 0), Err(LedgerError::Contradiction { .. })),
        "posted, of a reservation"
    );
    let short = LedgerError::RowLength {
        len: 101,
        expected: 102,
    };
    assert_eq!(Transfer::from_bytes(&good[..101]), Err(short));
    assert_eq!(
        Account::from_bytes(&[]),
        Err(LedgerError::RowLength {
            len: 0,
            expected: 98
        })
    );
    let mut account = Account::open(AccountId::new([9; 16]), DebitLimit::None).to_bytes();
    account[97] = 1;
    assert_eq!(
        Account::from_bytes(&account),
        Err(LedgerError::RowTag {
            what: "limit",
            tag: 0
        })
    );
}

#[test]
fn json_that_contradicts_itself_is_refused() {
    let json = serde_json::to_string(&capture()).unwrap();
    for (good, bad) in [
        (r#""amount":"336000""#, r#""amount":"0""#),
        (r#""amount":"336000""#, r#""amount":336000"#),
        (
            r#""state":{"captured":{"rest":true,"last":true}}"#,
            r#""state":"posted""#,
        ),
        (r#""last":true"#, r#""last":false"#),
        (
            r#"cr":"03030303030303030303030303030303"#,
            r#"cr":"02020202020202020202020202020202"#,
        ),
        (r#","pending":"04040404040404040404040404040404""#, ""),
        (r#""code":7"#, r#""code":7,"note":"x""#),
    ] {
        let other = json.replace(good, bad);
        assert_ne!(other, json, "{good}");
        assert!(serde_json::from_str::<Transfer>(&other).is_err(), "{bad}");
    }
}
