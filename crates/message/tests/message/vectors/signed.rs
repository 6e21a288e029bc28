//! What else is signed or sealed: cards, records, letters, answers.

use super::*;

#[test]
fn cards() {
    let card = &world().card;
    let body = &card.body;
    let digest = alloy_primitives::keccak256(&card.signed.document);
    let message = typed::Card {
        wallet: body.wallet,
        node: body.node,
        validFrom: body.valid_from,
        validUntil: body.valid_until,
        version: body.version,
        digest,
    };
    let fields = json!({
        "wallet": body.wallet.to_string(),
        "node": body.node.to_string(),
        "validFrom": body.valid_from.to_string(),
        "validUntil": body.valid_until.to_string(),
        "version": body.version.to_string(),
        "digest": digest,
    });
    let full: FullCard = world().full_card();
    check(
        "card",
        &json!({
            "about": "A card as its owner signed it; its short text ends with the first 16 bytes of \
                      the keccak-256 of the document.",
            "network": NETWORK,
            "now": NOW.to_string(),
            "wallets": secrets(),
            "signed": card.signed,
            "statement": signed(&message, fields, body.wallet),
            "encryption_key": card.encryption_key().to_string(),
            "short": card.short().to_string(),
            "full": full,
        }),
    );
}

/// The record, what was signed, and by which keys packets find the node.
fn record(record: &NodeRecord) -> Value {
    let body = &record.body;
    let digest = alloy_primitives::keccak256(&record.signed.document);
    let message = typed::NodeRecord {
        node: body.node,
        validFrom: body.valid_from,
        validUntil: body.valid_until,
        sequence: body.sequence,
        digest,
    };
    let fields = json!({
        "node": body.node.to_string(),
        "validFrom": body.valid_from.to_string(),
        "validUntil": body.valid_until.to_string(),
        "sequence": body.sequence.to_string(),
        "digest": digest,
    });
    json!({
        "signed": record.signed,
        "statement": signed(&message, fields, body.node),
        "encryption_key": record.certificate.encryption_key().to_string(),
        "next_encryption_key":
            record.next_certificate.as_ref().map(|next| next.encryption_key().to_string()),
    })
}

#[test]
fn records() {
    let old = &world().record;
    let body = RecordBody {
        certificate: old.body.next_certificate.clone().unwrap(),
        next_certificate: None,
        sequence: old.body.sequence + 1,
        ..old.body.clone()
    };
    let new = NodeRecord::sign(&world().node, body).unwrap();
    assert_eq!(new.certificate.encryption_key().as_bytes().len(), 32);
    let mut made = record(old);
    let more = json!({
        "about": "A node record as the node's wallet signed it, with a v4 certificate and the v6 one that \
                  follows it; then the record with that one.",
        "network": NETWORK,
        "now": NOW.to_string(),
        "wallets": secrets(),
        "with_v6_certificate": record(&new),
    });
    let fields = made.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    check("record", &made);
}

#[test]
fn letters() {
    let world = world();
    let rng = &mut rng(103);
    let plain = world.letter("Hello Bobo");
    let mut file = world.letter("second half");
    let whole = b"first half second half";
    file.claims.id = [0x2d; 16];
    file.claims.content_type = "application/octet-stream".into();
    file.claims.name = Some("halves.txt".into());
    file.claims.in_reply_to = Some([0x1d; 16]);
    file.claims.part.index = 1;
    file.claims.part.count = 2;
    file.claims.part.offset = 11;
    file.claims.part.total_bytes = whole.len() as u64;
    file.claims.part.digest = sha256(whole);
    let mut stranger = world.letter("Hello, we have never met");
    stranger.card = Some(world.full_card());
    let letters: Vec<Value> = [
        (
            "a text, signed by the wallet",
            plain,
            Signer::Wallet(&world.peter),
            0,
        ),
        (
            "the second half of a file, an answer",
            file,
            Signer::Device(&world.peter_device),
            6,
        ),
        (
            "with a card",
            stranger,
            Signer::Device(&world.peter_device),
            1,
        ),
    ]
    .into_iter()
    .map(|(name, letter, signer, fill)| {
        let head = letter.sign(signer, NOW, rng).unwrap();
        let literal: Bytes = [&head[..], &letter.body, &vec![0; fill]].concat().into();
        let read = Letter::read(&literal, NETWORK, world.bobo.address(), NOW).unwrap();
        assert_eq!(
            (read.claims, read.body),
            (letter.claims, letter.body.clone())
        );
        let head: Value = serde_json::from_slice(&head[4..]).unwrap();
        let claims = head["claims"].as_str().unwrap();
        let proof: Proof = serde_json::from_value(head["proof"].clone()).unwrap();
        json!({
            "name": name,
            "claims": claims,
            "statement": statement("letter", &proof, claims),
            "body": hex0x(&letter.body),
            "fill_bytes": fill,
            "literal": hex0x(&literal),
        })
    })
    .collect();
    check(
        "letter",
        &json!({
            "about": "What lies inside a message that is sealed to a person. The statement's digest \
                      is the keccak-256 of the exact text of the claims.",
            "network": NETWORK,
            "now": NOW.to_string(),
            "wallets": secrets(),
            "recipient": world.bobo.address().to_string(),
            "letters": letters,
        }),
    );
}

#[test]
fn answers() {
    let answers: Vec<Value> = strict::answers()
        .into_iter()
        .map(|(answer, _)| {
            let json = serde_json::to_value(&answer).unwrap();
            let content = Content::from(answer);
            let bytes = content.to_bytes().unwrap();
            assert_eq!(Content::read(&bytes).unwrap(), content);
            json!({ "json": json, "content": hex0x(&bytes) })
        })
        .collect();
    let packet = PushedPacket {
        position: Position {
            generation: 7,
            seq: 42,
        },
        accepted_at: NOW,
        message: Bytes::from_static(b"sealed message"),
    };
    let pushed = json!({
        "generation": packet.position.generation.to_string(),
        "seq": packet.position.seq.to_string(),
        "accepted_at": packet.accepted_at.to_string(),
        "message": hex0x(&packet.message),
        "content": hex0x(Content::Packet(packet).to_bytes().unwrap()),
    });
    let acceptance = world().acceptance();
    check(
        "answer",
        &json!({
            "about": "Contents of sealed records: a byte of type (0 JSON, 1 packet), then JSON, or \
                      generation, sequence number and time (u64, big-endian) and the packet.",
            "network": NETWORK,
            "now": NOW.to_string(),
            "wallets": secrets(),
            "answers": answers,
            "pushed": pushed,
            "acceptance": statement("acceptance", &acceptance.proof, &acceptance.document),
            "acceptance_digest": B256::from(acceptance.digest()),
        }),
    );
}
