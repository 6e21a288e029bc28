//! What is depended on: that the stated Rust is enough for it, and that it is said what it is for.

use std::collections::BTreeSet;

use super::*;

fn version(text: &str) -> Vec<u64> {
    let parts = text.split('.').map(|part| part.parse::<u64>());
    parts.collect::<Result<_, _>>().unwrap()
}

#[test]
fn no_dependency_needs_a_newer_rust_than_we_say() {
    let core = members()
        .find(|package| name(package) == "layer-minus-core")
        .unwrap();
    let ours = version(core["rust_version"].as_str().unwrap());
    for package in packages() {
        if let Some(needs) = package["rust_version"].as_str() {
            let which = format!("{} {}", name(package), package["version"]);
            assert!(version(needs) <= ours, "{which} needs Rust {needs}");
        }
    }
    for package in members() {
        assert_eq!(
            package["rust_version"],
            core["rust_version"],
            "{}",
            name(package)
        );
    }
}

/// The names before `=` in a section of a manifest.
fn section(manifest: &str, title: &str) -> BTreeSet<String> {
    let lines = manifest.lines().skip_while(|line| *line != title).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned()));
    names
        .filter(|name| !name.starts_with('#') && !name.starts_with("layer-minus-"))
        .collect()
}

#[test]
fn it_is_said_what_every_dependency_is_for() {
    let mut direct = section(&text("Cargo.toml"), "[workspace.dependencies]");
    assert!(direct.len() > 40, "{direct:?}");
    direct.extend(section(&text("fuzz/Cargo.toml"), "[dependencies]"));
    let package: Value = serde_json::from_str(&text("tests/js/package.json")).unwrap();
    let scripts = package["dependencies"].as_object().unwrap();
    direct.extend(scripts.keys().cloned());

    let page = text("docs/dependencies.md");
    let first_cells = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let said: BTreeSet<String> = first_cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    let missing: Vec<&String> = direct.difference(&said).collect();
    assert!(
        missing.is_empty(),
        "docs/dependencies.md does not name {missing:?}"
    );
    let gone: Vec<&String> = said.difference(&direct).collect();
    assert!(
        gone.is_empty(),
        "docs/dependencies.md names {gone:?}, which nobody uses"
    );
}
