//! A person with a client.

use bytes::Bytes;
use layer_minus_client_sdk::{
    AnswerReader, Desk, Identity, Network, Outgoing, Route, SealedMail, Terms, Wallets,
    answer::{expect_acceptance, expect_challenge, expect_standing},
    receive::{self, Received},
};
use layer_minus_delivery::Mode;
use layer_minus_http::{HttpClient, HttpOptions, RecordStream, Reply, clock};
use layer_minus_message::{Answer, Content, NodeRecord, PushedPacket, Standing};
use layer_minus_packet::Sizes;
use layer_minus_seal::{Version, seal_layer};
use rand::rngs::OsRng;

use super::{NETWORK, Place};

pub struct Person {
    pub identity: Identity,
    pub wallets: Wallets,
    pub http: HttpClient,
    pub network: Network,
    /// The node that takes the person's mail.
    pub node: NodeRecord,
    /// Where packets are posted.
    pub entry: String,
}

/// A stream that is open.
pub struct Listening {
    stream: RecordStream,
    reader: AnswerReader,
    /// Sizes of the sealed records so far.
    pub sizes: Vec<usize>,
}

impl Listening {
    /// The next record; none when the stream ended.
    pub async fn next(&mut self) -> Option<Content> {
        let record = self.stream.next().await?.ok()?;
        self.sizes.push(record.len());
        Some(self.reader.read(&record).unwrap())
    }

    /// The next packet; what comes before it is passed over.
    pub async fn packet(&mut self) -> PushedPacket {
        loop {
            match self.next().await.expect("the stream ended") {
                Content::Packet(packet) => return packet,
                Content::Answer(_) => {}
            }
        }
    }
}

impl Person {
    pub fn new(node: &Place, entry: &Place) -> Self {
        let wallets = Wallets::generate(&mut OsRng);
        let now = clock::now();
        let identity =
            Identity::generate(&wallets.wallet, NETWORK, Version::V6, now, &mut OsRng).unwrap();
        Self {
            identity,
            wallets,
            http: HttpClient::new(HttpOptions::default()).unwrap(),
            network: Network {
                id: NETWORK.to_owned(),
                sizes: Sizes::default(),
            },
            node: node.record.clone(),
            entry: entry.url().to_owned(),
        }
    }

    pub fn route(&self) -> Route {
        Route::direct(&self.node)
    }

    /// Posts a packet that is answered once.
    pub async fn ask(&self, outgoing: Outgoing) -> Content {
        match self
            .http
            .post(&self.entry, outgoing.packet, None)
            .await
            .unwrap()
        {
            Reply::Once(record) => outgoing.pending.answer(&record).unwrap(),
            Reply::Stream(_) => panic!("a stream where one answer was expected"),
        }
    }

    pub async fn register(&mut self) -> Standing {
        self.register_over(&self.route()).await
    }

    pub async fn register_over(&mut self, route: &Route) -> Standing {
        let now = clock::now();
        let terms = Terms {
            limit_units: 1_000_000,
            ..Terms::default()
        };
        let node = self.node.clone();
        let (card, registration) = self
            .identity
            .registration(&self.wallets, &node, &terms, now, &mut OsRng)
            .unwrap();
        let authorization = registration.authorization.clone();
        let network = self.network.clone();
        let desk = Desk::new(&network, route);
        let register = desk
            .register(&self.identity, registration, now, &mut OsRng)
            .unwrap();
        let sealed = expect_challenge(self.ask(register).await).unwrap();
        let challenge = self.identity.open_challenge(&sealed, node.node()).unwrap();
        let confirm = desk
            .confirm(&self.identity, challenge, None, now, &mut OsRng)
            .unwrap();
        let standing = expect_standing(self.ask(confirm).await).unwrap();
        self.identity.registered(&card, authorization, now);
        standing
    }

    pub async fn listen(&self) -> Listening {
        self.listen_over(&self.route()).await
    }

    pub async fn listen_over(&self, route: &Route) -> Listening {
        let desk = Desk::new(&self.network, route);
        let now = clock::now();
        let outgoing = desk
            .listen(&self.identity, Mode::Each, now, &mut OsRng)
            .unwrap();
        let reader = outgoing.pending.reader();
        let stream = match self
            .http
            .post(&self.entry, outgoing.packet, None)
            .await
            .unwrap()
        {
            Reply::Stream(stream) => stream,
            Reply::Once(record) => {
                panic!("no stream: {:?}", outgoing.pending.answer(&record))
            }
        };
        let mut listening = Listening {
            stream,
            reader,
            sizes: Vec::new(),
        };
        match listening.next().await {
            Some(Content::Answer(answer)) if matches!(*answer, Answer::Listening { .. }) => {}
            other => panic!("the stream begins with {other:?}"),
        }
        listening
    }

    pub async fn status(&self) -> Standing {
        let route = self.route();
        let desk = Desk::new(&self.network, &route);
        let outgoing = desk
            .status(&self.identity, clock::now(), &mut OsRng)
            .unwrap();
        expect_standing(self.ask(outgoing).await).unwrap()
    }

    /// Waits until the node has seen that nobody listens.
    pub async fn goes_offline(&self) {
        for _ in 0..200 {
            if self.status().await.connections == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the node still holds the stream");
    }

    /// A message to this person of the innermost size of a packet of `size` bytes.
    pub fn mail(&self, text: &[u8], size: usize) -> SealedMail {
        let certificate = self.identity.certificate.certificate();
        let innermost = Sizes::innermost(size);
        SealedMail::of(
            seal_layer(&mut OsRng, &certificate, &[text], innermost).unwrap(),
            size,
        )
    }

    /// The packet that carries mail for this person over that route.
    pub fn mail_packet(&self, mail: &SealedMail, route: &Route) -> Outgoing {
        let inbox = Some(self.identity.inbox);
        mail.packet(&self.network, route, inbox, clock::now(), &mut OsRng)
            .unwrap()
    }

    /// Sends this person a message from where the sender posts.
    pub async fn receive_from(&self, sender: &Self, text: &[u8], size: usize) {
        let mail = self.mail(text, size);
        let route = self.route();
        let content = sender.ask(self.mail_packet(&mail, &route)).await;
        expect_acceptance(
            content,
            NETWORK,
            self.node.node(),
            &mail.digest,
            clock::now(),
        )
        .unwrap();
    }

    /// What a pushed packet says; zeros at its end are fill.
    pub fn read(&self, packet: &PushedPacket) -> Bytes {
        let keys = self.identity.keyring();
        match receive::open(packet, &keys, NETWORK, self.identity.address()).unwrap() {
            Received::Foreign(foreign) => {
                let end = foreign
                    .body
                    .iter()
                    .rposition(|&byte| byte != 0)
                    .map_or(0, |i| i + 1);
                foreign.body.slice(..end)
            }
            other => panic!("not what was sent: {other:?}"),
        }
    }
}
