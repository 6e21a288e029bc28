//! Refusals as the sender reads them: sealed, under the key of the packet that was refused.

use bytes::Bytes;
use layer_minus_http::clock;
use layer_minus_message::{Answer, CommandEnvelope, Content, Frame, Kind, Reason};
use layer_minus_seal::{RecordOpener, ReplyKey, seal_layer};
use rand::rngs::OsRng;

use crate::{
    raw,
    world::{NETWORK, Place, SMALL, network, recipient},
};

/// Posts a frame of that kind, and opens what the node answers.
async fn refused(place: &Place, network: &str, kind: Kind, body: &[u8]) -> Reason {
    let frame = Frame {
        kind,
        reply_key: ReplyKey::generate(&mut OsRng),
        expires_at: clock::now() + 600,
        inbox: None,
        body: Bytes::copy_from_slice(body),
    };
    let head = frame.head(network);
    let parts: [&[u8]; 2] = [&head, body];
    let packet = seal_layer(&mut OsRng, &place.record.certificate, &parts, SMALL).unwrap();
    let answer = raw::post(place.addr, "application/octet-stream", &packet).await;
    assert_eq!(answer.status, 200);
    let readable = String::from_utf8_lossy(&answer.body).to_lowercase();
    assert!(!readable.contains("reason") && !readable.contains("refused"));
    let record = RecordOpener::new(&frame.reply_key).open(&answer.body);
    match Content::read(&Bytes::from(record.unwrap())).unwrap() {
        Content::Answer(answer) => match *answer {
            Answer::Refused(reason) => reason,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sealed_it_is_told_why_and_nobody_else() {
    let places = network(&[recipient(&[])]).await;
    let node = &places[0];
    let envelope = |payload: &str| {
        let envelope = CommandEnvelope {
            payload: payload.to_owned(),
            proof: None,
        };
        envelope.to_bytes().unwrap()
    };
    let reason = refused(node, "other-net", Kind::Mail, b"x").await;
    assert_eq!(reason, Reason::WrongNetwork);
    let dance = envelope(r#"{"command":"dance"}"#);
    let cases: [(Kind, &[u8]); 4] = [
        (Kind::Mail, b"no OpenPGP"),
        (Kind::Command, &dance),
        (Kind::Command, b"no JSON"),
        (Kind::Packet, b"no packet"),
    ];
    for (kind, body) in cases {
        let reason = refused(node, NETWORK, kind, body).await;
        assert!(
            matches!(reason, Reason::Malformed { .. }),
            "{kind:?}: {reason:?}"
        );
    }
    let stale = {
        let wallet = layer_minus_wallet::Wallet::generate(&mut OsRng);
        let signer = layer_minus_message::Signer::Wallet(&wallet);
        let command = layer_minus_message::Command::Status;
        let then = clock::now() - 3_600;
        let signed =
            CommandEnvelope::sign(signer, NETWORK, node.address(), &command, then, &mut OsRng);
        signed.unwrap().to_bytes().unwrap()
    };
    let reason = refused(node, NETWORK, Kind::Command, &stale).await;
    let Reason::StaleTime { node_time } = reason else {
        panic!("{reason:?}")
    };
    assert!(node_time.abs_diff(clock::now()) < 60);
}
