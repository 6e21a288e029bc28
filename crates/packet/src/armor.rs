//! ASCII armor (RFC 9580 §6): accepted, never written. The only part of this crate that
//! allocates.

/// The line that starts an armored message.
pub const BEGIN: &[u8] = b"-----BEGIN PGP MESSAGE-----";
/// The line that ends an armored message.
pub const END: &[u8] = b"-----END PGP MESSAGE-----";
/// How many octets of other text may precede the armor.
pub const PREAMBLE_MAX: usize = 4_096;
/// How many octets the armor's header lines (`Version: …`) may take.
pub const HEADERS_MAX: usize = 4_096;

/// Why a text is not an armored message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArmorError {
    /// No line `-----BEGIN PGP MESSAGE-----` within the first [`PREAMBLE_MAX`] octets.
    #[error("no armored message starts in the first {PREAMBLE_MAX} octets")]
    NotArmored,
    /// No empty line ends the armor's headers within [`HEADERS_MAX`] octets.
    #[error("armor headers at offset {offset} do not end")]
    Headers {
        /// Where they start.
        offset: usize,
    },
    /// An octet that base64 does not have.
    #[error("octet {octet:#04x} at offset {offset} is not base64")]
    Digit {
        /// Where it stands.
        offset: usize,
        /// What it is.
        octet: u8,
    },
    /// The base64 ends in the middle of a group, or has wrong padding.
    #[error("base64 ends wrongly at offset {offset}")]
    Padding {
        /// Where it ends.
        offset: usize,
    },
    /// The text ends before the line `-----END PGP MESSAGE-----`.
    #[error("armor ends early: no end line in {length} octets")]
    Truncated {
        /// The length of the input.
        length: usize,
    },
    /// The decoded message would be longer than the caller allows.
    #[error("armored message is longer than {limit} octets")]
    TooLong {
        /// The limit.
        limit: usize,
    },
}

/// What a prefix of an armored message decodes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The octets decoded, never more than the limit.
    pub bytes: Vec<u8>,
    /// Whether that is the whole message: its end line was reached.
    pub complete: bool,
}

/// Whether an armored message starts here, after at most [`PREAMBLE_MAX`] octets of other text.
///
/// Never true of binary OpenPGP, whose first octet has bit 7 set.
#[must_use]
pub fn is_armored(input: &[u8]) -> bool {
    find_body(input).is_ok()
}

/// Decodes an armored message of at most `limit` octets. Allocates what it returns.
///
/// Skips text in front of the armor and behind it, header lines, white space, and the checksum,
/// which RFC 9580 §6.1 tells readers not to rely on.
///
/// # Errors
/// [`ArmorError`] says what is wrong and where.
pub fn dearmor(input: &[u8], limit: usize) -> Result<Vec<u8>, ArmorError> {
    let start = skip_headers(input, find_body(input)?)?;
    let decoded = decode(input, start, limit)?;
    match decoded.stop {
        Stop::End => Ok(decoded.bytes),
        Stop::Limit => Err(ArmorError::TooLong { limit }),
        Stop::Input => Err(ArmorError::Truncated {
            length: input.len(),
        }),
    }
}

/// Decodes as much of an armored message as the input and the limit allow: enough for
/// [`read_head`](crate::read_head), without holding the rest. Allocates what it returns.
///
/// # Errors
/// [`ArmorError`] says what is wrong and where; that the input ends early is not an error.
pub fn dearmor_prefix(input: &[u8], limit: usize) -> Result<Decoded, ArmorError> {
    let start = skip_headers(input, find_body(input)?)?;
    let decoded = decode(input, start, limit)?;
    Ok(Decoded {
        bytes: decoded.bytes,
        complete: decoded.stop == Stop::End,
    })
}

/// Where the line behind the begin line starts.
fn find_body(input: &[u8]) -> Result<usize, ArmorError> {
    let text = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let mut offset = input.len() - text.len();
    if text.first().is_some_and(|octet| octet & 0x80 != 0) {
        return Err(ArmorError::NotArmored);
    }
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        if offset > PREAMBLE_MAX {
            break;
        }
        if line.trim_ascii() == BEGIN {
            return Ok(offset + line.len());
        }
        offset += line.len();
    }
    Err(ArmorError::NotArmored)
}

/// Where the base64 starts: behind the first empty line.
fn skip_headers(input: &[u8], start: usize) -> Result<usize, ArmorError> {
    let mut offset = start;
    for line in input
        .get(start..)
        .unwrap_or_default()
        .split_inclusive(|octet| *octet == b'\n')
    {
        if offset - start > HEADERS_MAX {
            break;
        }
        offset += line.len();
        if line.trim_ascii().is_empty() {
            return Ok(offset);
        }
    }
    Err(ArmorError::Headers { offset: start })
}

#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// The end line.
    End,
    /// As many octets as allowed, and more would follow.
    Limit,
    /// The end of the input.
    Input,
}

struct Run {
    bytes: Vec<u8>,
    stop: Stop,
}

fn decode(input: &[u8], start: usize, limit: usize) -> Result<Run, ArmorError> {
    let text = input.get(start..).unwrap_or_default();
    let mut bytes = Vec::with_capacity((text.len() / 4 * 3).min(limit));
    let (mut group, mut digits) = (0u32, 0u8);
    for (index, &octet) in text.iter().enumerate() {
        let value = match octet {
            b'A'..=b'Z' => octet - b'A',
            b'a'..=b'z' => octet - b'a' + 26,
            b'0'..=b'9' => octet - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'=' | b'-' => {
                let rest = text.get(index..).unwrap_or_default();
                let stop = finish(rest, start + index, group, digits, &mut bytes)?;
                if bytes.len() > limit {
                    bytes.truncate(limit);
                    return Ok(Run {
                        bytes,
                        stop: Stop::Limit,
                    });
                }
                return Ok(Run { bytes, stop });
            }
            _ => {
                return Err(ArmorError::Digit {
                    offset: start + index,
                    octet,
                });
            }
        };
        group = group << 6 | u32::from(value);
        digits += 1;
        if digits == 4 {
            let [_, decoded @ ..] = group.to_be_bytes();
            bytes.extend_from_slice(&decoded);
            (group, digits) = (0, 0);
            if bytes.len() > limit {
                bytes.truncate(limit);
                return Ok(Run {
                    bytes,
                    stop: Stop::Limit,
                });
            }
        }
    }
    Ok(Run {
        bytes,
        stop: Stop::Input,
    })
}

/// Ends the base64 at its padding, checksum or end line, and looks for the end line.
fn finish(
    rest: &[u8],
    offset: usize,
    group: u32,
    digits: u8,
    bytes: &mut Vec<u8>,
) -> Result<Stop, ArmorError> {
    let wrong = ArmorError::Padding { offset };
    let mut rest = rest;
    if digits > 0 {
        if digits == 1 {
            return Err(wrong);
        }
        for _ in digits..4 {
            match rest.trim_ascii_start() {
                [b'=', behind @ ..] => rest = behind,
                [] => return Ok(Stop::Input),
                _ => return Err(wrong),
            }
        }
        let [_, first, second, _] = (group << (6 * (4 - u32::from(digits)))).to_be_bytes();
        bytes.push(first);
        if digits == 3 {
            bytes.push(second);
        }
    }
    // Between the base64 and the end line stands nothing but perhaps a checksum (`=XXXX`).
    for line in rest.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii) {
        match line {
            END => return Ok(Stop::End),
            [b'=', ..] if line.len() <= 5 => {}
            [..] if END.starts_with(line) => {}
            _ => return Err(wrong),
        }
    }
    Ok(Stop::Input)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "-----BEGIN PGP MESSAGE-----\nVersion: 1\n\naGVsbG8=\n=abcd\n\
                         -----END PGP MESSAGE-----\n";

    #[test]
    fn a_whole_message() {
        assert_eq!(dearmor(HELLO.as_bytes(), 5), Ok(b"hello".to_vec()));
        assert_eq!(
            dearmor(HELLO.as_bytes(), 4),
            Err(ArmorError::TooLong { limit: 4 })
        );
        let marked = format!("\u{feff}{HELLO}");
        assert_eq!(dearmor(marked.as_bytes(), 5), Ok(b"hello".to_vec()));
    }

    #[test]
    fn what_is_no_armored_message_is_named() {
        let of = |text: &str| dearmor(text.as_bytes(), 1_000);
        assert_eq!(of("hello"), Err(ArmorError::NotArmored));
        assert_eq!(
            of(&HELLO.replace("MESSAGE", "PUBLIC KEY BLOCK")),
            Err(ArmorError::NotArmored)
        );
        assert_eq!(
            of(&HELLO.replace("\n\n", "\n")),
            Err(ArmorError::Headers { offset: 28 })
        );
        assert_eq!(
            of(&HELLO.replace("aGVs", "aG*s")),
            Err(ArmorError::Digit {
                offset: 42,
                octet: b'*'
            })
        );
        assert_eq!(
            of(&HELLO.replace("bG8=", "b===")),
            Err(ArmorError::Padding { offset: 45 })
        );
        assert_eq!(
            of(&HELLO.replace("G8=", "G8")),
            Err(ArmorError::Padding { offset: 48 })
        );
        assert_eq!(
            of(&HELLO.replace("END", "STOP")),
            Err(ArmorError::Padding { offset: 47 })
        );
        let short = &HELLO[..44];
        assert_eq!(
            of(short),
            Err(ArmorError::Truncated {
                length: short.len()
            })
        );
    }

    #[test]
    fn binary_is_never_armored() {
        let octets = [&[0xc1, 10][..], b"\n", HELLO.as_bytes()].concat();
        assert!(!is_armored(&octets));
        assert!(is_armored(HELLO.as_bytes()));
        let far = format!("{}{HELLO}", "text\n".repeat(1_000));
        assert!(!is_armored(far.as_bytes()));
    }

    #[test]
    fn a_prefix_decodes_as_far_as_it_goes() {
        let decoded = dearmor_prefix(&HELLO.as_bytes()[..44], 100);
        assert_eq!(
            decoded,
            Ok(Decoded {
                bytes: b"hel".to_vec(),
                complete: false
            })
        );
        let decoded = dearmor_prefix(HELLO.as_bytes(), 100);
        assert_eq!(
            decoded,
            Ok(Decoded {
                bytes: b"hello".to_vec(),
                complete: true
            })
        );
    }
}
