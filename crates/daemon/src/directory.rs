//! The nodes that a node starts with: files that the operator named, and what was imported.

use std::{
    path::{Path, PathBuf},
    sync::PoisonError,
};

use layer_minus_http::Gateway;
use layer_minus_message::NodeRecord;
use layer_minus_routing::{
    Inserted, Source, Table,
    directory::{self, DIRECTORY_BYTES_MAX, DIRECTORY_ENTRIES_MAX, Entry, Line},
};
use serde_json::value::RawValue;

use crate::{config::Config, error::DaemonError, files};

/// Imported node records.
const RECORDS_FILE: &str = "directory.json";
/// Imported keys without addresses.
const UNADDRESSED_FILE: &str = "unaddressed.json";

/// An entry of a file, and what became of it in the table.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) file: PathBuf,
    pub(crate) line: Line,
}

/// The files that a node reads at its start.
pub(crate) fn sources(config: &Config) -> Vec<PathBuf> {
    let imported = [RECORDS_FILE, UNADDRESSED_FILE].map(|name| config.data.join(name));
    let imported = imported.into_iter().filter(|path| path.exists());
    config
        .directory
        .files
        .iter()
        .cloned()
        .chain(imported)
        .collect()
}

/// Those records of the operator's own nodes that are wanted, as the running node has them.
pub(crate) fn configured(
    gateway: &Gateway,
    is_wanted: impl Fn(&NodeRecord) -> bool,
) -> Vec<NodeRecord> {
    let table = gateway
        .table()
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    let configured = table
        .entries()
        .filter(|entry| entry.source == Source::Configured);
    let records = configured.map(|entry| entry.record);
    records
        .filter(|record| is_wanted(record))
        .cloned()
        .collect()
}

/// Reads one file of either kind.
pub(crate) fn read(path: &Path, network: &str, now: u64) -> Result<Vec<Line>, DaemonError> {
    let text = files::read_text(path, DIRECTORY_BYTES_MAX as u64)?;
    Ok(directory::import(&text, network, now))
}

/// Puts what the files hold into the table. A file that cannot be read is a refused line: one bad
/// file does not keep a node from starting.
pub(crate) fn fill(table: &mut Table, config: &Config, now: u64) -> Vec<Listed> {
    let mut listed = Vec::new();
    for file in sources(config) {
        let lines = read(&file, config.network(), now).unwrap_or_else(|error| {
            vec![Line {
                name: "file".to_owned(),
                result: Err(error.to_string()),
            }]
        });
        for mut line in lines {
            if let Ok(entry) = &line.result
                && let Err(why) = insert(table, entry, now)
            {
                line.result = Err(why);
            }
            listed.push(Listed {
                file: file.clone(),
                line,
            });
        }
    }
    listed
}

fn insert(table: &mut Table, entry: &Entry, now: u64) -> Result<Inserted, String> {
    match entry {
        Entry::Record(record) => {
            // The node's own record comes back in the lists that others hand out.
            if table.own().is_some_and(|own| own.node() == record.node()) {
                return Ok(Inserted::Same);
            }
            table.insert(record.clone(), Source::Configured, false, now)
        }
        Entry::Unaddressed(certificate) => table.insert_unaddressed(certificate.clone(), now),
    }
    .map_err(|error| error.to_string())
}

/// Keeps the accepted entries of a file in the data folder, beside those that are there.
pub(crate) fn keep(
    config: &Config,
    text: &str,
    lines: &[Line],
    now: u64,
) -> Result<(), DaemonError> {
    let mut records: Vec<NodeRecord> = Vec::new();
    let mut unaddressed = false;
    for line in lines {
        match &line.result {
            Ok(Entry::Record(record)) => records.push(record.clone()),
            Ok(Entry::Unaddressed(_)) => unaddressed = true,
            Err(_) => {}
        }
    }
    if !records.is_empty() {
        keep_records(config, records, now)?;
    }
    if unaddressed {
        keep_unaddressed(config, text, lines)?;
    }
    Ok(())
}

/// Keeps the newest record of each node, of these and those that are there.
pub(crate) fn keep_records(
    config: &Config,
    new: Vec<NodeRecord>,
    now: u64,
) -> Result<(), DaemonError> {
    let path = config.data.join(RECORDS_FILE);
    let old = if path.exists() {
        read(&path, config.network(), now)?
    } else {
        Vec::new()
    };
    let old = old.into_iter().filter_map(|line| match line.result {
        Ok(Entry::Record(record)) => Some(record),
        _ => None,
    });
    let mut kept: Vec<NodeRecord> = Vec::new();
    for record in old.chain(new) {
        match kept.iter_mut().find(|known| known.node() == record.node()) {
            Some(known) if known.body.sequence >= record.body.sequence => {}
            Some(known) => *known = record,
            None => kept.push(record),
        }
    }
    let text =
        directory::write_directory(&kept).map_err(|error| DaemonError::Output(error.into()))?;
    write(&path, &text, kept.len())
}

/// The entries as they came: what is kept is checked again at every start.
fn keep_unaddressed(config: &Config, text: &str, lines: &[Line]) -> Result<(), DaemonError> {
    let path = config.data.join(UNADDRESSED_FILE);
    let old = if path.exists() {
        files::read_text(&path, DIRECTORY_BYTES_MAX as u64)?
    } else {
        "[]".to_owned()
    };
    let parse = |text| {
        serde_json::from_str::<Vec<&RawValue>>(text)
            .map_err(|error| DaemonError::Failed(format!("list of keys: {error}")))
    };
    let (old, new) = (parse(&old)?, parse(text)?);
    let accepted = new
        .iter()
        .zip(lines)
        .filter(|(_, line)| line.result.is_ok())
        .map(|(entry, _)| *entry);
    let mut kept: Vec<&str> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for entry in old.into_iter().chain(accepted).map(RawValue::get) {
        if seen.insert(entry) {
            kept.push(entry);
        }
    }
    write(&path, &format!("[\n{}\n]\n", kept.join(",\n")), kept.len())
}

fn write(path: &Path, text: &str, entries: usize) -> Result<(), DaemonError> {
    if text.len() > DIRECTORY_BYTES_MAX || entries > DIRECTORY_ENTRIES_MAX {
        return Err(DaemonError::Failed(format!(
            "{} would have {entries} entries in {} bytes; {DIRECTORY_ENTRIES_MAX} entries in \
             {DIRECTORY_BYTES_MAX} bytes are allowed",
            path.display(),
            text.len()
        )));
    }
    files::replace(path, text.as_bytes())
}
