//! What it cost: what the people and the nodes say, against what passed the taps.

use serde_json::{Value, json};

use crate::{
    audit::{self, CLIENT_PER_BYTE, RELAY_PER_BYTE},
    error::{Error, Result},
    nodes::{Node, Nodes},
    play::{Stage, count},
    story::Story,
};

/// What it cost, by the taps and by the nodes' words, which agree.
#[derive(Default)]
pub(crate) struct Bill {
    pub(crate) bytes_passed: u64,
    pub(crate) charged_pusd: u64,
    pub(crate) storage_pusd: u64,
    pub(crate) credited_pusd: u64,
    pub(crate) balanced: bool,
}

impl Stage {
    /// What the people and the nodes say that it cost, against what passed the taps.
    pub(crate) fn bill(&self, story: &Story) -> Result<Bill> {
        story.chapter("What it cost");
        let Nodes { a, b, c, d, .. } = &self.nodes;
        let mut bill = Bill {
            balanced: true,
            ..Bill::default()
        };
        for (person, node) in [(&self.bobo, b), (&self.peter, c)] {
            let said = person.ask_via_relay(&["status"])?;
            let charged = number(&said, "charged_pusd");
            let status = node.ask(&["status"])?;
            let (by_node, storage) = (
                number(&status, "charged_pusd"),
                number(&status, "storage_pusd"),
            );
            let reserved = number(&status, "reserved_pusd");
            let (relay_a, relay_d) = (a.tap.sheet(), d.tap.sheet());
            let sheet = node.tap.sheet();
            let sums = audit::passed(&sheet, &node.key, &[(a.ip, &relay_a), (d.ip, &relay_d)]);
            let bytes: u64 = sums.values().map(|sum| sum.bytes).sum();
            let name = node.name();
            for (ip, sum) in &sums {
                let relay = self
                    .nodes
                    .at(*ip)
                    .map_or_else(|| ip.to_string(), Node::name);
                story.more(&format!(
                    "tap of {name}: with {relay} {} in, {} pushed, {} bytes; {} acknowledgements \
                     are free",
                    count(sum.packets_in as usize),
                    sum.pushed,
                    sum.bytes,
                    sum.free
                ));
            }
            let figures = Figures { story, node };
            figures.equal("bytes passed", number(&status, "passed_bytes"), Some(bytes))?;
            let passes = bytes * CLIENT_PER_BYTE;
            figures.equal(
                &format!("charged = 20 p$ x {bytes} bytes + storage"),
                by_node,
                storage.map(|storage| passes + storage),
            )?;
            let ceiling = audit::storage_at_most(&sheet, &node.key);
            figures.that(
                &format!(
                    "storage {} p$ is at most {ceiling} p$",
                    storage.unwrap_or(u64::MAX)
                ),
                storage.is_some_and(|storage| storage <= ceiling),
            )?;
            figures.equal(
                &format!("charged as {} was told", person.name),
                by_node,
                charged,
            )?;
            figures.equal("nothing is still reserved", reserved, Some(0))?;
            for (ip, sum) in &sums {
                let Some(relay) = self.nodes.at(*ip) else {
                    continue;
                };
                let credited = credited(&status, &relay.address);
                let expected = sum.bytes * RELAY_PER_BYTE;
                let what = format!("credited to {} = 10 p$ x {} bytes", relay.name(), sum.bytes);
                figures.equal(&what, Some(credited), Some(expected))?;
                bill.credited_pusd += credited;
            }
            let balanced = status.iter().any(|line| line["ledger_balanced"] == true);
            let verified = node.ask(&["ledger", "verify"])?;
            let balanced = balanced && verified.iter().any(|line| line["ledger_balanced"] == true);
            figures.that("the ledger balances", balanced)?;
            story.step(
                "billed",
                person.name,
                &format!(
                    "owes {name} {}: {bytes} bytes passed, storage {} p$",
                    dollars(by_node.unwrap_or_default()),
                    storage.unwrap_or_default()
                ),
                json!({
                    "node": node.address, "bytes_passed": bytes, "charged_pusd": by_node,
                    "storage_pusd": storage,
                }),
            );
            bill.balanced &= balanced;
            bill.bytes_passed += bytes;
            bill.charged_pusd += by_node.unwrap_or_default();
            bill.storage_pusd += storage.unwrap_or_default();
        }
        Ok(bill)
    }
}

/// Compares figures of a node, and says so.
struct Figures<'a> {
    story: &'a Story,
    node: &'a Node,
}

impl Figures<'_> {
    fn equal(&self, what: &str, found: Option<u64>, expected: Option<u64>) -> Result<()> {
        let show =
            |figure: Option<u64>| figure.map_or_else(|| "nothing".to_owned(), |f| f.to_string());
        let ok = found.is_some() && found == expected;
        let text = if ok {
            format!("{}: {what}: {}", self.node.name(), show(found))
        } else {
            format!(
                "{}: {what}: {}, not {}",
                self.node.name(),
                show(found),
                show(expected)
            )
        };
        self.tell(ok, text)
    }

    fn that(&self, what: &str, ok: bool) -> Result<()> {
        self.tell(ok, format!("{}: {what}", self.node.name()))
    }

    fn tell(&self, ok: bool, text: String) -> Result<()> {
        self.story.check(ok, &text);
        if ok {
            Ok(())
        } else {
            Err(Error::Differs(text))
        }
    }
}

/// A number of the last object that has it: amounts are strings of digits.
fn number(printed: &[Value], field: &str) -> Option<u64> {
    let found = printed.iter().rev().find_map(|line| line.get(field))?;
    found.as_u64().or_else(|| found.as_str()?.parse().ok())
}

/// What a node says that it credited to another.
fn credited(status: &[Value], node: &str) -> u64 {
    let lanes = status
        .iter()
        .rev()
        .find_map(|line| line.get("lanes")?.as_array());
    let lanes = lanes
        .into_iter()
        .flatten()
        .filter(|lane| lane["node"] == node);
    lanes
        .filter_map(|lane| number(std::slice::from_ref(lane), "credited_pusd"))
        .sum()
}

fn dollars(picodollars: u64) -> String {
    let text = format!(
        "{}.{:012}",
        picodollars / 1_000_000_000_000,
        picodollars % 1_000_000_000_000
    );
    format!("${text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_both_forms() {
        let printed = [json!({ "a": "12" }), json!({ "b": 7 })];
        assert_eq!(
            (number(&printed, "a"), number(&printed, "b")),
            (Some(12), Some(7))
        );
        assert_eq!(
            (number(&printed, "c"), number(&[json!({ "a": "x" })], "a")),
            (None, None)
        );
        let status = [json!({ "lanes": [
            { "node": "0x1", "credited_pusd": "5" }, { "node": "0x2", "credited_pusd": "6" },
        ] })];
        assert_eq!((credited(&status, "0x2"), credited(&status, "0x3")), (6, 0));
    }

    #[test]
    fn amounts_are_shown_in_dollars() {
        assert_eq!(dollars(336_000), "$0.000000336000");
    }
}
