//! Messages made and read by GnuPG, with a home folder of its own.

use std::{
    fs::Permissions,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
    thread,
};

use tempfile::TempDir;

use crate::{
    sample::{Inside, Sample},
    tools,
};

/// GnuPG with the keys of two people: RSA, and Curve25519.
pub(crate) struct GnuPg {
    home: TempDir,
    /// The key IDs of their encryption subkeys.
    rsa: String,
    curve: String,
}

impl GnuPg {
    /// `None` when there is no `gpg`.
    pub(crate) fn new() -> Option<Self> {
        if !tools::have_gnupg() {
            return None;
        }
        // The agent's socket lies in there, and its path must be short.
        let home = tempfile::Builder::new()
            .prefix("lm-gpg")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in("/tmp")
            .unwrap();
        let mut gnupg = Self {
            home,
            rsa: String::new(),
            curve: String::new(),
        };
        gnupg.run(
            &[
                "--quick-gen-key",
                "rsa@example.org",
                "rsa2048",
                "cert",
                "never",
            ],
            b"",
        );
        let fingerprint = gnupg.fields("rsa@example.org", "fpr").remove(0);
        gnupg.run(
            &["--quick-add-key", &fingerprint, "rsa2048", "encr", "never"],
            b"",
        );
        gnupg.run(
            &[
                "--quick-gen-key",
                "curve@example.org",
                "future-default",
                "-",
                "never",
            ],
            b"",
        );
        gnupg.rsa = gnupg.fields("rsa@example.org", "sub").remove(0);
        gnupg.curve = gnupg.fields("curve@example.org", "sub").remove(0);
        Some(gnupg)
    }

    /// The key ID or fingerprint of that record type in the machine-readable key list.
    fn fields(&self, user: &str, record: &str) -> Vec<String> {
        let field = if record == "fpr" { 9 } else { 4 };
        let list = self.run(&["--with-colons", "--list-keys", user], b"");
        String::from_utf8(list)
            .unwrap()
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .filter(|fields| fields[0] == record)
            .map(|fields| fields[field].to_ascii_lowercase())
            .collect()
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let (ok, output, errors) = self.try_run(arguments, input);
        assert!(ok, "gpg {arguments:?}: {errors}");
        output
    }

    fn try_run(&self, arguments: &[&str], input: &[u8]) -> (bool, Vec<u8>, String) {
        let mut child = Command::new("gpg")
            .arg("--homedir")
            .arg(self.home.path())
            .args([
                "--batch",
                "--yes",
                "--quiet",
                "--no-tty",
                // From version 2.4 on its own keys ask for a packet that only GnuPG knows (tag 20).
                "--rfc4880",
                "--trust-model",
                "always",
            ])
            .args(["--pinentry-mode", "loopback", "--passphrase", ""])
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        thread::scope(|scope| {
            // It may stop reading early; what it then says tells more than a broken pipe.
            scope.spawn(move || drop(stdin.write_all(input)));
            let output = child.wait_with_output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.success(), output.stdout, errors)
        })
    }

    /// Whom `gpg --list-packets` says the PKESKs name. That it cannot open them does not matter.
    pub(crate) fn recipients(&self, octets: &[u8]) -> Vec<String> {
        let (_, list, _) = self.try_run(&["--list-packets"], octets);
        String::from_utf8_lossy(&list)
            .lines()
            .filter(|line| line.starts_with(":pubkey enc packet:"))
            .map(
                |line| match line.rsplit(' ').next().unwrap().to_ascii_lowercase() {
                    id if id == "0".repeat(16) => "wildcard".to_owned(),
                    id => id,
                },
            )
            .collect()
    }

    /// Messages of every kind that GnuPG makes.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        const RSA: &str = "rsa@example.org";
        const CURVE: &str = "curve@example.org";
        const PLAIN: [&str; 2] = ["--compress-algo", "none"];
        let (rsa, curve) = (self.rsa.as_str(), self.curve.as_str());
        let small = &b"Hello Bobo"[..];
        let big = &(0..1_000_000u32)
            .map(|i| (i % 251) as u8)
            .collect::<Vec<_>>()[..];
        let plain = |arguments: &[&'static str]| [&PLAIN[..], arguments].concat();
        [
            ("RSA", plain(&["-e", "-r", RSA]), vec![rsa], small),
            (
                "Curve25519",
                plain(&["-e", "-r", CURVE]),
                vec![curve],
                small,
            ),
            (
                "two",
                plain(&["-e", "-r", CURVE, "-r", RSA]),
                vec![curve, rsa],
                small,
            ),
            (
                "hidden",
                plain(&["-e", "-R", CURVE]),
                vec!["wildcard"],
                small,
            ),
            (
                "one hidden",
                plain(&["-e", "-R", RSA, "-r", CURVE]),
                // GnuPG writes them in the order of its own list.
                vec!["wildcard", curve],
                small,
            ),
            (
                "all hidden",
                plain(&["-e", "--throw-keyids", "-r", RSA, "-r", CURVE]),
                vec!["wildcard", "wildcard"],
                small,
            ),
            ("compressed", vec!["-e", "-r", CURVE], vec![curve], small),
            (
                "signed",
                plain(&["-se", "-u", CURVE, "-r", RSA]),
                vec![rsa],
                small,
            ),
            (
                "with a password",
                plain(&["-ce", "--passphrase", "secret", "-r", CURVE]),
                vec![curve],
                small,
            ),
            ("1 MB", plain(&["-e", "-r", CURVE]), vec![curve], big),
            (
                "1 MB signed",
                plain(&["-se", "-u", CURVE, "-r", CURVE]),
                vec![curve],
                big,
            ),
            ("1 MB compressed", vec!["-e", "-r", RSA], vec![rsa], big),
            (
                "AES-192",
                plain(&["-e", "--cipher-algo", "AES192", "-r", CURVE]),
                vec![curve],
                small,
            ),
            (
                "3DES",
                plain(&["-e", "--cipher-algo", "3DES", "-r", CURVE]),
                vec![curve],
                small,
            ),
            (
                "from a file",
                plain(&["-e", "-r", CURVE]),
                vec![curve],
                small,
            ),
            ("empty", plain(&["-e", "-r", CURVE]), vec![curve], b""),
        ]
        .into_iter()
        .map(|(name, mut arguments, recipients, content)| {
            let file = self.home.path().join("content");
            if name == "from a file" {
                // Then it knows the length beforehand.
                std::fs::write(&file, content).unwrap();
                arguments = [
                    &["--output", "-"],
                    &arguments[..],
                    &[file.to_str().unwrap()],
                ]
                .concat();
            }
            let octets = self.run(&arguments, content);
            let has_password = name == "with a password";
            let inside = (!has_password).then(|| {
                let plaintext = self.run(&["--unwrap"], &octets);
                if name.contains("compressed") {
                    Inside::Compressed(plaintext)
                } else {
                    let signatures = usize::from(name.contains("signed"));
                    Inside::Content {
                        plaintext,
                        content: content.to_vec(),
                        signatures,
                    }
                }
            });
            Sample {
                name: format!("GnuPG: {name}"),
                octets,
                recipients: recipients.into_iter().map(str::to_owned).collect(),
                has_password,
                inside,
            }
        })
        .collect()
    }
}

impl Drop for GnuPg {
    /// Ends the agent, which would otherwise outlive the test.
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--kill", "all"])
            .status();
    }
}
