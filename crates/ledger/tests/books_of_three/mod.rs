//! Three accounts, and the operations on them that tests are written in.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // each test uses a part

use layer_minus_ledger::{AccountId, Amount, DebitLimit, MemoryBooks, Op, Refusal, TransferId};

pub const PAYER: AccountId = AccountId::new([1; 16]);
pub const PAYEE: AccountId = AccountId::new([2; 16]);
pub const OTHER: AccountId = AccountId::new([3; 16]);

pub const fn id(n: u8) -> TransferId {
    TransferId::new([n; 16])
}

pub fn pay(n: u8, amount: u64) -> Op {
    Op::Transfer {
        id: id(n),
        debit: PAYER,
        credit: PAYEE,
        amount: Amount::new(amount),
        code: 0,
    }
}

pub fn pend(n: u8, amount: u64, expires_at: u64) -> Op {
    let amount = Amount::new(amount);
    Op::Pend {
        id: id(n),
        debit: PAYER,
        credit: PAYEE,
        amount,
        code: 0,
        expires_at,
    }
}

pub fn post(n: u8, pending: u8, amount: u64, last: bool) -> Op {
    Op::Post {
        id: id(n),
        pending: id(pending),
        amount: Some(Amount::new(amount)),
        last,
    }
}

pub fn post_rest(n: u8, pending: u8) -> Op {
    Op::Post {
        id: id(n),
        pending: id(pending),
        amount: None,
        last: false,
    }
}

pub fn void(n: u8, pending: u8) -> Op {
    Op::Void {
        id: id(n),
        pending: id(pending),
    }
}

/// Payer may spend 100; all three are open.
pub fn books() -> MemoryBooks {
    let mut books = MemoryBooks::new();
    let open = [
        Op::Open {
            account: PAYER,
            limit: DebitLimit::UpTo(100),
        },
        Op::Open {
            account: PAYEE,
            limit: DebitLimit::None,
        },
        Op::Open {
            account: OTHER,
            limit: DebitLimit::None,
        },
    ];
    books.run(&open, 0).unwrap();
    books
}

#[track_caller]
pub fn refused(books: &MemoryBooks, op: Op, now: u64) -> Refusal {
    let mut copy = books.clone();
    let error = copy.run(&[op], now).unwrap_err();
    assert_eq!(&copy, books, "a refusal wrote something");
    *error.refusal().unwrap()
}
