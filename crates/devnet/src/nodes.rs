//! The four nodes of the story, as processes behind taps.

use std::{
    fs,
    net::{IpAddr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    binaries::Binaries,
    error::{Error, Result, system},
    process::{COMMAND_TIMEOUT, Process},
    story::Story,
    tap::Tap,
};

/// The network's id: nothing else in the world has it.
pub(crate) const NETWORK: &str = "devnet";
/// The password of everything here. It protects keys that live for minutes.
pub(crate) const PASSWORD: &str = "devnet";
/// The variable by which the programs are told.
pub(crate) const PASSWORD_ENV: &str = "LAYER_MINUS_PASSWORD";

/// An address of its own for each party, if the system has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    own: bool,
}

impl Addresses {
    /// Linux answers on all of 127.0.0.0/8; others have one loopback address.
    pub(crate) fn find() -> Self {
        Self {
            own: TcpListener::bind(("127.0.0.11", 0)).is_ok(),
        }
    }

    /// Whether parties can be told apart by address.
    pub(crate) const fn are_own(self) -> bool {
        self.own
    }

    /// The address of party number `party`.
    pub(crate) const fn of(self, party: u8) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::new(
            127,
            0,
            0,
            if self.own { party } else { 1 },
        ))
    }
}

/// A node process.
#[derive(Debug)]
pub(crate) struct Node {
    /// `A` to `D`.
    pub(crate) letter: char,
    /// Whether it takes clients.
    pub(crate) recipient: bool,
    pub(crate) ip: IpAddr,
    pub(crate) tap: Tap,
    program: PathBuf,
    folder: PathBuf,
    /// As it said at its start: its wallet.
    pub(crate) address: String,
    /// As its record says: the key by which packets are routed to it.
    pub(crate) key: String,
    /// The line that it hands out.
    record: Value,
    process: Option<Process>,
}

impl Node {
    /// Makes keys and configuration, and the record to hand out.
    pub(crate) fn init(
        letter: char,
        recipient: bool,
        ip: IpAddr,
        binaries: &Binaries,
        root: &Path,
    ) -> Result<Self> {
        let tap = Tap::new(ip).map_err(system(format!("cannot listen on {ip}")))?;
        let program = if recipient {
            &binaries.recipient
        } else {
            &binaries.relay
        };
        let folder = root.join(format!("node-{letter}"));
        fs::create_dir_all(&folder).map_err(system("cannot make a folder"))?;
        let mut node = Self {
            letter,
            recipient,
            ip,
            tap,
            program: program.clone(),
            folder,
            address: String::new(),
            key: String::new(),
            record: Value::Null,
            process: None,
        };
        let (ip, url) = (
            ip.to_string(),
            format!("http://{}/post", node.tap.address()),
        );
        let (listen, admin) = (format!("{ip}:0"), format!("{ip}:0"));
        let made = node.ask(&[
            "init",
            "--listen",
            &listen,
            "--admin",
            &admin,
            "--url",
            &url,
            "--source",
            &ip,
            "--network",
            NETWORK,
            "--data",
            "data",
            "--light-kdf",
        ])?;
        node.address = node.text(&made, "node")?;
        node.promise_early()?;
        node.record = last(node.ask(&["record"])?);
        Ok(node)
    }

    /// Lets it sign a voucher for little, so that a short story shows some.
    fn promise_early(&self) -> Result<()> {
        let unreadable = system("cannot read a configuration");
        let text = fs::read_to_string(self.config()).map_err(unreadable)?;
        let text = text.replace("#pay_at_pusd = 100000000", "pay_at_pusd = 1000000");
        fs::write(self.config(), text).map_err(system("cannot write a configuration"))
    }

    /// `Node A`.
    pub(crate) fn name(&self) -> String {
        format!("Node {}", self.letter)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("node.toml")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Where it is reached: at its tap.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/post", self.tap.address())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env(PASSWORD_ENV, PASSWORD)
            .arg("--json")
            .arg("--config")
            .arg(self.config());
        command
    }

    /// Runs a command of the node's program; what it printed.
    pub(crate) fn ask(&self, words: &[&str]) -> Result<Vec<Value>> {
        let name = format!("{} ({})", self.name(), words.first().unwrap_or(&"run"));
        Process::start(&name, self.command().args(words), &self.log())?.finish(COMMAND_TIMEOUT)
    }

    /// A text field of the last object printed.
    pub(crate) fn text(&self, printed: &[Value], field: &str) -> Result<String> {
        let found = printed
            .iter()
            .rev()
            .find_map(|line| line.get(field)?.as_str());
        found.map(str::to_owned).ok_or_else(|| Error::Process {
            what: format!("{} printed no '{field}'", self.name()),
            log: self.log(),
        })
    }

    /// A command line to try.
    pub(crate) fn example(&self, words: &str) -> String {
        let (program, config) = (self.program.display(), self.config());
        format!("{program} --config {} {words}", config.display())
    }

    /// Reads the directory of all nodes, and learns from it by which key each is found.
    fn import(&self, directory: &Path) -> Result<Vec<Value>> {
        self.ask(&["directory", "import", &directory.to_string_lossy()])
    }

    /// Starts it, and lets its tap pass connections on.
    fn start(&mut self) -> Result<SocketAddr> {
        let mut process = Process::start(&self.name(), self.command().arg("run"), &self.log())?;
        let listening =
            process.next(COMMAND_TIMEOUT, "line that says where it listens", |line| {
                line.get("listening")?.as_str()?.parse::<SocketAddr>().ok()
            })?;
        self.tap.set_target(listening);
        self.process = Some(process);
        Ok(listening)
    }

    /// An error if it has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(process) = &mut self.process
            && !process.is_running()
        {
            return Err(process.failed("ended by itself"));
        }
        Ok(())
    }
}

fn last(mut printed: Vec<Value>) -> Value {
    printed.pop().unwrap_or(Value::Null)
}

/// All four, and the directory that they hand out.
#[derive(Debug)]
pub(crate) struct Nodes {
    pub(crate) a: Node,
    pub(crate) b: Node,
    pub(crate) c: Node,
    pub(crate) d: Node,
    pub(crate) directory: PathBuf,
    addresses: Addresses,
}

impl Nodes {
    /// Whether they can be told apart by the address that they connect from.
    pub(crate) const fn have_own_addresses(&self) -> bool {
        self.addresses.are_own()
    }

    /// Makes them, lets each know the others, and starts them.
    pub(crate) fn start(
        binaries: &Binaries,
        addresses: Addresses,
        root: &Path,
        story: &Story,
    ) -> Result<Self> {
        story.chapter("Four nodes");
        let node = |letter, recipient, party| {
            Node::init(letter, recipient, addresses.of(party), binaries, root)
        };
        let mut nodes = Self {
            a: node('A', false, 11)?,
            b: node('B', true, 12)?,
            c: node('C', true, 13)?,
            d: node('D', false, 14)?,
            directory: root.join("directory.json"),
            addresses,
        };
        let records: Vec<&Value> = nodes.all().iter().map(|node| &node.record).collect();
        let text = json!({ "layer_minus_directory": 1, "records": records }).to_string();
        fs::write(&nodes.directory, text).map_err(system("cannot write the directory"))?;
        let directory = nodes.directory.clone();
        for node in nodes.all_mut() {
            let rows = node.import(&directory)?;
            let row = rows.iter().find(|row| row["name"] == node.address.as_str());
            let key = row.and_then(|row| row["key"].as_str()).map(str::to_owned);
            node.key = key.ok_or_else(|| Error::Process {
                what: format!("{} does not accept its own record", node.name()),
                log: node.log(),
            })?;
            let listening = node.start()?;
            let kind = if node.recipient { "recipient" } else { "relay" };
            let text = format!("{kind} {} listens on {}", short(&node.address), node.ip);
            let details = json!({
                "node": node.address, "kind": kind, "key": node.key, "url": node.url(),
                "listening": listening.to_string(), "source": node.ip.to_string(),
            });
            story.step("node_started", &node.name(), &text, details);
        }
        Ok(nodes)
    }

    pub(crate) const fn all(&self) -> [&Node; 4] {
        [&self.a, &self.b, &self.c, &self.d]
    }

    const fn all_mut(&mut self) -> [&mut Node; 4] {
        [&mut self.a, &mut self.b, &mut self.c, &mut self.d]
    }

    /// An error if one has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.all_mut().into_iter().try_for_each(Node::check)
    }

    /// The node that connects from `ip`.
    pub(crate) fn at(&self, ip: IpAddr) -> Option<&Node> {
        self.all().into_iter().find(|node| node.ip == ip)
    }
}

/// The first digits of an address or key: enough to tell them apart here.
pub(crate) fn short(text: &str) -> String {
    let kept: String = text.chars().take(10).collect();
    if kept.len() < text.len() {
        format!("{kept}…")
    } else {
        kept
    }
}
