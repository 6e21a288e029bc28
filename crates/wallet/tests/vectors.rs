//! What other programs made, we read; what we make, they read. `vectors/make.mjs` says how the
//! files came about.
#![allow(clippy::unwrap_used)]
// A test may read and write files.
#![allow(clippy::disallowed_methods)]

use layer_minus_wallet::{
    SignedDelegation, Wallet,
    keystore::{Kdf, Keystore},
    typed::{self, SolStruct},
};
use rand::SeedableRng;
use serde_json::Value;

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn delegations_hash_and_sign_as_in_ethers_and_viem() {
    let file = read(include_str!("vectors/delegations.json"));
    let cases = file["delegations"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let network = text(&case["network"]);
        let wallet = Wallet::from_hex(text(&case["secret"])).unwrap();
        let domain = typed::domain(network);
        let signed: SignedDelegation = serde_json::from_value(case["json"].clone()).unwrap();
        let terms = signed.terms();
        assert_eq!(domain.salt.unwrap().to_string(), text(&case["salt"]));
        assert_eq!(
            domain.separator().to_string(),
            text(&case["domain_separator"])
        );
        assert_eq!(
            terms.eip712_type_hash().to_string(),
            text(&case["type_hash"])
        );
        assert_eq!(
            terms.eip712_hash_struct().to_string(),
            text(&case["struct_hash"])
        );
        assert_eq!(
            typed::hash(&terms, &domain).to_string(),
            text(&case["signing_hash"])
        );
        assert_eq!(
            typed::sign(&wallet, &terms, &domain).unwrap(),
            signed.signature
        );
        assert_eq!(signed.wallet, wallet.address());
        assert_eq!(signed.verify(network, signed.valid_from), Ok(()));
        assert_eq!(serde_json::to_value(&signed).unwrap(), case["json"]);
    }
}

#[test]
fn phrases_give_the_wallets_of_ethers_and_viem() {
    let file = read(include_str!("vectors/phrases.json"));
    let cases = file["wallets"].as_array().unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let index = u32::try_from(case["index"].as_u64().unwrap()).unwrap();
        let wallet =
            Wallet::from_phrase(text(&case["phrase"]), text(&case["passphrase"]), index).unwrap();
        assert_eq!(wallet.address().to_string(), text(&case["address"]));
        let expected = Wallet::from_hex(text(&case["secret"])).unwrap();
        assert_eq!(wallet.secret_bytes(), expected.secret_bytes());
    }
}

#[test]
fn a_keystore_of_ethers_opens() {
    let keystore = Keystore::from_json(include_str!("vectors/keystore-ethers.json")).unwrap();
    let wallet = keystore.decrypt("pässword".as_bytes()).unwrap();
    assert_eq!(
        wallet.address().to_string(),
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    );
    assert_eq!(keystore.address(), Some(wallet.address()));
}

/// `make.mjs` opens these with ethers. They are byte for byte what we write.
#[test]
fn our_keystores_are_those_that_ethers_opened() {
    for (kdf, name) in [
        (Kdf::Light, "scrypt"),
        (Kdf::Pbkdf2 { c: 1_000 }, "pbkdf2"),
        (Kdf::Standard, "standard"),
    ] {
        let wallet = Wallet::from_secret(&[0x42; 32]).unwrap();
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(42);
        let made = Keystore::encrypt(&wallet, "pässword".as_bytes(), &mut rng, kdf).unwrap();
        let made = made.to_json().unwrap() + "\n";
        let path = format!(
            "{}/tests/vectors/keystore-ours-{name}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        // After a deliberate change: write the files anew, then let make.mjs open them.
        if std::env::var_os("WRITE_VECTORS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        assert_eq!(made, std::fs::read_to_string(&path).unwrap());
    }
}

/// The vectors of the Web3 Secret Storage definition. The parameters of its scrypt (r = 1, p = 8)
/// are what old Python programs wrote; some implementations refuse them.
#[test]
fn the_vectors_of_the_definition_open() {
    let file = read(include_str!("vectors/web3-secret-storage.json"));
    let cases = file["keystores"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let keystore = Keystore::from_json(&case.to_string()).unwrap();
        let wallet = keystore
            .decrypt(text(&file["password"]).as_bytes())
            .unwrap();
        let expected = Wallet::from_hex(text(&file["secret"])).unwrap();
        assert_eq!(wallet.secret_bytes(), expected.secret_bytes());
        assert_eq!(hex::encode(wallet.address()), text(&file["address"]));
        assert_eq!(keystore.id(), "3198bc9c-6672-5ab3-d995-4942343ae5b6");
    }
}
