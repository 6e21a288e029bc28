//! Every reason to refuse, by name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod books_of_three;

use books_of_three::*;
use layer_minus_ledger::{
    AccountId, Amount, Books, DebitLimit, Op, Outcome, Refusal, TransferState, plan,
};

#[test]
fn accounts() {
    let mut books = books();
    let open = |account, limit| Op::Open { account, limit };
    let unknown = AccountId::new([9; 16]);
    assert_eq!(
        refused(&books, open(PAYER, DebitLimit::None), 1),
        Refusal::AccountExistsWithDifferentLimit { account: PAYER }
    );
    assert_eq!(
        books.run(&[open(PAYER, DebitLimit::UpTo(100))], 1).unwrap(),
        [Outcome::Exists]
    );
    let again = plan(&books, &[open(PAYER, DebitLimit::UpTo(100))], 1);
    assert!(
        again.unwrap().is_empty(),
        "what is only read is not written"
    );
    let missing = Refusal::AccountNotFound { account: unknown };
    let set = |account, limit| Op::SetLimit {
        account,
        limit: DebitLimit::UpTo(limit),
    };
    assert_eq!(refused(&books, set(unknown, 5), 1), missing);
    for (debit, credit) in [(PAYER, unknown), (unknown, PAYEE)] {
        let amount = Amount::new(1);
        let op = Op::Transfer {
            id: id(1),
            debit,
            credit,
            amount,
            code: 0,
        };
        assert_eq!(refused(&books, op, 1), missing);
    }
    books.run(&[pay(1, 30), pend(2, 20, 10)], 1).unwrap();
    assert_eq!(
        refused(&books, set(PAYER, 49), 1),
        Refusal::LimitBelowUse {
            account: PAYER,
            limit: 49,
            used: 50
        }
    );
    books.run(&[set(PAYER, 50)], 1).unwrap();
    assert_eq!(books.run(&[set(PAYER, 50)], 1).unwrap(), [Outcome::Exists]);
    assert_eq!(
        refused(&books, pay(3, 1), 1),
        Refusal::OverLimit {
            account: PAYER,
            limit: 50,
            needed: 51
        }
    );
    books.run(&[set(PAYER, 51), pay(3, 1)], 1).unwrap();
}

#[test]
fn payments() {
    let books = books();
    assert_eq!(
        refused(&books, pay(1, 0), 1),
        Refusal::ZeroAmount { id: id(1) }
    );
    assert_eq!(
        refused(&books, pend(1, 0, 9), 1),
        Refusal::ZeroAmount { id: id(1) }
    );
    let amount = Amount::new(1);
    let own = Op::Transfer {
        id: id(1),
        debit: PAYER,
        credit: PAYER,
        amount,
        code: 0,
    };
    assert_eq!(
        refused(&books, own, 1),
        Refusal::SameAccount {
            id: id(1),
            account: PAYER
        }
    );
    for expires_at in [4, 5] {
        assert_eq!(
            refused(&books, pend(1, 1, expires_at), 5),
            Refusal::ExpiryPassed {
                id: id(1),
                expires_at,
                now: 5
            }
        );
    }
    let over = |needed| Refusal::OverLimit {
        account: PAYER,
        limit: 100,
        needed,
    };
    assert_eq!(refused(&books, pay(1, 101), 1), over(101));
    assert_eq!(refused(&books, pend(1, 101, 9), 1), over(101));
    assert_eq!(refused(&books, pay(1, u64::MAX), 1), over(u64::MAX.into()));
}

#[test]
fn a_reservation_counts_against_the_limit_until_it_ends() {
    let mut books = books();
    books.run(&[pend(1, 60, 10)], 1).unwrap();
    let over = Refusal::OverLimit {
        account: PAYER,
        limit: 100,
        needed: 101,
    };
    assert_eq!(refused(&books, pay(2, 41), 1), over);
    books.run(&[post(3, 1, 10, true), pay(2, 41)], 1).unwrap();
    let rest = Refusal::OverLimit {
        account: PAYER,
        limit: 100,
        needed: 101,
    };
    assert_eq!(refused(&books, pay(4, 50), 1), rest);
    books.run(&[pay(4, 49)], 1).unwrap();
}

#[test]
fn clashes_of_ids() {
    let mut books = books();
    books
        .run(
            &[pay(1, 5), pend(2, 5, 10), pend(3, 5, 10), pend(4, 5, 10)],
            1,
        )
        .unwrap();
    books
        .run(&[post(5, 2, 2, false), post_rest(6, 3), void(7, 4)], 1)
        .unwrap();

    for n in [2, 5, 6, 7] {
        let kind = Refusal::ExistsWithDifferentKind { id: id(n) };
        assert_eq!(refused(&books, pay(n, 5), 1), kind);
    }
    for n in [1, 5, 6, 7] {
        let kind = Refusal::ExistsWithDifferentKind { id: id(n) };
        assert_eq!(refused(&books, pend(n, 5, 10), 1), kind);
    }
    for n in [1, 2, 7] {
        let kind = Refusal::ExistsWithDifferentKind { id: id(n) };
        assert_eq!(refused(&books, post(n, 2, 2, false), 1), kind);
    }
    for n in [1, 4, 5] {
        let kind = Refusal::ExistsWithDifferentKind { id: id(n) };
        assert_eq!(refused(&books, void(n, 4), 1), kind);
    }

    let like = |debit, credit, amount, code| Op::Transfer {
        id: id(1),
        debit,
        credit,
        amount: Amount::new(amount),
        code,
    };
    let id1 = id(1);
    for (op, refusal) in [
        (
            like(OTHER, PAYEE, 5, 0),
            Refusal::ExistsWithDifferentDebit { id: id1 },
        ),
        (
            like(PAYER, OTHER, 5, 0),
            Refusal::ExistsWithDifferentCredit { id: id1 },
        ),
        (
            like(PAYER, PAYEE, 6, 0),
            Refusal::ExistsWithDifferentAmount { id: id1 },
        ),
        (
            like(PAYER, PAYEE, 0, 0),
            Refusal::ExistsWithDifferentAmount { id: id1 },
        ),
        (
            like(PAYER, PAYEE, 5, 1),
            Refusal::ExistsWithDifferentCode { id: id1 },
        ),
        (
            pend(2, 5, 11),
            Refusal::ExistsWithDifferentExpiry { id: id(2) },
        ),
        (
            pend(4, 6, 10),
            Refusal::ExistsWithDifferentAmount { id: id(4) },
        ),
        (
            post(5, 3, 2, false),
            Refusal::ExistsWithDifferentPending { id: id(5) },
        ),
        (
            post(5, 2, 1, false),
            Refusal::ExistsWithDifferentAmount { id: id(5) },
        ),
        (
            post_rest(5, 2),
            Refusal::ExistsWithDifferentAmount { id: id(5) },
        ),
        (
            post(5, 2, 2, true),
            Refusal::ExistsWithDifferentLast { id: id(5) },
        ),
        (
            post(6, 3, 5, true),
            Refusal::ExistsWithDifferentAmount { id: id(6) },
        ),
        (
            void(7, 2),
            Refusal::ExistsWithDifferentPending { id: id(7) },
        ),
    ] {
        assert_eq!(refused(&books, op, 1), refusal, "{op:?}");
    }
}

#[test]
fn ends_of_reservations() {
    let mut books = books();
    let ops: Vec<_> = (1..=5).map(|n| pend(n, 10, 100)).collect();
    books.run(&ops, 1).unwrap();
    books
        .run(&[pay(10, 1), post_rest(11, 1), void(12, 2)], 2)
        .unwrap();

    let posted = Refusal::PendingAlreadyPosted { pending: id(1) };
    let voided = Refusal::PendingAlreadyVoided { pending: id(2) };
    let missing = Refusal::PendingNotFound { pending: id(99) };
    let not_one = Refusal::NotAReservation { pending: id(10) };
    let not_yet = Refusal::NotYetExpired {
        pending: id(3),
        expires_at: 100,
        now: 99,
    };
    for (op, refusal) in [
        (post(20, 1, 1, false), posted),
        (void(20, 1), posted),
        (Op::Expire { pending: id(1) }, posted),
        (post(20, 2, 1, false), voided),
        (void(20, 2), voided),
        (Op::Expire { pending: id(2) }, voided),
        (post(20, 99, 1, false), missing),
        (void(20, 99), missing),
        (Op::Expire { pending: id(99) }, missing),
        (post(20, 10, 1, false), not_one),
        (void(20, 10), not_one),
        (Op::Expire { pending: id(10) }, not_one),
        (
            post(20, 11, 1, false),
            Refusal::NotAReservation { pending: id(11) },
        ),
        (void(20, 12), Refusal::NotAReservation { pending: id(12) }),
        (post(20, 3, 0, true), Refusal::ZeroAmount { id: id(20) }),
        (Op::Expire { pending: id(3) }, not_yet),
    ] {
        assert_eq!(refused(&books, op, 99), refusal, "{op:?}");
    }
    let (left, wanted) = (Amount::new(10), Amount::new(11));
    assert_eq!(
        refused(&books, post(20, 3, 11, false), 99),
        Refusal::ExceedsPending {
            pending: id(3),
            left,
            wanted
        }
    );

    // Captures are taken up to the last second; then only the end is.
    books
        .run(&[post(20, 3, 4, false), post(21, 4, 10, false)], 99)
        .unwrap();
    let expired = Refusal::PendingExpired {
        pending: id(3),
        expires_at: 100,
    };
    assert_eq!(refused(&books, post(22, 3, 1, false), 100), expired);
    assert_eq!(refused(&books, void(22, 3), 100), expired);
    let end = Op::Expire { pending: id(3) };
    let applied = Outcome::Applied {
        amount: Amount::new(6),
    };
    assert_eq!(
        books.run(&[end, end], 100).unwrap(),
        [applied, Outcome::Exists]
    );
    assert_eq!(
        refused(&books, post(22, 3, 1, false), 99),
        expired,
        "even if the clock went back"
    );
    assert_eq!(books.run(&[end], 99).unwrap(), [Outcome::Exists]);
    // What was captured before it expired is still known by its id.
    assert_eq!(
        books.run(&[post(20, 3, 4, false)], 200).unwrap(),
        [Outcome::Exists]
    );
    let state = books.transfer(&id(3)).unwrap().unwrap().state;
    assert_eq!(
        state,
        TransferState::Expired {
            expires_at: 100,
            captured: Amount::new(4)
        }
    );
    // Captured in full without being called the last: posted all the same.
    let state = books.transfer(&id(4)).unwrap().unwrap().state;
    assert_eq!(
        state,
        TransferState::PostedFrom {
            expires_at: 100,
            captured: Amount::new(10)
        }
    );
    books.check_invariants().unwrap();
}

#[test]
fn a_balance_is_limited_by_what_came_in() {
    let mut books = books();
    let limit = |more| Op::SetLimit {
        account: PAYEE,
        limit: DebitLimit::Overdraft(more),
    };
    let back = |n, amount| Op::Transfer {
        id: id(n),
        debit: PAYEE,
        credit: PAYER,
        amount: Amount::new(amount),
        code: 0,
    };
    let over = |limit, needed| Refusal::OverLimit {
        account: PAYEE,
        limit,
        needed,
    };
    books.run(&[limit(0)], 1).unwrap();
    assert_eq!(refused(&books, back(1, 1), 1), over(0, 1));
    // What is only reserved for it cannot be spent; what came in can, within the same list.
    books.run(&[pend(2, 20, 10)], 1).unwrap();
    assert_eq!(refused(&books, back(1, 1), 1), over(0, 1));
    books.run(&[pay(3, 30), back(1, 30)], 1).unwrap();
    assert_eq!(refused(&books, back(4, 1), 1), over(30, 31));
    books.run(&[limit(5), back(4, 5)], 1).unwrap();
    assert_eq!(
        refused(&books, limit(4), 1),
        Refusal::LimitBelowUse {
            account: PAYEE,
            limit: 34,
            used: 35
        }
    );
    books.check_invariants().unwrap();
}
