//! Registering at a node, and renewing that.

use layer_minus_client_sdk::{
    Identity, SdkError, Terms, answer, identity::AUTHORIZATION_RENEWAL_SECS,
};
use layer_minus_delivery::Mode;
use layer_minus_http::clock;
use layer_minus_message::{
    Authorization, Chain, NodeRecord, Reason, Standing, authorization::PUSD_PER_TOKEN_UNIT,
};
use rand::rngs::OsRng;

use crate::{
    args::Via,
    context::Context,
    error::AppError,
    link::{self, Listening, Relay},
};

/// What a node may deduct unless told otherwise: 1 US dollar, as in the whitepaper.
pub(crate) const LIMIT_DEFAULT_PUSD: u64 = 1_000_000_000_000;

/// How often a registration is tried, each time in other terms.
const ATTEMPTS_MAX: usize = 4;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Enrolled {
    pub(crate) standing: Standing,
    pub(crate) relay: String,
    /// The stream that the answer goes on as, if that was wished.
    pub(crate) stream: Option<(Relay, Listening)>,
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// The limit, if it was named; else the default, or what the node granted.
    pub(crate) limit_pusd: Option<u64>,
    /// Where the authorization can be settled, if that was named; else where it could before.
    pub(crate) chain: Option<Chain>,
    /// Sign on a new channel, because the old one was revoked.
    pub(crate) new_channel: bool,
    pub(crate) invite: Option<String>,
    pub(crate) strangers_bytes_per_day: Option<u64>,
    /// Go on listening on the connection that brings the answer.
    pub(crate) listen: Option<Mode>,
}

/// A limit in the units that it is signed in.
pub(crate) fn units(limit_pusd: u64) -> Result<u64, AppError> {
    if limit_pusd == 0 || !limit_pusd.is_multiple_of(PUSD_PER_TOKEN_UNIT) {
        return Err(AppError::Usage(
            "a limit is a multiple of 0.000001 US dollars, and not zero".to_owned(),
        ));
    }
    Ok(limit_pusd / PUSD_PER_TOKEN_UNIT)
}

/// Registers, and makes do with what the node says: a limit that nobody named follows the grant, an
/// invite that an earlier attempt of ours used is left out, a challenge that was answered already is
/// asked for anew.
pub(crate) async fn enroll(
    ctx: &Context,
    identity: &mut Identity,
    node: &NodeRecord,
    mut wish: Wish,
    via: &Via,
) -> Result<Enrolled, AppError> {
    let minimum = node.body.minimum_authorization.max(1);
    let limit_was_named = wish.limit_pusd.is_some();
    let mut bad_invite = None;
    for _ in 1..ATTEMPTS_MAX {
        let error = match attempt(ctx, identity, node, &wish, via).await {
            Ok(enrolled) => return Ok(enrolled),
            Err(error) => error,
        };
        match error.reason() {
            Some(Reason::NotBacked { granted_pusd })
                if !limit_was_named && *granted_pusd >= minimum =>
            {
                wish.limit_pusd = Some(granted_pusd - granted_pusd % PUSD_PER_TOKEN_UNIT);
            }
            // If the invite was not ours after all, then that is the news, not the grant.
            Some(Reason::NotBacked { .. }) => return Err(bad_invite.unwrap_or(error)),
            Some(Reason::BadInvite) if wish.invite.take().is_some() => bad_invite = Some(error),
            // Taken back on this channel: who registers again means a new one.
            Some(Reason::Revoked) if !wish.new_channel => wish.new_channel = true,
            // The answers to these may have been lost on the way.
            Some(Reason::PossessionNotProved) => {}
            _ => return Err(error),
        }
    }
    attempt(ctx, identity, node, &wish, via).await
}

async fn attempt(
    ctx: &Context,
    identity: &mut Identity,
    node: &NodeRecord,
    wish: &Wish,
    via: &Via,
) -> Result<Enrolled, AppError> {
    let now = clock::now();
    let terms = Terms {
        limit_units: units(wish.limit_pusd.unwrap_or(LIMIT_DEFAULT_PUSD))?,
        invite: wish.invite.clone(),
        strangers_bytes_per_day: wish
            .strangers_bytes_per_day
            .or(Some(ctx.config.strangers_bytes_per_day)),
        chain: wish.chain.unwrap_or_else(|| identity.chain_at(node.node())),
        new_channel: wish.new_channel,
    };
    let wallets = ctx.wallets()?;
    let (card, registration) = identity.registration(&wallets, node, &terms, now, &mut OsRng)?;
    drop(wallets);
    // A new certificate is on disk before anybody can seal to it.
    ctx.save(identity)?;

    let signed: &Identity = identity;
    let answered = link::ask(ctx, node, via, |desk, rng| {
        desk.register(signed, registration.clone(), clock::now(), rng)
    })
    .await?;
    let challenge = answer::expect_challenge(answered.content)?;
    let nonce = identity.open_challenge(&challenge, node.node())?;
    let enrolled = confirm(ctx, identity, node, nonce, wish.listen, via).await?;
    note_channel(ctx, identity, &registration.authorization);
    identity.registered(&card, registration.authorization, clock::now());
    identity.forget_superseded(clock::now());
    ctx.save(identity)?;
    Ok(enrolled)
}

/// Brings the nonce back. Its answer is the registration, alone or at the head of the stream.
async fn confirm(
    ctx: &Context,
    identity: &Identity,
    node: &NodeRecord,
    nonce: [u8; 32],
    listen: Option<Mode>,
    via: &Via,
) -> Result<Enrolled, AppError> {
    let Some(mode) = listen else {
        let answered = link::ask(ctx, node, via, |desk, rng| {
            desk.confirm(identity, nonce, None, clock::now(), rng)
        })
        .await?;
        let standing = answer::expect_standing(answered.content)?;
        return Ok(Enrolled {
            standing,
            relay: answered.relay,
            stream: None,
        });
    };
    let (relay, mut stream) = link::open_stream(ctx, node, via, None, |desk, rng| {
        desk.confirm(identity, nonce, Some(mode), clock::now(), rng)
    })
    .await?;
    let standing = answer::expect_standing(stream.next(&relay).await?)?;
    Ok(Enrolled {
        standing,
        relay: relay.name.clone(),
        stream: Some((relay, stream)),
    })
}

/// Says that there is a channel to deposit into, if the one that was signed is new and on a chain.
pub(crate) fn note_channel(ctx: &Context, identity: &Identity, signed: &Authorization) {
    let before = identity.membership.as_ref().map(|it| &it.authorization);
    let is_known = before.is_some_and(|it| it.opening == signed.opening);
    if signed.chain.chain_id != 0 && !is_known {
        ctx.out.note(
            "the authorization is on a new channel of the escrow: 'client channel' says where to deposit",
        );
    }
}

/// Renews the registration when the card or the authorization runs out soon. The limit stays.
pub(crate) async fn renew_if_due(
    ctx: &mut Context,
    identity: &mut Identity,
    via: &Via,
) -> Result<bool, AppError> {
    if !is_due(identity)? {
        return Ok(false);
    }
    let node = own_node(ctx, identity, via).await?;
    let _lock = ctx.home.lock()?;
    // Another process may have done it, or rotated the certificate, while this one ran.
    *identity = ctx.identity()?;
    if !is_due(identity)? {
        return Ok(false);
    }
    let paper = identity.membership.as_ref().map(|it| &it.authorization);
    // A paper on a chain that ended is followed by one on a new channel, into which nothing is deposited yet.
    let backed = paper.filter(|it| it.chain.chain_id == 0 || it.expires_at > clock::now());
    let limit = backed.and_then(|it| it.limit_units.checked_mul(PUSD_PER_TOKEN_UNIT));
    let wish = Wish {
        limit_pusd: limit,
        ..Wish::default()
    };
    enroll(ctx, identity, &node, wish, via).await?;
    Ok(true)
}

fn is_due(identity: &Identity) -> Result<bool, AppError> {
    let now = clock::now();
    let Some(membership) = &identity.membership else {
        return Err(AppError::NotRegistered);
    };
    let paper_until = membership.authorization.expires_at;
    if membership.authorization.chain.chain_id != 0 && paper_until > now {
        // Its deposit is used to the end; the card has its own time.
        return Ok(identity.needs_renewal(now));
    }
    Ok(
        identity.needs_renewal(now)
            || paper_until <= now.saturating_add(AUTHORIZATION_RENEWAL_SECS),
    )
}

/// The node that we are registered at, with its record.
pub(crate) async fn own_node(
    ctx: &mut Context,
    identity: &Identity,
    via: &Via,
) -> Result<NodeRecord, AppError> {
    let node = identity.node().ok_or(AppError::NotRegistered)?;
    crate::directory::node(ctx, node, via).await
}

/// Says no to an answer of the wrong kind, in the words of the caller.
pub(crate) fn standing_of(answered: link::Answered) -> Result<(Standing, String), SdkError> {
    Ok((answer::expect_standing(answered.content)?, answered.relay))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_whole_token_units() {
        assert_eq!(units(LIMIT_DEFAULT_PUSD).unwrap(), 1_000_000);
        assert_eq!(units(1_000_000).unwrap(), 1);
        assert!(units(0).is_err() && units(1_500_000).is_err());
    }
}
