//! GnuPG (2.2 and later): what it makes for us we open, what we make it opens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// A test may read files and make keys by chance.
#![allow(clippy::disallowed_methods)]

mod common;
#[path = "../../../tests/tools/mod.rs"]
mod tools;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use common::{ADDRESS, SIZES, party, random, rng};
use layer_minus_packet::{SeipdVersion, admit_message};
use layer_minus_seal::{
    Certificate, Keyring, SealError, SecretCertificate, Version, layer_capacity, open_layer,
    open_message, seal_layer,
};
use tempfile::TempDir;

const LIMIT: usize = 3_000_000;

/// A GnuPG with a home of its own, whose agent ends with it.
struct Gpg {
    home: TempDir,
}

impl Gpg {
    /// `None`, with a hint, where GnuPG is not installed.
    fn new() -> Option<Self> {
        let home = || tempfile::Builder::new().prefix("gpg").tempdir().unwrap();
        tools::have_gnupg().then(|| Self { home: home() })
    }

    fn try_run(&self, args: &[&str], stdin: &[u8]) -> Output {
        let mut child = Command::new("gpg")
            .args([
                "--batch",
                "--no-tty",
                "--trust-model",
                "always",
                "--no-permission-warning",
                "--pinentry-mode",
                "loopback",
            ])
            .arg("--homedir")
            .arg(self.home.path())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let input = stdin.to_vec();
        let writer = std::thread::spawn(move || pipe.write_all(&input));
        let output = child.wait_with_output().unwrap();
        let _ = writer.join();
        output
    }

    fn run(&self, args: &[&str], stdin: &[u8]) -> Vec<u8> {
        let output = self.try_run(args, stdin);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gpg {args:?}: {said}");
        output.stdout
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// A key of GnuPG's own: its certificate and its unlocked secret key.
    fn generate(&self, name: &str, kind: &str) -> (Vec<u8>, Vec<u8>) {
        self.run(
            &[
                "--passphrase",
                "",
                "--quick-gen-key",
                name,
                kind,
                "default",
                "never",
            ],
            b"",
        );
        if kind.starts_with("rsa") {
            // Of a named kind it makes the primary key only.
            let listed = self.run(&["--list-keys", "--with-colons", name], b"");
            let listed = String::from_utf8(listed).unwrap();
            let line = listed
                .lines()
                .find(|line| line.starts_with("fpr:"))
                .unwrap();
            let primary = line.split(':').nth(9).unwrap();
            self.run(
                &[
                    "--passphrase",
                    "",
                    "--quick-add-key",
                    primary,
                    kind,
                    "encr",
                    "never",
                ],
                b"",
            );
        }
        (
            self.run(&["--export", name], b""),
            self.run(&["--passphrase", "", "--export-secret-keys", name], b""),
        )
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--kill", "all"])
            .output();
    }
}

fn fingerprint(secret: &SecretCertificate) -> String {
    secret.certificate().fingerprint().to_string()
}

#[test]
fn it_imports_our_version_4_and_knows_its_parts() {
    let Some(gpg) = Gpg::new() else { return };
    let secret = party(Version::V4);
    gpg.run(
        &["--import"],
        secret.to_armored_secret().unwrap().as_bytes(),
    );
    let listed = gpg.run(&["--list-secret-keys", "--with-colons"], b"");
    let listed = String::from_utf8(listed).unwrap();
    let field = |record: &str, at: usize| {
        let line = listed
            .lines()
            .find(|line| line.starts_with(record))
            .unwrap();
        line.split(':').nth(at).unwrap().to_owned()
    };
    assert_eq!(field("sec:", 5), common::NOW.to_string());
    assert!(field("uid:", 9).contains(ADDRESS));
    let subkey = secret.certificate().encryption_key_id().to_string();
    assert_eq!(field("ssb:", 4).to_lowercase(), subkey);
    assert_eq!(field("ssb:", 11), "e");
    assert!(listed.to_lowercase().contains(&fingerprint(&secret)));
}

#[test]
fn it_opens_what_we_seal_to_our_exported_key() {
    let Some(gpg) = Gpg::new() else { return };
    let secret = party(Version::V4);
    gpg.run(&["--import"], &secret.to_bytes());
    for size in SIZES {
        let body = random(layer_capacity(size));
        let packet = seal_layer(&mut rng(), &secret.certificate(), &[&body], size).unwrap();
        let opened = gpg.run(&["--decrypt"], &packet);
        assert!(opened.starts_with(&body));
        assert!(opened[body.len()..].iter().all(|&octet| octet == 0));
    }
}

#[test]
fn we_open_what_it_encrypts_to_us() {
    let Some(gpg) = Gpg::new() else { return };
    let secret = party(Version::V4);
    let to = fingerprint(&secret);
    gpg.run(&["--import"], &secret.certificate().to_bytes());
    let (_, _) = gpg.generate("sender", "ed25519");
    let (_, _) = gpg.generate("other", "default");
    let ring = Keyring::from(secret.clone());
    for content in [
        b"Hello Bobo".to_vec(),
        random(1_000_000),
        b"line\n".repeat(100_000),
    ] {
        let path = gpg.file("letter.txt", &content);
        let path = path.to_str().unwrap();
        for args in [
            vec!["--encrypt"],
            vec!["--encrypt", "--armor"],
            vec!["--sign", "--encrypt", "-u", "sender", "--passphrase", ""],
            vec!["--encrypt", "-r", "other"],
            vec!["--encrypt", "-R", "other"],
            vec!["--encrypt", "--disable-mdc"],
        ] {
            // From a file it knows the length, from a pipe it writes partial lengths.
            for (file, stdin) in [(Some(path), &b""[..]), (None, &content)] {
                let mut args = args.clone();
                args.extend(["-r", &to, "--output", "-"]);
                args.extend(file);
                let message = gpg.run(&args, stdin);
                let opened = open_message(&message, &ring, LIMIT)
                    .unwrap_or_else(|why| panic!("{args:?} {}: {why}", content.len()));
                assert!(opened.body == content, "another content: {args:?}");
                assert_eq!(opened.filename.as_deref(), file.map(|_| "letter.txt"));
                assert_eq!(opened.recipient, secret.certificate().encryption_key());
            }
        }
    }
}

#[test]
fn it_uses_aes_256_and_does_not_compress_for_us() {
    let Some(gpg) = Gpg::new() else { return };
    let secret = party(Version::V4);
    gpg.run(&["--import"], &secret.to_bytes());
    let message = gpg.run(
        &["--encrypt", "-r", &fingerprint(&secret)],
        &[b'a'; 100_000],
    );
    assert!(message.len() > 100_000, "compressed");
    let layout = admit_message(&message).unwrap();
    assert_eq!(layout.version(), &SeipdVersion::V1);
    let shown = gpg.try_run(&["--decrypt", "--show-session-key"], &message);
    let said = String::from_utf8_lossy(&shown.stderr).into_owned();
    // The session key is printed as "<cipher>:<hex>"; 9 is AES-256, 2 would be 3DES.
    assert!(said.contains("session key: '9:"), "{said}");
}

#[test]
fn what_it_compresses_when_told_to_is_refused_with_a_hint() {
    let Some(gpg) = Gpg::new() else { return };
    let secret = party(Version::V4);
    gpg.run(&["--import"], &secret.certificate().to_bytes());
    let to = fingerprint(&secret);
    let message = gpg.run(
        &["--encrypt", "-r", &to, "--compress-algo", "zip", "-z", "9"],
        &[b'a'; 100_000],
    );
    let refused = open_message(&message, &Keyring::from(secret), LIMIT).unwrap_err();
    assert_eq!(refused, SealError::Compressed);
    assert!(refused.to_string().contains("gpg -z 0"));
}

#[test]
fn other_ciphers_and_hidden_recipients_are_refused() {
    let Some(gpg) = Gpg::new() else { return };
    let secret = party(Version::V4);
    gpg.run(&["--import"], &secret.certificate().to_bytes());
    let to = fingerprint(&secret);
    let ring = Keyring::from(secret);
    for cipher in ["3DES", "CAMELLIA256", "TWOFISH"] {
        let message = gpg.run(&["--encrypt", "-r", &to, "--cipher-algo", cipher], b"x");
        assert!(matches!(
            open_message(&message, &ring, LIMIT),
            Err(SealError::Algorithm(_))
        ));
    }
    for cipher in ["AES", "AES192", "AES256"] {
        let message = gpg.run(&["--encrypt", "-r", &to, "--cipher-algo", cipher], b"x");
        assert_eq!(open_message(&message, &ring, LIMIT).unwrap().body, b"x"[..]);
    }
    let message = gpg.run(&["--encrypt", "-R", &to], b"x");
    assert_eq!(open_message(&message, &ring, LIMIT), Err(SealError::NoKey));
}

#[test]
fn its_own_keys_work_both_ways() {
    let Some(gpg) = Gpg::new() else { return };
    for (name, kind) in [("modern", "future-default"), ("rsa", "rsa2048")] {
        let (certificate, exported) = gpg.generate(name, kind);
        let certificate =
            Certificate::from_bytes(&certificate).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(certificate.user_id().as_deref(), Some(name));
        let content = random(20_000);
        let packet = seal_layer(&mut rng(), &certificate, &[&content], 30_000).unwrap();
        let opened = gpg.run(&["--passphrase", "", "--decrypt"], &packet);
        assert!(opened.starts_with(&content), "{name}");
        match SecretCertificate::from_bytes(&exported) {
            Ok(secret) => {
                let ring = Keyring::from(secret);
                assert!(
                    open_layer(&packet, &ring)
                        .unwrap()
                        .body
                        .starts_with(&content)
                );
                let message = gpg.run(&["--rfc4880", "--encrypt", "-r", name, "-z", "0"], &content);
                assert_eq!(open_message(&message, &ring, LIMIT).unwrap().body, content);
            }
            Err(why) => {
                assert_eq!(
                    why,
                    SealError::SecretKey("only X25519, X448 and ECDH keys open")
                );
                assert_eq!(name, "rsa");
            }
        }
    }
}
