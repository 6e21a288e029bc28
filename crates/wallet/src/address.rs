//! Addresses as people type them.

use crate::error::{WalletError, excerpt};
use alloy_primitives::Address;

/// Reads an address: `0x` and 40 hex digits, all lowercase, all uppercase, or mixed with a right
/// [EIP-55] checksum.
///
/// # Errors
/// [`WalletError::BadAddress`] for anything else, [`WalletError::AddressChecksum`] when the case
/// of the letters contradicts the digits, which is how a typo shows.
///
/// [EIP-55]: https://eips.ethereum.org/EIPS/eip-55
pub fn parse_address(text: &str) -> Result<Address, WalletError> {
    let bad = || WalletError::BadAddress {
        given: excerpt(text),
    };
    let digits = text.strip_prefix("0x").ok_or_else(bad)?;
    let mut bytes = [0; 20];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| bad())?;
    let address = Address::from(bytes);
    let lower = digits.bytes().any(|c| c.is_ascii_lowercase());
    let upper = digits.bytes().any(|c| c.is_ascii_uppercase());
    let checksummed = address.to_checksum(None);
    if lower && upper && text != checksummed {
        return Err(WalletError::AddressChecksum {
            given: text.to_owned(),
            expected: checksummed,
        });
    }
    Ok(address)
}
