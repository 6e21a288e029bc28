//! The whole story with the real programs; and with real programs that lie about one thing, which
//! must be noticed.
#![cfg(target_os = "linux")] // Every party has a loopback address of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;
use tempfile::TempDir;

const PROGRAMS: [&str; 3] = ["relay", "recipient", "client"];

/// A program next to the launcher under test. Cargo builds only the launcher for these tests; the
/// others are built once if they are not there.
fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    let path = beside(name);
    if !path.is_file() {
        BUILT.get_or_init(build);
    }
    assert!(path.is_file(), "no program at {}", path.display());
    path
}

fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_devnet")).with_file_name(name)
}

fn build() {
    let profile = Path::new(env!("CARGO_BIN_EXE_devnet")).parent().unwrap();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "-p", "relay", "-p", "recipient", "-p", "client"])
        .arg("--target-dir")
        .arg(profile.parent().unwrap())
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success());
}

/// A folder with the three programs; `scripts` stand in for some, and find the real one in `$real`.
fn programs(scripts: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::with_prefix("devnet-").unwrap();
    fs::create_dir(folder.path().join("tmp")).unwrap();
    for name in PROGRAMS {
        let (real, path) = (program(name), folder.path().join(name));
        match scripts.iter().find(|(lying, _)| *lying == name) {
            None => symlink(real, path).unwrap(),
            Some((_, script)) => {
                let real = real.display();
                fs::write(&path, format!("#!/bin/sh\nreal='{real}'\n{script}\n")).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
            }
        }
    }
    folder
}

fn devnet(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_devnet"));
    command
        .env("TMPDIR", folder.join("tmp"))
        .args(["--json", "--bins"])
        .arg(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn left_behind(folder: &Path) -> usize {
    fs::read_dir(folder.join("tmp")).unwrap().count()
}

fn amount(object: &Value, field: &str) -> u64 {
    let text = object[field].as_str();
    let text = text.unwrap_or_else(|| panic!("'{field}' is no string in {object}"));
    text.parse().unwrap()
}

fn step<'a>(lines: &'a [Value], step: &str, who: &str) -> &'a Value {
    let found = lines
        .iter()
        .find(|line| line["step"] == step && line["who"] == who);
    found.unwrap_or_else(|| panic!("no '{step}' of {who} in {lines:?}"))
}

#[test]
fn the_story_ends_well_and_the_network_can_be_kept() {
    let folder = programs(&[]);
    let mut child = devnet(folder.path()).arg("--keep").spawn().unwrap();
    let mut lines: Vec<Value> = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        lines.push(serde_json::from_str(&line.unwrap()).unwrap());
        if lines.last().unwrap().get("summary").is_some() {
            break;
        }
    }
    let last = lines.last().expect("a line");
    let summary = last.get("summary");
    let summary = summary.unwrap_or_else(|| panic!("it ended with {last}"));
    for field in [
        "delivered_online",
        "delivered_offline",
        "file_sha256_ok",
        "ledger_balanced",
    ] {
        assert_eq!(summary[field], true, "{field}");
    }
    // Two packets of a message and four of a file come in and go out; Bobo sends four packets that
    // count (two to register, two to listen), Peter two, and each asks once what it cost.
    let bytes = 2 * (2 * 16_000 + 4 * 1_000_000) + (4 + 2 + 2) * 16_000;
    assert_eq!(amount(summary, "bytes_passed"), bytes);
    let storage = amount(summary, "storage_pusd");
    // Four packets of 1 MB waited for three seconds at least, counted in whole ones.
    assert!(storage >= 4 * 2 * 1_000 * 14 / 3_600, "{storage}");
    assert_eq!(amount(summary, "charged_pusd"), 20 * bytes + storage);
    assert_eq!(amount(summary, "relay_credited_pusd"), 10 * bytes);
    for (who, ips) in [
        ("Node A", vec!["127.0.0.21"]),
        ("Node B", vec!["127.0.0.11", "127.0.0.14"]),
        ("Node C", vec!["127.0.0.14"]),
        ("Node D", vec!["127.0.0.22"]),
        ("Bobo", vec![]),
        ("Peter", vec![]),
    ] {
        assert_eq!(step(&lines, "saw", who)["ips"], Value::from(ips), "{who}");
    }
    let wallet = |who| step(&lines, "person", who)["wallet"].as_str().unwrap();
    for (who, knows) in [
        ("Node B", "Bobo"),
        ("Node C", "Peter"),
        ("Bobo", "Peter"),
        ("Peter", "Bobo"),
    ] {
        let expected = Value::from(vec![wallet(knows).to_lowercase()]);
        assert_eq!(step(&lines, "saw", who)["wallets"], expected, "{who}");
    }

    // What it printed to try can be tried.
    let commands = step(&lines, "kept", "devnet")["commands"].as_array();
    let commands = commands.unwrap().iter().map(|line| line.as_str().unwrap());
    let (tries, set_up): (Vec<&str>, Vec<&str>) =
        commands.partition(|line| line.starts_with("bobo ") || line.starts_with("peter "));
    let status = tries.iter().find(|line| line.starts_with("bobo status"));
    let set_up = set_up
        .iter()
        .filter(|line| line.starts_with("export ") || line.contains("() {"));
    let script = set_up.chain(status).copied().collect::<Vec<_>>().join("\n");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("0x"),
        "{script}: {said} {output:?}"
    );

    assert!(child.try_wait().unwrap().is_none(), "it was to be kept");
    let mut kill = Command::new("kill");
    assert!(
        kill.args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(left_behind(folder.path()), 0);
}

/// Runs the story with a program that lies; it must be found out.
fn caught(lying: &str, script: &str, word: &str) {
    let folder = programs(&[(lying, script)]);
    let output = devnet(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{last}");
    let error = last["error"].as_str().unwrap_or_default();
    assert!(
        error.starts_with("differs: ") && error.contains(word),
        "{error}"
    );
    assert_eq!(
        left_behind(folder.path()),
        1,
        "nothing is left to look into"
    );
}

/// The node's `status` with a change by sed.
fn status_with(change: &str) -> String {
    format!(
        "case \" $* \" in *\" status \"*) \"$real\" \"$@\" | sed '{change}' ;; *) exec \"$real\" \"$@\" ;; esac"
    )
}

#[test]
fn a_charge_of_one_picodollar_too_much_is_noticed() {
    // Both say it: the node to its operator, the client what the node told it.
    let script = r#"case " $* " in *" status "*)
said=$("$real" "$@") || exit 1
charged=$(echo "$said" | sed -n 's/.*"charged_pusd":"\([0-9]*\)".*/\1/p')
echo "$said" | sed "s/\"charged_pusd\":\"$charged\"/\"charged_pusd\":\"$((charged + 1))\"/" ;;
*) exec "$real" "$@" ;; esac"#;
    caught("recipient", script, "charged");
}

#[test]
fn storage_for_nothing_is_noticed() {
    // The sum of the charges stays right: only what the taps saw tells.
    let script = r#"case " $* " in *" status "*)
said=$("$real" "$@") || exit 1
value() { echo "$said" | sed -n "s/.*\"$1\":\"\([0-9]*\)\".*/\1/p"; }
charged=$(value charged_pusd) storage=$(value storage_pusd)
echo "$said" | sed "s/\"charged_pusd\":\"$charged\"/\"charged_pusd\":\"$((charged - storage))\"/; \
    s/\"storage_pusd\":\"$storage\"/\"storage_pusd\":\"0\"/" ;;
*) exec "$real" "$@" ;; esac"#;
    caught("recipient", script, "storage");
}

#[test]
fn an_invented_lane_is_noticed() {
    let lane = r#"{"node":"0x0000000000000000000000000000000000000001","credited_pusd":"0"}"#;
    let change = format!(r#"s/"lanes":\[/"lanes":[{lane},/"#);
    caught("recipient", &status_with(&change), "lane");
}

#[test]
fn an_address_in_the_log_is_noticed() {
    let script =
        "case \" $* \" in *\" run \"*) echo 'seen 127.0.0.21' >&2 ;; esac; exec \"$real\" \"$@\"";
    caught("recipient", script, "Bobo's IP address");
}

#[test]
fn an_address_in_what_a_node_prints_is_noticed() {
    let script = "case \" $* \" in *\" clients \"*) \"$real\" \"$@\" | sed 's/{/{\"ip\":\"10.9.8.7\",/' ;; \
        *) exec \"$real\" \"$@\" ;; esac";
    caught("recipient", script, "10.9.8.7");
}

#[test]
fn a_wallet_in_a_relays_log_is_noticed() {
    let wallet = "0x00000000000000000000000000000000000000Aa";
    let script = format!(
        "case \" $* \" in *\" run \"*) echo 'client {wallet}' >&2 ;; esac; exec \"$real\" \"$@\""
    );
    caught("relay", &script, &wallet.to_lowercase());
}
