//! The programs under test.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The `client` that was built for these tests.
pub fn client() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_client"))
}

/// A program by its name.
pub fn program(name: &str) -> PathBuf {
    match name {
        "client" => client(),
        name => sibling(name),
    }
}

/// A program of another package, next to the client.
///
/// Cargo builds only the client for these tests; the others are built once if they are not there.
pub fn sibling(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    let path = beside(name);
    if !path.is_file() {
        BUILT.get_or_init(build);
    }
    assert!(path.is_file(), "no program at {}", path.display());
    path
}

fn beside(name: &str) -> PathBuf {
    client().with_file_name(format!("{name}{}", env::consts::EXE_SUFFIX))
}

fn build() {
    let profile = client();
    let profile = profile.parent().expect("a folder");
    let target = profile.parent().expect("a target folder");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "-p", "relay", "-p", "recipient"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo starts");
    assert!(status.success(), "cargo build: {status}");
}
