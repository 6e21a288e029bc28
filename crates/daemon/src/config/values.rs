//! Single values that are checked while they are read, so that the error knows the line.

use layer_minus_message::limits::{NETWORK_ID_BYTES_MAX, URL_BYTES_MAX, URLS_MAX};
use layer_minus_wallet::{Address, parse_address};
use serde::{Deserialize, Deserializer, de::Error as _};

/// A network's id.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct NetworkId(String);

impl NetworkId {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for NetworkId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fits = (1..=NETWORK_ID_BYTES_MAX).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(format!(
                "network has 1 to {NETWORK_ID_BYTES_MAX} printable characters, no spaces"
            ))
        }
    }
}

/// Where packets are posted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Url(String);

impl Url {
    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Url {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"));
        let host = rest
            .and_then(|rest| rest.find('/'))
            .is_some_and(|slash| slash > 0);
        if host && text.len() <= URL_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(format!(
                "'{text}' is not http(s)://host[:port]/path of at most {URL_BYTES_MAX} characters"
            ))
        }
    }
}

pub(super) fn urls<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Url>, D::Error> {
    let urls = Vec::<Url>::deserialize(from)?;
    if urls.is_empty() || urls.len() > URLS_MAX {
        return Err(D::Error::custom(format!("1 to {URLS_MAX} URLs are needed")));
    }
    Ok(urls)
}

pub(super) fn path<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let path = String::deserialize(from)?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#%\"<>\\".contains(&byte);
    if path.starts_with('/') && path.bytes().all(plain) {
        Ok(path)
    } else {
        Err(D::Error::custom(
            "a path begins with '/' and is without spaces, '?', '#' and '%'",
        ))
    }
}

pub(super) fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
    parse_address(&String::deserialize(from)?).map_err(D::Error::custom)
}

pub(super) fn sizes<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<layer_minus_packet::Sizes, D::Error> {
    let sizes = Vec::<usize>::deserialize(from)?;
    layer_minus_packet::Sizes::new(&sizes).map_err(D::Error::custom)
}

/// Which log lines are written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct LogFilter(String);

impl LogFilter {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl TryFrom<String> for LogFilter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match tracing_subscriber::EnvFilter::try_new(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(format!("'{text}' is not a log filter: {error}")),
        }
    }
}
