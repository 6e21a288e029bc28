//! Answers between nodes: records of a length (4 bytes), a type (1 byte) and a payload. Their
//! payload is sealed; their sizes are not.

/// Type of a record that carries bytes for the client.
const DATA: u8 = 0;
const HEADER_BYTES: usize = 5;

/// Notes the sizes of the data records in a body that passes by.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    header: Vec<u8>,
    left: u64,
    current: Option<u64>,
    /// Payload lengths of the data records that passed whole, until somebody takes them out.
    pub(crate) data: Vec<u64>,
}

impl Sizes {
    /// Takes the next bytes of the body.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        loop {
            let skipped = usize::try_from(self.left)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            self.left -= skipped as u64;
            bytes = &bytes[skipped..];
            if self.left == 0
                && let Some(size) = self.current.take()
            {
                self.data.push(size);
            }
            if bytes.is_empty() {
                return;
            }
            let taken = (HEADER_BYTES - self.header.len()).min(bytes.len());
            self.header.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if let [a, b, c, d, kind] = self.header[..] {
                self.left = u64::from(u32::from_be_bytes([a, b, c, d]));
                self.current = (kind == DATA).then_some(self.left);
                self.header.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_data_records_are_noted_however_they_arrive() {
        let mut body = Vec::new();
        for (size, kind) in [(7_u32, 0), (3, 1), (0, 0), (300, 0), (9, 0)] {
            body.extend_from_slice(&size.to_be_bytes());
            body.push(kind);
            body.extend(std::iter::repeat_n(0, size as usize));
        }
        body.pop();
        for step in [1, 2, 5, 64, 10_000] {
            let mut sizes = Sizes::default();
            body.chunks(step).for_each(|piece| sizes.feed(piece));
            assert_eq!(sizes.data, [7, 0, 300], "the last one is not whole");
            sizes.feed(&[0]);
            assert_eq!(sizes.data, [7, 0, 300, 9]);
        }
    }
}
