//! Programs of others that tests of several packages need, and the one way of doing without: the test
//! ends early after a line that `.ci/test` counts. `REQUIRE_INTEROP=1` makes the absence a failure.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::{
    env,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
};

/// How a line begins that says that a test was left out.
pub const LEFT_OUT: &str = "SKIPPED: ";
/// The oldest Node.js that OpenPGP.js runs on.
pub const NODE_VERSION_MIN: u32 = 18;

/// Whether GnuPG is there; if not, the test is left out.
pub fn have_gnupg() -> bool {
    let found = said(Command::new("gpg").arg("--version")).is_some();
    found || left_out("GnuPG", "apt-get install gnupg")
}

/// The folder with OpenPGP.js, if it and a Node.js that runs it are there; if not, the test is left
/// out.
pub fn openpgp_js() -> Option<PathBuf> {
    npm("OpenPGP.js", &["openpgp"])
}

/// The folder in whose `node_modules` these packages are, if they and a Node.js that runs them are there;
/// if not, the test is left out.
pub fn npm(name: &str, packages: &[&str]) -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/js"));
    let version = said(Command::new("node").arg("--version"));
    let is_new = version.is_some_and(|text| major(&text) >= NODE_VERSION_MIN);
    let modules = folder.join("node_modules");
    let is_there = |package: &&str| modules.join(package).join("package.json").is_file();
    if is_new && packages.iter().all(is_there) {
        return Some(folder);
    }
    let what = format!("{name} on Node.js {NODE_VERSION_MIN} or newer");
    left_out(
        &what,
        "apt-get install nodejs npm && npm ci --prefix tests/js",
    );
    None
}

/// Runs a script of this package on Node.js: it is told the folder of packages, reads `input` and
/// returns what it prints.
pub fn on_node(script: &str, folder: &Path, input: &[u8]) -> Vec<u8> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let mut child = Command::new("node")
        .arg(script)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        // A script that ends early says why by its exit code.
        scope.spawn(move || drop(stdin.write_all(input)));
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "node ended with {}", output.status);
        output.stdout
    })
}

/// Whether there is a `script`, which gives a program a terminal; if not, the test is left out.
pub fn have_terminal() -> bool {
    let found = said(Command::new("script").arg("--version")).is_some();
    found || left_out("script", "apt-get install bsdutils")
}

/// `v20.11.1` is 20; 0 if it is no version.
fn major(version: &str) -> u32 {
    let digits = version.trim().trim_start_matches('v').split('.').next();
    digits.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn said(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

/// Says that this test is left out, past the harness, which keeps what tests print. False, so that it
/// can end a condition.
fn left_out(what: &str, install: &str) -> bool {
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test");
    let package = env!("CARGO_PKG_NAME");
    // One write, on a line of its own: other tests print at the same time.
    let line = format!("\n{LEFT_OUT}{package} {test}: no {what}; {install}\n");
    assert!(
        env::var_os("REQUIRE_INTEROP").is_none_or(|value| value != "1"),
        "{line}"
    );
    io::stderr().write_all(line.as_bytes()).unwrap();
    false
}

/// That each of these tests of the same program, run where no program is found, says so on a line of
/// its own, and fails where nothing may be left out.
pub fn check_that_absence_is_counted(tests: &[&str]) {
    let run = |require: &str| -> Output {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(tests).arg("--exact");
        command.env("PATH", "").env("REQUIRE_INTEROP", require);
        command.stdin(Stdio::null()).output().unwrap()
    };
    let output = run("0");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    let counted = errors.lines().filter(|line| line.starts_with(LEFT_OUT));
    assert_eq!(counted.count(), tests.len(), "{errors}");
    for test in tests {
        assert!(errors.contains(&format!(" {test}: no ")), "{errors}");
    }
    assert!(!run("1").status.success());
}
