//! What is committed is what the sources give.

use std::path::Path;
use std::process::Command;

use crate::anvil::installation;

#[test]
fn the_committed_artifacts_are_a_fresh_compile_of_the_sources() {
    let Some(folder) = installation() else { return };
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts");
    let compiled = Command::new("node")
        .arg(contracts.join("compile.mjs"))
        .arg(folder)
        .arg("--check")
        .output()
        .unwrap();
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
}
