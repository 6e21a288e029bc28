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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The test cases of EIP-55.
    const MIXED: [&str; 4] = [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    #[test]
    fn reads_every_right_spelling_and_writes_the_checksum() {
        for text in MIXED {
            let address = parse_address(text).unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(parse_address(&text.to_lowercase()), Ok(address));
            assert_eq!(
                parse_address(&format!("0x{}", text[2..].to_uppercase())),
                Ok(address)
            );
        }
        let digits = "0x1234567890123456789012345678901234567890";
        assert_eq!(parse_address(digits).unwrap().to_string(), digits);
    }

    #[test]
    fn a_wrong_checksum_is_its_own_error() {
        for text in MIXED {
            for (at, letter) in text
                .char_indices()
                .skip(2)
                .filter(|(_, c)| c.is_alphabetic())
            {
                let other = if letter.is_lowercase() {
                    letter.to_ascii_uppercase()
                } else {
                    letter.to_ascii_lowercase()
                };
                let mut wrong = text.to_owned();
                wrong.replace_range(at..=at, &other.to_string());
                assert_eq!(
                    parse_address(&wrong),
                    Err(WalletError::AddressChecksum {
                        given: wrong.clone(),
                        expected: text.to_owned()
                    })
                );
            }
        }
    }

    #[test]
    fn refuses_everything_else_and_repeats_little_of_it() {
        let text = MIXED[0];
        let with_space = format!("{text} ");
        let upper = format!("0X{}", &text[2..]);
        for wrong in [
            "",
            "0x",
            &text[2..],
            &text[..41],
            &with_space,
            &upper,
            "0xä",
            "bobo.eth",
        ] {
            assert_eq!(
                parse_address(wrong),
                Err(WalletError::BadAddress {
                    given: wrong.to_owned()
                })
            );
        }
        let error = parse_address(&"ä".repeat(100_000)).unwrap_err();
        assert!(error.to_string().len() < 200);
    }

    proptest! {
        #[test]
        fn round_trip(bytes in any::<[u8; 20]>()) {
            let address = Address::from(bytes);
            prop_assert_eq!(parse_address(&address.to_string()), Ok(address));
        }

        #[test]
        fn any_text_is_refused_quietly(text in "(0x)?\\PC{0,50}") {
            let expected = text.len() == 42
                && text.starts_with("0x")
                && text[2..].bytes().all(|c| c.is_ascii_digit());
            prop_assert_eq!(parse_address(&text).is_ok(), expected);
        }
    }
}
