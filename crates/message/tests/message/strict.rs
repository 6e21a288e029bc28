//! The JSON of the protocol has one form: what else a lenient parser would take is refused.

use std::fmt::Debug;

use layer_minus_delivery::{ConsumerId, Mode};
use layer_minus_ledger::{Amount, Sum};
use layer_minus_message::{
    Answer, CardBody, Charge, ChargeKind, Claims, Command, FullCard, LaneKey, LaneNote, Listen,
    Paused, Position, Proof, Reason, RecordBody, SignedDocument, Standing, Statement,
};
use layer_minus_wallet::Address;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::world::{NOW, world};

/// A way to disfigure a JSON value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Harm {
    /// A key of an object occurs twice, with the same value.
    Double,
    /// An object has a key that nobody knows.
    Unknown,
    /// A decimal string becomes a number.
    BareNumber,
    /// A decimal string gets a leading zero.
    LeadingZero,
    /// A number becomes a string.
    QuotedNumber,
    /// A value becomes null.
    Null,
}

pub(crate) const HARMS: [Harm; 6] = [
    Harm::Double,
    Harm::Unknown,
    Harm::BareNumber,
    Harm::LeadingZero,
    Harm::QuotedNumber,
    Harm::Null,
];

/// Does one harm at one of the places where it could be done.
struct Vandal {
    harm: Harm,
    at: usize,
    seen: usize,
}

impl Vandal {
    /// Whether this is the place, if it is one at all.
    fn strikes(&mut self, harm: Harm, fits: bool) -> bool {
        let place = self.harm == harm && fits;
        let hit = place && self.seen == self.at;
        self.seen += usize::from(place);
        hit
    }

    fn write(&mut self, value: &Value) -> String {
        match value {
            Value::String(text) => {
                let decimal = text
                    .parse::<u64>()
                    .is_ok_and(|number| number.to_string() == *text);
                if self.strikes(Harm::BareNumber, decimal) {
                    text.clone()
                } else if self.strikes(Harm::LeadingZero, decimal) {
                    format!("\"0{text}\"")
                } else {
                    value.to_string()
                }
            }
            Value::Number(number) if self.strikes(Harm::QuotedNumber, true) => {
                format!("\"{number}\"")
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.member(item)).collect();
                format!("[{}]", items.join(","))
            }
            Value::Object(fields) => {
                let mut members = Vec::new();
                if self.strikes(Harm::Unknown, true) {
                    members.push("\"nobody_knows\":\"1\"".to_owned());
                }
                for (key, value) in fields {
                    let times = 1 + usize::from(self.strikes(Harm::Double, true));
                    let member = format!("\"{key}\":{}", self.member(value));
                    members.extend(std::iter::repeat_n(member, times));
                }
                format!("{{{}}}", members.join(","))
            }
            other => other.to_string(),
        }
    }

    fn member(&mut self, value: &Value) -> String {
        if self.strikes(Harm::Null, true) {
            "null".to_owned()
        } else {
            self.write(value)
        }
    }
}

/// All texts that one kind of harm gives.
pub(crate) fn harmed(value: &Value, harm: Harm) -> Vec<String> {
    let mut count = Vandal {
        harm,
        at: usize::MAX,
        seen: 0,
    };
    count.write(value);
    (0..count.seen)
        .map(|at| Vandal { harm, at, seen: 0 }.write(value))
        .collect()
}

/// Reads what it writes, and nothing that is only nearly so. `optional` values may be null.
fn strict<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, optional: usize) {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value);
    strict_text::<T>(&text, optional);
}

fn strict_text<T: Serialize + DeserializeOwned>(text: &str, optional: usize) {
    let value: Value = serde_json::from_str(text).unwrap();
    for harm in HARMS {
        let texts = harmed(&value, harm);
        let taken: Vec<&String> = texts
            .iter()
            .filter(|text| serde_json::from_str::<T>(text).is_ok())
            .collect();
        let expected = if matches!(harm, Harm::Null) {
            optional
        } else {
            0
        };
        assert_eq!(taken.len(), expected, "{harm:?}: {taken:?}");
    }
    // Long texts are cut at some places only: every cut is parsed to its end.
    for cut in (0..text.len()).step_by(1 + text.len() / 400) {
        assert!(
            serde_json::from_str::<T>(&text[..cut]).is_err(),
            "cut at {cut}"
        );
    }
    for tail in ["x", "{}", "\0", ","] {
        assert!(
            serde_json::from_str::<T>(&format!("{text}{tail}")).is_err(),
            "{tail}"
        );
    }
}

#[test]
fn harm_is_done_where_it_should_be() {
    let value: Value = serde_json::from_str(r#"{"a":"12","b":{"c":7},"d":["x"]}"#).unwrap();
    assert_eq!(harmed(&value, Harm::Double).len(), 4);
    assert_eq!(
        harmed(&value, Harm::Unknown)[1],
        r#"{"a":"12","b":{"nobody_knows":"1","c":7},"d":["x"]}"#
    );
    assert_eq!(
        harmed(&value, Harm::BareNumber),
        [r#"{"a":12,"b":{"c":7},"d":["x"]}"#]
    );
    assert_eq!(
        harmed(&value, Harm::LeadingZero),
        [r#"{"a":"012","b":{"c":7},"d":["x"]}"#]
    );
    assert_eq!(
        harmed(&value, Harm::QuotedNumber),
        [r#"{"a":"12","b":{"c":"7"},"d":["x"]}"#]
    );
    assert_eq!(harmed(&value, Harm::Null).len(), 5);
}

pub(crate) fn commands() -> Vec<(Command, usize)> {
    let world = world();
    let listen = Listen {
        consumer: ConsumerId::from([0xc0; 16]),
        mode: Mode::Share,
    };
    vec![
        (Command::Register(Box::new(world.registration())), 1),
        (
            Command::Confirm {
                challenge: [0xcc; 32],
                listen: Some(listen.clone()),
            },
            1,
        ),
        (
            Command::Confirm {
                challenge: [0xcc; 32],
                listen: None,
            },
            0,
        ),
        (Command::Listen(listen), 0),
        (
            Command::Ack {
                consumer: ConsumerId::from([0xc0; 16]),
                generation: 7,
                through: Some(41),
                seqs: vec![43, 45],
            },
            1,
        ),
        (Command::Status, 0),
        (
            Command::Card {
                wallet: world.bobo.address(),
            },
            0,
        ),
        (
            Command::Directory {
                after: Some(world.node.address()),
            },
            1,
        ),
        (Command::Directory { after: None }, 0),
        (
            Command::WhoHas {
                key: "0123456789abcdef".into(),
            },
            0,
        ),
        (Command::Authorize(Box::new(world.authorization.clone())), 0),
        (Command::Revoke, 0),
        (Command::Statement { after: 41 }, 0),
        (Command::Unregister, 0),
        (
            Command::Lane {
                record: world.record.signed.clone(),
                held: Some(world.voucher()),
            },
            1,
        ),
        (
            Command::Collect {
                held: None,
                stopped: true,
            },
            0,
        ),
    ]
}

pub(crate) fn reasons() -> Vec<Reason> {
    let detail = || "why".to_owned();
    vec![
        Reason::BadSignature,
        Reason::BadDelegation { detail: detail() },
        Reason::WrongAudience,
        Reason::WrongNetwork,
        Reason::StaleTime { node_time: NOW },
        Reason::ReplayedNonce,
        Reason::BadAuthorization { detail: detail() },
        Reason::AuthorizationExpired,
        Reason::Revoked,
        Reason::AuthorizationTooSmall {
            minimum_pusd: 1_000_000,
        },
        Reason::NotBacked { granted_pusd: 0 },
        Reason::BadInvite,
        Reason::Exhausted {
            available_pusd: 1,
            needed_pusd: 320_000,
        },
        Reason::RecipientCannotPay,
        Reason::UnknownClient,
        Reason::NotRegistered,
        Reason::MailboxFull,
        Reason::StrangersQuota,
        Reason::PossessionNotProved,
        Reason::KeyTaken,
        Reason::NoRoute,
        Reason::NextHopDown,
        Reason::Unavailable,
        Reason::OverLimit { limit: detail() },
        Reason::Malformed { detail: detail() },
    ]
}

pub(crate) fn answers() -> Vec<(Answer, usize)> {
    let world = world();
    let standing = Standing {
        limit_pusd: 5_000_000_000,
        charged_pusd: 20,
        ..Standing::default()
    };
    let paused = Standing {
        paused: Some(Paused::Unbacked),
        ..standing.clone()
    };
    let charge = Charge {
        seq: 42,
        at: NOW,
        kind: ChargeKind::PushAgain,
        bytes: 16_000,
        amount_pusd: Amount::new(320_000),
        balance_pusd: Sum::new(336_320_000),
    };
    let statement = Statement {
        opening_seq: 41,
        opening_pusd: Sum::new(336_000_000),
        charges: vec![charge],
        more: false,
        charged_pusd: Sum::new(336_320_000),
    };
    let position = Position {
        generation: 7,
        seq: 42,
    };
    let record = || world.record.signed.clone();
    let mut answers = vec![
        (Answer::Accepted(world.acceptance()), 0),
        (
            Answer::Challenge {
                sealed: vec![0xc1, 0, 0xff],
            },
            0,
        ),
        (Answer::Registered(standing.clone()), 0),
        (Answer::Status(standing.clone()), 0),
        (
            Answer::Card {
                card: world.card.signed.clone(),
            },
            0,
        ),
        (
            Answer::Directory {
                records: vec![record(), record()],
                more: true,
            },
            0,
        ),
        (
            Answer::Directory {
                records: vec![],
                more: false,
            },
            0,
        ),
        (
            Answer::Has {
                record: Some(record()),
            },
            1,
        ),
        (Answer::Has { record: None }, 0),
        (Answer::Authorized(standing.clone()), 0),
        (Answer::Revoked(paused), 1),
        (Answer::Statement(statement), 0),
        (Answer::Unregistered, 0),
        (Answer::Acknowledged, 0),
        (
            Answer::LaneOpen {
                lane: [0x1a; 16],
                key: LaneKey([0x1e; 32]),
                expires_at: NOW + 9,
                channel: world.lane_channel(),
                note: LaneNote {
                    credited_pusd: 12_000_000,
                    voucher: Some(world.voucher()),
                },
            },
            1,
        ),
        (
            Answer::Lane(LaneNote {
                credited_pusd: 12_000_000,
                voucher: None,
            }),
            0,
        ),
        (Answer::Listening { standing, position }, 0),
        (
            Answer::Gap {
                from: 3,
                through: 9,
            },
            0,
        ),
        (Answer::Paused(Reason::RecipientCannotPay), 0),
        (Answer::Heartbeat { node_time: NOW }, 0),
    ];
    answers.extend(
        reasons()
            .into_iter()
            .map(|reason| (Answer::Refused(reason), 0)),
    );
    answers
}

#[test]
fn commands_are_strict() {
    for (command, optional) in commands() {
        strict(&command, optional);
        let json: Value = serde_json::to_value(&command).unwrap();
        assert_eq!(json["command"], command.name());
    }
}

#[test]
fn reasons_and_answers_are_strict() {
    for reason in reasons() {
        strict(&reason, 0);
    }
    for (answer, optional) in answers() {
        strict(&answer, optional);
    }
}

#[test]
fn signed_bodies_are_strict() {
    let world = world();
    strict::<CardBody>(&world.card.body, 0);
    strict::<RecordBody>(&world.record.body, 1);
    strict::<SignedDocument>(&world.card.signed, 0);
    strict(&world.authorization, 0);
    strict(&world.acceptance_body(), 0);
    strict(&world.acceptance(), 0);
    let mut claims: Claims = world.letter("x").claims;
    claims.name = Some("notes.txt".into());
    claims.in_reply_to = Some([0x1e; 16]);
    strict(&claims, 2);
    let full = serde_json::to_string(&world.full_card()).unwrap();
    strict_text::<FullCard>(&full, 1);
}

#[test]
fn proofs_are_strict_with_and_without_a_device() {
    let world = world();
    let mut rng = crate::world::rng(2);
    let signers = [
        (layer_minus_message::Signer::Wallet(&world.bobo), 0),
        (layer_minus_message::Signer::Device(&world.bobo_device), 1),
    ];
    for (signer, optional) in signers {
        let proof = Proof::sign(
            signer,
            crate::world::NETWORK,
            layer_minus_message::Purpose::Command,
            Address::ZERO,
            b"content",
            NOW,
            &mut rng,
        );
        strict(&proof.unwrap(), optional);
    }
}

#[test]
fn numbers_have_one_form() {
    let card = serde_json::to_string(&world().card.body).unwrap();
    for wrong in [
        "",
        "-1",
        "+3",
        " 3",
        "3 ",
        "3.0",
        "3e0",
        "0x3",
        "18446744073709551616",
        "٣",
    ] {
        let text = card.replace("\"version\":\"3\"", &format!("\"version\":\"{wrong}\""));
        assert_ne!(text, card);
        assert!(serde_json::from_str::<CardBody>(&text).is_err(), "{wrong}");
    }
    let largest = card.replace("\"version\":\"3\"", "\"version\":\"18446744073709551615\"");
    assert_eq!(
        serde_json::from_str::<CardBody>(&largest).unwrap().version,
        u64::MAX
    );
}

#[test]
fn addresses_are_checked_against_their_own_case() {
    let world = world();
    let card = serde_json::to_string(&world.card.body).unwrap();
    let address = world.bobo.address().to_string();
    let swapped: String = address
        .char_indices()
        .map(|(at, c)| match c {
            _ if at < 2 => c,
            c if c.is_ascii_lowercase() => c.to_ascii_uppercase(),
            c => c.to_ascii_lowercase(),
        })
        .collect();
    assert!(serde_json::from_str::<CardBody>(&card.replace(&address, &swapped)).is_err());
    let list = format!("[{}]", vec!["1"; 20].join(","));
    let as_list = card.replace(&format!("\"{address}\""), &list);
    assert_ne!(as_list, card);
    assert!(serde_json::from_str::<CardBody>(&as_list).is_err());
}
