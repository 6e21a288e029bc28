//! `check`: looks at everything that the node needs, and says all that is wrong, not the first.

use std::path::Path;

use layer_minus_http::{HttpClient, HttpOptions, clock};
use layer_minus_message::NodeRecord;
use layer_minus_seal::SecretCertificate;
use layer_minus_store_sqlite::SCHEMA_VERSION;
use serde::Serialize;

use crate::{
    app::Composition,
    config::Config,
    directory,
    error::DaemonError,
    keys::{self, KeyFiles},
    out::Out,
    password::{self, Password},
    record, store,
};

#[derive(Serialize)]
struct Finding<'a> {
    check: &'a str,
    ok: bool,
    detail: String,
}

/// What was found so far.
struct Checks {
    out: Out,
    wrong: u32,
    /// How many of those are a password that is missing or wrong.
    password: u32,
}

impl Checks {
    fn note(
        &mut self,
        check: &str,
        result: Result<String, DaemonError>,
    ) -> Result<(), DaemonError> {
        let (ok, detail) = match result {
            Ok(detail) => (true, detail),
            Err(error) => {
                self.wrong += 1;
                self.password += u32::from(matches!(error, DaemonError::Password(_)));
                (false, error.to_string())
            }
        };
        let finding = Finding { check, ok, detail };
        let mark = if ok { "ok   " } else { "WRONG" };
        self.out
            .line(|| format!("{mark}  {check}: {}", finding.detail), &finding)
    }
}

pub(crate) fn run(
    composition: Composition,
    path: &Path,
    password_file: Option<&Path>,
    out: Out,
) -> Result<(), DaemonError> {
    let mut checks = Checks {
        out,
        wrong: 0,
        password: 0,
    };
    let config = match Config::load(path, composition) {
        Ok(config) => config,
        Err(error) => {
            let reason = DaemonError::Failed(error.to_string());
            checks.note("config", Err(reason))?;
            return Err(error);
        }
    };
    checks.note("config", Ok(path.display().to_string()))?;
    match password::find(password_file) {
        Ok(password) => keys(&mut checks, &config, composition, &password)?,
        Err(error) => checks.note("password", Err(error))?,
    }
    cash(&mut checks, &config)?;
    tls(&mut checks, &config)?;
    schema(&mut checks, &config)?;
    entries(&mut checks, &config)?;
    match (checks.wrong, checks.password) {
        (0, _) => Ok(()),
        (wrong, password) if wrong == password => Err(DaemonError::Password(
            "missing or wrong, see above".to_owned(),
        )),
        (wrong, _) => Err(DaemonError::Failed(format!(
            "wrong in {wrong} places, see above"
        ))),
    }
}

/// Opens wallet and certificate and makes the record.
fn keys(
    checks: &mut Checks,
    config: &Config,
    composition: Composition,
    password: &Password,
) -> Result<(), DaemonError> {
    let files = KeyFiles::of(&config.data);
    let wallet = keys::open_wallet(&files.wallet, password);
    let certificate = keys::open_certificate(&files.certificate, password);
    let complete = wallet.is_ok() && certificate.is_ok();
    checks.note(
        "node wallet",
        wallet.map(|wallet| wallet.address().to_string()),
    )?;
    let key = |secret: SecretCertificate| secret.certificate().encryption_key().to_string();
    checks.note("certificate", certificate.map(key))?;
    if complete {
        let record = keys::load(config, password)
            .and_then(|keys| record::current(config, composition, &keys, clock::now()));
        let detail = |record: NodeRecord| format!("valid until {}", record.body.valid_until);
        checks.note("record", record.map(detail))?;
    }
    Ok(())
}

fn cash(checks: &mut Checks, config: &Config) -> Result<(), DaemonError> {
    let path = KeyFiles::of(&config.data).cash;
    if !path.exists() {
        return checks.note("cash wallet", Ok(format!("{}, key not here", config.cash)));
    }
    let stated = keys::stated_address(&path).and_then(|stated| match stated {
        Some(stated) if stated == config.cash => Ok(stated.to_string()),
        Some(stated) => Err(DaemonError::Failed(format!(
            "keystore is of {stated}, the config says {}",
            config.cash
        ))),
        None => Err(DaemonError::Failed("keystore states no address".to_owned())),
    });
    checks.note("cash wallet", stated)
}

fn tls(checks: &mut Checks, config: &Config) -> Result<(), DaemonError> {
    let detail = match &config.tls {
        Some(tls) => tls.cert.display().to_string(),
        None => "not configured: http, or https by a proxy in front".to_owned(),
    };
    let checked = config.tls_files().map_or(Ok(()), |files| files.check());
    checks.note("tls", checked.map(|()| detail).map_err(DaemonError::from))?;
    let Some(roots) = &config.http.extra_roots else {
        return Ok(());
    };
    let options = HttpOptions {
        extra_roots: Some(roots.clone()),
        ..HttpOptions::default()
    };
    let client = HttpClient::new(options).map(|_| roots.display().to_string());
    checks.note("extra roots", client.map_err(DaemonError::from))
}

fn schema(checks: &mut Checks, config: &Config) -> Result<(), DaemonError> {
    let found = if store::path(config).exists() {
        store::open_read_only(config)
            .and_then(|store| store.schema_version().map_err(store::failed(config)))
            .map(|version| format!("schema version {version} of {SCHEMA_VERSION}"))
    } else {
        Ok("none yet: made at the first start".to_owned())
    };
    checks.note("store", found)
}

/// Refused entries do not keep a node from starting; a file that cannot be read is an error here.
fn entries(checks: &mut Checks, config: &Config) -> Result<(), DaemonError> {
    for file in directory::sources(config) {
        let lines = directory::read(&file, config.network(), clock::now());
        let found = lines.map(|lines| {
            let refused = lines.iter().filter(|line| line.result.is_err()).count();
            let accepted = lines.len() - refused;
            format!("{}: {accepted} accepted, {refused} refused", file.display())
        });
        checks.note("directory", found)?;
    }
    Ok(())
}
