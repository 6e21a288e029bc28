use super::*;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};

/// scrypt that costs nothing, for tests of everything but its cost.
const CHEAP: Kdf = Kdf::Scrypt {
    log_n: 1,
    r: 1,
    p: 1,
};

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(3)
}

fn wallet() -> Wallet {
    Wallet::from_secret(&[0x11; 32]).unwrap()
}

fn keystore() -> Keystore {
    Keystore::encrypt(&wallet(), b"password", &mut rng(), CHEAP).unwrap()
}

/// A valid file with `change` made to it.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Keystore, WalletError> {
    let mut value = serde_json::to_value(keystore()).unwrap();
    change(&mut value);
    Keystore::from_json(&value.to_string())
}

#[test]
fn opens_with_its_password_only() {
    for kdf in [Kdf::Light, CHEAP, Kdf::Pbkdf2 { c: 10 }] {
        let keystore = Keystore::encrypt(&wallet(), "pä".as_bytes(), &mut rng(), kdf).unwrap();
        let read = Keystore::from_json(&keystore.to_json().unwrap()).unwrap();
        assert_eq!(read, keystore);
        assert_eq!(read.address(), Some(wallet().address()));
        assert_eq!(
            read.decrypt("pä".as_bytes()).unwrap().address(),
            wallet().address()
        );
        for password in ["", "p", "pa", "pä "] {
            assert_eq!(
                read.decrypt(password.as_bytes()).unwrap_err(),
                WalletError::WrongPassword,
                "{password:?}"
            );
        }
    }
}

#[test]
fn has_exactly_the_version_3_shape() {
    let value = serde_json::to_value(keystore()).unwrap();
    let mut shape = value.clone();
    for field in [
        "/id",
        "/crypto/ciphertext",
        "/crypto/mac",
        "/crypto/kdfparams/salt",
    ] {
        *shape.pointer_mut(field).unwrap() = json!("…");
    }
    *shape.pointer_mut("/crypto/cipherparams/iv").unwrap() = json!("…");
    assert_eq!(
        shape,
        json!({
            "version": 3,
            "id": "…",
            "address": hex::encode(wallet().address()),
            "crypto": {
                "cipher": "aes-128-ctr",
                "cipherparams": { "iv": "…" },
                "ciphertext": "…",
                "kdf": "scrypt",
                "kdfparams": { "dklen": 32, "n": 2, "r": 1, "p": 1, "salt": "…" },
                "mac": "…",
            },
        })
    );
    assert_eq!(value["crypto"]["ciphertext"].as_str().unwrap().len(), 64);
    let pbkdf2 = Keystore::encrypt(&wallet(), b"", &mut rng(), Kdf::Pbkdf2 { c: 1 })
        .unwrap()
        .to_json();
    let params: Value = serde_json::from_str::<Value>(&pbkdf2.unwrap()).unwrap();
    let mut params = params["crypto"]["kdfparams"].clone();
    params["salt"] = json!("…");
    assert_eq!(
        params,
        json!({ "c": 1, "dklen": 32, "prf": "hmac-sha256", "salt": "…" })
    );
}

#[test]
fn the_id_is_a_version_4_uuid_and_everything_random_differs() {
    let mut rng = rng();
    let [a, b] = [0, 1].map(|_| Keystore::encrypt(&wallet(), b"p", &mut rng, CHEAP).unwrap());
    assert_eq!(uuid_v4([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(uuid_v4([0; 16]), "00000000-0000-4000-8000-000000000000");
    assert_eq!(a.id().len(), 36);
    assert_ne!(a.id(), b.id());
    assert_ne!(a.iv, b.iv);
    assert_ne!(a.derivation.salt, b.derivation.salt);
    assert_ne!(a.ciphertext, b.ciphertext);
    assert_ne!(a.mac, b.mac);
}

#[test]
fn debug_shows_the_address_only() {
    let shown = format!("{:?}", keystore());
    assert_eq!(
        shown,
        format!(
            "Keystore {{ address: Some(\"{}\"), .. }}",
            wallet().address()
        )
    );
}

#[test]
fn accepts_the_old_spelling_and_other_programs_fields() {
    let read = changed(|value| {
        let crypto = value.as_object_mut().unwrap().remove("crypto").unwrap();
        value["Crypto"] = crypto;
        value["x-ethers"] = json!({ "client": "ethers.js", "nested": [1, { "a": null }] });
        value["address"] = json!(wallet().address().to_string());
    });
    assert_eq!(
        read.unwrap().decrypt(b"password").unwrap().address(),
        wallet().address()
    );
    let anonymous = changed(|value| drop(value.as_object_mut().unwrap().remove("address")));
    assert_eq!(anonymous.unwrap().address(), None);
    let empty = changed(|value| value["address"] = json!(""));
    assert_eq!(empty.unwrap().address(), None);
}

#[test]
fn refuses_keys_that_occur_twice() {
    let text = serde_json::to_string(&keystore()).unwrap();
    for (once, twice) in [
        ("\"version\":3", "\"version\":3,\"version\":3"),
        ("\"crypto\":{", "\"Crypto\":{},\"crypto\":{"),
        ("\"dklen\":32", "\"dklen\":32,\"dklen\":32"),
        (
            "\"kdf\":\"scrypt\"",
            "\"kdf\":\"scrypt\",\"kdf\":\"scrypt\"",
        ),
    ] {
        assert!(text.contains(once));
        let error = Keystore::from_json(&text.replacen(once, twice, 1)).unwrap_err();
        assert!(
            matches!(error, WalletError::KeystoreJson(_)),
            "{twice}: {error}"
        );
    }
}

#[test]
fn names_what_it_does_not_support() {
    let cases: [(&str, Value); 9] = [
        ("/version", json!(1)),
        ("/version", json!(4)),
        ("/id", json!("x".repeat(65))),
        ("/crypto/cipher", json!("aes-128-cbc")),
        ("/crypto/kdf", json!("argon2id")),
        ("/crypto/kdfparams/dklen", json!(u64::MAX)),
        ("/crypto/kdfparams/dklen", json!(31)),
        ("/crypto/kdfparams/n", json!(3)),
        ("/crypto/kdfparams/n", json!(0)),
    ];
    for (pointer, wrong) in cases {
        let error =
            changed(|value| *value.pointer_mut(pointer).unwrap() = wrong.clone()).unwrap_err();
        let WalletError::KeystoreUnsupported { field, .. } = error else {
            panic!("{pointer} = {wrong}: {error}");
        };
        assert_eq!(format!("/{}", field.replace('.', "/")), pointer);
    }
}

#[test]
fn refuses_what_is_missing_or_malformed() {
    for pointer in [
        "/crypto/ciphertext",
        "/crypto/mac",
        "/crypto/cipherparams/iv",
        "/crypto/kdfparams/salt",
    ] {
        for wrong in ["0", "zz", "äöü"] {
            let error = changed(|value| *value.pointer_mut(pointer).unwrap() = json!(wrong));
            assert!(
                matches!(error, Err(WalletError::BadHex { .. })),
                "{pointer} = {wrong}"
            );
        }
    }
    for bytes in [0, 33] {
        let error = changed(|value| value["crypto"]["ciphertext"] = json!("00".repeat(bytes)));
        assert!(matches!(error, Err(WalletError::BadHex { .. })), "{bytes}");
    }
    for field in ["n", "r", "p", "dklen", "salt"] {
        let error = changed(|value| {
            drop(
                value["crypto"]["kdfparams"]
                    .as_object_mut()
                    .unwrap()
                    .remove(field),
            );
        });
        assert!(
            matches!(error, Err(WalletError::KeystoreJson(_))),
            "{field}"
        );
    }
    for text in [
        "",
        "{}",
        "null",
        "[]",
        "{\"version\":3}",
        "{\"version\":\"3\"}",
    ] {
        assert!(
            matches!(Keystore::from_json(text), Err(WalletError::KeystoreJson(_))),
            "{text}"
        );
    }
    let long = " ".repeat(MAX_KEYSTORE_BYTES + 1);
    assert!(matches!(
        Keystore::from_json(&long),
        Err(WalletError::KeystoreLimit { .. })
    ));
}

#[test]
fn a_file_that_asks_for_too_much_is_refused_before_anything_is_computed() {
    for (field, value) in [
        ("n", json!(1_u64 << 63)),
        ("n", json!(1_u64 << 24)),
        ("r", json!(u32::MAX)),
        ("p", json!(u32::MAX)),
    ] {
        let error = changed(|file| file["crypto"]["kdfparams"][field] = value.clone());
        assert!(
            matches!(error, Err(WalletError::KeystoreLimit { .. })),
            "{field} {value}"
        );
    }
    // The same through serde, where the caller's own struct may hold a keystore.
    let mut value = serde_json::to_value(keystore()).unwrap();
    value["crypto"]["kdfparams"]["n"] = json!(1_u64 << 40);
    assert!(serde_json::from_value::<Keystore>(value).is_err());
}

#[test]
fn a_secret_without_its_leading_zeros_opens() {
    let mut secret = [0x22; 32];
    secret[..2].fill(0);
    let wallet = Wallet::from_secret(&secret).unwrap();
    let mut short = Keystore::encrypt(&wallet, b"p", &mut rng(), CHEAP).unwrap();
    let key = short.derivation.derive(b"p").unwrap();
    short.ciphertext = secret[2..].to_vec();
    apply_keystream(&key, &short.iv, &mut short.ciphertext);
    short.mac = mac(&key, &short.ciphertext);
    let read = Keystore::from_json(&short.to_json().unwrap()).unwrap();
    assert_eq!(read.decrypt(b"p").unwrap().address(), wallet.address());
}

#[test]
fn a_wrong_address_or_a_wrong_secret_inside_is_told() {
    let other = Wallet::from_secret(&[0x33; 32]).unwrap().address();
    let lying = changed(|value| value["address"] = json!(other.to_string())).unwrap();
    assert_eq!(
        lying.decrypt(b"password").unwrap_err(),
        WalletError::KeystoreAddress {
            stated: other,
            found: wallet().address()
        }
    );
    let mut zero = keystore();
    let key = zero.derivation.derive(b"password").unwrap();
    zero.ciphertext = vec![0; 32];
    apply_keystream(&key, &zero.iv, &mut zero.ciphertext);
    zero.mac = mac(&key, &zero.ciphertext);
    assert_eq!(
        zero.decrypt(b"password").unwrap_err(),
        WalletError::BadSecret
    );
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let huge = Kdf::Scrypt {
        log_n: 40,
        r: 8,
        p: 1,
    };
    let error = Keystore::encrypt(&wallet(), b"p", &mut rng(), huge).unwrap_err();
    assert!(matches!(error, WalletError::KeystoreLimit { .. }));
}

proptest! {
    #[test]
    fn any_secret_and_password_come_back(
        secret in any::<[u8; 32]>(),
        password in prop::collection::vec(any::<u8>(), 0..40),
        seed in any::<u64>(),
    ) {
        // Nearly every secret is in range; the others are another test's.
        prop_assume!(Wallet::from_secret(&secret).is_ok());
        let wallet = Wallet::from_secret(&secret).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let keystore = Keystore::encrypt(&wallet, &password, &mut rng, CHEAP).unwrap();
        let read: Keystore = serde_json::from_str(&keystore.to_json().unwrap()).unwrap();
        prop_assert_eq!(*read.decrypt(&password).unwrap().secret_bytes(), secret);
    }

    #[test]
    fn a_changed_byte_never_gives_another_wallet(at in any::<prop::sample::Index>(), byte in b' '..b'~') {
        let mut text = serde_json::to_string(&keystore()).unwrap().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let text = String::from_utf8(text).unwrap();
        // Parameters that the change made expensive are not for this test.
        if let Ok(keystore) = Keystore::from_json(&text)
            && keystore.derivation.function == self::keystore().derivation.function
        {
            match keystore.decrypt(b"password") {
                Ok(opened) => prop_assert_eq!(opened.address(), wallet().address()),
                Err(error) => prop_assert!(
                    matches!(error, WalletError::WrongPassword | WalletError::KeystoreAddress { .. }),
                    "{}", error
                ),
            }
        }
    }

    #[test]
    fn any_text_is_refused_quietly(text in "\\PC{0,200}") {
        prop_assert!(Keystore::from_json(&text).is_err());
    }
}
