//! Commands to a node, each as a sealed packet of the smallest size that fits.

use alloy_primitives::Address;
use bytes::Bytes;
use layer_minus_delivery::Mode;
use layer_minus_message::{
    Authorization, Command, CommandEnvelope, Kind, Listen, Registration, Signer, command::key_text,
};
use layer_minus_packet::Recipient;
use rand::{CryptoRng, RngCore};

use crate::{
    ack::Acknowledgement,
    error::SdkError,
    identity::Identity,
    route::{Inside, Network, Outgoing, Route, wrap},
};

/// Where commands go, and how.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    network: &'a Network,
    route: &'a Route,
}

impl<'a> Desk<'a> {
    /// Commands for the node at the end of `route`.
    #[must_use]
    pub const fn new(network: &'a Network, route: &'a Route) -> Self {
        Self { network, route }
    }

    /// The card of a client of the node. Answer: [`expect_card`](crate::answer::expect_card).
    ///
    /// # Errors
    /// [`SdkError::Seal`], as all commands.
    pub fn card(
        &self,
        wallet: Address,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        self.unsigned(&Command::Card { wallet }, now, rng)
    }

    /// A page of the nodes that the node knows.
    /// Answer: [`expect_directory`](crate::answer::expect_directory).
    ///
    /// # Errors
    /// [`SdkError::Seal`].
    pub fn directory(
        &self,
        after: Option<Address>,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        self.unsigned(&Command::Directory { after }, now, rng)
    }

    /// Which node holds a key. Answer: [`expect_holder`](crate::answer::expect_holder).
    ///
    /// # Errors
    /// [`SdkError::Seal`].
    pub fn who_has(
        &self,
        key: &Recipient,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        self.unsigned(&Command::WhoHas { key: key_text(key) }, now, rng)
    }

    /// Become a client, or renew card and terms.
    /// Answer: [`expect_challenge`](crate::answer::expect_challenge).
    ///
    /// # Errors
    /// [`SdkError::Seal`], [`SdkError::Message`].
    pub fn register(
        &self,
        identity: &Identity,
        registration: Registration,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        self.signed(
            identity,
            &Command::Register(Box::new(registration)),
            now,
            rng,
        )
    }

    /// Brings the opened challenge back; with `listen` the answer goes on as the stream.
    /// Answer: [`expect_standing`](crate::answer::expect_standing).
    ///
    /// # Errors
    /// [`SdkError::Seal`], [`SdkError::Message`].
    pub fn confirm(
        &self,
        identity: &Identity,
        challenge: [u8; 32],
        listen: Option<Mode>,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        let listen = listen.map(|mode| Listen {
            consumer: identity.consumer_for(mode),
            mode,
        });
        self.signed(identity, &Command::Confirm { challenge, listen }, now, rng)
    }

    /// Opens the stream of the mailbox for this consumer. Read it with
    /// [`Pending::reader`](crate::answer::Pending::reader).
    ///
    /// # Errors
    /// [`SdkError::Seal`], [`SdkError::Message`].
    pub fn listen(
        &self,
        identity: &Identity,
        mode: Mode,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        let listen = Listen {
            consumer: identity.consumer_for(mode),
            mode,
        };
        self.signed(identity, &Command::Listen(listen), now, rng)
    }

    /// Packets are safe here.
    /// Answer: [`expect_acknowledged`](crate::answer::expect_acknowledged).
    ///
    /// # Errors
    /// [`SdkError::Seal`], [`SdkError::Message`].
    pub fn ack(
        &self,
        identity: &Identity,
        ack: Acknowledgement,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        let command = Command::Ack {
            consumer: identity.consumer_for(ack.mode),
            generation: ack.generation,
            through: ack.through,
            seqs: ack.seqs,
        };
        self.signed(identity, &command, now, rng)
    }

    /// Account and mailbox. Answer: [`expect_standing`](crate::answer::expect_standing).
    ///
    /// # Errors
    /// [`SdkError::Seal`], [`SdkError::Message`].
    pub fn status(
        &self,
        identity: &Identity,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        self.signed(identity, &Command::Status, now, rng)
    }

    /// A higher limit or a later expiry. Answer: [`expect_standing`](crate::answer::expect_standing).
    ///
    /// # Errors
    /// [`SdkError::Seal`], [`SdkError::Message`].
    pub fn authorize(
        &self,
        identity: &Identity,
        authorization: Authorization,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        self.signed(
            identity,
            &Command::Authorize(Box::new(authorization)),
            now,
            rng,
        )
    }

    /// Takes the authorization back. Answer: [`expect_standing`](crate::answer::expect_standing).
    ///
    /// # Errors
    /// [`SdkError::Seal`], [`SdkError::Message`].
    pub fn revoke(
        &self,
        identity: &Identity,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        self.signed(identity, &Command::Revoke, now, rng)
    }

    /// A page of the charges after number `after`, charged itself as every command is.
    /// Answer: [`expect_statement`](crate::answer::expect_statement).
    ///
    /// # Errors
    /// [`SdkError::Seal`], [`SdkError::Message`].
    pub fn statement(
        &self,
        identity: &Identity,
        after: u64,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        self.signed(identity, &Command::Statement { after }, now, rng)
    }

    /// Stop being a client. Answer: [`expect_unregistered`](crate::answer::expect_unregistered).
    ///
    /// # Errors
    /// [`SdkError::Seal`], [`SdkError::Message`].
    pub fn unregister(
        &self,
        identity: &Identity,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        self.signed(identity, &Command::Unregister, now, rng)
    }

    fn signed(
        &self,
        identity: &Identity,
        command: &Command,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        let signer = Signer::Device(&identity.device);
        let envelope = CommandEnvelope::sign(
            signer,
            &self.network.id,
            self.route.node(),
            command,
            now,
            rng,
        )?;
        self.seal(&envelope, now, rng)
    }

    fn unsigned(
        &self,
        command: &Command,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        self.seal(&CommandEnvelope::unsigned(command)?, now, rng)
    }

    fn seal(
        &self,
        envelope: &CommandEnvelope,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        let body = Bytes::from(envelope.to_bytes()?);
        let sizes = &self.network.sizes;
        let size = sizes
            .smallest_for(body.len())
            .ok_or_else(|| SdkError::TooLarge {
                what: "command",
                have: body.len() as u64,
                max: layer_minus_packet::Sizes::innermost(sizes.largest()) as u64,
            })?;
        let inside = Inside {
            kind: Kind::Command,
            inbox: None,
            body,
        };
        wrap(self.network, self.route, inside, size, now, rng)
    }
}
