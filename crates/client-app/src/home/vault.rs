//! Keys on disk: two keystores that stay closed most of the time, and the everyday secrets.

use std::path::Path;

use layer_minus_client_sdk::{Identity, Wallets, identity::IDENTITY_BYTES_MAX};
use layer_minus_seal::{SealError, password as sealed};
use layer_minus_wallet::{
    Wallet, WalletError,
    keystore::{Kdf, Keystore, MAX_KEYSTORE_BYTES},
};
use rand::{CryptoRng, RngCore};

use super::Home;
use crate::{error::AppError, files, password::Password};

/// Longest encrypted identity, bytes.
const IDENTITY_FILE_BYTES_MAX: u64 = IDENTITY_BYTES_MAX as u64 + 64 * 1024;

impl Home {
    /// Opens the everyday secrets: enough to send and to listen.
    pub(crate) fn load_identity(&self, password: &Password) -> Result<Identity, AppError> {
        let path = self.identity();
        let bytes = files::read_bytes(&path, IDENTITY_FILE_BYTES_MAX)?;
        let plain = sealed::decrypt(password.as_str(), &bytes, IDENTITY_BYTES_MAX)
            .map_err(|error| wrong_password(error, &path))?;
        Ok(Identity::from_bytes(&plain)?)
    }

    /// Encrypts and stores the everyday secrets.
    pub(crate) fn save_identity(
        &self,
        identity: &Identity,
        password: &Password,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(), AppError> {
        let bytes = sealed::encrypt(rng, password.as_str(), &identity.to_bytes()?)?;
        files::replace(&self.identity(), &bytes)
    }

    /// Opens both wallets: to register, to renew the card, to authorize.
    pub(crate) fn load_wallets(&self, password: &Password) -> Result<Wallets, AppError> {
        Ok(Wallets {
            wallet: load_wallet(&self.wallet(), password)?,
            cash: load_wallet(&self.cash(), password)?,
        })
    }

    /// Encrypts both wallets into keystores. There must be none yet.
    pub(crate) fn create_wallets(
        &self,
        wallets: &Wallets,
        password: &Password,
        kdf: Kdf,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(), AppError> {
        for (path, wallet) in [
            (self.wallet(), &wallets.wallet),
            (self.cash(), &wallets.cash),
        ] {
            let keystore = Keystore::encrypt(wallet, password.as_str().as_bytes(), rng, kdf)?;
            files::create(&path, keystore.to_json()?.as_bytes())?;
        }
        Ok(())
    }
}

/// Reads a keystore, ours or another program's.
pub(crate) fn load_wallet(path: &Path, password: &Password) -> Result<Wallet, AppError> {
    let text = files::read_text(path, MAX_KEYSTORE_BYTES as u64)?;
    let keystore = Keystore::from_json(&text)?;
    keystore
        .decrypt(password.as_str().as_bytes())
        .map_err(|error| match error {
            WalletError::WrongPassword => not_the_password(path),
            other => other.into(),
        })
}

fn wrong_password(error: SealError, path: &Path) -> AppError {
    match error {
        SealError::WrongPassword => not_the_password(path),
        other => other.into(),
    }
}

fn not_the_password(path: &Path) -> AppError {
    AppError::Password(format!("the password does not open {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use layer_minus_seal::Version;
    use rand::rngs::OsRng;

    #[test]
    fn keys_are_stored_encrypted_and_open_with_the_password_only() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::vacant(folder.path().join("home")).unwrap();
        let (right, wrong) = (Password::new("right"), Password::new("wrong"));
        let wallets = Wallets::generate(&mut OsRng);
        let identity = Identity::generate(
            &wallets.wallet,
            "net",
            Version::V6,
            1_800_000_000,
            &mut OsRng,
        )
        .unwrap();
        home.create_wallets(&wallets, &right, Kdf::Light, &mut OsRng)
            .unwrap();
        home.save_identity(&identity, &right, &mut OsRng).unwrap();
        let back = home.load_wallets(&right).unwrap();
        assert_eq!(back.cash.address(), wallets.cash.address());
        assert_eq!(
            home.load_identity(&right).unwrap().address(),
            wallets.wallet.address()
        );
        assert!(matches!(
            home.load_wallets(&wrong),
            Err(AppError::Password(_))
        ));
        assert!(matches!(
            home.load_identity(&wrong),
            Err(AppError::Password(_))
        ));
        let again = home.create_wallets(&wallets, &right, Kdf::Light, &mut OsRng);
        assert!(again.is_err(), "keystores are never replaced");

        let device = hex::encode(identity.device.key().secret_bytes().as_slice());
        for file in [home.identity(), home.wallet(), home.cash()] {
            let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
            assert!(!text.contains(&device) && !text.contains("device_key"));
        }
        std::fs::write(home.identity(), b"not it").unwrap();
        assert!(home.load_identity(&right).is_err());
    }
}
