//! Mail that other OpenPGP programs made: GnuPG to a v4 certificate, OpenPGP.js to a v6 one.
//!
//! A missing program skips its test, unless REQUIRE_INTEROP=1.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../tests/tools/mod.rs"]
mod tools;
mod world;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use world::{Person, World};

const WORDS: &str = "Grüße from another program";

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}

/// Bobo with that kind of certificate gets what `encrypt` made of (certificate, plain text, result).
fn bobo_reads(kind: &str, encrypt: impl Fn(&Person, &Path, &Path, &Path)) {
    let world = World::start();
    let bobo = world.person_with("bobo", &world.a, &["--certificate", kind]);
    let peter = world.person("peter", &world.d);
    bobo.register(&world.b, "$1.00");
    peter.register(&world.c, "$1.00");
    peter.befriend("bobo", &bobo);

    let [certificate, plain, sealed] =
        ["bobo.asc", "plain.txt", "sealed.pgp"].map(|n| peter.file(n));
    bobo.ok(&["card", "export", &certificate.to_string_lossy()]);
    fs::write(&plain, WORDS).unwrap();
    encrypt(&peter, &certificate, &plain, &sealed);
    peter
        .via(&["send", "bobo", "--pgp", &sealed.to_string_lossy()])
        .ok();

    let received = bobo.collect(1);
    assert_eq!(words_of(&received[0]), WORDS);
    // Nobody signed it as a letter, so it is nobody's.
    assert_eq!(
        (&received[0]["from"], &received[0]["signed"]),
        (&Value::Null, &false.into())
    );
}

fn words_of(received: &Value) -> String {
    match received["path"].as_str() {
        Some(path) => fs::read_to_string(path).unwrap(),
        None => received["text"].as_str().unwrap().to_owned(),
    }
}

#[test]
fn gnupg_writes_to_a_v4_certificate() {
    if !tools::have_gnupg() {
        return;
    }
    bobo_reads("v4", |peter, certificate, plain, sealed| {
        let home = peter.file("gnupg");
        fs::create_dir(&home).unwrap();
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir")
            .arg(&home)
            .args(["--batch", "--no-tty", "--compress-level", "0"]);
        gpg.arg("--recipient-file").arg(certificate);
        gpg.arg("--output").arg(sealed).arg("--encrypt").arg(plain);
        run(&mut gpg);
    });
}

#[test]
fn openpgp_js_writes_to_a_v6_certificate() {
    let Some(folder) = tools::openpgp_js() else {
        return;
    };
    bobo_reads("v6", |_, certificate, plain, sealed| {
        let script = include_str!("interop/encrypt.mjs");
        let mut node = Command::new("node");
        node.current_dir(&folder)
            .args(["--input-type=module", "--eval", script]);
        run(node.arg(certificate).arg(plain).arg(sealed));
    });
}

#[test]
fn what_is_left_out_is_counted() {
    tools::check_that_absence_is_counted(&[
        "gnupg_writes_to_a_v4_certificate",
        "openpgp_js_writes_to_a_v6_certificate",
    ]);
}
