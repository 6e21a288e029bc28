//! `restore`: puts a backup in the store's place, so that the node goes on from it.
//!
//! A backup does not know what came after it, above all which packets were seen. So the node gets a
//! new encryption key first, and the old one is destroyed: what was captured before opens never
//! again. Wallet and address stay. The order is such that a restore which is cut off anywhere
//! leaves the old store with the new key, and can be done again.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use layer_minus_http::clock;
use layer_minus_node::{StoreError, admin};
use layer_minus_store_sqlite::{Options, SqliteStore};
use serde::Serialize;

use crate::{
    app::Composition,
    config::Config,
    error::DaemonError,
    files::{self, beside},
    keys::{self, KeyFiles},
    out::Out,
    password, record, store,
};

/// The copy that becomes the store, beside it.
const DRAFT_SUFFIX: &str = ".restoring";
/// The database file, its log and the log's index.
const STORE_SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

#[derive(Serialize)]
struct Restored {
    node: String,
    /// When the backup was made, unix seconds, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    backup_made_at: Option<String>,
    /// The store that was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    former_store: Option<PathBuf>,
    /// The new encryption key.
    key: String,
    sequence: String,
}

pub(crate) fn run(
    composition: Composition,
    config: &Config,
    file: &Path,
    password_file: Option<&Path>,
    out: Out,
) -> Result<(), DaemonError> {
    let _lock = store::lock(config)?;
    let password = password::find(password_file)?;
    let wallet = keys::open_wallet(&KeyFiles::of(&config.data).wallet, &password)?;
    let path = store::path(config);
    if is_same(file, &path) {
        let why = format!("{} is the store itself: move it elsewhere", file.display());
        return Err(DaemonError::Usage(why));
    }
    let draft = beside(&path, DRAFT_SUFFIX);
    let made_at = copy_checked(file, &draft)?;

    keys::replace_certificate(&config.data, wallet.address(), &password)?;
    let keys = keys::load(config, &password)?;
    let now = clock::now();
    let record = record::current(config, composition, &keys, now)?;
    record::to_be_told(config)?;
    let former = set_aside(&path, now)?;
    fs::rename(&draft, &path).map_err(files::failed("put in place", &path))?;
    files::sync_folder_of(&path)?;

    let restored = Restored {
        node: wallet.address().to_string(),
        backup_made_at: made_at.map(|at| at.to_string()),
        former_store: former,
        key: record.certificate.encryption_key().to_string(),
        sequence: record.body.sequence.to_string(),
    };
    out.line(|| describe(&restored, now, made_at), &restored)
}

fn describe(restored: &Restored, now: u64, made_at: Option<u64>) -> String {
    let age = match made_at {
        Some(at) => format!("made {} s ago", now.saturating_sub(at)),
        None => "of an unknown time".to_owned(),
    };
    let former = match &restored.former_store {
        Some(path) => format!("\nformer    {}", path.display()),
        None => String::new(),
    };
    format!(
        "node      {}\nrestored  from a backup {age}\nkey       {} (the former one is destroyed){former}\n\
         next      start the node: it tells the nodes that it knows its new record; hand it out to \
         others (`record`)",
        restored.node, restored.key
    )
}

fn is_same(file: &Path, store: &Path) -> bool {
    match (fs::canonicalize(file), fs::canonicalize(store)) {
        (Ok(file), Ok(store)) => file == store,
        _ => false,
    }
}

/// Copies a backup to `draft` and makes that a store, if nothing in it is damaged. Returns when the
/// backup was made.
fn copy_checked(file: &Path, draft: &Path) -> Result<Option<u64>, DaemonError> {
    let at_file = |source: StoreError| DaemonError::Store {
        path: file.to_owned(),
        source,
    };
    for suffix in STORE_SUFFIXES {
        // Left by a restore that was cut off.
        remove(&beside(draft, suffix))?;
    }
    let copy = || -> Result<Option<u64>, StoreError> {
        SqliteStore::open_read_only(file)?.backup_to(draft)?;
        let mut copy = SqliteStore::open(draft, Options::default())?;
        let report = copy.verify(|_| {})?;
        if !report.is_sound() {
            let text = format!("the backup is damaged: {report}");
            return Err(StoreError::Failed(text));
        }
        if let Err(reason) = admin::verify(&copy)? {
            let text = format!("the backup's ledger does not balance: {reason}");
            return Err(StoreError::Failed(text));
        }
        store::unmark(&mut copy)
    };
    let copied = copy();
    if copied.is_err() {
        for suffix in STORE_SUFFIXES {
            // The first failure is the one to report.
            let _ = remove(&beside(draft, suffix));
        }
    }
    copied.map_err(at_file)
}

/// Gives the store that is there another name beside its own, which `rename` then takes from it:
/// there is never none. Returns the other name.
fn set_aside(path: &Path, now: u64) -> Result<Option<PathBuf>, DaemonError> {
    if !path.exists() {
        for suffix in STORE_SUFFIXES {
            remove(&beside(path, suffix))?;
        }
        return Ok(None);
    }
    // Closing it brings its log into the file. A damaged one goes aside as it is.
    drop(SqliteStore::open(path, Options::default()));
    let mut aside = beside(path, &format!(".before-{now}"));
    for number in 1.. {
        if !aside.exists() {
            break;
        }
        aside = beside(path, &format!(".before-{now}-{number}"));
    }
    fs::hard_link(path, &aside)
        .or_else(|_| fs::copy(path, &aside).map(drop))
        .map_err(files::failed("set aside", path))?;
    for suffix in ["-wal", "-shm"] {
        let (from, to) = (beside(path, suffix), beside(&aside, suffix));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(files::failed("set aside", &from)(error));
            }
            _ => {}
        }
    }
    Ok(Some(aside))
}

fn remove(path: &Path) -> Result<(), DaemonError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(files::failed("remove", path)(error))
        }
        _ => Ok(()),
    }
}
