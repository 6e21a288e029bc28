//! Wallets from phrases: BIP-39 words, BIP-32 derivation, the BIP-44 path of Ethereum.

use crate::{error::WalletError, wallet::Wallet};
use coins_bip32::xkeys::XPriv;
use coins_bip39::{English, Wordlist};
use rand::{CryptoRng, RngCore};
use sha2::{Digest, Sha256, Sha512};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The longest phrase, and the longest passphrase, that is looked at. 24 English words take 215.
pub const MAX_PHRASE_BYTES: usize = 1024;

/// BIP-39: rounds of PBKDF2-HMAC-SHA-512 from words to seed.
const SEED_ROUNDS: u32 = 2048;

/// A word stands for 11 bits.
const WORD_BITS: usize = 11;

/// Entropy of a new phrase: 128 bits, 12 words.
const NEW_ENTROPY_BYTES: usize = 16;

/// BIP-32: indices from here on are hardened, and not what people mean by "the third account".
const FIRST_HARDENED: u32 = 1 << 31;

impl Wallet {
    /// The wallet that MetaMask, Ledger and others derive from an English BIP-39 phrase:
    /// `m/44'/60'/0'/0/index`. The `passphrase` ("25th word") is empty for most people.
    ///
    /// Spaces and letter case of the phrase do not matter. The passphrase counts exactly (in its
    /// Unicode normal form NFKD, as BIP-39 wants).
    ///
    /// # Errors
    /// [`WalletError::PhraseLength`], [`WalletError::PhraseWord`], [`WalletError::PhraseChecksum`],
    /// [`WalletError::PhraseTooLong`], [`WalletError::PhraseIndex`].
    pub fn from_phrase(phrase: &str, passphrase: &str, index: u32) -> Result<Self, WalletError> {
        for text in [phrase, passphrase] {
            if text.len() > MAX_PHRASE_BYTES {
                return Err(WalletError::PhraseTooLong {
                    given: text.len(),
                    limit: MAX_PHRASE_BYTES,
                });
            }
        }
        derive(&canonical(phrase)?, passphrase, index)
    }

    /// A new phrase of 12 words and its wallet (no passphrase, index 0). The phrase is the wallet:
    /// show it once, on paper.
    pub fn new_phrase(rng: &mut (impl RngCore + CryptoRng + ?Sized)) -> (Zeroizing<String>, Self) {
        let mut entropy = Zeroizing::new([0; NEW_ENTROPY_BYTES]);
        loop {
            rng.fill_bytes(entropy.as_mut_slice());
            let phrase = words_of(entropy.as_slice());
            // Refused once in 2^127, as BIP-32 says.
            if let Ok(wallet) = derive(&phrase, "", 0) {
                return (phrase, wallet);
            }
        }
    }
}

/// The phrase as BIP-39 hashes it (lowercase, single spaces), once words and checksum are right.
fn canonical(phrase: &str) -> Result<Zeroizing<String>, WalletError> {
    let count = phrase.split_whitespace().count();
    if !matches!(count, 12 | 15 | 18 | 21 | 24) {
        return Err(WalletError::PhraseLength(count));
    }
    // 32 bits of entropy for every three words; the bit or more that remain are the checksum.
    let entropy_bytes = count / 3 * 4;
    let mut bits = Zeroizing::new(vec![0; (count * WORD_BITS).div_ceil(8)]);
    for (i, word) in phrase.split_whitespace().enumerate() {
        let word = Zeroizing::new(word.to_ascii_lowercase());
        let number = English::get_index(&word).map_err(|_| WalletError::PhraseWord(i + 1))?;
        for bit in 0..WORD_BITS {
            if number >> (WORD_BITS - 1 - bit) & 1 == 1 {
                let at = i * WORD_BITS + bit;
                bits[at / 8] |= 0x80 >> (at % 8);
            }
        }
    }
    let expected = words_of(&bits[..entropy_bytes]);
    let same = phrase
        .split_whitespace()
        .zip(expected.split(' '))
        .all(|(given, right)| given.eq_ignore_ascii_case(right));
    if same {
        Ok(expected)
    } else {
        Err(WalletError::PhraseChecksum)
    }
}

/// The words of 16, 20, 24, 28 or 32 bytes of entropy, checksum included.
fn words_of(entropy: &[u8]) -> Zeroizing<String> {
    let mut bits = Zeroizing::new(Vec::with_capacity(entropy.len() + 1));
    bits.extend_from_slice(entropy);
    bits.push(Sha256::digest(entropy)[0]);
    let count = entropy.len() * 3 / 4;
    // The longest word has 8 letters; the room must suffice, since growing would leave a copy.
    let mut phrase = Zeroizing::new(String::with_capacity(count * 9));
    for i in 0..count {
        let number = (i * WORD_BITS..(i + 1) * WORD_BITS).fold(0, |number, at| {
            number << 1 | usize::from(bits[at / 8] >> (7 - at % 8) & 1)
        });
        if i > 0 {
            phrase.push(' ');
        }
        phrase.push_str(English::get_all()[number]);
    }
    phrase
}

/// BIP-39 seed, BIP-32 master key, BIP-44 path.
fn derive(phrase: &str, passphrase: &str, index: u32) -> Result<Wallet, WalletError> {
    if index >= FIRST_HARDENED {
        return Err(WalletError::PhraseIndex(index));
    }
    let salt: Zeroizing<String> =
        Zeroizing::new("mnemonic".chars().chain(passphrase.nfkd()).collect());
    let mut seed = Zeroizing::new([0; 64]);
    pbkdf2::pbkdf2_hmac::<Sha512>(
        phrase.as_bytes(),
        salt.as_bytes(),
        SEED_ROUNDS,
        seed.as_mut_slice(),
    );
    let key = XPriv::root_from_seed(seed.as_slice(), None)
        .and_then(|root| root.derive_path(format!("m/44'/60'/0'/0/{index}").as_str()))
        .map_err(|_| WalletError::PhraseIndex(index))?;
    let signing: &coins_bip32::ecdsa::SigningKey = key.as_ref();
    let secret = Zeroizing::new(<[u8; 32]>::from(signing.to_bytes()));
    Wallet::from_secret(secret.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use coins_bip39::Mnemonic;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    const JUNK: &str = "test test test test test test test test test test test junk";

    fn addresses(phrase: &str, passphrase: &str) -> [String; 2] {
        [0, 1].map(|i| {
            Wallet::from_phrase(phrase, passphrase, i)
                .unwrap()
                .address()
                .to_string()
        })
    }

    #[test]
    fn derives_the_well_known_accounts() {
        assert_eq!(
            addresses(JUNK, ""),
            [
                "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
                "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
            ]
        );
    }

    #[test]
    fn spaces_and_case_of_the_words_do_not_matter() {
        let sloppy = format!("  {}\n", JUNK.replace(' ', " \t ").to_uppercase());
        assert_eq!(addresses(&sloppy, ""), addresses(JUNK, ""));
    }

    #[test]
    fn a_passphrase_counts_in_its_normal_form() {
        assert_ne!(addresses(JUNK, "x"), addresses(JUNK, ""));
        assert_ne!(addresses(JUNK, "X"), addresses(JUNK, "x"));
        // Composed, decomposed and full-width forms of the same letters.
        assert_eq!(addresses(JUNK, "caf\u{e9}"), addresses(JUNK, "cafe\u{301}"));
        assert_eq!(addresses(JUNK, "\u{ff41}"), addresses(JUNK, "a"));
    }

    #[test]
    fn says_what_is_wrong_with_a_phrase() {
        let error = |phrase: &str| Wallet::from_phrase(phrase, "", 0).unwrap_err();
        assert_eq!(error(""), WalletError::PhraseLength(0));
        assert_eq!(error("test"), WalletError::PhraseLength(1));
        assert_eq!(error(&JUNK[5..]), WalletError::PhraseLength(11));
        assert_eq!(
            error(&format!("{JUNK} {JUNK} test")),
            WalletError::PhraseLength(25)
        );
        assert_eq!(
            error(&JUNK.replace("junk", "junq")),
            WalletError::PhraseWord(12)
        );
        assert_eq!(
            error(&JUNK.replacen("test", "t\u{e9}st", 1)),
            WalletError::PhraseWord(1)
        );
        assert_eq!(
            error(&JUNK.replace("junk", "test")),
            WalletError::PhraseChecksum
        );
        assert_eq!(
            error(&" ".repeat(MAX_PHRASE_BYTES + 1)),
            WalletError::PhraseTooLong {
                given: MAX_PHRASE_BYTES + 1,
                limit: MAX_PHRASE_BYTES
            }
        );
        let passphrase = "p".repeat(MAX_PHRASE_BYTES + 1);
        assert!(Wallet::from_phrase(JUNK, &passphrase, 0).is_err());
        assert!(Wallet::from_phrase(JUNK, &passphrase[1..], 0).is_ok());
        assert_eq!(
            Wallet::from_phrase(JUNK, "", FIRST_HARDENED).unwrap_err(),
            WalletError::PhraseIndex(FIRST_HARDENED)
        );
        assert!(Wallet::from_phrase(JUNK, "", FIRST_HARDENED - 1).is_ok());
    }

    #[test]
    fn no_error_repeats_a_word_of_the_phrase() {
        for phrase in [JUNK.replace("junk", "junq"), JUNK.replace("junk", "test")] {
            let error = Wallet::from_phrase(&phrase, "", 0).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("test"));
        }
    }

    #[test]
    fn a_new_phrase_gives_its_wallet_back() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (phrase, wallet) = Wallet::new_phrase(&mut rng);
        assert_eq!(phrase.split(' ').count(), 12);
        assert_eq!(
            Wallet::from_phrase(&phrase, "", 0).unwrap().address(),
            wallet.address()
        );
        assert_ne!(Wallet::new_phrase(&mut rng).0, phrase);
    }

    proptest! {
        #[test]
        fn words_agree_with_the_library(
            entropy in prop::sample::select(vec![16_usize, 20, 24, 28, 32])
                .prop_flat_map(|bytes| prop::collection::vec(any::<u8>(), bytes)),
        ) {
            let words = words_of(&entropy);
            prop_assert_eq!(&words, &canonical(&words).unwrap());
            let theirs = Mnemonic::<English>::new_from_phrase(&words).unwrap();
            prop_assert_eq!(words.as_str(), theirs.to_phrase());
        }

        #[test]
        fn any_text_is_refused_quietly(text in "\\PC{0,80}", passphrase in "\\PC{0,20}") {
            prop_assert!(Wallet::from_phrase(&text, &passphrase, 0).is_err());
        }
    }
}
