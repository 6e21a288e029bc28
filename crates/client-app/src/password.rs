//! The password of the home folder: from a file, the environment, or a terminal. Never from the
//! command line, where everybody on the machine can read it.

use std::{env, path::Path};

use zeroize::Zeroizing;

use crate::error::AppError;

/// The variable that may hold the password.
pub(crate) const PASSWORD_ENV: &str = "LAYER_MINUS_PASSWORD";
/// Longest password, bytes.
const PASSWORD_BYTES_MAX: u64 = 4_096;

/// A password; prints nothing and is erased when dropped.
#[derive(Clone)]
pub(crate) struct Password(Zeroizing<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[scrubbed]")
    }
}

impl Password {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

/// Whether the password is there already or is being chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// It opens something.
    Known,
    /// It will: asked twice on a terminal.
    New,
}

/// Finds the password: the file that was named, else the environment, else the terminal.
pub(crate) fn find(file: Option<&Path>, ask: Ask) -> Result<Password, AppError> {
    if let Some(path) = file {
        return read(path);
    }
    if let Ok(text) = env::var(PASSWORD_ENV) {
        return check(Zeroizing::new(text), PASSWORD_ENV);
    }
    let terminal = console::Term::stderr();
    if !terminal.is_term() {
        return Err(AppError::Password(
            "a password is needed and none was given".to_owned(),
        ));
    }
    let password = prompt(&terminal, "Password: ")?;
    if ask == Ask::New && *prompt(&terminal, "Again: ")? != *password {
        return Err(AppError::Password("the two passwords differ".to_owned()));
    }
    check(password, "the password")
}

fn prompt(terminal: &console::Term, text: &str) -> Result<Zeroizing<String>, AppError> {
    terminal
        .write_str(text)
        .and_then(|()| terminal.read_secure_line())
        .map(Zeroizing::new)
        .map_err(|error| AppError::Password(format!("the terminal cannot be read: {error}")))
}

fn read(path: &Path) -> Result<Password, AppError> {
    let mut text = crate::files::read_secret(path, PASSWORD_BYTES_MAX)
        .map_err(|error| AppError::Password(error.to_string()))?;
    // Editors and `echo` end a file with a newline that is not meant.
    let kept = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(kept);
    check(text, &path.display().to_string())
}

fn check(text: Zeroizing<String>, source: &str) -> Result<Password, AppError> {
    if text.is_empty() {
        return Err(AppError::Password(format!("{source} is empty")));
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
        let password = find(Some(&path), Ask::Known).unwrap();
        assert_eq!(password.as_str(), "correct horse ");
        assert_eq!(format!("{password:?}"), "[scrubbed]");
        std::fs::write(&path, "\n").unwrap();
        assert!(find(Some(&path), Ask::New).is_err());
        let missing = find(Some(&folder.path().join("none")), Ask::Known).unwrap_err();
        assert_eq!(missing.exit_code(), 2, "{missing}");
    }
}
