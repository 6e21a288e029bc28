//! Says whom OpenPGP messages are for, without opening them.
//!
//! ```text
//! cargo run --example extract_key_id -- FILE…
//! ```
//! Each file is one OpenPGP message, binary or armored. Prints one JSON line for each:
//! `{"file", "recipients", "wildcard"}`, where the recipients are lowercase hexadecimal in the
//! order of the message (16 digits for a key ID, the whole fingerprint for a version 6 packet)
//! and `wildcard` says whether there is an anonymous one besides; or `{"file", "error"}`.
//! A message that is addressed to nobody (encrypted to a password only, signed, plain) has an
//! empty list.
//!
//! Exit code: 0, or 1 when a file cannot be read, or 2 when none is named. Holds at most a
//! bounded prefix of a file, however large that is.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{
    fs::File,
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use layer_minus_packet::{HEAD_MAX, ReadError, armor, is_unaddressed, read_head};
use serde::Serialize;

/// What is read first: enough for any ordinary message.
const PREFIX_MIN: usize = 1 << 16;
/// What is read at most: the longest head there may be, armored.
const PREFIX_MAX: usize = 2 * HEAD_MAX;

/// One line of output.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Line {
    Read {
        file: String,
        recipients: Vec<String>,
        wildcard: bool,
    },
    Failed {
        file: String,
        error: String,
    },
}

/// Why there is no answer: only the first is the file's fault.
enum Failure {
    Io(io::Error),
    Message(String),
}

fn main() -> ExitCode {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if files.is_empty() {
        eprintln!("usage: extract_key_id FILE…");
        return ExitCode::from(2);
    }
    let mut code = ExitCode::SUCCESS;
    let mut out = io::stdout().lock();
    for file in files {
        let (line, readable) = line_of(&file);
        if !readable {
            code = ExitCode::FAILURE;
        }
        let written = serde_json::to_string(&line)
            .map_err(io::Error::from)
            .and_then(|text| writeln!(out, "{text}"));
        if written.is_err() {
            // Nobody reads any more.
            return ExitCode::FAILURE;
        }
    }
    code
}

/// The line for a file, and whether the file could be read.
fn line_of(path: &Path) -> (Line, bool) {
    let file = path.to_string_lossy().into_owned();
    match File::open(path).map_err(Failure::Io).and_then(examine) {
        Ok((recipients, wildcard)) => (
            Line::Read {
                file,
                recipients,
                wildcard,
            },
            true,
        ),
        Err(Failure::Message(error)) => (Line::Failed { file, error }, true),
        Err(Failure::Io(error)) => (
            Line::Failed {
                file,
                error: error.to_string(),
            },
            false,
        ),
    }
}

/// Reads as little as gives an answer.
fn examine(mut source: impl Read) -> Result<(Vec<String>, bool), Failure> {
    let mut prefix = Vec::new();
    let mut wanted = PREFIX_MIN;
    loop {
        let missing = (wanted - prefix.len()) as u64;
        (&mut source)
            .take(missing)
            .read_to_end(&mut prefix)
            .map_err(Failure::Io)?;
        let ended = prefix.len() < wanted;
        match recipients(&prefix) {
            Err(Answer::More) if !ended && wanted < PREFIX_MAX => wanted *= 2,
            Err(Answer::More) if !ended => {
                let error = format!("no encrypted data within the first {PREFIX_MAX} octets");
                return Err(Failure::Message(error));
            }
            Err(Answer::More) => {
                return Err(Failure::Message(
                    "the file ends inside the message's head".into(),
                ));
            }
            Err(Answer::Wrong(error)) => return Err(Failure::Message(error)),
            Ok(answer) => return Ok(answer),
        }
    }
}

enum Answer {
    /// Not enough of the message is there.
    More,
    /// It is no message.
    Wrong(String),
}

/// The named recipients of the message that starts with `prefix`, and whether there is a wildcard.
fn recipients(prefix: &[u8]) -> Result<(Vec<String>, bool), Answer> {
    let decoded;
    let message = if armor::is_armored(prefix) {
        decoded = match armor::dearmor_prefix(prefix, PREFIX_MAX) {
            Ok(decoded) => decoded,
            Err(armor::ArmorError::Headers { .. }) if prefix.len() < PREFIX_MIN => {
                return Err(Answer::More);
            }
            Err(error) => return Err(Answer::Wrong(error.to_string())),
        };
        if decoded.complete && decoded.bytes.is_empty() {
            return Err(Answer::Wrong("the armor is empty".into()));
        }
        &decoded.bytes
    } else if prefix.starts_with(b"-----") {
        return Err(Answer::Wrong(armor::ArmorError::NotArmored.to_string()));
    } else {
        prefix
    };
    match read_head(message) {
        Ok(head) => {
            let named = head.recipients().filter(|one| !one.is_wildcard());
            Ok((
                named.map(|one| one.to_string()).collect(),
                head.has_wildcard(),
            ))
        }
        Err(ReadError::NoRecipient { .. }) if is_unaddressed(message) => Ok((Vec::new(), false)),
        Err(ReadError::Truncated { .. }) => Err(Answer::More),
        Err(error) => Err(Answer::Wrong(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A version 3 PKESK and the start of a SEIPD.
    fn message(id: [u8; 8]) -> Vec<u8> {
        let mut octets = vec![0xc1, 12, 3];
        octets.extend(id);
        octets.extend([1, 0, 0]);
        octets.extend([0xd2, 60, 1]);
        octets
    }

    fn answer(octets: &[u8]) -> Result<(Vec<String>, bool), String> {
        examine(octets).map_err(|failure| match failure {
            Failure::Io(error) => error.to_string(),
            Failure::Message(error) => error,
        })
    }

    #[test]
    fn recipients_in_order_and_wildcards_apart() {
        let octets = [
            &message([0; 8])[..14],
            &message([2; 8])[..14],
            &message([1; 8]),
        ]
        .concat();
        let names = vec!["02".repeat(8), "01".repeat(8)];
        assert_eq!(answer(&octets), Ok((names, true)));
        assert_eq!(answer(&message([0; 8])), Ok((Vec::new(), true)));
    }

    #[test]
    fn nobody_is_addressed_by_a_password_or_a_signature() {
        let password = [&[0xc3, 4, 4, 9, 0, 8][..], &[0xd2, 60, 1]].concat();
        assert_eq!(answer(&password), Ok((Vec::new(), false)));
        assert_eq!(answer(&[0xcb, 10, b'b', 0, 0]), Ok((Vec::new(), false)));
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        assert!(answer(b"").unwrap_err().contains("ends"));
        assert!(answer(b"hello").unwrap_err().contains("0x68"));
        assert!(answer(&message([1; 8])[..10]).unwrap_err().contains("ends"));
        let key = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxg==\n";
        assert!(answer(key).unwrap_err().contains("armored"));
        // A public key.
        assert!(answer(&[0xc6, 3, 4, 0, 0]).unwrap_err().contains("tag 6"));
    }

    #[test]
    fn armor_is_accepted_even_when_it_is_cut() {
        let text =
            b"-----BEGIN PGP MESSAGE-----\n\nwQwDAQEBAQEBAQEBAADSPAE=\n-----END PGP MESSAGE-----";
        assert_eq!(answer(text), Ok((vec!["01".repeat(8)], false)));
        assert_eq!(answer(&text[..50]), Ok((vec!["01".repeat(8)], false)));
        assert!(answer(&text[..40]).unwrap_err().contains("ends"));
    }

    /// Gives as much as is asked for, and counts it.
    struct Endless<'a> {
        start: &'a [u8],
        given: usize,
    }

    impl Read for Endless<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            for octet in buffer.iter_mut() {
                *octet = self.start.get(self.given).copied().unwrap_or(0x55);
                self.given += 1;
            }
            Ok(buffer.len())
        }
    }

    #[test]
    fn only_a_bounded_prefix_is_read() {
        let mut endless = Endless {
            start: &message([1; 8]),
            given: 0,
        };
        assert_eq!(
            examine(&mut endless).ok(),
            Some((vec!["01".repeat(8)], false))
        );
        assert!(endless.given <= PREFIX_MIN);

        // A padding packet of 4 GiB, and armor that never ends.
        for start in [
            &[0xd5, 255, 255, 255, 255, 255][..],
            b"-----BEGIN PGP MESSAGE-----\n\n1Q==",
        ] {
            let mut endless = Endless { start, given: 0 };
            assert!(examine(&mut endless).is_err());
            assert!(endless.given <= PREFIX_MAX);
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let (line, readable) = line_of(Path::new("/no/such/file"));
        assert!(!readable);
        assert!(matches!(line, Line::Failed { file, .. } if file == "/no/such/file"));
    }
}
