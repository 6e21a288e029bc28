//! Files that hold secrets or must appear whole.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use crate::error::DaemonError;

/// Makes `io::Error` say what was tried with which file.
pub(crate) fn failed<'a>(
    what: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> DaemonError + 'a {
    move |source| DaemonError::File {
        what,
        path: path.to_owned(),
        source,
    }
}

/// Reads a text file of at most `limit_bytes`.
pub(crate) fn read_text(path: &Path, limit_bytes: u64) -> Result<String, DaemonError> {
    let bytes = read(path, limit_bytes)?;
    String::from_utf8(bytes).map_err(|_| {
        failed("read", path)(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not UTF-8 text",
        ))
    })
}

/// Reads a file of at most `limit_bytes`.
pub(crate) fn read(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, DaemonError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| {
            file.take(limit_bytes.saturating_add(1))
                .read_to_end(&mut bytes)
        })
        .map_err(failed("read", path))?;
    if bytes.len() as u64 > limit_bytes {
        let text = format!("it is longer than {limit_bytes} bytes");
        return Err(failed("read", path)(io::Error::new(
            io::ErrorKind::InvalidData,
            text,
        )));
    }
    Ok(bytes)
}

/// Makes a folder for its owner alone. One that exists keeps its permissions.
pub(crate) fn make_folder(path: &Path) -> Result<(), DaemonError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path).map_err(failed("make folder", path))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Writes a new file for its owner alone; one that exists is not touched.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), DaemonError> {
    let mut file = options().open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => DaemonError::Exists(path.to_owned()),
        _ => failed("write", path)(error),
    })?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(failed("write", path))
}

/// Writes a file so that there is always the old or the new one, whole.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), DaemonError> {
    let draft = draft_of(path);
    // Left by a process that was killed while it wrote.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("write", path)(error));
        }
        _ => write_new(&draft, bytes)?,
    }
    fs::rename(&draft, path).map_err(failed("write", path))?;
    sync_folder_of(path)
}

/// Makes the names in the folder of `path` durable, where the platform can.
pub(crate) fn sync_folder_of(path: &Path) -> Result<(), DaemonError> {
    #[cfg(unix)]
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed("write", path))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// The same, and overwrites what was there, as far as the file system writes in place.
pub(crate) fn replace_and_erase(path: &Path, bytes: &[u8]) -> Result<(), DaemonError> {
    let old = match File::options().write(true).open(path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed("open", path)(error)),
    };
    replace(path, bytes)?;
    let Some(mut old) = old else { return Ok(()) };
    // The handle still leads to the old file, which has no name any more.
    let erased = old.metadata().and_then(|metadata| {
        io::copy(&mut io::repeat(0).take(metadata.len()), &mut old)?;
        old.sync_all()
    });
    erased.map_err(failed("erase the former", path))
}

/// The file of the same name and a suffix, in the same folder.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

fn draft_of(path: &Path) -> PathBuf {
    beside(path, ".new")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exists_is_kept_and_replacing_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_new(&path, b"one").unwrap();
        assert!(matches!(
            write_new(&path, b"two"),
            Err(DaemonError::Exists(_))
        ));
        assert_eq!(read_text(&path, 3).unwrap(), "one");
        fs::write(draft_of(&path), b"half").unwrap();
        replace(&path, b"three").unwrap();
        assert_eq!(read_text(&path, 100).unwrap(), "three");
        assert!(!draft_of(&path).exists());
        let error = read(&path, 4).unwrap_err().to_string();
        assert!(error.contains("longer than 4 bytes"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn secrets_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("x/y");
        make_folder(&inner).unwrap();
        let file = inner.join("key");
        replace(&file, b"secret").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&inner), mode(&file)), (0o700, 0o600));
    }
}
