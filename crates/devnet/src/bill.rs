//! What it cost: what the people and the nodes say, against what passed the taps.

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::{Value, json};

use crate::{
    audit::{self, CLIENT_PER_BYTE, Passed, RELAY_PER_BYTE},
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
        // Each with the relay through which the person is reached, and the one through which the
        // other writes.
        for (person, node, own, others) in [(&self.bobo, b, a, d), (&self.peter, c, d, a)] {
            let said = person.ask_via_relay(&["status"])?;
            let charged = number(&said, "charged_pusd");
            let status = node.ask(&["status"])?;
            let (by_node, storage) = (
                number(&status, "charged_pusd"),
                number(&status, "storage_pusd"),
            );
            let reserved = number(&status, "reserved_pusd");
            let (at_own, at_others) = (own.tap.sheet(), others.tap.sheet());
            let sheet = node.tap.sheet();
            let relays = [(own.ip, &*at_own), (others.ip, &*at_others)];
            let sums = audit::passed(&sheet, &node.key, &relays);
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
            let range = audit::storage(&at_others, &sheet, &at_own, &node.key)
                .map_err(|why| Error::Differs(format!("{name}: storage: {why}")))?;
            figures.that(
                &format!(
                    "storage {} p$ is between {} and {} p$",
                    storage.unwrap_or(u64::MAX),
                    range.start(),
                    range.end()
                ),
                storage.is_some_and(|storage| range.contains(&storage)),
            )?;
            figures.equal(
                &format!("charged as {} was told", person.name),
                by_node,
                charged,
            )?;
            figures.equal("nothing is still reserved", reserved, Some(0))?;
            let lanes = lanes(&status);
            let credited = self.credited(&figures, &sums, &lanes)?;
            bill.credited_pusd += credited;
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
                    "node": node.address, "bytes_passed": bytes.to_string(),
                    "charged_pusd": by_node.map(|amount| amount.to_string()),
                    "storage_pusd": storage.map(|amount| amount.to_string()),
                }),
            );
            bill.balanced &= balanced;
            bill.bytes_passed += bytes;
            bill.charged_pusd += by_node.unwrap_or_default();
            bill.storage_pusd += storage.unwrap_or_default();
        }
        Ok(bill)
    }

    /// Each relay whose packets passed the tap has its share, and nobody else has anything.
    fn credited(
        &self,
        figures: &Figures<'_>,
        sums: &BTreeMap<IpAddr, Passed>,
        lanes: &BTreeMap<String, u64>,
    ) -> Result<u64> {
        let mut expected = BTreeMap::new();
        for (ip, sum) in sums {
            let share = sum.bytes * RELAY_PER_BYTE;
            let Some(relay) = self.nodes.at(*ip) else {
                let what = format!("packets on a lane came from {ip}, which is no node");
                return Err(Error::Differs(what));
            };
            expected.insert(relay.address.clone(), share);
            if self.nodes.have_own_addresses() {
                let what = format!("credited to {} = 10 p$ x {} bytes", relay.name(), sum.bytes);
                figures.equal(&what, lanes.get(&relay.address).copied(), Some(share))?;
            }
        }
        let (sum, all) = (lanes.values().sum(), expected.values().sum());
        figures.equal("credited to all lanes", Some(sum), Some(all))?;
        if self.nodes.have_own_addresses() {
            let same = lanes.keys().eq(expected.keys());
            figures.that("no lane but those that passed the tap", same)?;
        }
        Ok(sum)
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

/// What a node says that it credited to others.
fn lanes(status: &[Value]) -> BTreeMap<String, u64> {
    let lanes = status
        .iter()
        .rev()
        .find_map(|line| line.get("lanes")?.as_array());
    let mut credited = BTreeMap::new();
    for lane in lanes.into_iter().flatten() {
        let node = lane["node"].as_str().unwrap_or("a lane without a node");
        // What cannot be read must not agree with anything.
        let amount = number(std::slice::from_ref(lane), "credited_pusd").unwrap_or(u64::MAX);
        let sum: &mut u64 = credited.entry(node.to_owned()).or_default();
        *sum = sum.saturating_add(amount);
    }
    credited
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
            { "node": "0x2", "credited_pusd": "1" },
        ] })];
        let expected = [("0x1".to_owned(), 5), ("0x2".to_owned(), 7)];
        assert_eq!(lanes(&status), expected.into());
    }

    #[test]
    fn amounts_are_shown_in_dollars() {
        assert_eq!(dollars(336_000), "$0.000000336000");
    }
}
