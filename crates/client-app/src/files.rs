//! Files: read with bounds, written whole or not at all, and never over somebody else's.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::error::AppError;

/// How many names are tried for a received file: `name`, `name (1)`, …
const NAMES_MAX: u32 = 10_000;
/// Longest name that is made, bytes; some file systems take no more, and a number has to fit.
const NAME_BYTES_MAX: usize = 200;

/// Reads a file of at most `limit` bytes.
pub(crate) fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, AppError> {
    let failed = |error| AppError::file("read", path, error);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(failed(io::Error::other(format!(
            "longer than {limit} bytes"
        ))));
    }
    Ok(bytes)
}

/// Reads a text of at most `limit` bytes.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String, AppError> {
    String::from_utf8(read_bytes(path, limit)?)
        .map_err(|_| AppError::file("read", path, io::Error::other("not UTF-8 text")))
}

/// Reads a secret text of at most `limit` bytes, and leaves no copies behind.
pub(crate) fn read_secret(path: &Path, limit: u64) -> Result<Zeroizing<String>, AppError> {
    let failed = |error| AppError::file("read", path, error);
    let capacity = usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    let file = File::open(path).map_err(failed)?;
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(failed(io::Error::other(format!(
            "longer than {limit} bytes"
        ))));
    }
    let text =
        std::str::from_utf8(&bytes).map_err(|_| failed(io::Error::other("not UTF-8 text")))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Size and SHA-256 of a file.
pub(crate) fn measure(path: &Path) -> Result<(u64, [u8; 32]), AppError> {
    let failed = |error| AppError::file("read", path, error);
    let mut file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("not a regular file")));
    }
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    let mut piece = vec![0; 128 * 1024];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut piece).map_err(failed)?;
        if read == 0 {
            break;
        }
        hash.update(&piece[..read]);
        bytes += read as u64;
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(hash.finish().as_ref());
    Ok((bytes, digest))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Opens a file for this user only, and makes it if there is none. What it holds stays.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    options().create(true).truncate(false).open(path)
}

/// Makes a folder for this user only; one that exists is left as it is.
pub(crate) fn private_folder(path: &Path) -> Result<(), AppError> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(|error| AppError::file("make the folder", path, error))
}

/// Replaces a file, or makes it: after a crash it is the old one or the new one. Only its owner
/// may read it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), AppError> {
    let failed = |error| AppError::file("write", path, error);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let mut file = options()
        .create(true)
        .truncate(true)
        .open(&fresh)
        .map_err(failed)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    drop(file);
    fs::rename(&fresh, path).map_err(failed)?;
    sync_folder(path);
    Ok(())
}

/// Writes a new file for this user only; one that exists is not touched.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), AppError> {
    let failed = |error| AppError::file("write", path, error);
    let mut file = options().create_new(true).open(path).map_err(failed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written.map_err(failed)?;
    sync_folder(path);
    Ok(())
}

/// Makes a rename durable, where the system can.
fn sync_folder(path: &Path) {
    #[cfg(unix)]
    if let Some(folder) = path.parent()
        && let Ok(folder) = File::open(if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        })
    {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// A file name that a stranger chose, made harmless: no folders, no control characters, nothing
/// that a system treats specially, never hidden, never empty.
pub(crate) fn safe_name(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let cleaned: String = base
        .chars()
        .map(|c| match c {
            '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '_',
            c if c.is_control() => '_',
            c => c,
        })
        .collect();
    let cleaned = cleaned.trim_matches([' ', '.']);
    let cleaned = shorten(cleaned);
    let stem = cleaned
        .split('.')
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    let device = matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || (stem.len() == 4
            && (stem.starts_with("COM") || stem.starts_with("LPT"))
            && stem.ends_with(|c: char| c.is_ascii_digit()));
    match (cleaned.is_empty(), device) {
        (true, _) => "file".to_owned(),
        (_, true) => format!("_{cleaned}"),
        _ => cleaned,
    }
}

/// Cuts a name, and keeps its extension.
fn shorten(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let (stem, extension) = split(name);
    let extension = &extension[..extension.floor_char_boundary(20)];
    let stem = &stem[..stem.floor_char_boundary(NAME_BYTES_MAX - extension.len())];
    format!("{stem}{extension}")
}

/// Stem and extension with its dot.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 => name.split_at(dot),
        _ => (name, ""),
    }
}

/// A received file while it is written: it gets its name when it is whole.
pub(crate) struct Incoming {
    file: Option<File>,
    partial: PathBuf,
    folder: PathBuf,
    name: String,
}

impl Incoming {
    /// Begins a file in `folder`. `unique` tells partial files apart.
    pub(crate) fn begin(folder: &Path, name: &str, unique: &str) -> Result<Self, AppError> {
        private_folder(folder)?;
        let name = safe_name(name);
        let partial = folder.join(format!(".partial-{unique}"));
        // What a crash left behind is begun anew.
        let _ = fs::remove_file(&partial);
        let file = options()
            .create_new(true)
            .open(&partial)
            .map_err(|error| AppError::file("write", &partial, error))?;
        Ok(Self {
            file: Some(file),
            partial,
            folder: folder.to_owned(),
            name,
        })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), AppError> {
        let written = match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => Err(io::Error::other("closed")),
        };
        written.map_err(|error| AppError::file("write", &self.partial, error))
    }

    /// Gives it its name, or that name with a number if it is taken. Returns where it is.
    pub(crate) fn finish(mut self) -> Result<PathBuf, AppError> {
        let failed = |error| AppError::file("write", &self.partial, error);
        if let Some(file) = self.file.take() {
            file.sync_all().map_err(failed)?;
        }
        let path = reserve(&self.folder, &self.name)?;
        fs::rename(&self.partial, &path).map_err(|error| AppError::file("write", &path, error))?;
        sync_folder(&path);
        Ok(path)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // After `finish` there is none.
        let _ = fs::remove_file(&self.partial);
    }
}

/// Takes a free name, by making an empty file that nobody else can make at the same time.
fn reserve(folder: &Path, name: &str) -> Result<PathBuf, AppError> {
    let (stem, extension) = split(name);
    for number in 0..NAMES_MAX {
        let candidate = match number {
            0 => name.to_owned(),
            number => format!("{stem} ({number}){extension}"),
        };
        let path = folder.join(candidate);
        match options().create_new(true).open(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(AppError::file("write", path, error)),
        }
    }
    Err(AppError::file(
        "write",
        folder.join(name),
        io::ErrorKind::AlreadyExists.into(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_strangers_are_harmless() {
        for (given, safe) in [
            ("photo.jpg", "photo.jpg"),
            ("../../.ssh/authorized_keys", "authorized_keys"),
            ("C:\\Windows\\system.ini", "system.ini"),
            (".bashrc", "bashrc"),
            ("..", "file"),
            ("", "file"),
            ("a\0b\u{1b}[2J.txt", "a_b_[2J.txt"),
            ("nul.txt", "_nul.txt"),
            ("com1", "_com1"),
            ("gpj.\u{202e}exe", "gpj._exe"),
            ("Grüße 你好.pdf", "Grüße 你好.pdf"),
            ("what? 5:00 \"now\".md", "what_ 5_00 _now_.md"),
        ] {
            assert_eq!(safe_name(given), safe, "{given:?}");
        }
        let long = safe_name(&format!("{}.tar.gz", "ä".repeat(300)));
        assert!(long.len() <= NAME_BYTES_MAX && long.ends_with(".gz"));
    }

    #[test]
    fn received_files_never_replace_others() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), "mine").unwrap();
        let write = |body: &str| {
            let mut file = Incoming::begin(folder.path(), "a.txt", body).unwrap();
            file.write(body.as_bytes()).unwrap();
            file.finish().unwrap()
        };
        let (first, second) = (write("one"), write("two"));
        assert_eq!(first.file_name().unwrap(), "a (1).txt");
        assert_eq!(second.file_name().unwrap(), "a (2).txt");
        assert_eq!(fs::read_to_string(second).unwrap(), "two");
        assert_eq!(
            fs::read_to_string(folder.path().join("a.txt")).unwrap(),
            "mine"
        );
        drop(Incoming::begin(folder.path(), "b.txt", "given up").unwrap());
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            3,
            "nothing is left behind"
        );
    }

    #[cfg(unix)]
    #[test]
    fn what_is_written_is_for_the_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        private_folder(&home).unwrap();
        let file = home.join("file");
        replace(&file, b"one").unwrap();
        replace(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&home), mode(&file)), (0o700, 0o600));
        assert!(create(&file, b"three").is_err());
        assert_eq!(fs::read(&file).unwrap(), b"two");
    }
}
