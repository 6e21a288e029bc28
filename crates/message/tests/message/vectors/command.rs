//! Commands, good and bad.

use super::*;

#[test]
fn commands() {
    let world = world();
    let node = world.node.address();
    let rng = &mut rng(100);
    let mut good = Vec::new();
    for (command, _) in strict::commands() {
        for signer in [
            None,
            Some(Signer::Wallet(&world.bobo)),
            Some(Signer::Device(&world.bobo_device)),
        ] {
            let envelope = match signer {
                None if command.needs_signature() => continue,
                None => CommandEnvelope::unsigned(&command),
                Some(_) if !command.needs_signature() => continue,
                // One command is enough to show the wallet itself as signer.
                Some(Signer::Wallet(_)) if command != Command::Status => continue,
                Some(signer) => CommandEnvelope::sign(signer, NETWORK, node, &command, NOW, rng),
            }
            .unwrap();
            let body = String::from_utf8(envelope.to_bytes().unwrap()).unwrap();
            let read = CommandEnvelope::read(body.as_bytes(), NETWORK, node, NOW).unwrap();
            assert_eq!(read.command, command);
            good.push(json!({
                "name": command.name(),
                "payload": &envelope.payload,
                "statement": envelope
                    .proof
                    .as_ref()
                    .map(|proof| statement("command", proof, &envelope.payload)),
                "body": body,
            }));
        }
    }

    let sign = |network, audience, command: &Command, time| {
        let signer = Signer::Device(&world.bobo_device);
        CommandEnvelope::sign(
            signer,
            network,
            audience,
            command,
            time,
            &mut crate::world::rng(101),
        )
        .unwrap()
    };
    let text =
        |envelope: &CommandEnvelope| String::from_utf8(envelope.to_bytes().unwrap()).unwrap();
    let status = text(&sign(NETWORK, node, &Command::Status, NOW));
    let letter = Proof::sign(
        Signer::Device(&world.bobo_device),
        NETWORK,
        Purpose::Letter,
        node,
        b"{\"command\":\"status\"}",
        NOW,
        &mut crate::world::rng(102),
    );
    let letter = CommandEnvelope {
        payload: "{\"command\":\"status\"}".into(),
        proof: Some(letter.unwrap()),
    };
    let bad = [
        (
            "signed for another node",
            text(&sign(
                NETWORK,
                Address::repeat_byte(7),
                &Command::Status,
                NOW,
            )),
        ),
        (
            "signed for another network",
            text(&sign("other", node, &Command::Status, NOW)),
        ),
        (
            "signed too long ago",
            text(&sign(NETWORK, node, &Command::Status, NOW - 601)),
        ),
        ("signed as a letter", text(&letter)),
        (
            "not signed",
            text(&CommandEnvelope::unsigned(&Command::Status).unwrap()),
        ),
        (
            "another command than was signed",
            status.replacen("status", "unregister", 1),
        ),
        (
            "unknown command",
            text(&CommandEnvelope {
                payload: "{\"command\":\"dance\"}".into(),
                proof: None,
            }),
        ),
        (
            "unknown field in the command",
            text(&CommandEnvelope {
                payload: "{\"command\":\"directory\",\"x\":1}".into(),
                proof: None,
            }),
        ),
        (
            "unknown field in the envelope",
            status.replacen('{', "{\"x\":1,", 1),
        ),
        (
            "double key in the envelope",
            status.replacen('{', "{\"payload\":\"\",", 1),
        ),
        ("cut short", status[..status.len() - 1].to_owned()),
    ];
    let bad: Vec<Value> = bad
        .iter()
        .map(|(name, body)| {
            let reason =
                CommandEnvelope::read(body.as_bytes(), NETWORK, node, NOW).expect_err(name);
            json!({ "name": name, "body": body, "reason": reason })
        })
        .collect();
    check(
        "command",
        &json!({
            "about": "Bodies of command frames. A statement is the EIP-712 data that was signed; its \
                      digest is the keccak-256 of the payload's exact text. Domain: name \
                      \"Layer Minus\", version \"1\", salt = keccak-256 of the network id.",
            "network": NETWORK,
            "now": NOW.to_string(),
            "audience": node.to_string(),
            "wallets": secrets(),
            "commands": good,
            "refused": bad,
        }),
    );
}
