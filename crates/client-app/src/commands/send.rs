//! `client send`.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use layer_minus_client_sdk::{Identity, Plan, SealedMail, content};
use layer_minus_http::clock;
use layer_minus_packet::{SIZE_MAX, Sizes};
use rand::{RngCore as _, rngs::OsRng};

use crate::{
    args::Send,
    commands::{outbox, quote},
    context::Context,
    db::outbox::Outgoing,
    directory,
    error::AppError,
    files,
    people::{self, Recipient},
    transmit,
};

/// Longest text from standard input, bytes; a longer one is a file.
const TEXT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Longest ready-made message, bytes: armor and its lines add to what a packet holds.
const PGP_BYTES_MAX: u64 = 2 * SIZE_MAX as u64;

/// What is to be sent.
enum Source {
    Text(Vec<u8>),
    File {
        path: PathBuf,
        bytes: u64,
        digest: [u8; 32],
    },
    ReadyMade(Vec<u8>),
}

impl Source {
    fn bytes(&self) -> u64 {
        match self {
            Self::Text(bytes) | Self::ReadyMade(bytes) => bytes.len() as u64,
            Self::File { bytes, .. } => *bytes,
        }
    }
}

pub(crate) async fn run(ctx: &mut Context, args: Send) -> Result<(), AppError> {
    let lost = ctx.db.sweep_outbox(clock::now())?;
    if lost > 0 {
        ctx.out.note(&format!(
            "{lost} messages could not be sent in 30 days and were given up"
        ));
    }
    let Some(to) = args.to.clone() else {
        return outbox::resume_all(ctx, &args.via).await;
    };
    let source = source_of(&args)?;
    let identity = ctx.identity()?;
    let recipient = directory::with_news(ctx, &args.via, async |ctx: &mut Context| {
        people::resolve(ctx, &to, &args.via).await
    })
    .await?;
    if args.quote {
        let bytes = source.bytes();
        let packets = packets(ctx, &identity, &recipient, source, &args)?;
        return quote::tell_planned(ctx, bytes, packets, &recipient.node, args.via.hop.len());
    }
    let outgoing = queue(ctx, &identity, &recipient, source, &args)?;
    let id = outgoing.id;
    outbox::send(ctx, &identity, &outgoing, &recipient).await?;
    outbox::resume_others(ctx, &identity, &id).await;
    ctx.db.trim()
}

fn source_of(args: &Send) -> Result<Source, AppError> {
    if let Some(path) = &args.pgp {
        return Ok(Source::ReadyMade(files::read_bytes(path, PGP_BYTES_MAX)?));
    }
    if let Some(path) = &args.file {
        let path = std::path::absolute(path)
            .map_err(|error| AppError::file("read", path.as_path(), error))?;
        let (bytes, digest) = files::measure(&path)?;
        return Ok(Source::File {
            path,
            bytes,
            digest,
        });
    }
    match args.text.as_deref() {
        Some("-") | None => Ok(Source::Text(standard_input()?)),
        Some(text) => Ok(Source::Text(text.as_bytes().to_vec())),
    }
}

fn standard_input() -> Result<Vec<u8>, AppError> {
    let failed = |error| AppError::file("read", "standard input", error);
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(TEXT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        return Err(AppError::Usage(format!(
            "a text has at most {TEXT_BYTES_MAX} bytes: send it with --file"
        )));
    }
    Ok(bytes)
}

/// A message before it is sealed.
enum Planned {
    Text(Plan, Vec<u8>),
    File(Plan, PathBuf),
    ReadyMade(SealedMail),
}

fn planned(
    to: &Recipient,
    source: Source,
    args: &Send,
    sizes: &Sizes,
    now: u64,
) -> Result<Planned, AppError> {
    let reply_to = args.reply_to.map(|id| id.0);
    Ok(match source {
        Source::ReadyMade(message) => Planned::ReadyMade(SealedMail::ready_made(&message, sizes)?),
        Source::Text(text) => {
            let kind = if std::str::from_utf8(&text).is_ok() {
                content::TEXT
            } else {
                content::BYTES
            };
            let plan = Plan::of(to.address(), kind, &text, sizes, now, &mut OsRng)?;
            Planned::Text(answering(plan, reply_to), text)
        }
        Source::File {
            path,
            bytes,
            digest,
        } => {
            let kind = content_type_of(&path);
            let plan = Plan::new(to.address(), kind, bytes, digest, sizes, now, &mut OsRng)?;
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            let plan = answering(plan.named(name.as_deref().unwrap_or("file")), reply_to);
            Planned::File(plan, path)
        }
    })
}

/// How many packets of the largest size a message takes, and the size of its last one: as it would
/// be sealed now, because the length of a letter's head decides.
fn packets(
    ctx: &Context,
    identity: &Identity,
    to: &Recipient,
    source: Source,
    args: &Send,
) -> Result<(u64, usize), AppError> {
    let (network, _) = ctx.way(&to.node, &args.via.hop, None)?;
    let sizes = &network.sizes;
    let plan = match planned(to, source, args, sizes, clock::now())? {
        Planned::ReadyMade(mail) => return Ok((0, mail.size)),
        Planned::Text(plan, _) | Planned::File(plan, _) => plan,
    };
    let last = plan.parts() - 1;
    let range = plan.range(last);
    // Only its length counts.
    let body = Bytes::from(vec![0; (range.end - range.start) as usize]);
    let card = transmit::OurCard::of(identity).for_part(last, to);
    let mail = transmit::seal_part(identity, &plan, last, body, card, to, sizes)?;
    Ok((u64::from(last), mail.size))
}

/// Puts a message into the outbox. From here on it is not lost.
fn queue(
    ctx: &mut Context,
    identity: &Identity,
    to: &Recipient,
    source: Source,
    args: &Send,
) -> Result<Outgoing, AppError> {
    let (network, _) = ctx.way(&to.node, &args.via.hop, None)?;
    let now = clock::now();
    let mut outgoing = Outgoing {
        id: [0; 16],
        recipient: to.address(),
        node: to.node.node(),
        plan: None,
        source: None,
        hops: args.via.hop.clone(),
        relay: args.via.relay.clone(),
        parts: 1,
        bytes: source.bytes(),
        digest: [0; 32],
        created_at: now,
    };
    let sealed = match planned(to, source, args, &network.sizes, now)? {
        Planned::ReadyMade(mail) => {
            OsRng.fill_bytes(&mut outgoing.id);
            outgoing.digest = mail.digest;
            vec![mail]
        }
        Planned::Text(plan, text) => {
            let sealed = seal_all(identity, &plan, &text, to, &network.sizes)?;
            take_plan(&mut outgoing, plan);
            sealed
        }
        Planned::File(plan, path) => {
            take_plan(&mut outgoing, plan);
            outgoing.source = Some(path);
            Vec::new()
        }
    };
    ctx.db.queue(&outgoing, &sealed)?;
    Ok(outgoing)
}

fn answering(plan: Plan, reply_to: Option<[u8; 16]>) -> Plan {
    match reply_to {
        Some(id) => plan.answering(id),
        None => plan,
    }
}

fn take_plan(outgoing: &mut Outgoing, plan: Plan) {
    outgoing.id = plan.id;
    outgoing.digest = plan.digest;
    outgoing.parts = plan.parts();
    outgoing.plan = Some(plan);
}

fn seal_all(
    identity: &Identity,
    plan: &Plan,
    content: &[u8],
    to: &Recipient,
    sizes: &Sizes,
) -> Result<Vec<SealedMail>, AppError> {
    let ours = transmit::OurCard::of(identity);
    let seal = |index| {
        let range = plan.range(index);
        let (start, end) = (range.start as usize, range.end as usize);
        let body = Bytes::copy_from_slice(&content[start..end]);
        let card = ours.for_part(index, to);
        transmit::seal_part(identity, plan, index, body, card, to, sizes)
    };
    (0..plan.parts()).map(seal).collect()
}

/// A media type by the extension; the recipient decides by name anyway.
fn content_type_of(path: &Path) -> &'static str {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "txt" | "md" | "log" => content::TEXT,
        "html" | "htm" => "text/html",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "zip" => "application/zip",
        _ => content::BYTES,
    }
}
