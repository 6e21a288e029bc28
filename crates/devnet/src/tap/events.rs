//! What events carry: the `data` lines of a `text/event-stream`, in base64 (RFC 4648 §4).

const PREFIX: &[u8] = b"data:";

/// The payloads of all events in `body`, one after the other. What is no event adds nothing.
pub(crate) fn payloads(body: &[u8]) -> Vec<u8> {
    let mut payloads = Vec::new();
    for line in body.split(|byte| *byte == b'\n' || *byte == b'\r') {
        if let Some(data) = line.strip_prefix(PREFIX) {
            decode(data, &mut payloads);
        }
    }
    payloads
}

/// Decodes until a byte that does not belong there.
fn decode(data: &[u8], into: &mut Vec<u8>) {
    let (mut held, mut bits) = (0_u32, 0);
    for byte in data.iter().skip_while(|byte| **byte == b' ') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return,
        };
        held = held << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            into.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_and_nothing_else() {
        let body =
            b"retry: 1\n\nid: 0\ndata: Qm9ibw==\n\nid: 1\r\ndata:AP8+\r\n\r\n: data: Qm9ibw==\n";
        assert_eq!(payloads(body), b"Bobo\x00\xff\x3e");
        assert_eq!(payloads(b"Qm9ibw=="), b"");
        assert_eq!(payloads(b"data: Qm9i*bw=="), b"Bob");
    }
}
