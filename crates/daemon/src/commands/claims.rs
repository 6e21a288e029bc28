//! `ledger export` and `ledger settle`: what is owed by and to whom, as papers that people or a contract
//! can settle, and marking it. Both work while the node runs.

use layer_minus_http::clock;
use layer_minus_message::channel::PUSD_PER_TOKEN_UNIT;
use layer_minus_node::admin::{self, SettleError};
use layer_minus_settlement::{
    Claim, Export, Mark, Settlement as _, SettlementError, export_csv, export_json, mark,
};
use serde::Serialize;

use crate::{
    amount,
    cli::{ExportClaims, SettleChannel},
    config::Config,
    error::DaemonError,
    out::Out,
    store,
};

/// Prints what is due: to people a line for each claim, or the export itself.
pub(crate) fn export(config: &Config, wish: ExportClaims, out: Out) -> Result<(), DaemonError> {
    let store = store::open_read_only(config)?;
    store.pin().map_err(store::failed(config))?;
    let claims: Vec<Claim> = admin::claims(&store)
        .map_err(store::failed(config))?
        .into_iter()
        .map(|(_, claim)| claim)
        .collect();
    for left in Export.plan(&claims).left {
        if left.why != SettlementError::NothingDue {
            let note = claims.get(left.index).map_or("", |claim| &claim.note);
            out.note(|| format!("left out ({note}): {}", left.why));
        }
    }
    if wish.csv {
        return out.raw(&export_csv(&claims));
    }
    if out.is_json() {
        let document: serde_json::Value = serde_json::from_str(&export_json(&claims))
            .map_err(|error| DaemonError::Output(error.into()))?;
        return out.object(&document);
    }
    for claim in &claims {
        let (Ok(due), Ok(id)) = (claim.due(), claim.channel_id()) else {
            continue;
        };
        let units = u64::try_from(due.increase_units).unwrap_or(u64::MAX);
        let amount = amount::show(units.saturating_mul(PUSD_PER_TOKEN_UNIT));
        let (payer, receiver, note) = (claim.channel.payer, claim.channel.receiver, &claim.note);
        out.raw(&format!(
            "{id}: {payer} owes {receiver} {amount} ({note})\n"
        ))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Settled {
    channel: String,
    note: String,
    /// In all, token units.
    settled_units: String,
    /// Now, token units.
    added_units: String,
}

/// Marks a channel as settled: by default all whole units.
pub(crate) fn settle(config: &Config, wish: &SettleChannel, out: Out) -> Result<(), DaemonError> {
    let mut store = store::open(config)?;
    let papers = admin::claims(&store).map_err(store::failed(config))?;
    let refused = |error: SettlementError| DaemonError::Failed(error.to_string());
    let is_it = |claim: &Claim| claim.channel_id().is_ok_and(|id| id == wish.channel);
    let Some((paper, claim)) = papers.into_iter().find(|(_, claim)| is_it(claim)) else {
        return Err(refused(SettlementError::UnknownChannel(
            wish.channel.into(),
        )));
    };
    let whole = claim.owed_pusd / u128::from(PUSD_PER_TOKEN_UNIT);
    let total_units = wish.units.map_or(whole, u128::from);
    let wanted = Mark {
        channel_id: wish.channel.into(),
        total_units,
    };
    let note = claim.note.clone();
    let marked = mark(&[claim], &[wanted]).map_err(refused)?;
    let mut added = 0;
    for change in marked {
        let units = u64::try_from(change.to_units).unwrap_or(u64::MAX);
        let settled = admin::settle(&mut store, paper, &wish.channel, units, clock::now());
        added = settled.map_err(|error| match error {
            SettleError::Store(error) => store::failed(config)(error),
            other => DaemonError::Failed(other.to_string()),
        })?;
    }
    let settled = Settled {
        channel: format!("0x{}", hex::encode(wish.channel)),
        note,
        settled_units: total_units.to_string(),
        added_units: added.to_string(),
    };
    out.line(
        || {
            format!(
                "{} ({}): {} units settled in all, {added} of them now",
                settled.channel, settled.note, settled.settled_units
            )
        },
        &settled,
    )
}
