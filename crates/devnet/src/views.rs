//! What each party saw, from its tap and from its own words.

use std::{collections::BTreeSet, fs, net::IpAddr};

use serde_json::json;

use crate::{
    audit::SIZES,
    error::{Error, Result, system},
    nodes::{Node, Nodes, short},
    people::Person,
    story::Story,
    tap::Sheet,
};

/// What a relay sees of what passes it.
#[derive(Debug, PartialEq, Eq)]
struct Sight {
    sources: Vec<IpAddr>,
    /// The keys that packets are for.
    keys: BTreeSet<String>,
    packets: usize,
    sizes: BTreeSet<u64>,
}

fn sight(sheet: &Sheet) -> Sight {
    let packets = || sheet.exchanges.iter().filter(|e| e.packet.is_some());
    let keys = packets()
        .filter_map(|e| e.packet.as_ref())
        .map(|(key, _)| key.clone());
    Sight {
        sources: sheet.sources(),
        keys: keys.collect(),
        packets: packets().count(),
        sizes: packets().map(|e| e.bytes).collect(),
    }
}

/// The forms in which a wallet's address could show in bytes: text in any case, and raw.
fn forms_of(address: &str) -> Vec<Vec<u8>> {
    let digits = address.trim_start_matches("0x");
    let raw = (0..digits.len() / 2)
        .filter_map(|at| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok());
    vec![
        digits.as_bytes().to_vec(),
        digits.to_ascii_lowercase().into_bytes(),
        digits.to_ascii_uppercase().into_bytes(),
        raw.collect(),
    ]
}

/// Looks for what nobody on the way may see. Names what was found.
fn leaks(sheet: &Sheet, people: &[&Person], texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for person in people {
        if forms_of(&person.address)
            .iter()
            .any(|form| sheet.holds(form))
        {
            found.push(format!("{}'s wallet", person.name));
        }
    }
    let texts = texts.iter().filter(|text| sheet.holds(text.as_bytes()));
    found.extend(texts.map(|text| format!("the words '{text}'")));
    found
}

/// Everything that is looked at.
#[derive(Debug)]
pub(crate) struct Views<'a> {
    pub(crate) nodes: &'a Nodes,
    pub(crate) bobo: &'a Person,
    pub(crate) peter: &'a Person,
    /// What was written.
    pub(crate) texts: &'a [&'a str],
    /// Whether every party has an address of its own.
    pub(crate) own_addresses: bool,
}

impl Views<'_> {
    /// Tells what each saw; an error if one saw what it should not.
    pub(crate) fn tell(&self, story: &Story) -> Result<()> {
        story.chapter("What each of them saw");
        let Nodes { a, b, c, d, .. } = self.nodes;
        self.relay(story, a, self.bobo, &[b])?;
        self.relay(story, d, self.peter, &[b, c])?;
        self.recipient(story, b, &[a, d], self.bobo)?;
        self.recipient(story, c, &[d], self.peter)?;
        self.person(story, self.bobo, self.peter)?;
        self.person(story, self.peter, self.bobo)
    }

    fn sealed(&self, node: &Node, sheet: &Sheet) -> Result<()> {
        let found = leaks(sheet, &[self.bobo, self.peter], self.texts);
        if sheet.strange {
            return Err(Error::Differs(format!(
                "at {}, what passed is not HTTP/1.1",
                node.name()
            )));
        }
        if let Some(other) = sheet.exchanges.iter().find(|e| e.line != "POST /post") {
            return Err(Error::Differs(format!(
                "'{}' came to {}",
                other.line,
                node.name()
            )));
        }
        if !found.is_empty() {
            let found = found.join(", ");
            return Err(Error::Differs(format!(
                "{found} could be read at {}",
                node.name()
            )));
        }
        Ok(())
    }

    /// A relay: an IP address and the next key, sealed bytes of few sizes, and nothing else.
    fn relay(&self, story: &Story, node: &Node, person: &Person, next: &[&Node]) -> Result<()> {
        let (seen, passed) = {
            let sheet = node.tap.sheet();
            self.sealed(node, &sheet)?;
            (sight(&sheet), sheet.bytes_passed())
        };
        let sources = list(&seen.sources);
        let keys: Vec<String> = seen.keys.iter().map(|key| short(key)).collect();
        let text = format!(
            "saw the IP {sources} and, as next, the key {}; no wallet, no word",
            keys.join(" and ")
        );
        story.step("saw", &node.name(), &text, json!({
            "ips": seen.sources, "next_keys": seen.keys, "packets": seen.packets,
            "packet_sizes": seen.sizes, "bytes": passed, "wallets": [], "clients": self.clients(node)?,
        }));
        let sizes = list(&seen.sizes);
        story.more(&format!(
            "{} packets of {sizes} bytes; in all {passed} bytes no wallet and no text was found",
            seen.packets
        ));
        self.same(node, "IP addresses", &seen.sources, &self.one(&[person.ip]))?;
        let expected: BTreeSet<String> = next.iter().map(|node| node.key.clone()).collect();
        self.equal(node, "next keys", &seen.keys, &expected)?;
        self.sizes(node, &seen)?;
        self.equal(node, "clients", &self.clients(node)?, &Vec::new())
    }

    /// A recipient node: wallets, and the IP addresses of relays only.
    fn recipient(
        &self,
        story: &Story,
        node: &Node,
        relays: &[&Node],
        person: &Person,
    ) -> Result<()> {
        let seen = {
            let sheet = node.tap.sheet();
            self.sealed(node, &sheet)?;
            sight(&sheet)
        };
        let wallets = self.clients(node)?;
        let names = |ip: &IpAddr| match self.nodes.at(*ip) {
            Some(node) if self.own_addresses => format!("{ip} ({})", node.name()),
            _ => ip.to_string(),
        };
        let from: Vec<String> = seen.sources.iter().map(names).collect();
        let known: Vec<String> = wallets.iter().map(|wallet| short(wallet)).collect();
        let text = format!(
            "knows the wallet {}; saw only the IPs {}",
            known.join(" and "),
            from.join(" and ")
        );
        story.step(
            "saw",
            &node.name(),
            &text,
            json!({
                "ips": seen.sources, "wallets": wallets, "keys": seen.keys, "packets": seen.packets,
                "packet_sizes": seen.sizes,
            }),
        );
        let expected: Vec<IpAddr> = relays.iter().map(|relay| relay.ip).collect();
        self.same(node, "IP addresses", &seen.sources, &self.one(&expected))?;
        self.equal(
            node,
            "keys",
            &seen.keys,
            &BTreeSet::from([node.key.clone()]),
        )?;
        self.sizes(node, &seen)?;
        self.equal(node, "wallets", &wallets, &vec![person.address.clone()])
    }

    /// A person: whatever the client printed and logged never named the other's IP.
    fn person(&self, story: &Story, person: &Person, other: &Person) -> Result<()> {
        let said = fs::read_to_string(person.log()).map_err(system("cannot read a log"))?;
        let text = format!(
            "knows {}'s wallet {}; {}'s IP is nowhere in what the client said",
            other.name,
            short(&other.address),
            other.name
        );
        let details = json!({ "wallets": [other.address], "ips": [] });
        if !said.contains(&other.address) {
            let what = format!("{} never named {}'s wallet", person.name, other.name);
            return Err(Error::Differs(what));
        }
        if self.own_addresses && said.contains(&other.ip.to_string()) {
            let what = format!("{}'s client named {}'s IP", person.name, other.name);
            return Err(Error::Differs(what));
        }
        story.step("saw", person.name, &text, details);
        Ok(())
    }

    /// The clients that a node names; a relay has no such command.
    fn clients(&self, node: &Node) -> Result<Vec<String>> {
        if !node.recipient {
            let status = node.ask(&["status"])?;
            let clients = status.first().and_then(|line| line["clients"].as_u64());
            return Ok(vec!["?".to_owned(); clients.unwrap_or(0) as usize]);
        }
        let rows = node.ask(&["clients"])?;
        Ok(rows
            .iter()
            .filter_map(|row| Some(row.get("client")?.as_str()?.to_owned()))
            .collect())
    }

    /// What is to be expected where parties cannot be told apart by address.
    fn one(&self, ips: &[IpAddr]) -> Vec<IpAddr> {
        let mut ips = ips.to_vec();
        ips.sort();
        ips.dedup();
        ips
    }

    fn sizes(&self, node: &Node, seen: &Sight) -> Result<()> {
        if seen.sizes.iter().all(|size| SIZES.contains(size)) {
            return Ok(());
        }
        let sizes = list(&seen.sizes);
        Err(Error::Differs(format!(
            "packets of {sizes} bytes came to {}",
            node.name()
        )))
    }

    fn same(&self, node: &Node, what: &str, found: &[IpAddr], expected: &[IpAddr]) -> Result<()> {
        self.equal(node, what, &found.to_vec(), &expected.to_vec())
    }

    fn equal<T: PartialEq + std::fmt::Debug>(
        &self,
        node: &Node,
        what: &str,
        found: &T,
        expected: &T,
    ) -> Result<()> {
        if found == expected {
            return Ok(());
        }
        let name = node.name();
        Err(Error::Differs(format!(
            "{name}: {what} are {found:?}, expected {expected:?}"
        )))
    }
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_every_form() {
        let address = "0xB8D61D1979F1a2BDB77Dd190E903524362B91561";
        for leak in [
            b"wallet 0xB8D61D1979F1a2BDB77Dd190E903524362B91561".to_vec(),
            b"b8d61d1979f1a2bdb77dd190e903524362b91561".to_vec(),
            [&[1, 2], forms_of(address)[3].as_slice()].concat(),
        ] {
            let mut sheet = Sheet::new();
            let mut scribe = sheet.open(IpAddr::from([127, 0, 0, 1]));
            scribe.request(&mut sheet, &leak);
            assert!(forms_of(address).iter().any(|form| sheet.holds(form)));
        }
        assert_eq!(forms_of(address)[3].len(), 20);
        assert_eq!(forms_of(address)[3][0], 0xb8);
    }

    #[test]
    fn what_is_not_a_packet_is_not_counted_as_one() {
        let mut sheet = Sheet::new();
        let mut scribe = sheet.open(IpAddr::from([127, 0, 0, 1]));
        scribe.request(&mut sheet, b"GET / HTTP/1.1\r\n\r\n");
        let seen = sight(&sheet);
        assert_eq!(
            (seen.packets, seen.keys.len(), seen.sources.len()),
            (0, 0, 1)
        );
    }
}
