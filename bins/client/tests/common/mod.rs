//! Runs the client in folders of its own.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use layer_minus_http::clock;
use layer_minus_message::{Card, CardBody, FullCard, InboxToken, NodeRecord, Prices, RecordBody};
use layer_minus_seal::{SecretCertificate, Version};
use layer_minus_wallet::{Address, Wallet};
use rand::rngs::OsRng;
use serde_json::Value;

pub(crate) const PASSWORD: &str = "correct horse";

/// A folder with homes in it.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
}

/// What a run of the client left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ended by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one JSON object that it printed.
    pub(crate) fn json(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{}\n{}", self.stdout, self.stderr);
        lines.remove(0)
    }

    /// All JSON objects that it printed.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// That it failed with this code, and what it says of it in JSON.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> Value {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        let last = self.lines().pop().expect("an error is told");
        last["error"].clone()
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A command without password and with nothing of this machine's environment that counts.
    pub(crate) fn command(&self, home: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_client"));
        command
            .current_dir(self.folder.path())
            .env_remove("LAYER_MINUS_PASSWORD")
            .env_remove("LAYER_MINUS_HOME")
            .env_remove("XDG_DATA_HOME")
            .env("HOME", self.folder.path())
            .args(["--light-kdf", "--home", home]);
        command
    }

    /// Runs the client with the password in its environment.
    pub(crate) fn run(&self, home: &str, args: &[&str]) -> Ran {
        let mut command = self.command(home);
        Ran::of(
            command
                .env("LAYER_MINUS_PASSWORD", PASSWORD)
                .args(args)
                .output()
                .unwrap(),
        )
    }

    pub(crate) fn run_command(&self, command: &mut Command) -> Ran {
        Ran::of(command.stdin(std::process::Stdio::null()).output().unwrap())
    }
}

pub(crate) fn node_record(wallet: &Wallet, takes_clients: bool, url: &str) -> NodeRecord {
    let now = clock::now();
    let name = wallet.address().to_string();
    let certificate = SecretCertificate::generate(&mut OsRng, now, Version::V6, &name).unwrap();
    let body = RecordBody {
        network: "testnet".to_owned(),
        node: wallet.address(),
        cash: wallet.address(),
        certificate: certificate.certificate().to_bytes(),
        next_certificate: None,
        urls: vec![url.to_owned()],
        takes_clients,
        sizes: vec![16_000, 1_000_000],
        prices: Prices::default(),
        prices_until: now + 86_400,
        minimum_authorization: 1_000_000,
        retention_secs: 86_400,
        valid_from: now,
        valid_until: now + 86_400,
        sequence: 1,
    };
    NodeRecord::sign(wallet, body).unwrap()
}

/// A relay and a recipient at a port where nobody listens; returns the directory and the recipient.
pub(crate) fn dead_nodes(place: &Place) -> (PathBuf, Address) {
    let (relay, recipient) = (Wallet::generate(&mut OsRng), Wallet::generate(&mut OsRng));
    let url = "http://127.0.0.1:9/post";
    let lines: Vec<String> = [(&relay, false), (&recipient, true)]
        .map(|(wallet, takes)| {
            serde_json::to_string(&node_record(wallet, takes, url).signed).unwrap()
        })
        .into();
    (
        place.write("nodes.json", &lines.join("\n")),
        recipient.address(),
    )
}

/// Somebody's full card, as a file.
pub(crate) fn card_file(place: &Place, name: &str, node: Address) -> (PathBuf, Address, Card) {
    let wallet = Wallet::generate(&mut OsRng);
    let now = clock::now();
    let user_id = wallet.address().to_string();
    let certificate = SecretCertificate::generate(&mut OsRng, now, Version::V6, &user_id).unwrap();
    let body = CardBody {
        network: "testnet".to_owned(),
        wallet: wallet.address(),
        node,
        certificate: certificate.certificate().to_bytes(),
        valid_from: now,
        valid_until: now + 86_400,
        version: 1,
    };
    let card = Card::sign(&wallet, body).unwrap();
    let full = FullCard {
        card: card.signed.clone(),
        inbox: Some(InboxToken([5; 16])),
    };
    let path = place.write(name, &serde_json::to_string(&full).unwrap());
    (path, wallet.address(), card)
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
