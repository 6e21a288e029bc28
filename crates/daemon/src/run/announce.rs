//! After a restore nobody has the node's new record, and its old key opens nothing: who asks by it
//! gets no answer. So the node tells the operator's nodes by itself; clients learn it from them.

use std::{collections::BTreeSet, fs, sync::Arc, time::Duration};

use layer_minus_http::Gateway;
use layer_minus_wallet::Address;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{config::Config, directory, record};

/// Before those that could not be told are tried again; doubled each time.
const PAUSE: Duration = Duration::from_secs(5);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);

/// Tells the record, until all know it or the node stops.
pub(super) struct Announce {
    pub(super) config: Config,
    pub(super) gateway: Arc<Gateway>,
    pub(super) stop: CancellationToken,
}

impl Announce {
    pub(super) async fn run(self) {
        let file = record::untold(&self.config);
        if !file.exists() {
            return;
        }
        let mut told = BTreeSet::new();
        let mut pause = PAUSE;
        while !self.tell(&mut told).await {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return,
            }
            pause = (2 * pause).min(PAUSE_MAX);
        }
        info!(nodes = told.len(), "new record told");
        if let Err(error) = fs::remove_file(&file) {
            warn!(%error, "the record will be told again");
        }
    }

    /// Tells those that do not know it; true if then all do.
    async fn tell(&self, told: &mut BTreeSet<Address>) -> bool {
        let mut all = true;
        for node in directory::configured(&self.gateway, |_| true) {
            if told.contains(&node.node()) {
                continue;
            }
            tokio::select! {
                knows = self.gateway.introduce(&node) => {
                    if knows {
                        told.insert(node.node());
                    }
                    all &= knows;
                }
                () = self.stop.cancelled() => return false,
            }
        }
        all
    }
}
