//! A person, or a server, on the network: registers, listens, writes.

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use layer_minus_core::{
    client::{
        AckBook, AnswerReader, Desk, Identity, Network, Outgoing, Plan, Received, Route,
        SealedMail, Terms, Wallets,
        answer::{answer_of, expect_acceptance, expect_card, expect_challenge, expect_standing},
        receive,
    },
    delivery::Mode,
    http::{HttpClient, HttpOptions, RecordStream, Reply, clock},
    message::{Answer, Card, Chain, Content, FullCard, Letter, NodeRecord, letter::sha256},
    packet::Sizes,
    seal::Version,
    wallet::Address,
};
use rand::rngs::OsRng;

/// A dollar in token units.
const DOLLAR_UNITS: u64 = 1_000_000;

/// Somebody with a wallet who is registered at a node and reaches it through a relay.
#[derive(Debug)]
pub struct Member {
    identity: Identity,
    network: Network,
    node: NodeRecord,
    relay: NodeRecord,
    http: HttpClient,
}

impl Member {
    /// Makes a wallet and registers it at `node` through `relay`.
    pub async fn register(
        network: &str,
        node: &NodeRecord,
        relay: &NodeRecord,
        invite: &str,
    ) -> Result<Self> {
        let (rng, now) = (&mut OsRng, clock::now());
        let wallets = Wallets::generate(rng);
        let identity = Identity::generate(&wallets.wallet, network, Version::V6, now, rng)?;
        let network = Network {
            id: network.to_owned(),
            sizes: Sizes::default(),
        };
        let http = HttpClient::new(HttpOptions::default())?;
        let (node, relay) = (node.clone(), relay.clone());
        let mut member = Self {
            identity,
            network,
            node,
            relay,
            http,
        };

        let terms = Terms {
            limit_units: DOLLAR_UNITS,
            invite: Some(invite.to_owned()),
            strangers_bytes_per_day: None,
            chain: Chain::default(),
            new_channel: false,
        };
        let (card, registration) =
            member
                .identity
                .registration(&wallets, &member.node, &terms, now, rng)?;
        let authorization = registration.authorization.clone();
        let route = Route::direct(&member.node);
        let desk = Desk::new(&member.network, &route);
        let register = desk.register(&member.identity, registration, now, rng)?;
        let sealed = expect_challenge(member.ask(register).await?)?;
        let challenge = member
            .identity
            .open_challenge(&sealed, member.node.node())?;
        let confirm = desk.confirm(&member.identity, challenge, None, now, rng)?;
        expect_standing(member.ask(confirm).await?)?;
        member.identity.registered(&card, authorization, now);
        Ok(member)
    }

    /// The address that people write to.
    #[must_use]
    pub fn address(&self) -> Address {
        self.identity.address()
    }

    /// The node that takes the mail.
    #[must_use]
    pub const fn node(&self) -> &NodeRecord {
        &self.node
    }

    /// The card as it is handed out.
    #[must_use]
    pub fn card(&self) -> Option<FullCard> {
        self.identity.full_card()
    }

    /// Fetches the card of somebody at `node`, of whom only the address is known.
    pub async fn fetch_card(&self, wallet: Address, node: &NodeRecord) -> Result<Card> {
        let route = Route::direct(node);
        let now = clock::now();
        let ask = Desk::new(&self.network, &route).card(wallet, now, &mut OsRng)?;
        Ok(expect_card(
            self.ask(ask).await?,
            &self.network.id,
            wallet,
            now,
        )?)
    }

    /// Writes a letter, with one's own card so that it can be answered, and waits for the acceptance.
    pub async fn send(
        &self,
        to: &Card,
        node: &NodeRecord,
        inbox: Option<&FullCard>,
        text: &str,
        answering: Option<[u8; 16]>,
    ) -> Result<[u8; 16]> {
        let (rng, now) = (&mut OsRng, clock::now());
        let (sizes, body) = (&self.network.sizes, Bytes::copy_from_slice(text.as_bytes()));
        let wallet = to.body.wallet;
        let length = body.len() as u64;
        let digest = sha256(&body);
        let mut plan = Plan::new(wallet, "text/plain", length, digest, sizes, now, rng)?;
        if let Some(id) = answering {
            plan = plan.answering(id);
        }
        let letter = plan.letter(&self.identity, 0, body, self.card())?;
        let mail = SealedMail::seal(&letter, &self.identity, to, sizes, now, rng)?;
        let token = inbox.and_then(|card| card.inbox);
        let packet = mail.packet(&self.network, &Route::direct(node), token, now, rng)?;
        let content = self.ask(packet).await?;
        expect_acceptance(content, &self.network.id, node.node(), &mail.digest, now)?;
        Ok(plan.id)
    }

    /// Opens the stream of letters.
    pub async fn listen(&self, mode: Mode) -> Result<Letters<'_>> {
        let route = Route::direct(&self.node);
        let desk = Desk::new(&self.network, &route);
        let out = desk.listen(&self.identity, mode, clock::now(), &mut OsRng)?;
        let reader = out.pending.reader();
        match self.http.post(self.relay_url()?, out.packet, None).await? {
            Reply::Stream(stream) => Ok(Letters {
                member: self,
                stream,
                reader,
                book: AckBook::new(mode),
            }),
            Reply::Once(record) => {
                bail!("no stream: {:?}", answer_of(out.pending.answer(&record)?)?)
            }
        }
    }

    fn relay_url(&self) -> Result<&str> {
        Ok(self.relay.body.urls.first().context("relay has no URL")?)
    }

    async fn ask(&self, out: Outgoing) -> Result<Content> {
        match self.http.post(self.relay_url()?, out.packet, None).await? {
            Reply::Once(record) => Ok(out.pending.answer(&record)?),
            Reply::Stream(_) => bail!("a stream came where one answer was due"),
        }
    }
}

/// Letters as they come.
#[derive(Debug)]
pub struct Letters<'a> {
    member: &'a Member,
    stream: RecordStream,
    reader: AnswerReader,
    book: AckBook,
}

impl Letters<'_> {
    /// The next letter. It was acknowledged when the next one is asked for.
    pub async fn next(&mut self) -> Result<Letter> {
        self.acknowledge().await?;
        loop {
            let record = self.stream.next().await.context("stream ended")??;
            match self.reader.read(&record)? {
                Content::Packet(packet) => {
                    let member = self.member;
                    let keys = member.identity.keyring();
                    let network = &member.network.id;
                    self.book.took(packet.position);
                    if let Received::Letter(letter) =
                        receive::open(&packet, &keys, network, member.address())?
                    {
                        return Ok(*letter);
                    }
                }
                Content::Answer(answer) => {
                    if let Answer::Listening { position, .. } = *answer {
                        self.book.opened(position);
                    }
                }
            }
        }
    }

    async fn acknowledge(&mut self) -> Result<()> {
        let Some(ack) = self.book.take() else {
            return Ok(());
        };
        let member = self.member;
        let route = Route::direct(&member.node);
        let desk = Desk::new(&member.network, &route);
        let out = desk.ack(&member.identity, ack, clock::now(), &mut OsRng)?;
        match answer_of(member.ask(out).await?)? {
            Answer::Acknowledged => Ok(()),
            other => bail!("not acknowledged: {other:?}"),
        }
    }
}
