//! What is known of a request before the node answers it.

use layer_minus_delivery::ConsumerId;
use layer_minus_message::{Command, Listen, letter::sha256};
use layer_minus_node::{Event, Request};
use layer_minus_packet::Recipient;
use layer_minus_wallet::Address;

use crate::cast::Cast;

/// What is known of a request while it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) lane: Option<Address>,
    pub(crate) mark: [u8; 32],
    /// Who asks, or whose mail it is.
    pub(crate) person: Option<usize>,
    pub(crate) nonce: Option<(Address, [u8; 16])>,
    pub(crate) what: What,
}

/// What it asks for.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Mail([u8; 32]),
    Register(u64),
    Confirm(Option<Listen>),
    Listen(Listen),
    Ack(ConsumerId),
    Status,
    Authorize(u64),
    Unregister,
    Other,
}

impl What {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Mail(digest) => format!("mail {}", hex::encode(&digest[..4])),
            Self::Register(_) => "register".to_owned(),
            Self::Confirm(listen) => format!("confirm, stream {}", listen.is_some()),
            Self::Listen(listen) => format!("listen {}", short(&listen.consumer)),
            Self::Ack(consumer) => format!("ack of {}", short(consumer)),
            Self::Status => "status".to_owned(),
            Self::Authorize(until) => format!("authorize until {until}"),
            Self::Unregister => "unregister".to_owned(),
            Self::Other => "something else".to_owned(),
        }
    }
}

fn short(consumer: &ConsumerId) -> String {
    hex::encode(&consumer.as_bytes()[..4])
}

impl Asked {
    pub(crate) fn of(event: &Event, cast: &Cast) -> Option<Self> {
        let (request, person, nonce, what): (&Request, _, _, _) = match event {
            Event::Mail {
                request,
                recipient,
                message,
                ..
            } => {
                let person = owner(recipient, cast);
                (request, person, None, What::Mail(sha256(message)))
            }
            Event::Command { request, command } => {
                let signer = command.signer;
                let person = signer.and_then(|signer| person_of(&signer.wallet, cast));
                let nonce = signer.map(|signer| (signer.wallet, signer.nonce));
                let what = match &command.command {
                    Command::Register(terms) => What::Register(terms.authorization.expires_at),
                    Command::Confirm { listen, .. } => What::Confirm(listen.clone()),
                    Command::Listen(listen) => What::Listen(listen.clone()),
                    Command::Ack { consumer, .. } => What::Ack(*consumer),
                    Command::Status => What::Status,
                    Command::Authorize(authorization) => What::Authorize(authorization.expires_at),
                    Command::Unregister => What::Unregister,
                    _ => What::Other,
                };
                (request, person, nonce, what)
            }
            Event::See { request } => (request, None, None, What::Other),
            _ => return None,
        };
        Some(Self {
            lane: request.lane,
            mark: request.marks.last().map_or([0; 32], |mark| mark.digest),
            person,
            nonce,
            what,
        })
    }
}

fn owner(recipient: &Recipient, cast: &Cast) -> Option<usize> {
    cast.people.iter().position(|role| {
        let first = role.devices.first();
        first.is_some_and(|identity| {
            let key = identity.certificate.certificate().encryption_key();
            recipient.matches(&key)
        })
    })
}

fn person_of(wallet: &Address, cast: &Cast) -> Option<usize> {
    cast.people
        .iter()
        .position(|role| role.wallets.wallet.address() == *wallet)
}
