//! `client init`: a new home.

use std::path::Path;

use layer_minus_client_sdk::{Identity, Wallets};
use layer_minus_http::clock;
use layer_minus_wallet::Wallet;
use rand::rngs::OsRng;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    args::{Global, Init},
    context,
    db::Db,
    directory,
    error::AppError,
    files,
    home::{Config, Home, config},
    nodes::{self, Directory},
    out::Out,
    password::{self, Ask},
};

/// Longest file with a key or a phrase, bytes.
const SECRET_BYTES_MAX: u64 = 2_048;

/// Wallets, and the phrase if they were made from a new one.
struct Made {
    wallets: Wallets,
    phrase: Option<Zeroizing<String>>,
}

pub(crate) async fn run(global: &Global, out: Out, args: Init) -> Result<(), AppError> {
    let home = Home::vacant(Home::locate(global.home.as_deref())?)?;
    let now = clock::now();
    let password = password::find(global.password_file.as_deref(), Ask::New)?;
    let text = match &args.directory {
        Some(source) => Some(directory::read(&context::http_client(global)?, source).await?),
        None => None,
    };
    let network = args
        .network
        .or_else(|| text.as_deref().and_then(nodes::network_of))
        .unwrap_or_else(|| config::NETWORK.to_owned());
    let mut config = Config::new(&network)?;
    config.directory_url = args.directory.filter(|source| directory::is_url(source));
    let (mut directory, mut refused) = (Directory::default(), Vec::new());
    if let Some(text) = &text {
        for line in directory.import(text, &network, now)? {
            if let Err(why) = line.result {
                out.note(&format!("{} refused: {why}", line.name));
                refused.push(json!({ "entry": line.name, "why": why }));
            }
        }
        if directory.len() == 0 {
            return Err(AppError::Usage(
                "the directory holds no record that is good on this network".to_owned(),
            ));
        }
    }
    let made = make_wallets(
        args.import_key_file.as_deref(),
        args.import_phrase_file.as_deref(),
    )?;
    let version = args.certificate.into();
    let identity = Identity::generate(&made.wallets.wallet, &network, version, now, &mut OsRng)?;

    let _lock = home.lock()?;
    config.save(&home.config())?;
    directory.save(&home.directory())?;
    Db::open(&home.database())?;
    home.create_wallets(&made.wallets, &password, context::kdf(global), &mut OsRng)?;
    // Last: a home with an identity is whole.
    home.save_identity(&identity, &password, &mut OsRng)?;
    tell(out, &home, &made, &network, directory.len(), &refused)
}

fn make_wallets(key: Option<&Path>, phrase: Option<&Path>) -> Result<Made, AppError> {
    if let Some(path) = key {
        let text = files::read_secret(path, SECRET_BYTES_MAX)?;
        let wallet = Wallet::from_hex(text.trim())?;
        let wallets = Wallets {
            wallet,
            cash: Wallet::generate(&mut OsRng),
        };
        return Ok(Made {
            wallets,
            phrase: None,
        });
    }
    let (phrase, new) = match phrase {
        Some(path) => (files::read_secret(path, SECRET_BYTES_MAX)?, false),
        None => (Wallet::new_phrase(&mut OsRng).0, true),
    };
    let wallet = Wallet::from_phrase(&phrase, "", 0)?;
    let cash = Wallet::from_phrase(&phrase, "", 1)?;
    Ok(Made {
        wallets: Wallets { wallet, cash },
        phrase: new.then_some(phrase),
    })
}

fn tell(
    out: Out,
    home: &Home,
    made: &Made,
    network: &str,
    nodes: usize,
    refused: &[Value],
) -> Result<(), AppError> {
    let address = made.wallets.wallet.address().to_string();
    out.line(
        || {
            let cash = made.wallets.cash.address();
            let mut text = format!(
                "home      {}\naddress   {address}\ncash      {cash}\n\
                 network   {network}, {nodes} nodes known\n",
                home.folder().display()
            );
            match &made.phrase {
                Some(phrase) => text.push_str(&format!(
                    "\nWrite these words on paper. They are your wallets, and are shown only now:\n\n  \
                     {}\n",
                    phrase.as_str()
                )),
                None => text.push_str(
                    "\nNo words are shown for wallets that were imported. A backup holds everything \
                     that only this home has: client backup FILE\n",
                ),
            }
            text.push_str("\nnext: client register --node ADDRESS");
            text
        },
        &json!({
            "initialized": true,
            "home": home.folder(),
            "address": address,
            "cash_address": made.wallets.cash.address().to_string(),
            "network": network,
            "nodes": nodes,
            "phrase": made.phrase.as_ref().map(|phrase| phrase.as_str()),
            "refused": refused,
        }),
    )
}
