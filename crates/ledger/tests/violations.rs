//! What verification finds in books that were tampered with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use layer_minus_ledger::{
    Account, AccountId, Amount, DebitLimit, MemoryBooks, Op, Transfer, TransferId, TransferState,
    Violation, verify, verify_journal,
};

const PAYER: AccountId = AccountId::new([1; 16]);
const PAYEE: AccountId = AccountId::new([2; 16]);

const fn id(n: u8) -> TransferId {
    TransferId::new([n; 16])
}

/// A transfer of 10, a reservation of 20 of which 5 are captured, one of 30 that was voided.
fn rows() -> (Vec<Account>, Vec<Transfer>) {
    let mut books = MemoryBooks::new();
    let (debit, credit, expires_at) = (PAYER, PAYEE, 100);
    books
        .run(
            &[
                Op::Open {
                    account: PAYER,
                    limit: DebitLimit::UpTo(100),
                },
                Op::Open {
                    account: PAYEE,
                    limit: DebitLimit::None,
                },
                Op::Transfer {
                    id: id(1),
                    debit,
                    credit,
                    amount: Amount::new(10),
                    code: 0,
                },
                Op::Pend {
                    id: id(2),
                    debit,
                    credit,
                    amount: Amount::new(20),
                    code: 0,
                    expires_at,
                },
                Op::Post {
                    id: id(3),
                    pending: id(2),
                    amount: Some(Amount::new(5)),
                    last: false,
                },
                Op::Pend {
                    id: id(4),
                    debit,
                    credit,
                    amount: Amount::new(30),
                    code: 0,
                    expires_at,
                },
                Op::Void {
                    id: id(5),
                    pending: id(4),
                },
            ],
            1,
        )
        .unwrap();
    (
        books.accounts().copied().collect(),
        books.transfers().copied().collect(),
    )
}

type Rows = (Vec<Account>, Vec<Transfer>);

#[track_caller]
fn found(tamper: impl Fn(&mut Rows)) -> Violation {
    let mut rows = rows();
    tamper(&mut rows);
    verify_journal(rows.0, rows.1).unwrap_err()
}

#[test]
fn sound_books_add_up() {
    let (accounts, transfers) = rows();
    let totals = verify_journal(accounts.clone(), transfers.clone()).unwrap();
    assert_eq!(
        (totals.accounts, totals.transfers, totals.reservations),
        (2, 5, 1)
    );
    assert_eq!((totals.posted.get(), totals.pending.get()), (15, 15));
    assert_eq!(verify(accounts.clone(), transfers.clone()), Ok(totals));

    // A journal that was shortened to its open reservations is enough for the short check.
    let open: Vec<_> = transfers
        .into_iter()
        .filter(|t| !t.held().is_zero())
        .collect();
    assert_eq!(open.len(), 1);
    assert_eq!(
        verify(accounts.clone(), open.clone()).unwrap().posted,
        totals.posted
    );
    assert!(matches!(
        verify_journal(accounts, open),
        Err(Violation::TotalWrong { .. })
    ));
}

#[test]
fn each_kind_of_tampering_is_named() {
    assert_eq!(
        found(|rows| rows.0.push(rows.0[0])),
        Violation::AccountTwice { account: PAYER }
    );
    assert_eq!(
        found(|rows| rows.1.push(rows.1[0])),
        Violation::TransferTwice { id: id(1) }
    );
    assert_eq!(
        found(|rows| rows.0[0].limit = DebitLimit::UpTo(29)),
        Violation::OverLimit {
            account: PAYER,
            used: 30,
            limit: 29
        }
    );
    assert_eq!(
        found(|rows| rows.0[0].debits_posted += 1),
        Violation::Unbalanced {
            what: "posted",
            debits: 16.into(),
            credits: 15.into()
        }
    );
    assert_eq!(
        found(|rows| rows.0[1].credits_pending -= 1),
        Violation::Unbalanced {
            what: "pending",
            debits: 15.into(),
            credits: 14.into()
        }
    );
    assert!(matches!(
        found(|rows| rows.0[0].debits_posted = u128::MAX),
        Violation::Overflow { .. }
    ));
    assert_eq!(
        found(|rows| {
            rows.0[0].debits_posted += 1;
            rows.0[1].credits_posted += 1;
        }),
        Violation::TotalWrong {
            account: PAYER,
            what: "posted debits",
            stated: 16.into(),
            found: 15.into()
        }
    );
    assert_eq!(
        found(|rows| {
            rows.0[0].debits_pending -= 1;
            rows.0[1].credits_pending -= 1;
        }),
        Violation::TotalWrong {
            account: PAYER,
            what: "pending debits",
            stated: 14.into(),
            found: 15.into()
        }
    );
    let stranger = AccountId::new([9; 16]);
    assert_eq!(
        found(|rows| rows.1[0].debit = stranger),
        Violation::AccountMissing {
            id: id(1),
            account: stranger
        }
    );
    assert!(matches!(
        found(|rows| rows.1[0].amount = Amount::ZERO),
        Violation::BadTransfer { .. }
    ));
    assert_eq!(
        found(|rows| rows.1[2].pending = Some(id(4))),
        Violation::CapturesWrong {
            pending: id(2),
            stated: 5.into(),
            found: 0.into()
        }
    );
    assert_eq!(
        found(|rows| rows.1[2].pending = Some(id(1))),
        Violation::ReservationWrong {
            id: id(3),
            pending: id(1)
        }
    );
    assert_eq!(
        found(|rows| rows.1[4].pending = Some(id(2))),
        Violation::ReservationWrong {
            id: id(5),
            pending: id(2)
        }
    );
    // A reservation that claims to have been captured in full, with the totals made to fit.
    assert_eq!(
        found(|rows| {
            let captured = Amount::new(20);
            rows.1[1].state = TransferState::PostedFrom {
                expires_at: 100,
                captured,
            };
            rows.0[0].debits_pending = 0;
            rows.0[1].credits_pending = 0;
        }),
        Violation::CapturesWrong {
            pending: id(2),
            stated: 20.into(),
            found: 5.into()
        }
    );
}
