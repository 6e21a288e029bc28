//! What it cost: the sums of the whitepaper, against what the person and the node say.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Node, PATIENCE, Person, World, node::text};

/// The sizes of packets, bytes.
pub const SMALL: u64 = 16_000;
pub const LARGE: u64 = 1_000_000;
/// Picodollars for a byte passed: what the client pays, and what the relay gets of it.
const CLIENT_PER_BYTE: u64 = 20;
const RELAY_PER_BYTE: u64 = 10;

/// A number that is printed as a string, of the last object that has it.
pub fn number(printed: &[Value], field: &str) -> u64 {
    let text = text(printed, field);
    text.parse()
        .unwrap_or_else(|_| panic!("'{field}' is '{text}'"))
}

impl World {
    /// Checks what the only client of a node owes after `passed_bytes` and this question, which is one
    /// more pass: person and node agree, storage lies in between, the relays have their half.
    pub fn settled(&self, person: &Person, node: &Node, passed_bytes: u64, storage: [u64; 2]) {
        self.nothing_reserved(node);
        let passed = passed_bytes + SMALL;
        let said = person.via(&["status"]).ok();
        let status = node.ask(&["status"]);
        for (who, printed) in [("the person", &said), ("the node", &status)] {
            assert_eq!(
                number(printed, "passed_bytes"),
                passed,
                "by {who}: {status:?}"
            );
            assert_eq!(number(printed, "reserved_pusd"), 0, "by {who}");
        }
        let stored = number(&status, "storage_pusd");
        let [least, most] = storage;
        assert!((least..=most).contains(&stored), "storage {stored} p$");
        let charged = CLIENT_PER_BYTE * passed + stored;
        assert_eq!(number(&status, "charged_pusd"), charged);
        assert_eq!(number(&said, "charged_pusd"), charged);
        let lanes = status.last().and_then(|line| line["lanes"].as_array());
        let shares = lanes.expect("lanes").iter().map(|lane| {
            let one = std::slice::from_ref(lane);
            number(one, "credited_pusd")
        });
        assert_eq!(shares.sum::<u64>(), RELAY_PER_BYTE * passed, "{status:?}");
        let verified = node.ask(&["ledger", "verify"]);
        assert_eq!(verified.last().expect("a line")["ledger_balanced"], true);
    }

    /// Waits until what was pushed is acknowledged: the node's own word costs nothing.
    fn nothing_reserved(&self, node: &Node) {
        let until = Instant::now() + PATIENCE;
        while number(&node.ask(&["status"]), "reserved_pusd") > 0 {
            assert!(Instant::now() < until, "something is still reserved");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the node knows that the person is gone. Returns what asking passed, bytes.
    pub fn gone(&self, person: &Person) -> u64 {
        let until = Instant::now() + PATIENCE;
        let mut asked = 0;
        loop {
            asked += SMALL;
            if number(&person.via(&["status"]).ok(), "connections") == 0 {
                return asked;
            }
            assert!(Instant::now() < until, "the node still has a connection");
            thread::sleep(Duration::from_millis(100));
        }
    }
}
