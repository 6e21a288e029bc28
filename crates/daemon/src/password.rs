//! The password of the keystores: from a file, a service credential or the environment. A node is
//! started by a machine, so nobody is ever asked at a prompt.

use std::{
    env,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{error::DaemonError, files};

/// The variable that may hold the password.
pub(crate) const PASSWORD_ENV: &str = "LAYER_MINUS_PASSWORD";
/// Where the service manager puts credentials: systemd's `LoadCredential=password:…`.
const CREDENTIALS_ENV: &str = "CREDENTIALS_DIRECTORY";
/// Name of the credential.
const CREDENTIAL: &str = "password";
/// Longest password file, bytes.
const PASSWORD_BYTES_MAX: u64 = 4_096;

/// A password; prints nothing and is erased when dropped.
pub(crate) struct Password(Zeroizing<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[scrubbed]")
    }
}

impl Password {
    /// The password itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

/// Finds the password: the file that was named, else the credential, else the environment.
pub(crate) fn find(file: Option<&Path>) -> Result<Password, DaemonError> {
    let credential = env::var_os(CREDENTIALS_ENV)
        .map(|folder| PathBuf::from(folder).join(CREDENTIAL))
        .filter(|path| path.exists());
    if let Some(path) = file.map(Path::to_owned).or(credential) {
        return read(&path);
    }
    match env::var(PASSWORD_ENV) {
        Ok(text) => check(Zeroizing::new(text), PASSWORD_ENV),
        Err(_) => Err(DaemonError::Password("none was given".to_owned())),
    }
}

fn read(path: &Path) -> Result<Password, DaemonError> {
    let text = files::read_text(path, PASSWORD_BYTES_MAX)
        .map_err(|error| DaemonError::Password(error.to_string()))?;
    let mut text = Zeroizing::new(text);
    // Editors and `echo` end a file with a newline that is not meant.
    let kept = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(kept);
    check(text, &path.display().to_string())
}

fn check(text: Zeroizing<String>, source: &str) -> Result<Password, DaemonError> {
    if text.is_empty() {
        return Err(DaemonError::Password(format!("{source} is empty")));
    }
    Ok(Password(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_last_newline_is_not_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "correct horse \r\n").unwrap();
        let password = find(Some(&path)).unwrap();
        assert_eq!(password.as_str(), "correct horse ");
        assert_eq!(format!("{password:?}"), "[scrubbed]");
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(find(Some(&path)).unwrap_err().exit_code(), 2);
        let missing = find(Some(&folder.path().join("none"))).unwrap_err();
        assert_eq!(missing.exit_code(), 2, "{missing}");
    }
}
