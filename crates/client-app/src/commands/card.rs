//! `client card`: one's own card, and those of others.

use std::path::Path;

use layer_minus_client_sdk::Identity;
use layer_minus_http::clock;
use layer_minus_message::{Card, FullCard, ShortCard};
use layer_minus_seal::SecretCertificate;
use pgp::composed::{ArmorOptions, Deserializable as _, SignedPublicKey};
use rand::rngs::OsRng;
use serde_json::json;

use crate::{
    args::{CardAction, CardArgs, CertificateVersion, Via},
    context::Context,
    enroll::{self, Wish},
    error::AppError,
    files, people, when,
};

pub(crate) async fn run(ctx: &mut Context, args: CardArgs) -> Result<(), AppError> {
    match args.action {
        None => own(ctx, args.short, args.full.as_deref()),
        Some(CardAction::Show { who, via }) => show(ctx, &who, &via).await,
        Some(CardAction::Rotate { certificate, via }) => rotate(ctx, certificate, &via).await,
        Some(CardAction::Export { file, secret }) => export(ctx, &file, secret),
    }
}

fn own(ctx: &Context, short: bool, file: Option<&Path>) -> Result<(), AppError> {
    let identity = ctx.identity()?;
    let Some(full) = identity.full_card() else {
        return Err(AppError::NotRegistered);
    };
    let Ok(Some(card)) = identity.card(clock::now()) else {
        return Err(AppError::Home(
            "the card has expired: renew it with 'client register --node ADDRESS'".to_owned(),
        ));
    };
    let json_card = serde_json::to_string(&full)
        .map_err(|error| AppError::Home(format!("card cannot be written: {error}")))?;
    match file {
        // Programs find it in the object, as ever.
        Some(path) if path == Path::new("-") && ctx.out.is_json() => {}
        Some(path) if path == Path::new("-") => return ctx.out.raw(&json_card),
        Some(path) => files::create(path, format!("{json_card}\n").as_bytes())?,
        None => {}
    }
    tell(ctx, &card, &full, short)
}

fn tell(ctx: &Context, card: &Card, full: &FullCard, short: bool) -> Result<(), AppError> {
    let text = card.short().to_string();
    ctx.out.line(
        || {
            if short {
                return text.clone();
            }
            format!(
                "address      {}\nnode         {}\nkey          {}\nvalid until  {}\nshort        {text}",
                card.body.wallet,
                card.body.node,
                card.encryption_key(),
                when::utc(card.body.valid_until),
            )
        },
        &json!({
            "address": card.body.wallet.to_string(),
            "node": card.body.node.to_string(),
            "key": card.encryption_key().to_string(),
            "valid_until": card.body.valid_until.to_string(),
            "version": card.body.version.to_string(),
            "short": text,
            "full": full,
        }),
    )
}

async fn show(ctx: &mut Context, who: &str, via: &Via) -> Result<(), AppError> {
    let address = people::address_of(ctx, who)?;
    let short = who.trim().parse::<ShortCard>().ok();
    let node = match &short {
        Some(short) => Some(short.node),
        None => ctx.db.contact(address)?.map(|contact| contact.node),
    };
    // Fetched even if it is known here: it may have been replaced.
    let card = match node {
        Some(node) => people::fetch(ctx, address, node, via).await?,
        None => people::resolve(ctx, who, via).await?.card,
    };
    if let Some(short) = &short {
        people::compare(ctx, short, &card);
    }
    let full = FullCard {
        card: card.signed.clone(),
        inbox: None,
    };
    tell(ctx, &card, &full, false)
}

async fn rotate(ctx: &mut Context, version: CertificateVersion, via: &Via) -> Result<(), AppError> {
    let _lock = ctx.home.lock()?;
    let mut identity = ctx.identity()?;
    let node = enroll::own_node(ctx, &identity, via).await?;
    identity.rotate(version.into(), clock::now(), &mut OsRng)?;
    let limit = identity
        .membership
        .as_ref()
        .and_then(|membership| u64::try_from(membership.authorization.limit_pusd()).ok());
    let wish = Wish {
        limit_pusd: limit,
        ..Wish::default()
    };
    enroll::enroll(ctx, &mut identity, &node, wish, via).await?;
    ctx.out
        .note("rotated; other devices need a new backup of this home to read what comes now");
    own_card(ctx, &identity)
}

fn own_card(ctx: &Context, identity: &Identity) -> Result<(), AppError> {
    match (identity.card(clock::now())?, identity.full_card()) {
        (Some(card), Some(full)) => tell(ctx, &card, &full, false),
        _ => Err(AppError::NotRegistered),
    }
}

fn export(ctx: &Context, file: &Path, secret: bool) -> Result<(), AppError> {
    let identity = ctx.identity()?;
    if secret {
        let armored = identity.certificate.to_armored_secret()?;
        return write(ctx, file, &armored);
    }
    write(ctx, file, &armored(&identity.certificate)?)
}

fn armored(certificate: &SecretCertificate) -> Result<String, AppError> {
    let failed = |error| AppError::Home(format!("certificate cannot be written: {error}"));
    SignedPublicKey::from_bytes(certificate.certificate().as_bytes())
        .and_then(|key| key.to_armored_string(ArmorOptions::default()))
        .map_err(failed)
}

fn write(ctx: &Context, file: &Path, text: &str) -> Result<(), AppError> {
    if file == Path::new("-") {
        return ctx.out.line(
            || text.trim_end().to_owned(),
            &json!({ "exported": true, "armored": text }),
        );
    }
    files::create(file, text.as_bytes())?;
    ctx.out.line(
        || format!("written to {}", file.display()),
        &json!({ "exported": true, "file": file }),
    )
}
