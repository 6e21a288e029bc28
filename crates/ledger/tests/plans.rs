//! Plans at the edges: of the integers, of lists, of stores that fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod books_of_three;

use books_of_three::*;
use layer_minus_ledger::{
    Account, AccountId, Amount, Books, Changes, DebitLimit, MemoryBooks, Op, PlanError, Refusal,
    Transfer, TransferId, plan,
};

#[test]
fn totals_at_the_edge_of_the_integers() {
    let mut rich = Account::open(PAYER, DebitLimit::None);
    rich.debits_posted = u128::MAX - 5;
    rich.debits_pending = 3;
    let mut paid = Account::open(PAYEE, DebitLimit::None);
    paid.credits_posted = 3;
    paid.credits_pending = u128::MAX - 6;
    let mut books = MemoryBooks::new();
    books.apply(&Changes {
        accounts: vec![rich, paid],
        ..Changes::default()
    });
    books.run(&[pay(1, 2)], 1).unwrap();
    assert_eq!(
        refused(&books, pay(2, 1), 1),
        Refusal::Overflow { account: PAYER }
    );
    assert_eq!(
        refused(&books, pend(2, 1, 9), 1),
        Refusal::Overflow { account: PAYER }
    );
    books
        .run(
            &[Op::Transfer {
                id: id(3),
                debit: OTHER,
                credit: PAYEE,
                amount: Amount::new(1),
                code: 0,
            }],
            1,
        )
        .unwrap_err();
    books
        .run(
            &[Op::Open {
                account: OTHER,
                limit: DebitLimit::UpTo(u128::MAX),
            }],
            1,
        )
        .unwrap();
    let to_payee = |n, amount| Op::Transfer {
        id: id(n),
        debit: OTHER,
        credit: PAYEE,
        amount: Amount::new(amount),
        code: 0,
    };
    assert_eq!(
        refused(&books, to_payee(3, 2), 1),
        Refusal::Overflow { account: PAYEE }
    );
    books.run(&[to_payee(3, 1)], 1).unwrap();
}

#[test]
fn the_largest_amounts_go_through_whole() {
    let mut books = MemoryBooks::new();
    let limit = DebitLimit::UpTo(3 * u128::from(u64::MAX));
    books
        .run(
            &[
                Op::Open {
                    account: PAYER,
                    limit,
                },
                Op::Open {
                    account: PAYEE,
                    limit: DebitLimit::None,
                },
            ],
            1,
        )
        .unwrap();
    books
        .run(
            &[
                pay(1, u64::MAX),
                pend(2, u64::MAX, u64::MAX),
                pay(3, u64::MAX),
            ],
            1,
        )
        .unwrap();
    assert!(matches!(
        refused(&books, pay(4, 1), 1),
        Refusal::OverLimit { .. }
    ));
    books
        .run(
            &[post(5, 2, u64::MAX - 1, false), post_rest(6, 2)],
            u64::MAX - 1,
        )
        .unwrap();
    let totals = books.check_invariants().unwrap();
    assert_eq!(totals.posted.get(), 3 * u128::from(u64::MAX));
}

#[test]
fn the_place_of_the_refused_operation_is_told() {
    let mut books = books();
    let before = books.clone();
    let error = books
        .run(&[pay(1, 5), pend(2, 5, 9), pay(3, 0), pay(4, 0)], 1)
        .unwrap_err();
    assert_eq!(
        error,
        PlanError::Refused {
            op: 2,
            refusal: Refusal::ZeroAmount { id: id(3) }
        }
    );
    assert_eq!(
        error.to_string(),
        format!("operation 2 refused: transfer {} has no amount", id(3))
    );
    assert_eq!(books, before);
}

#[test]
fn rows_that_contradict_each_other_stop_the_plan() {
    let mut books = books();
    books.run(&[pend(1, 10, 9)], 1).unwrap();
    let broken = Account::open(PAYEE, DebitLimit::None);
    books.apply(&Changes {
        accounts: vec![broken],
        ..Changes::default()
    });
    let inconsistent = PlanError::Inconsistent {
        account: PAYEE,
        pending: id(1),
    };
    assert_eq!(books.run(&[post_rest(2, 1)], 1), Err(inconsistent));
    assert_eq!(books.run(&[void(2, 1)], 1), Err(inconsistent));
    assert!(books.check_invariants().is_err());
}

#[test]
fn a_store_that_cannot_be_read_is_no_refusal() {
    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("disk")]
    struct Disk;
    struct Broken;
    impl Books for Broken {
        type Error = Disk;
        fn account(&self, _: &AccountId) -> Result<Option<Account>, Disk> {
            Err(Disk)
        }
        fn transfer(&self, _: &TransferId) -> Result<Option<Transfer>, Disk> {
            Ok(None)
        }
    }
    let error = plan(&Broken, &[pay(1, 1)], 1).unwrap_err();
    assert_eq!(error, PlanError::Books(Disk));
    assert!(error.refusal().is_none());
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "disk"
    );
}

#[test]
fn changes_come_in_the_order_of_ids_and_once_each() {
    let books = books();
    let changes = plan(
        &books,
        &[pay(9, 1), pend(8, 5, 10), post(7, 8, 2, false)],
        1,
    )
    .unwrap();
    let accounts: Vec<_> = changes.accounts.iter().map(|account| account.id).collect();
    assert_eq!(accounts, [PAYER, PAYEE]);
    let transfers: Vec<_> = changes
        .transfers
        .iter()
        .map(|transfer| transfer.id)
        .collect();
    assert_eq!(transfers, [id(7), id(8), id(9)]);
    let [seven, eight, _] = changes.transfers[..] else {
        panic!("three rows")
    };
    assert_eq!(
        (seven.moved(), seven.held(), seven.pending),
        (Amount::new(2), Amount::ZERO, Some(id(8)))
    );
    assert_eq!(
        (eight.moved(), eight.held(), eight.pending),
        (Amount::ZERO, Amount::new(3), None)
    );
}
