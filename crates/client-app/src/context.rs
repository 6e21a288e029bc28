//! What commands work with.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::BTreeMap,
};

use layer_minus_client_sdk::{Identity, Network, Route, Wallets};
use layer_minus_http::{HttpClient, HttpError, HttpOptions, clock};
use layer_minus_message::NodeRecord;
use layer_minus_packet::Fingerprint;
use layer_minus_wallet::{Address, keystore::Kdf};
use rand::rngs::OsRng;

use crate::{
    args::Global,
    db::Db,
    error::AppError,
    home::{Config, Home},
    nodes::Directory,
    out::Out,
    password::{self, Ask, Password},
};

/// A home folder and everything that opens with it.
pub(crate) struct Context {
    pub(crate) out: Out,
    pub(crate) home: Home,
    pub(crate) config: Config,
    pub(crate) directory: Directory,
    pub(crate) db: Db,
    pub(crate) http: HttpClient,
    global: Global,
    password: OnceCell<Password>,
    own_node: Cell<Option<Address>>,
    /// Nodes whose keys seem to open no more, and those keys.
    doubted: RefCell<BTreeMap<Address, Fingerprint>>,
}

impl Context {
    /// Opens the home folder that the options name.
    pub(crate) fn open(global: &Global, out: Out) -> Result<Self, AppError> {
        let home = Home::open(Home::locate(global.home.as_deref())?)?;
        let config = Config::load(&home.config())?;
        let directory = Directory::load(&home.directory(), &config.network, clock::now())?;
        Ok(Self {
            out,
            db: Db::open(&home.database())?,
            http: http_client(global)?,
            home,
            config,
            directory,
            global: global.clone(),
            password: OnceCell::new(),
            own_node: Cell::new(None),
            doubted: RefCell::default(),
        })
    }

    /// The password, asked for once.
    pub(crate) fn password(&self) -> Result<&Password, AppError> {
        if let Some(password) = self.password.get() {
            return Ok(password);
        }
        let found = password::find(self.global.password_file.as_deref(), Ask::Known)?;
        Ok(self.password.get_or_init(|| found))
    }

    pub(crate) fn identity(&self) -> Result<Identity, AppError> {
        let identity = self.home.load_identity(self.password()?)?;
        self.own_node.set(identity.node());
        Ok(identity)
    }

    /// The node that we are registered at, as far as the identity was opened: it knows our wallet,
    /// and better not our IP address.
    pub(crate) fn own_node(&self) -> Option<Address> {
        self.own_node.get()
    }

    pub(crate) fn wallets(&self) -> Result<Wallets, AppError> {
        self.home.load_wallets(self.password()?)
    }

    pub(crate) fn save(&self, identity: &Identity) -> Result<(), AppError> {
        self.home
            .save_identity(identity, self.password()?, &mut OsRng)
    }

    pub(crate) fn network_id(&self) -> &str {
        &self.config.network
    }

    /// Notes that a packet through `hops` for `node` was of no use to anybody, if that is what the
    /// error says: one of them may have another key now.
    pub(crate) fn doubt(&self, error: &AppError, node: &NodeRecord, hops: &[Address]) {
        if !error.is_of_unknown_key() {
            return;
        }
        let hops = hops.iter().filter_map(|hop| self.directory.get_any(*hop));
        let mut doubted = self.doubted.borrow_mut();
        for record in hops.chain([node]) {
            doubted.insert(record.node(), record.certificate.encryption_key());
        }
    }

    /// Takes out the nodes that were doubted, with the keys that seemed to open no more.
    pub(crate) fn take_doubted(&self) -> BTreeMap<Address, Fingerprint> {
        self.doubted.take()
    }

    /// The network as far as the nodes on a way agree, and the way itself.
    pub(crate) fn way(
        &self,
        node: &NodeRecord,
        hops: &[Address],
        relay: Option<&NodeRecord>,
    ) -> Result<(Network, Route), AppError> {
        let hops: Vec<&NodeRecord> = hops
            .iter()
            .map(|hop| self.directory.get(*hop))
            .collect::<Result<_, _>>()?;
        let all = hops.iter().copied().chain([node]).chain(relay);
        let network = Network::common(self.network_id(), all)?;
        Ok((network, Route::through(&hops, node)?))
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}

/// How keystores are made.
pub(crate) const fn kdf(global: &Global) -> Kdf {
    if global.light_kdf {
        Kdf::Light
    } else {
        Kdf::Standard
    }
}

pub(crate) fn http_client(global: &Global) -> Result<HttpClient, AppError> {
    let options = HttpOptions {
        source: global.source_address,
        extra_roots: global.tls_roots.clone(),
        ..HttpOptions::default()
    };
    HttpClient::new(options)
        .map_err(|error: HttpError| AppError::Usage(format!("cannot prepare connections: {error}")))
}
