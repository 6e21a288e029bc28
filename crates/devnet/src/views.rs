//! What each party saw: read from the tap in front of it, from what it printed and from its log.
//!
//! What is listed as seen is found there by its form alone; what must not be seen is looked for by
//! its value. The table of who may know what is [`may_know`].

use std::{collections::BTreeSet, fs, net::IpAddr};

use serde_json::{Value, json};

use crate::{
    audit::SIZES,
    error::{Error, Result, system},
    knowledge::may_know,
    needles::{Kind, Needles, Secret},
    nodes::{Node, Nodes, short},
    patterns,
    people::{Person, event},
    play::Stage,
    story::Story,
    tap::Sheet,
};

/// The packets that came to a node.
#[derive(Debug, PartialEq, Eq)]
struct Sight {
    /// The keys that they are for.
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
        keys: keys.collect(),
        packets: packets().count(),
        sizes: packets().map(|e| e.bytes).collect(),
    }
}

/// What a node can have seen of people, by the form of it.
#[derive(Debug)]
struct Seen {
    ips: BTreeSet<IpAddr>,
    wallets: BTreeSet<String>,
    sight: Sight,
    bytes: u64,
}

/// Everything that is looked at.
#[derive(Debug)]
pub(crate) struct Views<'a> {
    nodes: &'a Nodes,
    bobo: &'a Person,
    peter: &'a Person,
    secrets: Needles,
    /// Whether every party has an address of its own.
    own_addresses: bool,
    /// What the directory makes public.
    public_wallets: BTreeSet<String>,
    public_ips: BTreeSet<IpAddr>,
}

impl<'a> Views<'a> {
    /// `texts` are what was written.
    pub(crate) fn new(stage: &'a Stage, texts: &[&str], own_addresses: bool) -> Result<Self> {
        let mut secrets = Needles::new();
        for person in [&stage.bobo, &stage.peter] {
            let of = |kind| Secret {
                owner: person.name,
                kind,
            };
            secrets.hex(of(Kind::Wallet), &person.address);
            secrets.hex(of(Kind::CashWallet), &person.cash);
            secrets.hex(of(Kind::EncryptionKey), &person.key);
            if own_addresses {
                secrets.text(of(Kind::IpAddress), &person.ip.to_string());
            }
        }
        let of = |kind| Secret {
            owner: "Peter",
            kind,
        };
        for text in texts {
            secrets.text(of(Kind::Words), text);
        }
        let directory =
            fs::read(&stage.nodes.directory).map_err(system("cannot read the directory"))?;
        Ok(Self {
            nodes: &stage.nodes,
            bobo: &stage.bobo,
            peter: &stage.peter,
            secrets,
            own_addresses,
            public_wallets: patterns::wallets(&directory),
            public_ips: patterns::ips(&directory),
        })
    }

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

    /// Looks at a node: nothing secret may have passed it, and only what it may know be in its words.
    fn look(&self, node: &Node) -> Result<Seen> {
        let sheet = node.tap.sheet();
        if sheet.strange {
            let what = format!("at {}, what passed is not HTTP/1.1", node.name());
            return Err(Error::Differs(what));
        }
        if let Some(other) = sheet.exchanges.iter().find(|e| e.line != "POST /post") {
            let what = format!("'{}' came to {}", other.line, node.name());
            return Err(Error::Differs(what));
        }
        let readings = sheet.readings();
        let passed = self.secrets.found_in_any(&readings);
        nothing(
            passed,
            &format!("could be read in front of {}", node.name()),
        )?;
        let words = words(&node.log())?;
        self.words_of(&node.name(), &words)?;

        let texts = || readings.iter().map(AsRef::as_ref).chain([words.as_slice()]);
        let mut ips: BTreeSet<IpAddr> = texts().flat_map(patterns::ips).collect();
        // Where a node listens, on whatever port, is public and own.
        ips.retain(|ip| !self.public_ips.contains(ip));
        ips.extend(sheet.sources());
        let wallets = texts().flat_map(patterns::wallets);
        Ok(Seen {
            ips,
            wallets: wallets
                .filter(|wallet| !self.public_wallets.contains(wallet))
                .collect(),
            sight: sight(&sheet),
            bytes: sheet.bytes_passed(),
        })
    }

    /// In what a party printed and logged there is nothing that it may not know.
    fn words_of(&self, party: &str, words: &[u8]) -> Result<()> {
        let mut found = self.secrets.found_in(words);
        may_know(party).iter().for_each(|secret| {
            found.remove(secret);
        });
        nothing(found, &format!("stands in what {party} printed and logged"))
    }

    /// A relay: an IP address and the next key, sealed bytes of few sizes, and nothing else.
    fn relay(&self, story: &Story, node: &Node, person: &Person, next: &[&Node]) -> Result<()> {
        let clients = self.clients(node)?;
        let seen = self.look(node)?;
        let keys: Vec<String> = seen.sight.keys.iter().map(|key| short(key)).collect();
        let text = format!(
            "saw the IP {} and, as next, the key {}; {}, no word",
            list(&seen.ips),
            keys.join(" and "),
            if seen.wallets.is_empty() {
                "no wallet".to_owned()
            } else {
                list(&seen.wallets)
            },
        );
        story.step(
            "saw",
            &node.name(),
            &text,
            json!({
                "ips": seen.ips, "next_keys": seen.sight.keys, "packets": seen.sight.packets,
                "packet_sizes": seen.sight.sizes, "bytes": seen.bytes, "wallets": seen.wallets,
                "clients": clients,
            }),
        );
        story.more(&format!(
            "{} packets of {} bytes; searched: {} bytes that passed, its output and its log",
            seen.sight.packets,
            list(&seen.sight.sizes),
            seen.bytes
        ));
        let name = node.name();
        equal(
            &name,
            "IP addresses",
            &seen.ips,
            &BTreeSet::from([person.ip]),
        )?;
        let expected: BTreeSet<String> = next.iter().map(|node| node.key.clone()).collect();
        equal(&name, "next keys", &seen.sight.keys, &expected)?;
        sizes(&name, &seen.sight)?;
        equal(&name, "wallets", &seen.wallets, &BTreeSet::new())?;
        equal(&name, "clients", &clients, &BTreeSet::new())
    }

    /// A recipient node: wallets, and the IP addresses of relays only.
    fn recipient(
        &self,
        story: &Story,
        node: &Node,
        relays: &[&Node],
        person: &Person,
    ) -> Result<()> {
        let clients = self.clients(node)?;
        let seen = self.look(node)?;
        let names = |ip: &IpAddr| match self.nodes.at(*ip) {
            Some(node) if self.own_addresses => format!("{ip} ({})", node.name()),
            _ => ip.to_string(),
        };
        let text = format!(
            "knows the wallet {}; saw only the IPs {}",
            list(seen.wallets.iter().map(|wallet| short(wallet))),
            list(seen.ips.iter().map(names))
        );
        story.step("saw", &node.name(), &text, json!({
            "ips": seen.ips, "wallets": seen.wallets, "clients": clients, "keys": seen.sight.keys,
            "packets": seen.sight.packets, "packet_sizes": seen.sight.sizes, "bytes": seen.bytes,
        }));
        let name = node.name();
        let expected: BTreeSet<IpAddr> = relays.iter().map(|relay| relay.ip).collect();
        equal(&name, "IP addresses", &seen.ips, &expected)?;
        equal(
            &name,
            "keys",
            &seen.sight.keys,
            &BTreeSet::from([node.key.clone()]),
        )?;
        sizes(&name, &seen.sight)?;
        let wallet = BTreeSet::from([person.address.to_ascii_lowercase()]);
        equal(&name, "wallets", &seen.wallets, &wallet)?;
        equal(&name, "clients", &clients, &wallet)
    }

    /// A person: the other's wallet is known from the letters, the other's IP address is nowhere.
    fn person(&self, story: &Story, person: &Person, other: &Person) -> Result<()> {
        let words = words(&person.log())?;
        self.words_of(person.name, &words)?;
        let wallets = correspondents(&words);
        let mut ips = patterns::ips(&words);
        ips.retain(|ip| *ip != person.ip && !self.public_ips.contains(ip));
        let text = format!(
            "knows the wallet {}; {}'s IP is nowhere in what the client printed and logged",
            list(wallets.iter().map(|wallet| short(wallet))),
            other.name
        );
        story.step(
            "saw",
            person.name,
            &text,
            json!({ "wallets": wallets, "ips": ips }),
        );
        let wallet = BTreeSet::from([other.address.to_ascii_lowercase()]);
        equal(person.name, "wallets", &wallets, &wallet)?;
        equal(person.name, "IP addresses", &ips, &BTreeSet::new())
    }

    /// The clients that a node names, in lowercase; a relay has no such command, and counts them.
    fn clients(&self, node: &Node) -> Result<BTreeSet<String>> {
        if !node.recipient {
            let status = node.ask(&["status"])?;
            let clients = status.first().and_then(|line| line["clients"].as_u64());
            let clients = clients.ok_or_else(|| {
                Error::Differs(format!("{} does not count its clients", node.name()))
            })?;
            return Ok((0..clients)
                .map(|number| format!("client {number}"))
                .collect());
        }
        let rows = node.ask(&["clients"])?;
        let client = |row: &Value| Some(row.get("client")?.as_str()?.to_ascii_lowercase());
        Ok(rows.iter().filter_map(client).collect())
    }
}

/// What a party printed and what it logged: its processes write both to one file.
fn words(log: &std::path::Path) -> Result<Vec<u8>> {
    fs::read(log).map_err(system("cannot read a log"))
}

/// To whom a client says that it wrote, and from whom that it has letters, in lowercase.
fn correspondents(words: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(words);
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let who = |line: Value| {
        let field = if event(&line, "message") || event(&line, "file") {
            "from"
        } else if line.get("sent").is_some() {
            "to"
        } else {
            return None;
        };
        Some(line[field].as_str()?.to_ascii_lowercase())
    };
    lines.filter_map(who).collect()
}

fn nothing(found: BTreeSet<Secret>, wherever: &str) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::Differs(format!("{} {wherever}", list(found))))
}

fn sizes(name: &str, seen: &Sight) -> Result<()> {
    if seen.sizes.iter().all(|size| SIZES.contains(size)) {
        return Ok(());
    }
    let sizes = list(&seen.sizes);
    Err(Error::Differs(format!(
        "packets of {sizes} bytes came to {name}"
    )))
}

fn equal<T: PartialEq + std::fmt::Debug>(
    name: &str,
    what: &str,
    found: &T,
    expected: &T,
) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Differs(format!(
        "{name}: {what} are {found:?}, expected {expected:?}"
    )))
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_packet_is_not_counted_as_one() {
        let mut sheet = Sheet::new();
        let mut scribe = sheet.open(IpAddr::from([127, 0, 0, 1]));
        scribe.request(&mut sheet, b"GET / HTTP/1.1\r\n\r\n");
        let seen = sight(&sheet);
        assert_eq!((seen.packets, seen.keys.len()), (0, 0));
    }

    #[test]
    fn correspondents_are_read_from_what_a_client_says() {
        let words = b"no json\n{\"event\":\"message\",\"from\":\"0xAb\"}\n{\"event\":\"offline\",\"from\":\"0x1\"}\n\
            {\"sent\":true,\"to\":\"0xCD\"}\n{\"address\":\"0xEF\"}\n{\"event\":\"file\",\"from\":\"0xaB\"}\n";
        let expected = ["0xab", "0xcd"].map(str::to_owned);
        assert_eq!(correspondents(words), expected.into());
    }
}
