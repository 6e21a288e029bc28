//! `client backup` and `client restore`: one encrypted file, and the way to a second device.

use layer_minus_client_sdk::{Identity, Wallets};
use layer_minus_http::clock;
use layer_minus_message::{Card, FullCard, ShortCard, text};
use layer_minus_seal::{SealError, password as sealed};
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    args,
    context::{self, Context},
    db::Db,
    error::AppError,
    files,
    home::{Config, Home},
    nodes::Directory,
    out::Out,
    password::{self, Ask},
};

/// Version of a backup.
const BACKUP_VERSION: u32 = 1;
/// Longest backup, bytes.
const BACKUP_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Secret bytes, erased when dropped.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
struct Secret(#[serde(with = "text::base64_bytes")] Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    name: Option<String>,
    short: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    full: Option<FullCard>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    version: u32,
    wallets: Secret,
    identity: Secret,
    config: String,
    directory: String,
    contacts: Vec<Person>,
}

pub(crate) fn backup(ctx: &Context, args: &args::Backup) -> Result<(), AppError> {
    let _lock = ctx.home.lock()?;
    let password = match &args.backup_password_file {
        Some(file) => password::find(Some(file), Ask::New)?,
        None => ctx.password()?.clone(),
    };
    let identity = ctx.identity()?;
    let contents = Contents {
        version: BACKUP_VERSION,
        wallets: Secret(ctx.wallets()?.to_bytes()?.to_vec()),
        identity: Secret(identity.to_bytes()?.to_vec()),
        config: ctx.config.to_text()?,
        directory: ctx.directory.to_text()?,
        contacts: people(ctx)?,
    };
    let mut plain = Zeroizing::new(Vec::with_capacity(1 << 20));
    serde_json::to_writer(&mut *plain, &contents)
        .map_err(|error| AppError::Home(format!("backup cannot be written: {error}")))?;
    let bytes = sealed::encrypt(&mut OsRng, password.as_str(), &plain)?;
    files::create(&args.file, &bytes)?;
    ctx.out.line(
        || {
            format!(
                "{} holds both wallets and all keys of {}, encrypted. Messages are not in it.",
                args.file.display(),
                identity.address()
            )
        },
        &json!({
            "backup": true,
            "file": args.file,
            "bytes": bytes.len().to_string(),
            "address": identity.address().to_string(),
        }),
    )
}

fn people(ctx: &Context) -> Result<Vec<Person>, AppError> {
    let person = |contact: crate::db::contacts::Contact| Person {
        short: ShortCard {
            wallet: contact.address,
            node: contact.node,
            digest: [0; 16],
        }
        .to_string(),
        full: contact.full(),
        name: contact.name,
    };
    Ok(ctx.db.contacts(true)?.into_iter().map(person).collect())
}

pub(crate) fn restore(
    global: &args::Global,
    out: Out,
    args: &args::Restore,
) -> Result<(), AppError> {
    let home = Home::vacant(Home::locate(global.home.as_deref())?)?;
    let bytes = files::read_bytes(&args.file, BACKUP_BYTES_MAX as u64)?;
    let password = password::find(global.password_file.as_deref(), Ask::Known)?;
    let backup_password = match &args.backup_password_file {
        Some(file) => password::find(Some(file), Ask::Known)?,
        None => password.clone(),
    };
    let plain =
        sealed::decrypt(backup_password.as_str(), &bytes, BACKUP_BYTES_MAX).map_err(|error| {
            match error {
                SealError::WrongPassword => AppError::Password(format!(
                    "the password does not open {}",
                    args.file.display()
                )),
                other => other.into(),
            }
        })?;
    // The error of serde could quote a secret.
    let contents: Contents = serde_json::from_slice(&plain)
        .map_err(|_| AppError::Home(format!("{} is not a backup", args.file.display())))?;
    if contents.version != BACKUP_VERSION {
        return Err(AppError::Home(format!(
            "backup has version {}, this program knows {BACKUP_VERSION}",
            contents.version
        )));
    }
    let wallets = Wallets::from_bytes(&contents.wallets.0)?;
    let mut identity = Identity::from_bytes(&contents.identity.0)?;
    let config = Config::read(&contents.config)?;
    let now = clock::now();
    // Two devices must not share a cursor, or each would miss what the other took.
    identity.become_another_device(&wallets.wallet, now, &mut OsRng)?;
    let mut directory = Directory::default();
    directory.import(&contents.directory, &config.network, now)?;

    let _lock = home.lock()?;
    config.save(&home.config())?;
    directory.save(&home.directory())?;
    let mut db = Db::open(&home.database())?;
    for person in &contents.contacts {
        restore_person(&mut db, person, &config.network, now)?;
    }
    home.create_wallets(&wallets, &password, context::kdf(global), &mut OsRng)?;
    home.save_identity(&identity, &password, &mut OsRng)?;
    let address = identity.address().to_string();
    out.line(
        || {
            format!(
                "{} is a home of {address}, as a device of its own",
                home.folder().display()
            )
        },
        &json!({
            "restored": true,
            "home": home.folder(),
            "address": address,
            "consumer": identity.consumer.to_string(),
            "contacts": contents.contacts.len(),
        }),
    )
}

fn restore_person(db: &mut Db, person: &Person, network: &str, now: u64) -> Result<(), AppError> {
    let short: ShortCard = person.short.parse()?;
    if let Some(full) = &person.full
        && let Ok(card) = Card::read(full.card.clone(), network, now)
    {
        db.learn_card(&card, full.inbox, now)?;
    }
    match &person.name {
        Some(name) => db.name_contact(name, &short, now),
        None => Ok(()),
    }
}
