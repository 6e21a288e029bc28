//! `client contacts`: people by name.

use std::path::Path;

use layer_minus_http::clock;
use layer_minus_message::{Card, FullCard, ShortCard, SignedDocument};
use serde_json::json;

use crate::{
    args::ContactsAction,
    context::Context,
    db::contacts::{Contact, check_name},
    error::AppError,
    files, people,
};

/// Longest file with a card, bytes.
const CARD_BYTES_MAX: u64 = 64 * 1024;

pub(crate) fn run(ctx: &mut Context, action: Option<ContactsAction>) -> Result<(), AppError> {
    match action.unwrap_or(ContactsAction::List { all: false }) {
        ContactsAction::Add { name, card } => add(ctx, &name, &card),
        ContactsAction::List { all } => list(ctx, all),
        ContactsAction::Remove { who } => remove(ctx, &who),
    }
}

fn add(ctx: &mut Context, name: &str, card: &str) -> Result<(), AppError> {
    check_name(name)?;
    let now = clock::now();
    let short = if card.trim_start().starts_with("lm1:") {
        let short = card.parse()?;
        ctx.db.name_contact(name, &short, now)?;
        ctx.db.follow(&short)?;
        short
    } else {
        let full = read_card(Path::new(card))?;
        let checked = Card::read(full.card, ctx.network_id(), now)?;
        let short = checked.short();
        // The name first: a card under a name that is taken is not kept.
        ctx.db.name_contact(name, &short, now)?;
        ctx.db.learn_card(&checked, full.inbox, now)?;
        short
    };
    let Some(contact) = ctx.db.contact(short.wallet)? else {
        return Err(AppError::Home("contact was not kept".to_owned()));
    };
    tell(ctx, &contact)
}

/// A card as 'client card --full' or '--json' wrote it, or the signed document alone.
fn read_card(path: &Path) -> Result<FullCard, AppError> {
    let text = files::read_text(path, CARD_BYTES_MAX)?;
    let full = serde_json::from_str::<FullCard>(&text).ok().or_else(|| {
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        serde_json::from_value(value.get("full")?.clone()).ok()
    });
    full.or_else(|| {
        let card = serde_json::from_str::<SignedDocument>(&text).ok()?;
        Some(FullCard { card, inbox: None })
    })
    .or_else(|| {
        let short: ShortCard = text.trim().parse().ok()?;
        tracing::debug!(%short, "a file with a short card");
        None
    })
    .ok_or_else(|| {
        AppError::Usage(format!(
            "{} holds no full card; give a short card as text: lm1:…",
            path.display()
        ))
    })
}

fn list(ctx: &Context, all: bool) -> Result<(), AppError> {
    let contacts = ctx.db.contacts(all)?;
    if contacts.is_empty() {
        ctx.out
            .note("no contacts; add one with 'client contacts add NAME CARD'");
    }
    contacts.iter().try_for_each(|contact| tell(ctx, contact))
}

fn tell(ctx: &Context, contact: &Contact) -> Result<(), AppError> {
    let valid_until = contact
        .full()
        .and_then(|full| Card::read(full.card, ctx.network_id(), clock::now()).ok())
        .map(|card| card.body.valid_until);
    ctx.out.line(
        || {
            let name = contact.name.as_deref().unwrap_or("-");
            let card = if valid_until.is_some() {
                ""
            } else {
                "  (card is fetched when needed)"
            };
            format!(
                "{name:<20} {}  at node {}{card}",
                contact.address, contact.node
            )
        },
        &json!({
            "name": contact.name,
            "address": contact.address.to_string(),
            "node": contact.node.to_string(),
            "card_valid_until": valid_until.map(|until| until.to_string()),
            "inbox": contact.inbox.is_some(),
        }),
    )
}

fn remove(ctx: &mut Context, who: &str) -> Result<(), AppError> {
    let address = people::address_of(ctx, who)?;
    if !ctx.db.remove_contact(address)? {
        return Err(AppError::Unknown(format!("{address} is no contact")));
    }
    ctx.out.line(
        || format!("removed {address}"),
        &json!({ "removed": true, "address": address.to_string() }),
    )
}
