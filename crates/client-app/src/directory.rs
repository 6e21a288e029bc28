//! Keeping the directory fresh.

use layer_minus_client_sdk::answer;
use layer_minus_http::clock;
use layer_minus_message::NodeRecord;
use layer_minus_routing::directory::DIRECTORY_BYTES_MAX;
use layer_minus_wallet::Address;

use crate::{
    args::Via,
    context::Context,
    error::AppError,
    files, link,
    nodes::{Directory, Imported},
};

/// Most pages of a node's directory that are read.
const PAGES_MAX: usize = 64;
/// Most nodes that are asked about one whose key seems to open no more.
const WITNESSES_MAX: usize = 8;

/// A node by its address; if it is not known or its record has expired, others are asked.
pub(crate) async fn node(
    ctx: &mut Context,
    address: Address,
    via: &Via,
) -> Result<NodeRecord, AppError> {
    if let Ok(record) = ctx.directory.get(address) {
        return Ok(record.clone());
    }
    if let Err(error) = refresh(ctx, via).await {
        tracing::debug!(%error, "directory could not be refreshed");
    }
    ctx.directory.get(address).cloned()
}

/// Fetches the directory again: from its URL if there is one, else from a node that is known.
/// Says how many records were news.
pub(crate) async fn refresh(ctx: &mut Context, via: &Via) -> Result<usize, AppError> {
    if let Some(url) = ctx.config.directory_url.clone() {
        let lines = import(ctx, &url).await?;
        return Ok(lines.iter().filter(|line| line.result == Ok(true)).count());
    }
    // Any node can tell; those of which the record is still good first.
    let nodes: Vec<NodeRecord> = ctx
        .directory
        .iter()
        .chain(ctx.directory.expired())
        .cloned()
        .collect();
    let mut last = AppError::NoWay("no node is known that could be asked".to_owned());
    for node in &nodes {
        match pages(ctx, node, via).await {
            Ok(records) => return take(ctx, records),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether a node that was doubted has another key by now, as others tell: then what failed is worth
/// another try.
pub(crate) async fn has_news(ctx: &mut Context, via: &Via) -> bool {
    let doubted = ctx.take_doubted();
    let is_news = |ctx: &Context| {
        doubted.iter().any(|(node, key)| {
            let known = ctx.directory.get(*node).ok();
            known.is_some_and(|known| known.certificate.encryption_key() != *key)
        })
    };
    if doubted.is_empty() || is_news(ctx) {
        return !doubted.is_empty();
    }
    if let Some(url) = ctx.config.directory_url.clone()
        && import(ctx, &url).await.is_ok()
        && is_news(ctx)
    {
        return true;
    }
    let mut via = via.clone();
    via.hop.retain(|hop| !doubted.contains_key(hop));
    let others = ctx
        .directory
        .iter()
        .filter(|node| !doubted.contains_key(&node.node()));
    let mut others: Vec<NodeRecord> = others.cloned().collect();
    // Whom a relay cannot bring to the node, that relay may have heard from itself.
    let ours = |node: &NodeRecord| via.relay == Some(node.node().to_string());
    others.sort_by_key(|node| (!ours(node), node.body.takes_clients));
    for node in others.iter().take(WITNESSES_MAX) {
        match pages(ctx, node, &via).await {
            Ok(records) => {
                if take(ctx, records).is_ok() && is_news(ctx) {
                    return true;
                }
            }
            Err(error) => tracing::debug!(%error, "a node could not be asked about another"),
        }
    }
    false
}

/// Runs what may be repeated; once more if it failed for want of a node's new key.
pub(crate) async fn with_news<T>(
    ctx: &mut Context,
    via: &Via,
    run: impl AsyncFn(&mut Context) -> Result<T, AppError>,
) -> Result<T, AppError> {
    match run(ctx).await {
        Err(error) if error.is_passing() && has_news(ctx, via).await => {
            tracing::debug!(%error, "tried again with a node's new key");
            run(ctx).await
        }
        outcome => outcome,
    }
}

async fn pages(ctx: &Context, node: &NodeRecord, via: &Via) -> Result<Vec<NodeRecord>, AppError> {
    let (mut records, mut after) = (Vec::new(), None);
    let mut via = via.clone();
    if matches!(
        link::relays(ctx, &via, node.node(), None),
        Err(AppError::NoWay(_))
    ) {
        // The only node that we know is asked directly: all that it learns is that we are there.
        via.relay = node.body.urls.first().cloned();
    }
    for _ in 0..PAGES_MAX {
        let now = clock::now();
        let answered =
            link::ask(ctx, node, &via, |desk, rng| desk.directory(after, now, rng)).await?;
        let page = answer::expect_directory(answered.content, ctx.network_id(), now)?;
        records.extend(page.records);
        match page.after {
            Some(last) if after != Some(last) => after = Some(last),
            _ => break,
        }
    }
    Ok(records)
}

/// Takes records into the directory and stores it.
fn take(ctx: &mut Context, records: Vec<NodeRecord>) -> Result<usize, AppError> {
    change(ctx, |directory| {
        records
            .into_iter()
            .filter(|record| directory.insert(record.clone()))
            .count()
    })
}

/// Adds the records of a file or URL.
pub(crate) async fn import(ctx: &mut Context, source: &str) -> Result<Vec<Imported>, AppError> {
    let text = read(&ctx.http, source).await?;
    let (network, now) = (ctx.network_id().to_owned(), clock::now());
    change(ctx, |directory| directory.import(&text, &network, now))?
}

/// Changes the directory as it is on disk now: another process may have changed it.
fn change<T>(ctx: &mut Context, change: impl FnOnce(&mut Directory) -> T) -> Result<T, AppError> {
    let _lock = ctx.home.directory_lock()?;
    let path = ctx.home.directory();
    let mut directory = Directory::load(&path, &ctx.config.network, clock::now())?;
    let result = change(&mut directory);
    directory.save(&path)?;
    ctx.directory = directory;
    Ok(result)
}

/// Reads a directory from a file or a URL.
pub(crate) async fn read(
    http: &layer_minus_http::HttpClient,
    source: &str,
) -> Result<String, AppError> {
    if !is_url(source) {
        return files::read_text(source.as_ref(), DIRECTORY_BYTES_MAX as u64);
    }
    let bytes = http
        .get(source, DIRECTORY_BYTES_MAX)
        .await
        .map_err(|error| AppError::Http {
            relay: source.to_owned(),
            error,
        })?;
    String::from_utf8(bytes.to_vec())
        .map_err(|_| AppError::Usage(format!("{source} is not a directory: not UTF-8 text")))
}

pub(crate) fn is_url(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}
