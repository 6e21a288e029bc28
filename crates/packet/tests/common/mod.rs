//! Packets made by hand, sound and hostile, for the tests and the bench.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

/// How a packet is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Current format, shortest length.
    New,
    /// Current format, five-octet length.
    NewFive,
    /// Legacy format with a length of that many octets: 1, 2 or 4.
    Legacy(u8),
}

/// The packet with that type and body.
pub fn packet(form: Form, tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    let [_, _, high, low] = length.to_be_bytes();
    let mut octets = match form {
        Form::New => {
            let mut octets = vec![0xc0 | tag];
            octets.extend(new_length(body.len()));
            octets
        }
        Form::NewFive => vec![0xc0 | tag, 255],
        Form::Legacy(1) => vec![0x80 | tag << 2, low],
        Form::Legacy(2) => vec![0x81 | tag << 2, high, low],
        Form::Legacy(_) => vec![0x82 | tag << 2],
    };
    if matches!(form, Form::NewFive | Form::Legacy(4)) {
        octets.extend(length.to_be_bytes());
    }
    octets.extend(body);
    octets
}

/// The shortest length of the current format.
pub fn new_length(length: usize) -> Vec<u8> {
    match length {
        0..=191 => vec![length as u8],
        192..=8383 => vec![((length - 192) >> 8) as u8 + 192, (length - 192) as u8],
        _ => [&[255][..], &u32::try_from(length).unwrap().to_be_bytes()].concat(),
    }
}

/// The packet in the current format.
pub fn new(tag: u8, body: &[u8]) -> Vec<u8> {
    packet(Form::New, tag, body)
}

/// The packet cut into partial lengths of `2^power` octets and a fixed rest.
pub fn partial(tag: u8, body: &[u8], power: u8) -> Vec<u8> {
    let mut octets = vec![0xc0 | tag];
    let mut parts = body.chunks_exact(1 << power);
    for part in &mut parts {
        octets.push(224 + power);
        octets.extend(part);
    }
    octets.extend(new_length(parts.remainder().len()));
    octets.extend(parts.remainder());
    octets
}

/// The body of a version 3 PKESK with X25519 fields.
pub fn pkesk3(id: [u8; 8]) -> Vec<u8> {
    let mut body = vec![3];
    body.extend(id);
    body.push(25);
    body.extend([0x55; 32]);
    body.extend([41, 9]);
    body.extend([0x66; 40]);
    body
}

/// The body of a version 6 PKESK with X25519 fields; no fingerprint makes it anonymous.
pub fn pkesk6(fingerprint: &[u8]) -> Vec<u8> {
    let mut body = vec![6];
    match fingerprint.len() {
        0 => body.push(0),
        20 => body.extend([21, 4]),
        _ => body.extend([33, 6]),
    }
    body.extend(fingerprint);
    body.push(25);
    body.extend([0x55; 32]);
    body.push(40);
    body.extend([0x66; 40]);
    body
}

/// The body of a version 1 SEIPD of `length` octets.
pub fn seipd1(length: usize) -> Vec<u8> {
    let mut body = vec![0x77; length];
    body[0] = 1;
    body
}

/// The body of a version 2 SEIPD of `length` octets with those parameters.
pub fn seipd2_with(length: usize, sym: u8, aead: u8, chunk: u8) -> Vec<u8> {
    let mut body = vec![0x77; length];
    body[..4].copy_from_slice(&[2, sym, aead, chunk]);
    body
}

/// The body of a version 2 SEIPD of `length` octets: AES-256, GCM, chunks of 1 MiB.
pub fn seipd2(length: usize) -> Vec<u8> {
    seipd2_with(length, 9, 3, 14)
}

/// A layer of exactly `size` octets: PKESK v6 to a version 6 key, SEIPD v2.
pub fn layer_of(size: usize) -> Vec<u8> {
    let pkesk = new(1, &pkesk6(&[0xab; 32]));
    let body = size - pkesk.len() - 6;
    [pkesk, packet(Form::NewFive, 18, &seipd2(body))].concat()
}

/// A literal packet's body.
pub fn literal(data: &[u8]) -> Vec<u8> {
    [&b"b\x00\x00\x00\x00\x00"[..], data].concat()
}

/// A one-pass signature packet of version 3.
pub fn one_pass() -> Vec<u8> {
    new(4, &[3, 0, 8, 22, 1, 2, 3, 4, 5, 6, 7, 8, 1])
}

/// A signature packet (its content is not looked at).
pub fn signature() -> Vec<u8> {
    new(2, &[4; 94])
}

/// Which reader a hostile input is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before decryption: the heads and both admissions.
    Sealed,
    /// After decryption: the literal and the message.
    Opened,
}

/// An input that crashes or stalls a general OpenPGP library.
pub struct Hostile {
    pub name: &'static str,
    pub stage: Stage,
    pub octets: Vec<u8>,
}

fn sealed(name: &'static str, octets: Vec<u8>) -> Hostile {
    Hostile {
        name,
        stage: Stage::Sealed,
        octets,
    }
}

fn opened(name: &'static str, octets: Vec<u8>) -> Hostile {
    Hostile {
        name,
        stage: Stage::Opened,
        octets,
    }
}

fn behind_pkesk(rest: &[u8]) -> Vec<u8> {
    [&new(1, &pkesk6(&[0xab; 32])), rest].concat()
}

/// What [`aead_octet`], [`chunk_octet`] and the rest of this module make, in one list.
pub fn hostile() -> Vec<Hostile> {
    vec![
        sealed("aead octet 4", aead_octet(4)),
        sealed("chunk octet 16", chunk_octet(16)),
        sealed("30,000 one-pass signatures", one_pass_signatures(30_000)),
        opened("30,000 one-pass signatures", one_pass_signatures(30_000)),
        sealed("12,190 wildcard PKESKs", wildcard_pkesks(12_190)),
        sealed("bzip2 bomb", bzip2_bomb()),
        opened("bzip2 bomb", bzip2_bomb()),
        sealed(
            "500,000 padding packets in front",
            paddings_in_front(500_000),
        ),
        opened("500,000 padding packets behind", paddings_behind(500_000)),
        sealed("one-octet partial lengths", one_octet_partials(500_000)),
        opened(
            "one-octet partial lengths",
            one_octet_partial_literal(500_000),
        ),
        opened("1,001 nested layers", nested_layers(1_001)),
        opened("1,001 nested compressed packets", nested_compressed(1_001)),
        sealed("argon2 password packet", argon2_skesk()),
        sealed(
            "argon2 password packet behind a PKESK",
            argon2_skesk_behind(),
        ),
        sealed("tag 9", tag_9()),
    ]
}

/// A layer whose AEAD octet is `aead`.
pub fn aead_octet(aead: u8) -> Vec<u8> {
    behind_pkesk(&new(18, &seipd2_with(2_000, 9, aead, 10)))
}

/// A layer whose chunk size octet is `chunk`.
pub fn chunk_octet(chunk: u8) -> Vec<u8> {
    behind_pkesk(&new(18, &seipd2_with(2_000, 9, 3, chunk)))
}

/// One-pass signatures without end, then a literal.
pub fn one_pass_signatures(count: usize) -> Vec<u8> {
    [one_pass().repeat(count), new(11, &literal(b"x"))].concat()
}

/// Anonymous PKESKs, each of which an opener would have to try.
pub fn wildcard_pkesks(count: usize) -> Vec<u8> {
    [new(1, &pkesk3([0; 8])).repeat(count), new(18, &seipd1(100))].concat()
}

/// A compressed data packet: 1,447 octets that bzip2 would turn into 1 GiB. What bzip2 would see
/// does not matter, for nobody here looks at it.
pub fn bzip2_bomb() -> Vec<u8> {
    let mut body = vec![3];
    body.extend(b"BZh91AY&SY");
    body.resize(1_447, 0x5a);
    new(8, &body)
}

/// Padding packets, then a sound layer.
pub fn paddings_in_front(count: usize) -> Vec<u8> {
    [new(21, b"").repeat(count), layer_of(2_000)].concat()
}

/// A literal, then padding packets.
pub fn paddings_behind(count: usize) -> Vec<u8> {
    [new(11, &literal(b"x")), new(21, b"").repeat(count)].concat()
}

/// A message whose encrypted data comes in parts of one octet.
pub fn one_octet_partials(count: usize) -> Vec<u8> {
    behind_pkesk(&partial(18, &seipd2(count), 0))
}

/// A literal in parts of one octet.
pub fn one_octet_partial_literal(count: usize) -> Vec<u8> {
    partial(11, &literal(&vec![0; count]), 0)
}

/// Encrypted data inside encrypted data: as plaintext it starts with a PKESK again.
pub fn nested_layers(depth: usize) -> Vec<u8> {
    let mut inner = new(11, &literal(b"x"));
    for _ in 0..depth {
        inner = behind_pkesk(&new(18, &[&seipd2(40)[..], &inner].concat()));
    }
    inner
}

/// Compressed data (method: uncompressed) inside compressed data.
pub fn nested_compressed(depth: usize) -> Vec<u8> {
    let mut inner = new(11, &literal(b"x"));
    for _ in 0..depth {
        inner = new(8, &[&[0][..], &inner].concat());
    }
    inner
}

/// A SKESK v4 that asks for Argon2 with all the time, lanes and memory there are.
pub fn argon2_skesk() -> Vec<u8> {
    let mut body = vec![4, 9, 4];
    body.extend([0x11; 16]);
    body.extend([255, 255, 31]);
    [new(3, &body), new(18, &seipd1(100))].concat()
}

/// The same behind a PKESK.
pub fn argon2_skesk_behind() -> Vec<u8> {
    [new(1, &pkesk3([1; 8])), argon2_skesk()].concat()
}

/// Encrypted data without any integrity protection.
pub fn tag_9() -> Vec<u8> {
    [new(1, &pkesk3([1; 8])), new(9, &[0x77; 100])].concat()
}
