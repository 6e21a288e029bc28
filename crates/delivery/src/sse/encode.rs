use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// Writes events and comments.
#[derive(Debug, Clone, Copy)]
pub struct Encoder;

impl Encoder {
    /// One event: its number, and its data in standard base64 on one line.
    ///
    /// `id: N`, `data: …`, an empty line; each ends with a line feed.
    #[must_use]
    pub fn event(id: u64, data: &[u8]) -> Bytes {
        // The label, 20 digits at most, four characters for three bytes, the line ends.
        let mut text = String::with_capacity(40 + data.len().div_ceil(3) * 4);
        text.push_str("id: ");
        // Writing to a String cannot fail.
        let _ = write!(text, "{id}");
        text.push_str("\ndata: ");
        STANDARD.encode_string(data, &mut text);
        text.push_str("\n\n");
        text.into()
    }

    /// A comment, which a reader passes over: a sign of life. Each line of it becomes one.
    #[must_use]
    pub fn comment(text: &str) -> Bytes {
        let mut lines = String::with_capacity(text.len() + 8);
        for line in text.split(['\r', '\n']) {
            lines.push(':');
            if !line.is_empty() {
                lines.push(' ');
                lines.push_str(line);
            }
            lines.push('\n');
        }
        lines.push('\n');
        lines.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_bytes() {
        assert_eq!(&Encoder::event(0, b"")[..], b"id: 0\ndata: \n\n");
        assert_eq!(
            &Encoder::event(1, b"\xff\xfe\xfd")[..],
            b"id: 1\ndata: //79\n\n"
        );
        assert_eq!(
            &Encoder::event(u64::MAX, b"a")[..],
            b"id: 18446744073709551615\ndata: YQ==\n\n"
        );
        assert_eq!(&Encoder::comment("")[..], b":\n\n");
        assert_eq!(&Encoder::comment("beat")[..], b": beat\n\n");
        assert_eq!(
            &Encoder::comment("a\ndata: b\r\n")[..],
            b": a\n: data: b\n:\n:\n\n"
        );
    }
}
