//! The story: who does what, in which order, and what must come of it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    args::Args,
    audit::{self, CLIENT_PER_BYTE, RELAY_PER_BYTE},
    binaries::Binaries,
    error::{Error, Result, system},
    nodes::{Addresses, Node, Nodes, PASSWORD, PASSWORD_ENV, short},
    people::{Person, event},
    process::{COMMAND_TIMEOUT, Process, check_interrupt, wait_for, watch_signals},
    story::Story,
    views::Views,
};

/// What each person's node grants for a start.
const GRANT: &str = "$1.00";
const HELLO: &str = "Hello Bobo";
const SECOND: &str = "You were away, so this waited for you";
/// Size of the file, bytes: four packets.
const FILE_BYTES: usize = 3_000_000;
const FILE_NAME: &str = "picture.bin";
/// For a message to arrive, or a connection's end to be noticed.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);

/// The folder of everything, removed at the end unless something went wrong.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn make() -> Result<Self> {
        // Only a name, so that two runs do not meet.
        #[allow(clippy::disallowed_methods)]
        let time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let name = format!(
            "layer-minus-devnet-{}-{}",
            process::id(),
            time.subsec_nanos()
        );
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).map_err(system("cannot make a folder"))?;
        Ok(Self { path, keep: true })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // What stays behind is in the system's folder for such things.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Runs it all.
pub(crate) fn run(args: &Args, story: &mut Story) -> Result<()> {
    watch_signals()?;
    let mut folder = Folder::make()?;
    let result = tell(args, story, &folder.path);
    // The logs are needed for nothing but looking into a failure.
    folder.keep = !matches!(result, Ok(()) | Err(Error::Interrupted));
    if folder.keep {
        story.more(&format!("everything is left in {}", folder.path.display()));
    }
    result
}

fn tell(args: &Args, story: &Story, root: &Path) -> Result<()> {
    let binaries = Binaries::get(args, root, story)?;
    let addresses = Addresses::find();
    if !addresses.are_own() {
        story.more("this system has one loopback address: parties are not told apart by IP");
    }
    let nodes = Nodes::start(&binaries, addresses, root, story)?;
    let mut stage = Stage::set(nodes, addresses, &binaries, root, story)?;
    stage.meet(story)?;
    let delivered_online = stage.online(story)?;
    let offline = stage.offline(story)?;
    let bill = stage.bill(story)?;
    let texts = [HELLO, SECOND, FILE_NAME];
    Views {
        nodes: &stage.nodes,
        bobo: &stage.bobo,
        peter: &stage.peter,
        texts: &texts,
        own_addresses: addresses.are_own(),
    }
    .tell(story)?;
    stage.nodes.check()?;
    let summary = json!({
        "delivered_online": delivered_online,
        "delivered_offline": offline.message,
        "file_sha256_ok": offline.file,
        "bytes_passed": bill.bytes_passed,
        "charged_pusd": bill.charged_pusd,
        "storage_pusd": bill.storage_pusd,
        "relay_credited_pusd": bill.credited_pusd,
        "ledger_balanced": bill.balanced,
    });
    if args.keep {
        stage.keep(story, &summary)?;
    } else {
        story.summary(&summary, "All as it should be.");
    }
    Ok(())
}

/// The nodes and the people.
struct Stage {
    nodes: Nodes,
    bobo: Person,
    peter: Person,
}

/// What came of the offline part.
struct Offline {
    message: bool,
    file: bool,
}

/// What it cost, by the taps and by the nodes' words, which agree.
#[derive(Default)]
struct Bill {
    bytes_passed: u64,
    charged_pusd: u64,
    storage_pusd: u64,
    credited_pusd: u64,
    balanced: bool,
}

impl Stage {
    fn set(
        nodes: Nodes,
        addresses: Addresses,
        binaries: &Binaries,
        root: &Path,
        story: &Story,
    ) -> Result<Self> {
        story.chapter("Two people");
        let person = |name, party, relay: &Node| {
            let ip = addresses.of(party);
            let person = Person::init(name, ip, relay, &nodes.directory, binaries, root)?;
            let address = short(&person.address);
            let text = format!(
                "has the wallet {address}, is at {ip}, posts to {}",
                relay.name()
            );
            let details = json!({ "wallet": person.address, "ip": ip });
            story.step("person", name, &text, details);
            Ok(person)
        };
        let bobo = person("Bobo", 21, &nodes.a)?;
        let peter = person("Peter", 22, &nodes.d)?;
        Ok(Self { nodes, bobo, peter })
    }

    /// Both register at their nodes with an invite code, and exchange cards.
    fn meet(&self, story: &Story) -> Result<()> {
        story.chapter("They register, through a relay each");
        let Nodes { a, b, c, d, .. } = &self.nodes;
        for (person, node, relay) in [(&self.bobo, b, a), (&self.peter, c, d)] {
            let invite = node.text(&node.ask(&["invite", "--amount", GRANT])?, "invite")?;
            let words = ["register", "--node", &node.address, "--invite", &invite];
            let said = person.ask_via_relay(&words)?;
            let limit = person.text(&said, "limit_pusd")?;
            let text = format!(
                "is a client of {} through {}, up to {GRANT}, by an invite code",
                node.name(),
                relay.name()
            );
            let details = json!({ "node": node.address, "limit_pusd": limit });
            story.step("registered", person.name, &text, details);
        }
        for (from, to) in [(&self.bobo, &self.peter), (&self.peter, &self.bobo)] {
            let card = from.file("card.json");
            let path = card.to_string_lossy();
            from.ask(&["card", "--full", &path])?;
            to.ask(&["contacts", "add", from.name, &path])?;
            let text = format!("has {}'s card", from.name);
            story.step("card", to.name, &text, json!({ "of": from.address }));
        }
        Ok(())
    }

    /// Bobo listens; Peter writes; it arrives while Peter looks on.
    fn online(&mut self, story: &Story) -> Result<bool> {
        story.chapter("Bobo is online");
        let mut listening = self.bobo.listen(&[])?;
        story.step("listening", "Bobo", "listens through Node A", json!({}));
        self.send(story, &[HELLO], &format!("\"{HELLO}\""))?;
        let text = received_text(&mut listening)?;
        if text != HELLO {
            return Err(listening.failed(&format!("received '{text}' instead of '{HELLO}'")));
        }
        story.step(
            "received",
            "Bobo",
            &format!("reads \"{text}\""),
            json!({ "text": text }),
        );
        self.wait_for_acknowledgement()?;
        self.nodes.check()?;
        listening.kill();
        self.wait_for_offline()?;
        story.step(
            "offline",
            "Bobo",
            "pulls the plug; Node B notices",
            json!({}),
        );
        Ok(true)
    }

    /// What Bobo has, he says that he has, through his relay.
    fn wait_for_acknowledgement(&self) -> Result<()> {
        let b = &self.nodes.b;
        let acknowledged = || {
            let relay = self.nodes.a.tap.sheet();
            let sheet = b.tap.sheet();
            let sums = audit::passed(&sheet, &b.key, &[(self.nodes.a.ip, &relay)]);
            let sum = sums.get(&self.nodes.a.ip)?;
            let done = relay.exchanges.last()?.ended.is_some();
            (sum.free > 0 && done).then_some(())
        };
        let late = || self.bobo.failed("did not acknowledge what it received");
        wait_for(DELIVERY_TIMEOUT, acknowledged, late)
    }

    /// The stream between Bobo's relay and his node ends with his connection.
    fn wait_for_offline(&self) -> Result<()> {
        let (a, b) = (&self.nodes.a, &self.nodes.b);
        let ended = || {
            let sheet = b.tap.sheet();
            let streams = sheet
                .exchanges
                .iter()
                .filter(|e| e.stream && e.from == a.ip);
            streams.into_iter().all(|e| e.ended.is_some()).then_some(())
        };
        let late = || Error::Process {
            what: "Node A kept Bobo's stream although he is gone".to_owned(),
            log: a.log(),
        };
        wait_for(DELIVERY_TIMEOUT, ended, late)
    }

    fn send(&self, story: &Story, words: &[&str], what: &str) -> Result<()> {
        let said = self
            .peter
            .ask_via_relay(&[&["send", "Bobo"], words].concat())?;
        let sent = said.iter().rev().find(|line| line.get("sent").is_some());
        let sent = sent.ok_or_else(|| self.peter.failed("printed no 'sent'"))?;
        let packets = sent["accepted"].as_array().map_or(0, Vec::len);
        if packets == 0 {
            return Err(self.peter.failed("sent something that no node accepted"));
        }
        let text = format!(
            "sends {what} through Node D; Node B signed for {}",
            count(packets)
        );
        story.step(
            "sent",
            "Peter",
            &text,
            json!({ "what": what, "packets": packets }),
        );
        Ok(())
    }

    /// Peter writes twice to nobody; Bobo comes back and collects.
    fn offline(&mut self, story: &Story) -> Result<Offline> {
        story.chapter("Bobo is offline");
        let file = self.peter.file(FILE_NAME);
        let content = content();
        fs::write(&file, &content).map_err(system("cannot write the file"))?;
        self.send(story, &[SECOND], "a second message")?;
        let path = file.to_string_lossy().into_owned();
        self.send(story, &["--file", &path], "a file of 3 MB")?;
        self.nodes.check()?;

        story.chapter("Bobo comes back");
        let folder = self.bobo.file("received");
        let folder_text = folder.to_string_lossy().into_owned();
        let mut listening = self
            .bobo
            .listen(&["--count", "2", "--output", &folder_text])?;
        let (mut text, mut file) = (None, None);
        while text.is_none() || file.is_none() {
            listening.next(DELIVERY_TIMEOUT, "message and file", |line| {
                if event(line, "message") {
                    text = line["text"].as_str().map(str::to_owned);
                } else if event(line, "file") {
                    file = Some(line.clone());
                } else {
                    return None;
                }
                Some(())
            })?;
        }
        listening.finish(COMMAND_TIMEOUT)?;
        let text = text.unwrap_or_default();
        if text != SECOND {
            return Err(self
                .bobo
                .failed(&format!("received '{text}' instead of '{SECOND}'")));
        }
        story.step(
            "received",
            "Bobo",
            &format!("reads \"{text}\""),
            json!({ "text": text }),
        );
        self.check_file(story, &file.unwrap_or_default(), &content)?;
        Ok(Offline {
            message: true,
            file: true,
        })
    }

    /// What is on Bobo's disk is what Peter sent, and Bobo's client says so too.
    fn check_file(&self, story: &Story, line: &Value, content: &[u8]) -> Result<()> {
        let path = line["path"].as_str().unwrap_or_default();
        let received = fs::read(path).map_err(system(format!("cannot read '{path}'")))?;
        let (sent, found) = (sha256(content), sha256(&received));
        let said = line["sha256"].as_str().unwrap_or_default();
        if sent != found || sent != said {
            let what = format!("SHA-256 sent {sent}, on Bobo's disk {found}, by his client {said}");
            return Err(Error::Differs(what));
        }
        let text = format!(
            "has the file: {} bytes, SHA-256 {}, as sent",
            received.len(),
            short(&found)
        );
        story.step(
            "received",
            "Bobo",
            &text,
            json!({ "bytes": received.len(), "sha256": found }),
        );
        Ok(())
    }

    /// What the people and the nodes say that it cost, against what passed the taps.
    fn bill(&self, story: &Story) -> Result<Bill> {
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

    /// Leaves it running, and says how to talk to it.
    fn keep(&mut self, story: &Story, summary: &Value) -> Result<()> {
        story.chapter("The network is running. In another terminal:");
        let mut lines = vec![format!("export {PASSWORD_ENV}={PASSWORD}")];
        for person in [&self.bobo, &self.peter] {
            let mut words = vec![person.program().to_string_lossy().into_owned()];
            words.extend(person.words());
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            lines.push(format!(
                "{}() {{ {} \"$@\"; }}",
                person.name.to_lowercase(),
                words.join(" ")
            ));
        }
        lines.push(format!("bobo listen --relay {}", self.nodes.a.address));
        lines.push(format!(
            "peter send Bobo 'How are you?' --relay {}",
            self.nodes.d.address
        ));
        lines.push(format!("bobo status --relay {}", self.nodes.a.address));
        for node in [&self.nodes.b, &self.nodes.c] {
            lines.push(node.example("status"));
        }
        lines.iter().for_each(|line| story.more(line));
        for node in self.nodes.all() {
            let log = node.log();
            story.more(&format!(
                "# {} is {} at {}, log {}",
                node.name(),
                node.address,
                node.url(),
                log.display()
            ));
        }
        story.step(
            "kept",
            "devnet",
            "press Ctrl-C to end it",
            json!({ "commands": lines }),
        );
        story.summary(summary, "All as it should be.");
        loop {
            if matches!(check_interrupt(), Err(Error::Interrupted)) {
                return Ok(());
            }
            self.nodes.check()?;
            std::thread::sleep(Duration::from_millis(100));
        }
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

fn received_text(listening: &mut Process) -> Result<String> {
    listening.next(DELIVERY_TIMEOUT, "message", |line| {
        event(line, "message").then(|| line["text"].as_str().unwrap_or_default().to_owned())
    })
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

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Bytes that do not compress, the same in every run.
fn content() -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut content = Vec::with_capacity(FILE_BYTES);
    while content.len() < FILE_BYTES {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_be_bytes());
    }
    content.truncate(FILE_BYTES);
    content
}

fn count(packets: usize) -> String {
    if packets == 1 {
        "1 packet".to_owned()
    } else {
        format!("{packets} packets")
    }
}

fn dollars(picodollars: u64) -> String {
    let text = format!(
        "{}.{:012}",
        picodollars / 1_000_000_000_000,
        picodollars % 1_000_000_000_000
    );
    format!("${text}")
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
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
    fn the_file_is_three_megabytes_of_noise() {
        let content = content();
        assert_eq!(content.len(), FILE_BYTES);
        let zeros = content.iter().filter(|byte| **byte == 0).count();
        assert!((10_000..14_000).contains(&zeros), "{zeros}");
        assert_eq!(sha256(b"").len(), 64);
        assert!(sha256(b"abc").starts_with("ba7816bf"));
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("/a/b-c"), "/a/b-c");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(dollars(336_000), "$0.000000336000");
    }
}
