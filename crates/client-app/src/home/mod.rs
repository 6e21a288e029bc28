//! The home folder: where everything of one person (or server) on one device is.

pub(crate) mod config;
pub(crate) mod vault;

use std::{
    env,
    fs::{File, TryLockError},
    path::{Path, PathBuf},
};

pub(crate) use self::config::Config;
use crate::{error::AppError, files};

/// The variable that may name the home folder.
pub(crate) const HOME_ENV: &str = "LAYER_MINUS_HOME";

/// A home folder that was initialized.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    folder: PathBuf,
}

/// Held while something that must not happen twice at a time happens.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code)] File);

impl Home {
    /// Where the home folder is: the argument, else the environment, else the usual place.
    pub(crate) fn locate(argument: Option<&Path>) -> Result<PathBuf, AppError> {
        if let Some(folder) = argument {
            return Ok(folder.to_owned());
        }
        if let Some(folder) = env::var_os(HOME_ENV).filter(|value| !value.is_empty()) {
            return Ok(PathBuf::from(folder));
        }
        usual_place(|name| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        })
        .ok_or_else(|| {
            AppError::Usage(format!(
                "no home folder is known: use --home DIR or ${HOME_ENV}"
            ))
        })
    }

    /// Opens a home folder.
    pub(crate) fn open(folder: PathBuf) -> Result<Self, AppError> {
        let home = Self { folder };
        if home.identity().is_file() {
            return Ok(home);
        }
        Err(AppError::Home(format!(
            "{} is not a home folder: make one with 'client init', or name another with --home",
            home.folder.display()
        )))
    }

    /// A folder that is to become a home: it may exist, but nobody may live there.
    pub(crate) fn vacant(folder: PathBuf) -> Result<Self, AppError> {
        let home = Self { folder };
        if home.wallet().exists() && !home.identity().exists() {
            return Err(AppError::Home(format!(
                "{} holds keystores of a home that was never finished: move wallet.json and \
                 cash.json away, or use another --home",
                home.folder.display()
            )));
        }
        if home.identity().exists() {
            return Err(AppError::Home(format!(
                "{} is a home folder already; its keys are not replaced. Use another --home",
                home.folder.display()
            )));
        }
        files::private_folder(&home.folder)?;
        Ok(home)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is set: network, relay, limits.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// The device wallet: an Ethereum keystore.
    pub(crate) fn wallet(&self) -> PathBuf {
        self.folder.join("wallet.json")
    }

    /// The cash wallet: an Ethereum keystore.
    pub(crate) fn cash(&self) -> PathBuf {
        self.folder.join("cash.json")
    }

    /// Device key, certificates, capability, authorization, encrypted with the password.
    pub(crate) fn identity(&self) -> PathBuf {
        self.folder.join("identity.pgp")
    }

    /// The nodes that are known.
    pub(crate) fn directory(&self) -> PathBuf {
        self.folder.join("directory.json")
    }

    /// Contacts, outbox, inbox.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("client.db")
    }

    /// Where received files go unless told otherwise.
    pub(crate) fn received(&self) -> PathBuf {
        self.folder.join("received")
    }

    /// Waits for, and takes, the lock under which keys and registration change.
    pub(crate) fn lock(&self) -> Result<Lock, AppError> {
        self.wait_for("home.lock")
    }

    /// The same for the directory: it may be refreshed while the other lock is held.
    pub(crate) fn directory_lock(&self) -> Result<Lock, AppError> {
        self.wait_for("directory.lock")
    }

    /// The same for showing what was received, so that two listeners do not show it twice.
    pub(crate) fn show_lock(&self) -> Result<Lock, AppError> {
        self.wait_for("show.lock")
    }

    fn wait_for(&self, name: &str) -> Result<Lock, AppError> {
        let (path, file) = self.lock_file(name)?;
        file.lock()
            .map_err(|error| AppError::file("lock", path, error))?;
        Ok(Lock(file))
    }

    /// Takes the lock of a message that is being sent, if no other process sends it. It ends with
    /// the process, however that ends.
    pub(crate) fn message_lock(&self, id: &[u8; 16]) -> Result<Option<Lock>, AppError> {
        let (path, file) = self.lock_file(&message_lock(id))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(AppError::file("lock", path, error)),
        }
    }

    /// Removes the lock of a message that is in the outbox no more.
    pub(crate) fn forget_message(&self, id: &[u8; 16]) {
        // At worst an empty file stays.
        let _ = std::fs::remove_file(self.folder.join(message_lock(id)));
    }

    /// Takes the lock of the one listener in `each` mode, if nobody has it.
    pub(crate) fn listen_lock(&self) -> Result<Lock, AppError> {
        let (path, file) = self.lock_file("listen.lock")?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(AppError::Home(
                "another 'client listen' is running in this home: stop it, or use --mode share \
                 in both"
                    .to_owned(),
            )),
            Err(TryLockError::Error(error)) => Err(AppError::file("lock", path, error)),
        }
    }

    fn lock_file(&self, name: &str) -> Result<(PathBuf, File), AppError> {
        let path = self.folder.join(name);
        let file =
            files::open_private(&path).map_err(|error| AppError::file("lock", &path, error))?;
        Ok((path, file))
    }
}

fn message_lock(id: &[u8; 16]) -> String {
    format!("sending-{}.lock", hex::encode(id))
}

/// The usual place, from what the environment says.
fn usual_place(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if cfg!(windows) {
        return Some(variable("APPDATA")?.join("layer-minus"));
    }
    if let Some(data) = variable("XDG_DATA_HOME").filter(|path| path.is_absolute()) {
        return Some(data.join("layer-minus"));
    }
    Some(variable("HOME")?.join(".layer-minus"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_usual_place_is_under_the_users_folders() {
        let with = |set: &'static [(&'static str, &'static str)]| {
            usual_place(|name| {
                set.iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| PathBuf::from(value))
            })
        };
        assert_eq!(
            with(&[("HOME", "/h")]).unwrap(),
            Path::new("/h/.layer-minus")
        );
        let both = with(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d")]);
        assert_eq!(both.unwrap(), Path::new("/d/layer-minus"));
        let relative = with(&[("HOME", "/h"), ("XDG_DATA_HOME", "d")]);
        assert_eq!(relative.unwrap(), Path::new("/h/.layer-minus"));
        assert_eq!(with(&[]), None);
    }

    #[test]
    fn locks_are_exclusive_and_a_home_is_not_made_twice() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::vacant(folder.path().join("home")).unwrap();
        let held = home.listen_lock().unwrap();
        assert!(matches!(home.listen_lock(), Err(AppError::Home(_))));
        drop(held);
        drop(home.listen_lock().unwrap());
        drop((home.lock().unwrap(), home.listen_lock().unwrap()));
        assert!(
            Home::open(home.folder.clone()).is_err(),
            "nobody lives there yet"
        );
        std::fs::write(home.identity(), "x").unwrap();
        assert!(Home::open(home.folder.clone()).is_ok());
        assert!(Home::vacant(home.folder.clone()).is_err());
    }
}
