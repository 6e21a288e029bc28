//! What holds for the workspace as a whole, by what cargo says of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// A test of the house reads its files.
#![allow(clippy::disallowed_methods)]

mod arrows;
mod dependencies;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use serde_json::Value;

/// The crates that do no IO, lowest first.
const PROTOCOL: [&str; 10] = [
    "packet",
    "wallet",
    "seal",
    "ledger",
    "delivery",
    "message",
    "routing",
    "node",
    "client-sdk",
    "core",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What cargo says of all packages that are built on this platform.
static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let ask = |program: &str, words: &[&str]| {
        let mut command = Command::new(program);
        let output = command.args(words).current_dir(root()).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {words:?}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    };
    let version = ask("rustc", &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let words = [
        "metadata",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
    ];
    let said = ask(&cargo, &[&words[..], &[host.unwrap()]].concat());
    serde_json::from_str(&said).unwrap()
});

fn packages() -> &'static [Value] {
    METADATA["packages"].as_array().unwrap()
}

/// The packages of the workspace.
fn members() -> impl Iterator<Item = &'static Value> {
    // Only ours come from no registry.
    packages()
        .iter()
        .filter(|package| package["source"].is_null())
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap()
}

/// The packages of the workspace that one is built from; those of its tests do not count.
fn ours(package: &Value) -> Vec<String> {
    let dependencies = package["dependencies"].as_array().unwrap();
    let built = dependencies.iter().filter(|it| it["kind"].is_null());
    let ours = built.filter_map(|it| name(it).strip_prefix("layer-minus-"));
    ours.map(str::to_owned).collect()
}
