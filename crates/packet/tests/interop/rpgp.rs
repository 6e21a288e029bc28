//! Messages made and read by rpgp.

use std::io::Read as _;

use pgp::{
    composed::{
        EncryptionCaps, Esk, KeyType, Message, MessageBuilder, PlainSessionKey, RawSessionKey,
        SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey, SubkeyParamsBuilder,
    },
    crypto::{
        aead::{AeadAlgorithm, ChunkSize},
        ecc_curve::ECCCurve,
        hash::HashAlgorithm,
        sym::SymmetricKeyAlgorithm,
    },
    types::{CompressionAlgorithm, KeyDetails as _, KeyVersion, Password, StringToKey},
};
use rand::rngs::OsRng;

use crate::sample::{Inside, Sample};

fn key(version: KeyVersion, sign: KeyType, encrypt: KeyType) -> SignedSecretKey {
    let subkey = SubkeyParamsBuilder::default()
        .version(version)
        .key_type(encrypt)
        .can_encrypt(EncryptionCaps::All)
        .build()
        .unwrap();
    SecretKeyParamsBuilder::default()
        .version(version)
        .key_type(sign)
        .can_certify(true)
        .can_sign(true)
        .primary_user_id("somebody".into())
        .subkey(subkey)
        .build()
        .unwrap()
        .generate(OsRng)
        .unwrap()
}

struct Case<'a> {
    name: &'a str,
    /// To whom, and whether by name.
    to: Vec<(&'a SignedPublicKey, bool)>,
    content: Vec<u8>,
    v2: Option<AeadAlgorithm>,
    signers: Vec<&'a SignedSecretKey>,
    compressed: bool,
    password: bool,
    partial: Option<u32>,
}

impl Case<'_> {
    fn make(self) -> Sample {
        let Self {
            name,
            to,
            content,
            v2,
            signers,
            compressed,
            password,
            partial,
        } = self;
        let mut builder = MessageBuilder::from_bytes("", content.clone());
        if let Some(size) = partial {
            builder.partial_chunk_size(size).unwrap();
        }
        if compressed {
            builder.compression(CompressionAlgorithm::ZLIB);
        }
        for signer in &signers {
            builder.sign(
                &signer.primary_key,
                Password::empty(),
                HashAlgorithm::Sha256,
            );
        }
        let aes = SymmetricKeyAlgorithm::AES256;
        let s2k = StringToKey::new_default(OsRng);
        let (octets, session) = if let Some(aead) = v2 {
            let mut builder = builder.seipd_v2(OsRng, aes, aead, ChunkSize::C8KiB);
            for (to, named) in &to {
                let subkey = &to.public_subkeys[0].key;
                match named {
                    true => builder.encrypt_to_key(OsRng, subkey).unwrap(),
                    false => builder.encrypt_to_key_anonymous(OsRng, subkey).unwrap(),
                };
            }
            if password {
                builder
                    .encrypt_with_password(OsRng, s2k, &"secret".into())
                    .unwrap();
            }
            let key = RawSessionKey::from(builder.session_key().as_ref());
            (builder.to_vec(OsRng).unwrap(), PlainSessionKey::V6 { key })
        } else {
            let mut builder = builder.seipd_v1(OsRng, aes);
            for (to, named) in &to {
                let subkey = &to.public_subkeys[0].key;
                match named {
                    true => builder.encrypt_to_key(OsRng, subkey).unwrap(),
                    false => builder.encrypt_to_key_anonymous(OsRng, subkey).unwrap(),
                };
            }
            if password {
                builder
                    .encrypt_with_password(s2k, &"secret".into())
                    .unwrap();
            }
            let key = RawSessionKey::from(builder.session_key().as_ref());
            (
                builder.to_vec(OsRng).unwrap(),
                PlainSessionKey::V3_4 { sym_alg: aes, key },
            )
        };
        let recipients = to
            .iter()
            .map(|(to, named)| match (named, v2.is_some()) {
                (false, _) => "wildcard".to_owned(),
                (true, true) => to.public_subkeys[0].key.fingerprint().to_string(),
                (true, false) => to.public_subkeys[0].key.legacy_key_id().to_string(),
            })
            .collect();
        let plaintext = decrypt(&octets, &session);
        let inside = match compressed {
            true => Inside::Compressed(plaintext),
            false => Inside::Content {
                plaintext,
                content,
                signatures: signers.len(),
            },
        };
        Sample {
            name: format!("rpgp: {name}"),
            octets,
            recipients,
            has_password: password,
            inside: Some(inside),
        }
    }
}

/// The packets inside a message.
pub(crate) fn decrypt(octets: &[u8], session: &PlainSessionKey) -> Vec<u8> {
    let Message::Encrypted { mut edata, .. } = Message::from_bytes(octets).unwrap() else {
        panic!("not encrypted");
    };
    edata.decrypt(session).unwrap();
    let mut plaintext = Vec::new();
    edata.read_to_end(&mut plaintext).unwrap();
    plaintext
}

/// Whom rpgp says the PKESKs name.
pub(crate) fn recipients(octets: &[u8]) -> Vec<String> {
    let Message::Encrypted { esk, .. } = Message::from_bytes(octets).unwrap() else {
        panic!("not encrypted");
    };
    esk.iter()
        .filter_map(|esk| match esk {
            Esk::PublicKeyEncryptedSessionKey(pkesk) => Some(pkesk),
            Esk::SymKeyEncryptedSessionKey(_) => None,
        })
        .map(|pkesk| match pkesk.fingerprint() {
            Ok(Some(fingerprint)) => fingerprint.to_string(),
            Ok(None) => "wildcard".to_owned(),
            Err(_) => match pkesk.id().unwrap() {
                id if id.is_wildcard() => "wildcard".to_owned(),
                id => id.to_string(),
            },
        })
        .collect()
}

/// Messages of every kind that rpgp makes.
pub(crate) fn samples() -> Vec<Sample> {
    let legacy = KeyType::ECDH(ECCCurve::Curve25519Legacy);
    let v4 = key(KeyVersion::V4, KeyType::Ed25519Legacy, legacy);
    let nist = key(
        KeyVersion::V4,
        KeyType::Ed25519Legacy,
        KeyType::ECDH(ECCCurve::P384),
    );
    let modern = key(KeyVersion::V4, KeyType::Ed25519, KeyType::X25519);
    let v6 = key(KeyVersion::V6, KeyType::Ed25519, KeyType::X25519);
    let v6_448 = key(KeyVersion::V6, KeyType::Ed25519, KeyType::X448);
    let [
        v4_public,
        nist_public,
        modern_public,
        v6_public,
        v6_448_public,
    ] = [&v4, &nist, &modern, &v6, &v6_448].map(|key| key.to_public_key());
    let case = |name, to: &[(&'static str, bool)]| {
        let to = to
            .iter()
            .map(|&(name, named)| {
                let key = match name {
                    "v4" => &v4_public,
                    "nist" => &nist_public,
                    "modern" => &modern_public,
                    "v6" => &v6_public,
                    _ => &v6_448_public,
                };
                (key, named)
            })
            .collect();
        Case {
            name,
            to,
            content: b"Hello Bobo".to_vec(),
            v2: None,
            signers: Vec::new(),
            compressed: false,
            password: false,
            partial: None,
        }
    };
    let gcm = Some(AeadAlgorithm::Gcm);
    let big = vec![0x42; 1_000_000];
    let everybody = [
        ("v4", true),
        ("nist", true),
        ("modern", true),
        ("v6", true),
        ("448", true),
    ];
    let mixed = [
        ("v4", true),
        ("modern", false),
        ("v6", true),
        ("448", false),
    ];
    [
        case("v4 Curve25519Legacy", &[("v4", true)]),
        case("v4 NIST P-384", &[("nist", true)]),
        case("v4 X25519", &[("modern", true)]),
        Case {
            v2: gcm,
            ..case("v4 X25519 and SEIPD v2", &[("modern", true)])
        },
        case("v6 key and SEIPD v1", &[("v6", true)]),
        Case {
            v2: gcm,
            ..case("v6 X25519", &[("v6", true)])
        },
        Case {
            v2: Some(AeadAlgorithm::Ocb),
            ..case("v6 X448 with OCB", &[("448", true)])
        },
        Case {
            v2: Some(AeadAlgorithm::Eax),
            ..case("v6 X25519 with EAX", &[("v6", true)])
        },
        case("several", &everybody),
        Case {
            v2: gcm,
            ..case("several with SEIPD v2", &everybody)
        },
        case("some anonymous", &mixed),
        Case {
            v2: gcm,
            ..case("some anonymous with SEIPD v2", &mixed)
        },
        case("anonymous", &[("v4", false)]),
        Case {
            v2: gcm,
            ..case("anonymous v6", &[("v6", false)])
        },
        Case {
            password: true,
            ..case("with a password", &[("v4", true)])
        },
        Case {
            password: true,
            v2: gcm,
            ..case("v6 with a password", &[("v6", true)])
        },
        Case {
            compressed: true,
            ..case("compressed", &[("v4", true)])
        },
        Case {
            signers: vec![&v4],
            ..case("signed", &[("v4", true)])
        },
        Case {
            signers: vec![&v6, &v4],
            v2: gcm,
            ..case("signed twice", &[("v6", true)])
        },
        Case {
            content: big.clone(),
            ..case("1 MB", &[("v4", true)])
        },
        Case {
            content: big.clone(),
            partial: Some(512),
            v2: gcm,
            ..case("1 MB in the finest cut", &[("v6", true)])
        },
        Case {
            content: big,
            partial: Some(1 << 21),
            v2: gcm,
            ..case("1 MB in one piece", &[("v6", true)])
        },
        Case {
            content: Vec::new(),
            v2: gcm,
            ..case("empty", &[("v6", true)])
        },
    ]
    .into_iter()
    .map(Case::make)
    .collect()
}
