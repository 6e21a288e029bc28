//! `directory.json`: the nodes that are known here.

use std::{collections::BTreeMap, path::Path};

use layer_minus_message::{MessageError, NodeRecord, SignedDocument};
use layer_minus_routing::directory::{DIRECTORY_BYTES_MAX, write_directory};
use layer_minus_wallet::Address;
use serde_json::Value;

use crate::{error::AppError, files};

/// Most nodes that are kept.
const NODES_MAX: usize = 4_096;
/// How deep lists of lists of records are looked into.
const NESTING_MAX: usize = 3;

/// The nodes that are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    nodes: BTreeMap<Address, NodeRecord>,
    /// Records that have expired: good for asking for newer ones, and for nothing else.
    expired: BTreeMap<Address, NodeRecord>,
}

/// What became of one record.
#[derive(Debug)]
pub(crate) struct Imported {
    /// The node, or the number of the entry.
    pub(crate) name: String,
    /// Whether it was news, or why it was refused.
    pub(crate) result: Result<bool, String>,
}

impl Directory {
    /// Reads the file; without one nothing is known.
    pub(crate) fn load(path: &Path, network: &str, now: u64) -> Result<Self, AppError> {
        let mut directory = Self::default();
        if path.exists() {
            let text = files::read_text(path, DIRECTORY_BYTES_MAX as u64)?;
            for signed in documents(&text)? {
                match NodeRecord::read(signed.clone(), network, now) {
                    Ok(record) => {
                        directory.insert(record);
                    }
                    Err(MessageError::OutsideValidity { until, .. }) if until < now => {
                        if let Ok(record) = NodeRecord::read(signed, network, until) {
                            directory.expired.insert(record.node(), record);
                        }
                    }
                    // Another network's, or damaged: of no use, and gone with the next change.
                    Err(_) => {}
                }
            }
        }
        Ok(directory)
    }

    pub(crate) fn save(&self, path: &Path) -> Result<(), AppError> {
        files::replace(path, self.to_text()?.as_bytes())
    }

    pub(crate) fn to_text(&self) -> Result<String, AppError> {
        write_directory(self.nodes.values().chain(self.expired.values()))
            .map_err(|error| AppError::Home(format!("directory cannot be written: {error}")))
    }

    /// Takes records from a text: a directory file, single records, lists or lines of them.
    pub(crate) fn import(
        &mut self,
        text: &str,
        network: &str,
        now: u64,
    ) -> Result<Vec<Imported>, AppError> {
        let read = |(number, signed)| match NodeRecord::read(signed, network, now) {
            Ok(record) => {
                let name = record.node().to_string();
                Imported {
                    name,
                    result: Ok(self.insert(record)),
                }
            }
            Err(error) => Imported {
                name: format!("entry {}", number + 1),
                result: Err(error.to_string()),
            },
        };
        Ok(documents(text)?.into_iter().enumerate().map(read).collect())
    }

    /// Takes a checked record unless a newer one is known. Says whether it was news.
    pub(crate) fn insert(&mut self, record: NodeRecord) -> bool {
        let node = record.node();
        let known = self.nodes.get(&node).map(|known| known.body.sequence);
        if known.is_some_and(|sequence| sequence >= record.body.sequence)
            || (known.is_none() && self.nodes.len() >= NODES_MAX)
        {
            return false;
        }
        self.expired.remove(&node);
        self.nodes.insert(node, record);
        true
    }

    /// A node by its address.
    pub(crate) fn get(&self, node: Address) -> Result<&NodeRecord, AppError> {
        self.nodes.get(&node).ok_or(AppError::UnknownNode(node))
    }

    /// A node by its address, even if its record has expired.
    pub(crate) fn get_any(&self, node: Address) -> Option<&NodeRecord> {
        self.nodes.get(&node).or_else(|| self.expired.get(&node))
    }

    /// All nodes, by address.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &NodeRecord> {
        self.nodes.values()
    }

    /// Nodes whose records have expired.
    pub(crate) fn expired(&self) -> impl Iterator<Item = &NodeRecord> {
        self.expired.values()
    }

    /// The node that has this URL.
    pub(crate) fn by_url(&self, url: &str) -> Option<&NodeRecord> {
        self.iter()
            .chain(self.expired())
            .find(|node| node.body.urls.iter().any(|own| own == url))
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }
}

/// The network that the first record of a text names, before anything is checked.
pub(crate) fn network_of(text: &str) -> Option<String> {
    let first = documents(text).ok()?.into_iter().next()?;
    let body: Value = serde_json::from_str(&first.document).ok()?;
    body.get("network")?.as_str().map(str::to_owned)
}

/// Every signed document in a text, wherever it stands in it.
fn documents(text: &str) -> Result<Vec<SignedDocument>, AppError> {
    if text.len() > DIRECTORY_BYTES_MAX {
        return Err(AppError::Usage(format!(
            "a directory has at most {DIRECTORY_BYTES_MAX} bytes"
        )));
    }
    let mut found = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let value = value.map_err(|error| {
            AppError::Usage(format!(
                "the directory is not JSON (line {}, column {})",
                error.line(),
                error.column()
            ))
        })?;
        gather(value, NESTING_MAX, &mut found);
    }
    Ok(found)
}

fn gather(value: Value, depth: usize, found: &mut Vec<SignedDocument>) {
    if found.len() >= NODES_MAX {
        return;
    }
    match value {
        Value::Object(map) if map.contains_key("document") => {
            found.extend(serde_json::from_value::<SignedDocument>(Value::Object(map)).ok());
        }
        Value::Object(map) if depth > 0 => {
            map.into_iter()
                .for_each(|(_, inner)| gather(inner, depth - 1, found));
        }
        Value::Array(list) if depth > 0 => {
            list.into_iter()
                .for_each(|inner| gather(inner, depth - 1, found));
        }
        _ => {}
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use layer_minus_message::{Prices, RecordBody};
    use layer_minus_seal::{SecretCertificate, Version};
    use layer_minus_wallet::Wallet;
    use rand::rngs::OsRng;

    pub(crate) const NOW: u64 = 1_800_000_000;

    pub(crate) fn record(wallet: &Wallet, takes_clients: bool, sequence: u64) -> NodeRecord {
        let name = wallet.address().to_string();
        let certificate = SecretCertificate::generate(&mut OsRng, NOW, Version::V6, &name).unwrap();
        let body = RecordBody {
            network: "net".to_owned(),
            node: wallet.address(),
            cash: wallet.address(),
            certificate: certificate.certificate().to_bytes(),
            next_certificate: None,
            urls: vec![format!("http://127.0.0.1:9/{name}")],
            takes_clients,
            sizes: vec![16_000, 1_000_000],
            prices: Prices::default(),
            prices_until: NOW + 86_400,
            minimum_authorization: 1_000_000,
            retention_secs: 86_400,
            valid_from: NOW,
            valid_until: NOW + 86_400,
            sequence,
        };
        NodeRecord::sign(wallet, body).unwrap()
    }

    #[test]
    fn every_form_of_a_directory_is_read_and_newer_records_win() {
        let (a, b) = (Wallet::generate(&mut OsRng), Wallet::generate(&mut OsRng));
        let (first, second) = (record(&a, false, 1), record(&b, true, 1));
        let one = serde_json::to_string(&first.signed).unwrap();
        let two = serde_json::to_string(&second.signed).unwrap();
        let file = write_directory([&first, &second]).unwrap();
        for text in [
            file.clone(),
            format!("{one}\n{two}"),
            format!("[{one},{two}]"),
            format!("{{\"record\":{one}}}\n{{\"record\":{two}}}\n"),
        ] {
            let mut directory = Directory::default();
            let lines = directory.import(&text, "net", NOW).unwrap();
            assert!(
                lines.iter().all(|line| line.result == Ok(true)),
                "{lines:?}"
            );
            assert_eq!(directory.len(), 2);
            assert_eq!(network_of(&text).as_deref(), Some("net"));
        }
        let mut directory = Directory::default();
        assert!(directory.insert(record(&a, true, 2)));
        assert!(!directory.insert(first.clone()), "older");
        assert!(directory.get(a.address()).unwrap().body.takes_clients);
        assert!(matches!(
            directory.get(b.address()),
            Err(AppError::UnknownNode(_))
        ));

        let lines = directory.import(&file, "other", NOW).unwrap();
        assert!(lines.iter().all(|line| line.result.is_err()));
        assert!(directory.import("not json", "net", NOW).is_err());
        assert_eq!(directory.import("{}", "net", NOW).unwrap().len(), 0);
        assert!(directory.by_url(&first.body.urls[0]).is_some());
    }

    #[test]
    fn expired_records_are_kept_only_to_ask_for_newer_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("directory.json");
        assert_eq!(Directory::load(&path, "net", NOW).unwrap().len(), 0);
        let wallet = Wallet::generate(&mut OsRng);
        let mut directory = Directory::default();
        directory.insert(record(&wallet, false, 1));
        directory.save(&path).unwrap();
        assert_eq!(Directory::load(&path, "net", NOW).unwrap().len(), 1);
        let mut later = Directory::load(&path, "net", NOW + 86_401).unwrap();
        assert_eq!((later.len(), later.expired().count()), (0, 1));
        assert!(later.get(wallet.address()).is_err() && later.get_any(wallet.address()).is_some());
        later.save(&path).unwrap();
        assert_eq!(
            Directory::load(&path, "net", NOW).unwrap().len(),
            1,
            "still there"
        );
        assert!(later.insert(record(&wallet, true, 2)));
        assert_eq!(later.expired().count(), 0);
    }
}
