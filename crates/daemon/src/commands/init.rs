//! `init`: a configuration to read, and keys.

use std::path::{Path, PathBuf};

use layer_minus_wallet::keystore::Kdf;
use serde::Serialize;

use crate::{
    app::Composition,
    cli::Init,
    config::{Config, template},
    error::DaemonError,
    files, keys,
    out::Out,
    password,
};

#[derive(Serialize)]
struct Report {
    config: PathBuf,
    data: PathBuf,
    node: String,
    cash: String,
    cash_keystore: Option<PathBuf>,
}

pub(crate) fn run(
    composition: Composition,
    path: &Path,
    init: &Init,
    password_file: Option<&Path>,
    out: Out,
) -> Result<(), DaemonError> {
    if path.exists() {
        return Err(DaemonError::Exists(path.to_owned()));
    }
    let name = composition.name();
    let data = init
        .data
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{name}-data")));
    let data_text = data
        .to_str()
        .ok_or_else(|| DaemonError::Usage("--data is not Unicode text".to_owned()))?;
    let urls = if init.urls.is_empty() {
        if init.listen.port() == 0 || init.listen.ip().is_unspecified() {
            let why = format!("nobody can be told to post to {}: give --url", init.listen);
            return Err(DaemonError::Usage(why));
        }
        vec![format!("http://{}{}", init.listen, init.path)]
    } else {
        init.urls.clone()
    };
    let mut settings = template::Settings {
        composition,
        network: init.network.clone(),
        data: data_text.to_owned(),
        cash: init.cash.unwrap_or_default(),
        listen: init.listen.to_string(),
        path: init.path.clone(),
        urls,
        admin: init.admin.map(|admin| admin.to_string()),
        source: init.source.map(|source| source.to_string()),
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // Before anything is written: what was asked for may not be a good configuration.
    let config = Config::parse(&template::render(&settings), folder, composition)
        .map_err(|reason| DaemonError::Usage(format!("these options do not work: {reason}")))?;
    let password = password::find(password_file)?;
    let kdf = if init.light_kdf {
        Kdf::Light
    } else {
        Kdf::Standard
    };
    files::make_folder(folder)?;
    let made = keys::make(&config.data, init.cash, &password, kdf)?;
    settings.cash = made.cash;
    files::write_new(path, template::render(&settings).as_bytes())?;

    let cash_keystore = init
        .cash
        .is_none()
        .then(|| keys::KeyFiles::of(&config.data).cash);
    let report = Report {
        config: path.to_owned(),
        data: config.data.clone(),
        node: made.node.to_string(),
        cash: made.cash.to_string(),
        cash_keystore,
    };
    out.line(
        || {
            let cash = match &report.cash_keystore {
                Some(path) => format!("{}, key in {}: move it away", report.cash, path.display()),
                None => report.cash.clone(),
            };
            format!(
                "node    {}\ncash    {cash}\nconfig  {}\ndata    {}\n\
                 next    edit the configuration, then `{name} --config {} check`",
                report.node,
                report.config.display(),
                report.data.display(),
                report.config.display()
            )
        },
        &report,
    )
}
