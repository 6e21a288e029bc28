//! The file that Peter sends.

use sha2::{Digest as _, Sha256};

/// Size of the file, bytes: four packets.
const FILE_BYTES: usize = 3_000_000;

/// The digest by which what arrived is compared, lowercase hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The file: bytes that do not compress, the same in every run.
pub(crate) fn content() -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut content = Vec::with_capacity(FILE_BYTES);
    while content.len() < FILE_BYTES {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_be_bytes());
    }
    content.truncate(FILE_BYTES);
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_three_megabytes_of_noise() {
        let content = content();
        assert_eq!(content.len(), FILE_BYTES);
        let zeros = content.iter().filter(|byte| **byte == 0).count();
        assert!((10_000..14_000).contains(&zeros), "{zeros}");
        assert_eq!(sha256(b"").len(), 64);
        assert!(sha256(b"abc").starts_with("ba7816bf"));
    }
}
