//! The store's files: who may read them, and how a new one appears whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use layer_minus_node::store::StoreError;

use crate::error::from_io;

/// The smallest file that can be a database: one page of the smallest size that SQLite knows.
const SMALLEST_FILE_BYTES: u64 = 512;

/// The log and its index, beside the database file.
pub(crate) const LOG_SUFFIXES: [&str; 2] = ["-wal", "-shm"];

/// `path` with `suffix` after its last character.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes the folder of `path` if it is missing, for its owner alone.
pub(crate) fn make_folder(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent().filter(|folder| !folder.exists()) else {
        return Ok(());
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| from_io("cannot create folder", folder, &error))
}

/// Refuses a file that SQLite would take for a database yet to be made.
///
/// It only looks at the length: who opens the file beside SQLite and closes it takes away the
/// locks that other handles of this process have on it.
pub(crate) fn check_length(path: &Path) -> Result<(), StoreError> {
    let metadata =
        fs::metadata(path).map_err(|error| from_io("cannot open store", path, &error))?;
    if metadata.len() < SMALLEST_FILE_BYTES {
        return Err(StoreError::Failed(format!(
            "{} has {} bytes, too few for a store: the file was cut, restore it from a backup",
            path.display(),
            metadata.len()
        )));
    }
    Ok(())
}

/// Takes the permissions of the database file and of its log from everybody but their owner.
pub(crate) fn make_private(path: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    for suffix in [""].into_iter().chain(LOG_SUFFIXES) {
        use std::os::unix::fs::PermissionsExt;
        let file = beside(path, suffix);
        let outcome = fs::metadata(&file)
            .map(|metadata| metadata.permissions())
            .and_then(|mut permissions| {
                if permissions.mode() & 0o077 == 0 {
                    return Ok(());
                }
                permissions.set_mode(permissions.mode() & 0o700);
                fs::set_permissions(&file, permissions)
            });
        match outcome {
            // The log comes and goes with the handles of other processes.
            Err(error) if suffix.is_empty() || error.kind() != io::ErrorKind::NotFound => {
                return Err(from_io("cannot set the permissions of", &file, &error));
            }
            _ => {}
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// A file that is being written and is not yet what it will be called. It is removed when it is
/// dropped before [`Draft::publish`].
#[derive(Debug)]
pub(crate) struct Draft {
    draft: PathBuf,
    path: PathBuf,
}

impl Draft {
    /// An empty file beside `path`, for its owner alone.
    pub(crate) fn new(path: &Path) -> Result<Self, StoreError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let draft = beside(path, &format!(".new-{}-{number}", std::process::id()));
        // Left by a process of the same number that was killed here.
        let _ = fs::remove_file(&draft);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(&draft)
            .map_err(|error| from_io("cannot create", &draft, &error))?;
        Ok(Self {
            draft,
            path: path.to_owned(),
        })
    }

    /// Where to write.
    pub(crate) fn as_path(&self) -> &Path {
        &self.draft
    }

    /// Gives the file its name, durably. False when that name is taken: nothing is overwritten.
    pub(crate) fn publish(self) -> Result<bool, StoreError> {
        let failed = |error| from_io("cannot create", &self.path, &error);
        // Opened for writing: not every platform syncs what is open for reading.
        let draft = OpenOptions::new()
            .write(true)
            .open(&self.draft)
            .map_err(failed)?;
        draft.sync_all().map_err(failed)?;
        drop(draft);
        match fs::hard_link(&self.draft, &self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            // A file system without hard links: nearly as good.
            Err(_) if !self.path.exists() => fs::rename(&self.draft, &self.path).map_err(failed)?,
            Err(error) => return Err(failed(error)),
        }
        // A name is durable when its folder is. Not every platform can open a folder.
        if let Some(folder) = self
            .path
            .parent()
            .and_then(|folder| File::open(folder).ok())
        {
            folder.sync_all().map_err(failed)?;
        }
        Ok(true)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        for suffix in ["", "-journal"].into_iter().chain(LOG_SUFFIXES) {
            let _ = fs::remove_file(beside(&self.draft, suffix));
        }
    }
}
