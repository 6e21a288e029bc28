//! Any sequence of operations, in lists of any length, at any time: the books stay sound, a
//! retry changes nothing, a refusal changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;

use layer_minus_ledger::{
    AccountId, Amount, DebitLimit, MemoryBooks, Op, Outcome, PlanError, Refusal, TransferId, plan,
};
use proptest::prelude::*;

/// Few ids, so that operations meet.
fn account() -> impl Strategy<Value = AccountId> {
    (0_u8..5).prop_map(|n| AccountId::new([n; 16]))
}

fn transfer() -> impl Strategy<Value = TransferId> {
    (0_u8..20).prop_map(|n| TransferId::new([n; 16]))
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![
        8 => 0_u64..50,
        1 => Just(u64::MAX),
        1 => (u64::MAX - 3)..=u64::MAX,
    ]
    .prop_map(Amount::new)
}

fn limit() -> impl Strategy<Value = DebitLimit> {
    prop_oneof![
        2 => Just(DebitLimit::None),
        4 => (0_u128..300).prop_map(DebitLimit::UpTo),
        1 => Just(DebitLimit::UpTo(u128::from(u64::MAX))),
        1 => Just(DebitLimit::UpTo(u128::MAX)),
        2 => (0_u128..100).prop_map(DebitLimit::Overdraft),
        1 => Just(DebitLimit::Overdraft(u128::MAX)),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let code = 0_u16..2;
    prop_oneof![
        2 => (account(), limit()).prop_map(|(account, limit)| Op::Open { account, limit }),
        1 => (account(), limit()).prop_map(|(account, limit)| Op::SetLimit { account, limit }),
        4 => (transfer(), account(), account(), amount(), code.clone()).prop_map(
            |(id, debit, credit, amount, code)| Op::Transfer { id, debit, credit, amount, code }
        ),
        6 => (transfer(), account(), account(), amount(), code, 1_u64..40).prop_map(
            |(id, debit, credit, amount, code, expires_at)| {
                Op::Pend { id, debit, credit, amount, code, expires_at }
            }
        ),
        8 => (transfer(), transfer(), prop::option::of(amount()), any::<bool>()).prop_map(
            |(id, pending, amount, last)| Op::Post { id, pending, amount, last }
        ),
        2 => (transfer(), transfer()).prop_map(|(id, pending)| Op::Void { id, pending }),
        2 => transfer().prop_map(|pending| Op::Expire { pending }),
    ]
}

/// Lists of operations, each with the seconds that pass before it.
fn history() -> impl Strategy<Value = Vec<(u64, Vec<Op>)>> {
    prop::collection::vec((0_u64..3, prop::collection::vec(op(), 1..4)), 1..60)
}

/// All accounts open from the start, so that most of a history is not refused.
fn opened() -> MemoryBooks {
    let mut books = MemoryBooks::new();
    let open = |n, limit| Op::Open {
        account: AccountId::new([n; 16]),
        limit,
    };
    books
        .run(
            &[
                open(0, DebitLimit::None),
                open(1, DebitLimit::None),
                open(2, DebitLimit::UpTo(200)),
                open(3, DebitLimit::UpTo(u128::MAX)),
            ],
            0,
        )
        .unwrap();
    books
}

fn has_set_limit(ops: &[Op]) -> bool {
    ops.iter().any(|op| matches!(op, Op::SetLimit { .. }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_books_stay_sound(history in history()) {
        let mut books = opened();
        let mut now = 0;
        for (pause, ops) in history {
            now += pause;
            let before = books.clone();
            match books.run(&ops, now) {
                Ok(outcomes) => prop_assert_eq!(outcomes.len(), ops.len()),
                Err(error) => {
                    prop_assert_eq!(&books, &before, "a refusal wrote something");
                    // Sound books never look inconsistent, and memory can always be read.
                    prop_assert!(error.refusal().is_some(), "{}", error);
                }
            }
            if let Err(violation) = books.check_invariants() {
                prop_assert!(false, "after {ops:?} at {now}: {violation}");
            }
        }
    }

    #[test]
    fn a_retry_changes_nothing_whenever_it_comes(history in history(), later in 0_u64..100) {
        let mut books = opened();
        let mut now = 0;
        let mut done: Vec<Vec<Op>> = Vec::new();
        for (pause, ops) in history {
            now += pause;
            if books.run(&ops, now).is_ok() {
                // A limit has no id: repeated later it is a new wish.
                if !has_set_limit(&ops) && !ops.iter().any(|op| matches!(op, Op::Open { .. })) {
                    done.push(ops);
                }
            }
        }
        for ops in done {
            let again = plan(&books, &ops, now + later);
            prop_assert!(again.is_ok(), "{ops:?}: {again:?}");
            let again = again.unwrap();
            prop_assert!(again.is_empty(), "{ops:?}");
            prop_assert!(again.outcomes.iter().all(|outcome| *outcome == Outcome::Exists));
        }
    }

    #[test]
    fn a_list_is_its_operations_one_by_one(
        prefix in history(),
        ops in prop::collection::vec(op(), 1..6),
    ) {
        let mut books = opened();
        let mut now = 0;
        for (pause, ops) in prefix {
            now += pause;
            let _ = books.run(&ops, now);
        }
        let mut single = books.clone();
        let mut outcomes = Vec::new();
        let mut refused: Option<PlanError<Infallible>> = None;
        for (at, op) in ops.iter().enumerate() {
            match single.run(&[*op], now) {
                Ok(outcome) => outcomes.extend(outcome),
                Err(PlanError::Refused { refusal, .. }) => {
                    refused = Some(PlanError::Refused { op: at, refusal });
                    break;
                }
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
        match refused {
            Some(error) => prop_assert_eq!(plan(&books, &ops, now), Err(error)),
            None => {
                prop_assert_eq!(books.run(&ops, now).unwrap(), outcomes);
                prop_assert_eq!(books, single);
            }
        }
    }

    #[test]
    fn money_ends_where_the_captures_say(
        whole in 1_u64..1_000,
        captures in prop::collection::vec((1_u64..400, prop::bool::weighted(0.1)), 1..12),
        voided: bool,
    ) {
        let mut books = opened();
        let (payer, payee) = (AccountId::new([0; 16]), AccountId::new([1; 16]));
        let pending = TransferId::new([99; 16]);
        books.run(&[Op::Pend {
            id: pending, debit: payer, credit: payee, amount: Amount::new(whole), code: 7,
            expires_at: 100,
        }], 1).unwrap();
        let (mut left, mut paid, mut open) = (whole, 0, true);
        for (n, (size, last)) in (0_u8..).zip(captures) {
            let post = Op::Post {
                id: TransferId::new([n; 16]), pending, amount: Some(Amount::new(size)), last,
            };
            let result = books.run(&[post], 2);
            if !open {
                let expected = Refusal::PendingAlreadyPosted { pending };
                let refused = result.unwrap_err().refusal().copied();
                prop_assert_eq!(refused, Some(expected));
            } else if size > left {
                let expected = Refusal::ExceedsPending {
                    pending, left: Amount::new(left), wanted: Amount::new(size),
                };
                let refused = result.unwrap_err().refusal().copied();
                prop_assert_eq!(refused, Some(expected));
            } else {
                prop_assert!(result.is_ok());
                left -= size;
                paid += size;
                open = !last && left > 0;
            }
        }
        if open {
            let end = if voided {
                books.run(&[Op::Void { id: TransferId::new([98; 16]), pending }], 3)
            } else {
                books.run(&[Op::Expire { pending }], 100)
            };
            prop_assert_eq!(end.unwrap(), [Outcome::Applied { amount: Amount::new(left) }]);
        }
        let totals = books.check_invariants().unwrap();
        prop_assert_eq!((totals.posted.get(), totals.pending.get()), (paid.into(), 0));
    }
}
