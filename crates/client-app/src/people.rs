//! From what a person typed to whom it means: card, node, capability.

use layer_minus_client_sdk::answer;
use layer_minus_http::clock;
use layer_minus_message::{Card, InboxToken, NodeRecord, ShortCard};
use layer_minus_wallet::{Address, parse_address};

use crate::{args::Via, context::Context, db::contacts::Contact, directory, error::AppError, link};

/// Most nodes that are asked for the card of somebody of whom only the address is known.
const NODES_ASKED_MAX: usize = 8;
/// A card with less time left than this is fetched again, seconds: a letter needs some to arrive.
const CARD_SECS_LEFT_MIN: u64 = 3_600;

/// Somebody who can be written to.
#[derive(Clone, Debug)]
pub(crate) struct Recipient {
    pub(crate) card: Card,
    pub(crate) node: NodeRecord,
    pub(crate) inbox: Option<InboxToken>,
    /// Version of our card that the person has.
    pub(crate) our_card: u64,
}

impl Recipient {
    pub(crate) fn address(&self) -> Address {
        self.card.body.wallet
    }
}

/// What was typed.
enum Typed {
    Short(ShortCard),
    Address(Address),
    Known(Box<Contact>),
}

fn typed(ctx: &Context, who: &str) -> Result<Typed, AppError> {
    if who.trim_start().starts_with("lm1:") {
        return Ok(Typed::Short(who.parse()?));
    }
    if who.starts_with("0x") || who.starts_with("0X") {
        let address = parse_address(who)?;
        return Ok(match ctx.db.contact(address)? {
            Some(contact) => Typed::Known(Box::new(contact)),
            None => Typed::Address(address),
        });
    }
    match ctx.db.contact_by_name(who)? {
        Some(contact) => Ok(Typed::Known(Box::new(contact))),
        None => Err(AppError::Unknown(format!(
            "no contact is named '{who}': add one with 'client contacts add NAME CARD', or use an \
             address"
        ))),
    }
}

/// The address that was meant, without asking anybody.
pub(crate) fn address_of(ctx: &Context, who: &str) -> Result<Address, AppError> {
    Ok(match typed(ctx, who)? {
        Typed::Short(short) => short.wallet,
        Typed::Address(address) => address,
        Typed::Known(contact) => contact.address,
    })
}

/// Finds out how to write to somebody: from what is known here, else from the person's node.
pub(crate) async fn resolve(
    ctx: &mut Context,
    who: &str,
    via: &Via,
) -> Result<Recipient, AppError> {
    let contact = match typed(ctx, who)? {
        Typed::Short(short) => match ctx.db.contact(short.wallet)? {
            Some(contact) if has(&contact, &short) => Some(contact),
            // The short card may be newer than what we have.
            known => {
                let card = fetch(ctx, short.wallet, short.node, via).await?;
                compare(ctx, &short, &card);
                return finish(ctx, card, known.as_ref(), via).await;
            }
        },
        Typed::Address(address) => {
            let card = search(ctx, address, via).await?;
            return finish(ctx, card, None, via).await;
        }
        Typed::Known(contact) => Some(*contact),
    };
    let Some(contact) = contact else {
        return Err(AppError::Unknown(format!("'{who}' is not known")));
    };
    let good_until = clock::now().saturating_add(CARD_SECS_LEFT_MIN);
    let card = match contact
        .card
        .clone()
        .map(|card| Card::read(card, ctx.network_id(), good_until))
    {
        Some(Ok(card)) => card,
        _ => fetch(ctx, contact.address, contact.node, via).await?,
    };
    finish(ctx, card, Some(&contact), via).await
}

/// Whether a contact's card is the one that the short card was made from.
fn has(contact: &Contact, short: &ShortCard) -> bool {
    let card = contact.card.as_ref();
    contact.node == short.node
        && card.is_some_and(|card| ShortCard::digest_of(card) == short.digest)
}

/// Says so if a node gave another card than the one that a short card was made from. It may well be
/// newer; only its owner can say.
pub(crate) fn compare(ctx: &Context, short: &ShortCard, card: &Card) {
    if card.short().digest != short.digest {
        ctx.out.note(
            "the card is not the one that the short card was made from: it was renewed since then, \
             or the node has an older one",
        );
    }
}

/// Looks for somebody whom the node that was known does not have any more.
pub(crate) async fn search_anew(
    ctx: &mut Context,
    address: Address,
    via: &Via,
) -> Result<Recipient, AppError> {
    let card = search(ctx, address, via).await?;
    let contact = ctx.db.contact(address)?;
    finish(ctx, card, contact.as_ref(), via).await
}

async fn finish(
    ctx: &mut Context,
    card: Card,
    contact: Option<&Contact>,
    via: &Via,
) -> Result<Recipient, AppError> {
    let node = directory::node(ctx, card.body.node, via).await?;
    Ok(Recipient {
        node,
        inbox: contact.and_then(|contact| contact.inbox),
        our_card: contact.map_or(0, |contact| contact.our_card),
        card,
    })
}

/// Fetches a card from a node, and notes it.
pub(crate) async fn fetch(
    ctx: &mut Context,
    wallet: Address,
    node: Address,
    via: &Via,
) -> Result<Card, AppError> {
    let record = directory::node(ctx, node, via).await?;
    let card = ask_card(ctx, wallet, &record, via).await?;
    ctx.db.learn_card(&card, None, clock::now())?;
    Ok(card)
}

async fn ask_card(
    ctx: &Context,
    wallet: Address,
    node: &NodeRecord,
    via: &Via,
) -> Result<Card, AppError> {
    let now = clock::now();
    let answered = link::ask(ctx, node, via, |desk, rng| desk.card(wallet, now, rng)).await?;
    Ok(answer::expect_card(
        answered.content,
        ctx.network_id(),
        wallet,
        now,
    )?)
}

/// Asks the nodes that are known whether somebody is their client.
async fn search(ctx: &mut Context, wallet: Address, via: &Via) -> Result<Card, AppError> {
    let nodes: Vec<NodeRecord> = ctx
        .directory
        .iter()
        .filter(|node| node.body.takes_clients)
        .take(NODES_ASKED_MAX)
        .cloned()
        .collect();
    let mut last = None;
    for node in &nodes {
        match ask_card(ctx, wallet, node, via).await {
            Ok(card) => {
                ctx.db.learn_card(&card, None, clock::now())?;
                return Ok(card);
            }
            Err(error) if error.is_unknown_client() => {}
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        AppError::Unknown(format!(
            "none of {} known nodes has a client {wallet}: ask for a card, which names the node",
            nodes.len()
        ))
    }))
}
