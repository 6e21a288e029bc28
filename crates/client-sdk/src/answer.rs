//! Reading answers: layer by layer, outermost first, and only from those who may say it.

use bytes::Bytes;
use layer_minus_message::{
    Acceptance, AcceptanceBody, Answer, Card, Content, NodeRecord, SignedDocument, Standing,
    Statement,
};
use layer_minus_seal::{RecordOpener, ReplyKey};
use layer_minus_wallet::Address;

use crate::error::SdkError;

/// What is kept of a packet that was sent, to open its answer.
#[derive(Clone, Debug)]
pub struct Pending {
    node: Address,
    /// Outermost first.
    keys: Vec<ReplyKey>,
}

impl Pending {
    pub(crate) const fn new(node: Address, keys: Vec<ReplyKey>) -> Self {
        Self { node, keys }
    }

    /// The node whose answer is awaited.
    #[must_use]
    pub const fn node(&self) -> Address {
        self.node
    }

    /// Begins to read a stream.
    #[must_use]
    pub fn reader(&self) -> AnswerReader {
        AnswerReader {
            openers: self.keys.iter().map(RecordOpener::new).collect(),
        }
    }

    /// Reads an answer of one record.
    ///
    /// # Errors
    /// As [`AnswerReader::read`].
    pub fn answer(&self, record: &[u8]) -> Result<Content, SdkError> {
        self.reader().read(record)
    }
}

/// Opens the records of one answer, in order.
#[derive(Debug)]
pub struct AnswerReader {
    openers: Vec<RecordOpener>,
}

impl AnswerReader {
    /// Opens the next record.
    ///
    /// What the node says comes through every layer. A hop that cannot pass a packet on answers
    /// itself, under fewer layers; all that it may say is no, and it cannot speak for the node.
    ///
    /// # Errors
    /// [`SdkError::Seal`] if it is not the next record of this answer,
    /// [`SdkError::RefusedOnTheWay`], [`SdkError::Impostor`], [`SdkError::Message`].
    pub fn read(&mut self, record: &[u8]) -> Result<Content, SdkError> {
        let mut content: Option<Vec<u8>> = None;
        for (depth, opener) in self.openers.iter_mut().enumerate() {
            match (opener.open(content.as_deref().unwrap_or(record)), content) {
                (Ok(inner), _) => content = Some(inner),
                (Err(error), None) => return Err(error.into()),
                (Err(_), Some(own)) => return Err(on_the_way(depth, own)),
            }
        }
        Ok(Content::read(&Bytes::from(content.unwrap_or_default()))?)
    }
}

/// What the hop at that depth said itself.
fn on_the_way(hop: usize, content: Vec<u8>) -> SdkError {
    match Content::read(&Bytes::from(content)) {
        Ok(Content::Answer(answer)) => match *answer {
            Answer::Refused(reason) => SdkError::RefusedOnTheWay { hop, reason },
            _ => SdkError::Impostor { hop },
        },
        _ => SdkError::Impostor { hop },
    }
}

/// The answer in a record, with a refusal turned into an error.
///
/// # Errors
/// [`SdkError::Refused`]; [`SdkError::Unexpected`] for a packet.
pub fn answer_of(content: Content) -> Result<Answer, SdkError> {
    match content {
        Content::Answer(answer) => match *answer {
            Answer::Refused(reason) => Err(SdkError::Refused(reason)),
            answer => Ok(answer),
        },
        Content::Packet(_) => Err(SdkError::Unexpected {
            expected: "an answer",
            found: "a packet",
        }),
    }
}

/// The name by which JSON calls an answer.
#[must_use]
pub const fn name_of(answer: &Answer) -> &'static str {
    match answer {
        Answer::Accepted(_) => "accepted",
        Answer::Refused(_) => "refused",
        Answer::Challenge { .. } => "challenge",
        Answer::Registered(_) => "registered",
        Answer::Status(_) => "status",
        Answer::Card { .. } => "card",
        Answer::Directory { .. } => "directory",
        Answer::Has { .. } => "has",
        Answer::Authorized(_) => "authorized",
        Answer::Revoked(_) => "revoked",
        Answer::Statement(_) => "statement",
        Answer::Unregistered => "unregistered",
        Answer::Acknowledged => "acknowledged",
        Answer::LaneOpen { .. } => "lane-open",
        Answer::Lane(_) => "lane",
        Answer::Listening { .. } => "listening",
        Answer::Gap { .. } => "gap",
        Answer::Paused(_) => "paused",
        Answer::Heartbeat { .. } => "heartbeat",
        _ => "something unknown",
    }
}

const fn unexpected(expected: &'static str, found: &Answer) -> SdkError {
    SdkError::Unexpected {
        expected,
        found: name_of(found),
    }
}

/// What `register` answers: the sealed challenge.
///
/// # Errors
/// [`SdkError::Refused`], [`SdkError::Unexpected`].
pub fn expect_challenge(content: Content) -> Result<Vec<u8>, SdkError> {
    match answer_of(content)? {
        Answer::Challenge { sealed } => Ok(sealed),
        other => Err(unexpected("challenge", &other)),
    }
}

/// What `confirm`, `status`, `authorize` and `revoke` answer: account and mailbox.
///
/// # Errors
/// [`SdkError::Refused`], [`SdkError::Unexpected`].
pub fn expect_standing(content: Content) -> Result<Standing, SdkError> {
    match answer_of(content)? {
        Answer::Registered(standing)
        | Answer::Status(standing)
        | Answer::Authorized(standing)
        | Answer::Revoked(standing)
        | Answer::Listening { standing, .. } => Ok(standing),
        other => Err(unexpected("registered, status or authorized", &other)),
    }
}

/// What `statement` answers, checked: its lines follow each other and add up.
///
/// # Errors
/// [`SdkError::Refused`], [`SdkError::Unexpected`], [`SdkError::Message`].
pub fn expect_statement(content: Content) -> Result<Statement, SdkError> {
    let answer = answer_of(content)?;
    let Answer::Statement(statement) = answer else {
        return Err(unexpected("statement", &answer));
    };
    statement.check()?;
    Ok(statement)
}

/// What `ack` answers.
///
/// # Errors
/// [`SdkError::Refused`], [`SdkError::Unexpected`].
pub fn expect_acknowledged(content: Content) -> Result<(), SdkError> {
    match answer_of(content)? {
        Answer::Acknowledged => Ok(()),
        other => Err(unexpected("acknowledged", &other)),
    }
}

/// What `unregister` answers.
///
/// # Errors
/// [`SdkError::Refused`], [`SdkError::Unexpected`].
pub fn expect_unregistered(content: Content) -> Result<(), SdkError> {
    match answer_of(content)? {
        Answer::Unregistered => Ok(()),
        other => Err(unexpected("unregistered", &other)),
    }
}

/// What `card` answers, checked: signed by the wallet that was asked for.
///
/// # Errors
/// [`SdkError::Refused`], [`SdkError::Unexpected`], [`SdkError::Message`],
/// [`SdkError::WrongSubject`].
pub fn expect_card(
    content: Content,
    network: &str,
    wallet: Address,
    now: u64,
) -> Result<Card, SdkError> {
    let answer = answer_of(content)?;
    let Answer::Card { card } = answer else {
        return Err(unexpected("card", &answer));
    };
    let card = Card::read(card, network, now)?;
    if card.body.wallet != wallet {
        return Err(SdkError::WrongSubject {
            asked: wallet,
            found: card.body.wallet,
        });
    }
    Ok(card)
}

/// One page of a node's directory.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The records that could be checked.
    pub records: Vec<NodeRecord>,
    /// How many could not: expired, forged, another network's.
    pub refused: usize,
    /// Ask on after this address, if there is more.
    pub after: Option<Address>,
}

/// What `directory` answers. Records are checked one by one; a bad one does not spoil the page.
///
/// # Errors
/// [`SdkError::Refused`], [`SdkError::Unexpected`].
pub fn expect_directory(content: Content, network: &str, now: u64) -> Result<Page, SdkError> {
    let answer = answer_of(content)?;
    let Answer::Directory { records, more } = answer else {
        return Err(unexpected("directory", &answer));
    };
    let mut page = Page::default();
    for signed in records {
        match NodeRecord::read(signed, network, now) {
            Ok(record) => page.records.push(record),
            Err(_) => page.refused += 1,
        }
    }
    page.after = page.records.last().filter(|_| more).map(NodeRecord::node);
    Ok(page)
}

/// What `who-has` answers: the record of the holder, unchecked.
///
/// # Errors
/// [`SdkError::Refused`], [`SdkError::Unexpected`].
pub fn expect_holder(content: Content) -> Result<Option<SignedDocument>, SdkError> {
    match answer_of(content)? {
        Answer::Has { record } => Ok(record),
        other => Err(unexpected("has", &other)),
    }
}

/// What sent mail is answered by, checked: signed by the node, and about this very message.
///
/// # Errors
/// [`SdkError::Refused`], [`SdkError::Unexpected`], [`SdkError::Message`],
/// [`SdkError::WrongAcceptance`].
pub fn expect_acceptance(
    content: Content,
    network: &str,
    node: Address,
    mail_digest: &[u8; 32],
    now: u64,
) -> Result<Receipt, SdkError> {
    let answer = answer_of(content)?;
    let Answer::Accepted(acceptance) = answer else {
        return Err(unexpected("accepted", &answer));
    };
    let body = acceptance.verify(network, node, now)?;
    if body.digest != *mail_digest {
        return Err(SdkError::WrongAcceptance);
    }
    Ok(Receipt { body, acceptance })
}

/// A checked acceptance: the node's word that the mail is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What it says.
    pub body: AcceptanceBody,
    /// As the node signed it, to be kept.
    pub acceptance: Acceptance,
}
