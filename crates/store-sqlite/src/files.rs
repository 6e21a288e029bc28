//! The store's files: who may read them, and how a new one appears whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use layer_minus_node::store::StoreError;

use crate::error::from_io;
use crate::schema::APPLICATION_ID;

/// How every SQLite database begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Where the application id lies in the header of a database, as a u32, big-endian.
const APPLICATION_ID_AT: usize = 68;
/// Bytes of the header.
const HEADER_BYTES: usize = 100;
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

/// Refuses a file that is no store, before SQLite looks at it: what is empty it would take for a
/// database yet to be made.
pub(crate) fn check_head(path: &Path) -> Result<(), StoreError> {
    let failed = |error| from_io("cannot open store", path, &error);
    let refuse = |why: String| Err(StoreError::Failed(format!("{} {why}", path.display())));
    let mut file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes < SMALLEST_FILE_BYTES {
        return refuse(format!(
            "has {bytes} bytes, too few for a store: the file was cut, restore it from a backup"
        ));
    }
    let mut header = [0; HEADER_BYTES];
    file.read_exact(&mut header).map_err(failed)?;
    if !header.starts_with(MAGIC) {
        return refuse("is not an SQLite database".to_owned());
    }
    let id = header[APPLICATION_ID_AT..]
        .iter()
        .take(4)
        .fold(0, |id, byte| id << 8 | u32::from(*byte));
    if id != APPLICATION_ID {
        return refuse(format!(
            "is not a store: its application id is {id:#010x}, not {APPLICATION_ID:#010x}"
        ));
    }
    Ok(())
}

/// Takes the database file's permissions from everybody but its owner. SQLite gives the log the
/// permissions of the database file.
pub(crate) fn make_private(path: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let failed = |error| from_io("cannot set the permissions of", path, &error);
        let mut permissions = fs::metadata(path).map_err(failed)?.permissions();
        if permissions.mode() & 0o077 != 0 {
            permissions.set_mode(permissions.mode() & 0o700);
            fs::set_permissions(path, permissions).map_err(failed)?;
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
        File::open(&self.draft)
            .and_then(|file| file.sync_all())
            .map_err(failed)?;
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
