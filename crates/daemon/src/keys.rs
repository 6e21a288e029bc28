//! The node's keys on disk: wallet and cash wallet as Ethereum keystores, the certificate as an
//! OpenPGP message encrypted with the same password.

use std::path::{Path, PathBuf};

use layer_minus_http::clock;
use layer_minus_node::NodeKeys;
use layer_minus_seal::{CERTIFICATE_BYTES_MAX, Keyring, SecretCertificate, Version, password};
use layer_minus_wallet::{
    Address, Wallet,
    keystore::{Kdf, Keystore, MAX_KEYSTORE_BYTES},
};
use rand::rngs::OsRng;

use crate::{config::Config, error::DaemonError, files, password::Password};

/// The node's wallet, in the data folder.
const WALLET_FILE: &str = "node-wallet.json";
/// The wallet that is paid; the node runs without it.
const CASH_FILE: &str = "cash-wallet.json";
/// The node's certificate with its secret keys.
const CERTIFICATE_FILE: &str = "certificate.pgp";

/// Where the keys of a node are.
#[derive(Debug)]
pub(crate) struct KeyFiles {
    pub(crate) wallet: PathBuf,
    pub(crate) cash: PathBuf,
    pub(crate) certificate: PathBuf,
}

impl KeyFiles {
    pub(crate) fn of(data: &Path) -> Self {
        Self {
            wallet: data.join(WALLET_FILE),
            cash: data.join(CASH_FILE),
            certificate: data.join(CERTIFICATE_FILE),
        }
    }
}

/// What a new node is named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    pub(crate) node: Address,
    pub(crate) cash: Address,
}

/// Makes the keys of a new node. A cash wallet is made unless one is named.
pub(crate) fn make(
    data: &Path,
    cash: Option<Address>,
    password: &Password,
    kdf: Kdf,
) -> Result<Made, DaemonError> {
    let files = KeyFiles::of(data);
    for path in [&files.wallet, &files.cash, &files.certificate] {
        if path.exists() {
            return Err(DaemonError::Exists(path.clone()));
        }
    }
    files::make_folder(data)?;
    let wallet = Wallet::generate(&mut OsRng);
    let sealed = new_certificate(wallet.address(), password)?;
    let cash = match cash {
        Some(cash) => cash,
        None => {
            let wallet = Wallet::generate(&mut OsRng);
            write_keystore(&files.cash, &wallet, password, kdf)?;
            wallet.address()
        }
    };
    files::write_new(&files.certificate, &sealed)?;
    // Last: a folder with a wallet in it is one that was finished.
    write_keystore(&files.wallet, &wallet, password, kdf)?;
    Ok(Made {
        node: wallet.address(),
        cash,
    })
}

/// A new certificate of `node`, encrypted with the password.
fn new_certificate(node: Address, password: &Password) -> Result<Vec<u8>, DaemonError> {
    let (now, user_id) = (clock::now(), node.to_string());
    let certificate = SecretCertificate::generate(&mut OsRng, now, Version::default(), &user_id)?;
    Ok(password::encrypt(
        &mut OsRng,
        password.as_str(),
        &certificate.to_bytes(),
    )?)
}

/// Makes a new certificate in the place of the one that is there, which is destroyed: what was
/// sealed to it opens never again.
pub(crate) fn replace_certificate(
    data: &Path,
    node: Address,
    password: &Password,
) -> Result<(), DaemonError> {
    let sealed = new_certificate(node, password)?;
    files::replace_and_erase(&KeyFiles::of(data).certificate, &sealed)
}

fn write_keystore(
    path: &Path,
    wallet: &Wallet,
    password: &Password,
    kdf: Kdf,
) -> Result<(), DaemonError> {
    let what = || path.display().to_string();
    let keystore = Keystore::encrypt(wallet, password.as_str().as_bytes(), &mut OsRng, kdf)
        .map_err(DaemonError::wallet(what()))?;
    let mut json = keystore.to_json().map_err(DaemonError::wallet(what()))?;
    json.push('\n');
    files::write_new(path, json.as_bytes())
}

/// Opens a keystore.
pub(crate) fn open_wallet(path: &Path, password: &Password) -> Result<Wallet, DaemonError> {
    let what = || path.display().to_string();
    read_keystore(path)?
        .decrypt(password.as_str().as_bytes())
        .map_err(DaemonError::wallet(what()))
}

/// Whose wallet a keystore says it is; nobody vouches for it.
pub(crate) fn stated_address(path: &Path) -> Result<Option<Address>, DaemonError> {
    Ok(read_keystore(path)?.address())
}

fn read_keystore(path: &Path) -> Result<Keystore, DaemonError> {
    let text = files::read_text(path, MAX_KEYSTORE_BYTES as u64)?;
    Keystore::from_json(&text).map_err(DaemonError::wallet(path.display().to_string()))
}

/// Opens the certificate.
pub(crate) fn open_certificate(
    path: &Path,
    password: &Password,
) -> Result<SecretCertificate, DaemonError> {
    const FILE_BYTES_MAX: usize = CERTIFICATE_BYTES_MAX + password::PASSWORD_OVERHEAD_MAX;
    let sealed = files::read(path, FILE_BYTES_MAX as u64)?;
    let bytes =
        password::decrypt(password.as_str(), &sealed, CERTIFICATE_BYTES_MAX).map_err(|error| {
            match error {
                layer_minus_seal::SealError::WrongPassword => {
                    DaemonError::Password(format!("wrong for {}", path.display()))
                }
                error => DaemonError::Seal(error),
            }
        })?;
    Ok(SecretCertificate::from_bytes(&bytes)?)
}

/// Loads what the node needs to run.
pub(crate) fn load(config: &Config, password: &Password) -> Result<NodeKeys, DaemonError> {
    let files = KeyFiles::of(&config.data);
    let wallet = open_wallet(&files.wallet, password)?;
    let certificate = open_certificate(&files.certificate, password)?;
    Ok(NodeKeys {
        network: config.network().to_owned(),
        wallet,
        cash: config.cash,
        keyring: Keyring::from(certificate),
        sizes: config.packets.sizes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_open_with_their_password_only() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let password = Password::new("correct horse");
        let made = make(&data, None, &password, Kdf::Light).unwrap();
        let files = KeyFiles::of(&data);
        assert_ne!(made.node, made.cash);
        assert_eq!(
            open_wallet(&files.wallet, &password).unwrap().address(),
            made.node
        );
        assert_eq!(
            open_wallet(&files.cash, &password).unwrap().address(),
            made.cash
        );
        assert_eq!(stated_address(&files.wallet).unwrap(), Some(made.node));
        let certificate = open_certificate(&files.certificate, &password).unwrap();
        assert_eq!(
            certificate.certificate().user_id(),
            Some(made.node.to_string())
        );

        let wrong = Password::new("battery staple");
        for error in [
            open_wallet(&files.wallet, &wrong).unwrap_err(),
            open_certificate(&files.certificate, &wrong).unwrap_err(),
        ] {
            assert!(matches!(error, DaemonError::Password(_)), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
        let again = make(&data, None, &password, Kdf::Light).unwrap_err();
        assert!(matches!(again, DaemonError::Exists(_)), "{again}");
    }

    #[test]
    fn a_named_cash_wallet_leaves_no_key_here() {
        let folder = tempfile::tempdir().unwrap();
        let cash = Address::repeat_byte(7);
        let made = make(folder.path(), Some(cash), &Password::new("x"), Kdf::Light).unwrap();
        assert_eq!(made.cash, cash);
        assert!(!KeyFiles::of(folder.path()).cash.exists());
    }
}
