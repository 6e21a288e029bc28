//! The configuration file: TOML, unknown keys refused, every error with its key and line.

mod lanes;
mod sections;
pub mod template;
mod values;

use std::{
    fs,
    path::{Path, PathBuf},
};

use layer_minus_http::TlsFiles;
use layer_minus_message::Prices;
use layer_minus_node::NodeConfig;
use layer_minus_wallet::Address;
use serde::Deserialize;

use crate::{app::Composition, error::DaemonError, files};
pub use lanes::Lanes;
pub use sections::{Clients, Directory, Http, Limits, Packets, PriceList, Record, Store, Tls};
use values::{LogFilter, NetworkId};

/// Longest configuration file, bytes.
const CONFIG_BYTES_MAX: u64 = 256 * 1024;

/// The configuration of a node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The network's id: nodes and clients of other networks are refused.
    network: NetworkId,
    /// Folder of keys and store; relative paths are relative to the configuration file.
    pub data: PathBuf,
    /// The wallet that is paid.
    #[serde(deserialize_with = "values::address")]
    pub cash: Address,
    /// Which log lines are written, in the manner of `RUST_LOG`, which wins.
    #[serde(default)]
    log: LogFilter,
    /// Where it listens and what it is called.
    pub http: Http,
    /// Certificate files for `https`.
    pub tls: Option<Tls>,
    /// Packet sizes.
    #[serde(default)]
    pub packets: Packets,
    /// Other nodes.
    #[serde(default)]
    pub directory: Directory,
    /// This node's own record.
    #[serde(default)]
    pub record: Record,
    /// What it charges.
    #[serde(default)]
    pub prices: PriceList,
    /// Money between nodes.
    #[serde(default)]
    pub lanes: Lanes,
    /// Clients: for a recipient only.
    pub clients: Option<Clients>,
    /// Limits of the sockets.
    #[serde(default)]
    pub limits: Limits,
    /// The database.
    #[serde(default)]
    pub store: Store,
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// [`DaemonError::Config`], with key and line if it is one key.
    pub fn load(path: &Path, composition: Composition) -> Result<Self, DaemonError> {
        let bad = |reason| DaemonError::Config {
            path: path.to_owned(),
            reason,
        };
        let text = files::read_text(path, CONFIG_BYTES_MAX).map_err(|error| match error {
            DaemonError::File { source, .. } => bad(source.to_string()),
            error => error,
        })?;
        // A bare file name has the empty path as its parent.
        let folder = fs::canonicalize(path)
            .ok()
            .and_then(|path| path.parent().map(Path::to_owned))
            .unwrap_or_default();
        Self::parse(&text, &folder, composition).map_err(bad)
    }

    /// Reads a configuration whose relative paths are relative to `folder`.
    ///
    /// # Errors
    /// What is wrong, with key and line where it is one key.
    pub fn parse(text: &str, folder: &Path, composition: Composition) -> Result<Self, String> {
        let mut config: Self =
            toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        config.resolve(folder);
        config.check(composition)?;
        Ok(config)
    }

    fn resolve(&mut self, folder: &Path) {
        let absolute = |path: &mut PathBuf| *path = folder.join(&*path);
        absolute(&mut self.data);
        self.directory.files.iter_mut().for_each(absolute);
        self.http.extra_roots.iter_mut().for_each(absolute);
        if let Some(tls) = &mut self.tls {
            absolute(&mut tls.cert);
            absolute(&mut tls.key);
        }
    }

    /// What no single key shows.
    fn check(&self, composition: Composition) -> Result<(), String> {
        if composition == Composition::Relay && self.clients.is_some() {
            return Err("[clients] is for a recipient; a relay takes none".to_owned());
        }
        if self.http.admin == Some(self.http.listen) && self.http.listen.port() != 0 {
            return Err("http.admin and http.listen are the same address".to_owned());
        }
        if let (Some(source), listen) = (self.http.source, self.http.listen)
            && source.is_ipv4() != listen.is_ipv4()
        {
            // Not wrong by itself, but then nothing of the listening family can be reached.
            return Err("http.source is of another address family than http.listen".to_owned());
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        if let Some(url) = self.http.urls.iter().find(|url| {
            // Behind a reverse proxy the outside is https and this node is not.
            self.tls.is_some() && !url.as_str().starts_with("https:")
        }) {
            return Err(format!(
                "http.urls: {} is not {scheme}, but [tls] is set",
                url.as_str()
            ));
        }
        self.lanes.check()?;
        let retention_secs = self.node(composition).retention_secs;
        self.prices.check(&self.packets.sizes, retention_secs)?;
        self.limits.check()
    }

    /// The network's id.
    #[must_use]
    pub fn network(&self) -> &str {
        self.network.as_str()
    }

    pub(crate) fn log(&self) -> &str {
        self.log.as_str()
    }

    pub(crate) fn prices(&self) -> Prices {
        self.prices.into()
    }

    pub(crate) fn tls_files(&self) -> Option<TlsFiles> {
        let Tls { cert, key } = self.tls.clone()?;
        Some(TlsFiles { cert, key })
    }

    /// What the node decides by.
    #[must_use]
    pub fn node(&self, composition: Composition) -> NodeConfig {
        let clients = self.clients.clone().unwrap_or_default();
        NodeConfig {
            takes_clients: composition == Composition::Recipient,
            prices: self.prices(),
            lanes: self.lanes.node(),
            prices_fixed_secs: self.prices.fixed_secs,
            ..clients.node()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> String {
        template::render(&template::Settings::example(Composition::Recipient))
    }

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/srv/node"), Composition::Recipient)
    }

    #[test]
    fn relative_paths_are_relative_to_the_file() {
        let config = parse(&example()).unwrap();
        assert_eq!(config.data, Path::new("/srv/node/recipient-data"));
        let text = example().replace("\"recipient-data\"", "\"/var/lib/x\"");
        assert_eq!(parse(&text).unwrap().data, Path::new("/var/lib/x"));
    }

    #[test]
    fn errors_name_key_and_line() {
        let example = example();
        for (from, to, expected) in [
            ("network =", "netwrok =", "netwrok"),
            ("network = \"layer-minus\"", "network = \"\"", "network"),
            (
                "listen = \"127.0.0.1:8443\"",
                "listen = \"nowhere\"",
                "listen",
            ),
            ("path = \"/post\"", "path = \"post\"", "path"),
            ("/post\"]", "\"]", "urls"),
            (
                "#sizes = [16000, 1000000]",
                "sizes = [1000000, 16000]",
                "sizes",
            ),
            (
                "#validity_secs = 2592000",
                "validity_secs = 2592001",
                "validity_secs",
            ),
            ("#log = \"info\"", "log = \"a=b=c\"", "log"),
            ("#in_per_byte = 20", "in_per_byte = -1", "in_per_byte"),
        ] {
            assert!(example.contains(from), "{from}");
            let error = parse(&example.replace(from, to)).unwrap_err();
            assert!(error.contains(expected), "{to}: {error}");
            assert!(error.contains("line "), "{to}: {error}");
        }
        let error = parse(&example.replace("cash =", "#cash =")).unwrap_err();
        assert!(error.contains("`cash`"), "{error}");
    }

    #[test]
    fn keys_that_contradict_each_other_are_refused() {
        let example = example();
        let same = example.replace("127.0.0.1:9443", "127.0.0.1:8443");
        assert!(parse(&same).unwrap_err().contains("same address"));
        let source = example.replace("#source = \"192.0.2.1\"", "source = \"::1\"");
        assert!(parse(&source).unwrap_err().contains("address family"));
        let tls = format!("{example}\n[tls]\ncert = \"c.pem\"\nkey = \"k.pem\"\n");
        assert!(parse(&tls).unwrap_err().contains("not https"));
        for dear in ["out_per_byte = 20", "storage_per_kb_hour = 14"] {
            let (key, _) = dear.split_once(' ').unwrap();
            let most = format!("{key} = {}", i64::MAX);
            let error = parse(&example.replace(&format!("#{dear}"), &most)).unwrap_err();
            assert!(error.contains("prices: "), "{error}");
        }
        let short = example.replace("#header_timeout_secs = 30", "header_timeout_secs = 1");
        assert!(parse(&short).unwrap_err().contains("header_timeout_secs"));
        let error = Config::parse(&example, Path::new(""), Composition::Relay).unwrap_err();
        assert!(error.contains("[clients]"), "{error}");
    }
}
