//! The programs under test.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// A program by its name, in the folder above the one of this test.
///
/// Cargo builds only the tested package's for a test; the others are built once if they are not there.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    let path = profile().join(format!("{name}{}", env::consts::EXE_SUFFIX));
    if !path.is_file() {
        BUILT.get_or_init(build);
    }
    assert!(path.is_file(), "no program at {}", path.display());
    path
}

/// The folder of all that is built with this test's profile.
fn profile() -> PathBuf {
    let test = env::current_exe().expect("a path");
    let deps = test.parent().expect("a folder");
    deps.parent().expect("a profile").to_owned()
}

fn build() {
    let profile = profile();
    let target = profile.parent().expect("a target folder");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "-p", "relay", "-p", "recipient", "-p", "client"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo starts");
    assert!(status.success(), "cargo build: {status}");
}
