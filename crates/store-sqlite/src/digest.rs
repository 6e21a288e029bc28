//! The digest that a row carries.

use layer_minus_node::store::Table;
use ring::digest::{Context, SHA256};

/// Bytes of a row's digest: the beginning of a SHA-256. It is there against faulty disks, cables
/// and memory, for which one chance in 2^64 is enough.
pub(crate) const DIGEST_BYTES: usize = 8;

/// SHA-256 over the table's name, a zero byte, the length of the key (u64, big-endian), the key
/// and the value; truncated.
pub(crate) fn of_row(table: Table, key: &[u8], value: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut context = Context::new(&SHA256);
    context.update(table.name().as_bytes());
    context.update(&[0]);
    context.update(&(key.len() as u64).to_be_bytes());
    context.update(key);
    context.update(value);
    let mut digest = [0; DIGEST_BYTES];
    for (to, from) in digest.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_stable() {
        // printf 'meta\0\0\0\0\0\0\0\0\3keyvalue' | sha256sum
        assert_eq!(
            of_row(Table::Meta, b"key", b"value"),
            0x78d6_066d_0b53_599d_u64.to_be_bytes()
        );
    }

    #[test]
    fn moving_a_byte_between_table_key_and_value_changes_it() {
        let digest = of_row(Table::Seen, b"ab", b"c");
        assert_ne!(digest, of_row(Table::Seen, b"a", b"bc"));
        assert_ne!(digest, of_row(Table::Seen, b"abc", b""));
        assert_ne!(digest, of_row(Table::SeenExpiry, b"ab", b"c"));
    }
}
