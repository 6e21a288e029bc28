//! `config.toml`: what is set in a home folder.

use std::path::Path;

use layer_minus_client_sdk::identity::STRANGERS_BYTES_PER_DAY;
use layer_minus_message::limits::NETWORK_ID_BYTES_MAX;
use serde::{Deserialize, Serialize};

use crate::{error::AppError, files};

/// The network's id unless a directory or an option names another.
pub(crate) const NETWORK: &str = "layer-minus";
/// Longest configuration, bytes.
const CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// What is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The network's id.
    pub(crate) network: String,
    /// Where the directory is fetched from by `nodes refresh`, if it is at a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) directory_url: Option<String>,
    /// The relay to post to unless `--relay` names one: a node's address or a URL. Without it a
    /// relay is taken from the directory, another one each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) relay: Option<String>,
    /// Bytes a day for mail from people who have no card of ours.
    #[serde(default = "strangers_default")]
    pub(crate) strangers_bytes_per_day: u64,
}

const fn strangers_default() -> u64 {
    STRANGERS_BYTES_PER_DAY
}

impl Config {
    pub(crate) fn new(network: &str) -> Result<Self, AppError> {
        let shaped = !network.is_empty()
            && network.len() <= NETWORK_ID_BYTES_MAX
            && network.bytes().all(|byte| byte.is_ascii_graphic());
        if !shaped {
            return Err(AppError::Usage(format!(
                "a network has 1 to {NETWORK_ID_BYTES_MAX} printable characters and no spaces"
            )));
        }
        Ok(Self {
            network: network.to_owned(),
            directory_url: None,
            relay: None,
            strangers_bytes_per_day: strangers_default(),
        })
    }

    pub(crate) fn load(path: &Path) -> Result<Self, AppError> {
        Self::read(&files::read_text(path, CONFIG_BYTES_MAX)?)
            .map_err(|error| AppError::Usage(format!("{}: {error}", path.display())))
    }

    /// Reads the text of a configuration.
    pub(crate) fn read(text: &str) -> Result<Self, AppError> {
        let config: Self =
            toml::from_str(text).map_err(|error| AppError::Usage(error.message().to_owned()))?;
        Self::new(&config.network)?;
        Ok(config)
    }

    pub(crate) fn to_text(&self) -> Result<String, AppError> {
        let fields = toml::to_string(self)
            .map_err(|error| AppError::Home(format!("configuration cannot be written: {error}")))?;
        Ok(format!(
            "# Layer Minus client. Optional: relay = \"ADDRESS or URL\" (post to that one always),\n\
             # directory_url = \"URL\" (for 'client nodes refresh'), strangers_bytes_per_day.\n\
             {fields}"
        ))
    }

    pub(crate) fn save(&self, path: &Path) -> Result<(), AppError> {
        files::replace(path, self.to_text()?.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read_back_and_typos_are_told() {
        let mut config = Config::new("devnet").unwrap();
        assert_eq!(Config::read(&config.to_text().unwrap()).unwrap(), config);
        config.relay = Some("http://127.0.0.1:1/post".to_owned());
        config.directory_url = Some("http://127.0.0.1:1/nodes".to_owned());
        config.strangers_bytes_per_day = 5;
        assert_eq!(Config::read(&config.to_text().unwrap()).unwrap(), config);
        assert_eq!(
            Config::read("network = 'x'")
                .unwrap()
                .strangers_bytes_per_day,
            STRANGERS_BYTES_PER_DAY
        );
        assert!(Config::read("network = 'x'\nrely = 'y'").is_err());
        for bad in ["", "two words", "ü"] {
            assert!(Config::new(bad).is_err());
        }
    }
}
