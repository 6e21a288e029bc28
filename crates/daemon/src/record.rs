//! This node's own record: signed when something in it changes, renewed before it expires, and
//! kept, so that what was handed out is what the node shows.

use std::path::PathBuf;

use layer_minus_message::{NodeRecord, RecordBody, SignedDocument, limits::DOCUMENT_BYTES_MAX};
use layer_minus_node::NodeKeys;

use crate::{app::Composition, config::Config, error::DaemonError, files};

/// The newest record that was signed, in the data folder.
const RECORD_FILE: &str = "record.json";
/// There while the newest record has to be told to the nodes that are known: those that have the old
/// one seal to a key that is gone.
const TO_TELL_FILE: &str = "record.untold";
/// A JSON string may need six characters for one.
const FILE_BYTES_MAX: u64 = 6 * DOCUMENT_BYTES_MAX as u64 + 1_024;

fn path(config: &Config) -> PathBuf {
    config.data.join(RECORD_FILE)
}

/// Where it stands that the record has to be told.
pub(crate) fn untold(config: &Config) -> PathBuf {
    config.data.join(TO_TELL_FILE)
}

/// Remembers that other nodes have to be told of the newest record.
pub(crate) fn to_be_told(config: &Config) -> Result<(), DaemonError> {
    files::replace(&untold(config), b"")
}

/// The record that was signed last, if there is one and it is valid.
pub(crate) fn kept(config: &Config, now: u64) -> Option<NodeRecord> {
    let text = files::read_text(&path(config), FILE_BYTES_MAX).ok()?;
    let signed: SignedDocument = serde_json::from_str(&text).ok()?;
    NodeRecord::read(signed, config.network(), now).ok()
}

/// When a record is to be renewed: half of its validity is left for it to be handed out.
pub(crate) const fn renewal(record: &NodeRecord) -> u64 {
    let body = &record.body;
    body.valid_from + (body.valid_until - body.valid_from) / 2
}

/// The record to show at `now`: the one that was kept, or a new one, which is kept first.
pub(crate) fn current(
    config: &Config,
    composition: Composition,
    keys: &NodeKeys,
    now: u64,
) -> Result<NodeRecord, DaemonError> {
    let old = kept(config, now).filter(|old| old.node() == keys.wallet.address());
    let mut body = body(config, composition, keys, now)?;
    if let Some(old) = old {
        let same = RecordBody {
            valid_from: old.body.valid_from,
            valid_until: old.body.valid_until,
            sequence: old.body.sequence,
            prices_until: old.body.prices_until,
            ..body.clone()
        };
        let promised =
            old.body.prices_until == old.body.valid_from.saturating_add(config.prices.fixed_secs);
        let fresh = promised
            && now < renewal(&old)
            && old.body.valid_until - old.body.valid_from == config.record.validity_secs;
        if same == old.body && fresh {
            return Ok(old);
        }
        body.sequence = body.sequence.max(old.body.sequence + 1);
    }
    let record = NodeRecord::sign(&keys.wallet, body)?;
    let mut text =
        serde_json::to_string(&record.signed).map_err(|error| DaemonError::Output(error.into()))?;
    text.push('\n');
    files::replace(&path(config), text.as_bytes())?;
    Ok(record)
}

fn body(
    config: &Config,
    composition: Composition,
    keys: &NodeKeys,
    now: u64,
) -> Result<RecordBody, DaemonError> {
    let node = config.node(composition);
    let certificate = keys
        .keyring
        .iter()
        .next()
        .ok_or_else(|| DaemonError::Failed("the node has no certificate".to_owned()))?;
    let sizes = keys
        .sizes
        .iter()
        .map(|size| u32::try_from(size).unwrap_or(u32::MAX));
    Ok(RecordBody {
        network: config.network().to_owned(),
        node: keys.wallet.address(),
        cash: keys.cash,
        certificate: certificate.certificate().to_bytes(),
        next_certificate: None,
        urls: config
            .http
            .urls
            .iter()
            .map(|url| url.as_str().to_owned())
            .collect(),
        takes_clients: node.takes_clients,
        sizes: sizes.collect(),
        prices: node.prices,
        prices_until: now.saturating_add(node.prices_fixed_secs),
        minimum_authorization: node.minimum_authorization_pusd,
        retention_secs: node.retention_secs,
        valid_from: now,
        valid_until: now.saturating_add(config.record.validity_secs),
        // Unix time, so that a node that lost its files still has a higher one than before.
        sequence: now,
    })
}

#[cfg(test)]
mod tests {
    use layer_minus_wallet::keystore::Kdf;

    use super::*;
    use crate::{config::template, keys, password::Password};

    #[test]
    fn a_record_stays_until_something_changes_or_half_its_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let password = Password::new("x");
        let of = |change: &dyn Fn(String) -> String| {
            let mut settings = template::Settings::example(Composition::Recipient);
            settings.data = "data".to_owned();
            let text = change(template::render(&settings));
            Config::parse(&text, folder.path(), Composition::Recipient).unwrap()
        };
        let config = of(&|text| text);
        keys::make(&config.data, Some(config.cash), &password, Kdf::Light).unwrap();
        let keys = keys::load(&config, &password).unwrap();
        let now = layer_minus_http::clock::now();
        let current = |config: &Config, now| {
            current(config, Composition::Recipient, &keys, now)
                .unwrap()
                .body
        };
        let first = current(&config, now);
        assert_eq!((first.valid_from, first.sequence), (now, now));
        assert_eq!(current(&config, now + 10), first);

        let half = now + config.record.validity_secs / 2;
        let renewed = current(&config, half);
        assert_eq!((renewed.valid_from, renewed.sequence), (half, half));

        let dearer = of(&|text| text.replace("#relay_per_byte = 10", "relay_per_byte = 11"));
        let changed = current(&dearer, half);
        assert_eq!(changed.prices.relay_per_byte.get(), 11);
        assert_eq!(changed.prices_until, half + config.prices.fixed_secs);
        assert_eq!(changed.sequence, half + 1);
        assert_eq!(kept(&dearer, half).unwrap().body, changed);

        let other = of(&|text| text.replace("network = \"layer", "network = \"other"));
        assert!(kept(&other, half).is_none());
    }
}
