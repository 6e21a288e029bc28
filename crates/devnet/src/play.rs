//! The story: who does what, in which order, and what must come of it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{
    args::Args,
    audit,
    binaries::Binaries,
    error::{Error, Result, system},
    nodes::{Addresses, Node, Nodes, short},
    people::{Person, event},
    picture::{content, sha256},
    process::{COMMAND_TIMEOUT, Process, wait_for, watch_signals},
    story::Story,
    views::Views,
};

/// What each person's node grants for a start.
const GRANT: &str = "$1.00";
const HELLO: &str = "Hello Bobo";
const SECOND: &str = "You were away, so this waited for you";
const FILE_NAME: &str = "picture.bin";
/// How long Bobo stays away once everything waits for him: storage is counted in whole seconds, and
/// must come to something that can be compared.
const AWAY: Duration = Duration::from_secs(3);
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
    stage.books(story)?;
    let texts = [HELLO, SECOND, FILE_NAME];
    Views::new(&stage, &texts, addresses.are_own())?.tell(story)?;
    stage.nodes.check()?;
    let summary = json!({
        "delivered_online": delivered_online,
        "delivered_offline": offline.message,
        "file_sha256_ok": offline.file,
        // Amounts and sums of bytes are decimal strings, as all our programs print them.
        "bytes_passed": bill.bytes_passed.to_string(),
        "charged_pusd": bill.charged_pusd.to_string(),
        "storage_pusd": bill.storage_pusd.to_string(),
        "relay_credited_pusd": bill.credited_pusd.to_string(),
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
pub(crate) struct Stage {
    pub(crate) nodes: Nodes,
    pub(crate) bobo: Person,
    pub(crate) peter: Person,
}

/// What came of the offline part.
struct Offline {
    message: bool,
    file: bool,
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
    fn meet(&mut self, story: &Story) -> Result<()> {
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
        hand_card(story, &mut self.bobo, &self.peter)?;
        hand_card(story, &mut self.peter, &self.bobo)
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
            json!({ "message": text }),
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
        wait_for_a_while(AWAY)?;
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
            json!({ "message": text }),
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
}

fn hand_card(story: &Story, from: &mut Person, to: &Person) -> Result<()> {
    let card = from.file("card.json");
    let path = card.to_string_lossy();
    let said = from.ask(&["card", "--full", &path])?;
    from.key = from.text(&said, "key")?;
    to.ask(&["contacts", "add", from.name, &path])?;
    let text = format!("has {}'s card", from.name);
    story.step("card", to.name, &text, json!({ "of": from.address }));
    Ok(())
}

fn wait_for_a_while(time: Duration) -> Result<()> {
    let until = Instant::now() + time;
    let over = || (Instant::now() >= until).then_some(());
    let late = || Error::System("the clock stands still".to_owned());
    wait_for(time + DELIVERY_TIMEOUT, over, late)
}

fn received_text(listening: &mut Process) -> Result<String> {
    listening.next(DELIVERY_TIMEOUT, "message", |line| {
        event(line, "message").then(|| line["text"].as_str().unwrap_or_default().to_owned())
    })
}

pub(crate) fn count(packets: usize) -> String {
    if packets == 1 {
        "1 packet".to_owned()
    } else {
        format!("{packets} packets")
    }
}
