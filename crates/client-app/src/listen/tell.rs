//! What a person is told about the stream itself.

use layer_minus_message::{NodeRecord, Reason};
use serde_json::json;

use super::Session;
use crate::{commands::account, error::AppError};

impl Session<'_> {
    /// Tells of a node that goes on from a backup: it does not know what it lost.
    pub(super) fn note_generation(
        &mut self,
        node: &NodeRecord,
        generation: u64,
    ) -> Result<(), AppError> {
        let node = node.node();
        if !self.ctx.db.is_new_generation(node, generation)? {
            return Ok(());
        }
        self.ctx.out.line(
            || {
                format!(
                    "node {node} was restored from a backup: what it had accepted after that, and \
                     had not brought here, is lost"
                )
            },
            &json!({ "event": "restored", "node": node.to_string() }),
        )
    }

    pub(super) fn tell_paused(&self, reason: &Reason) -> Result<(), AppError> {
        let paused = reason.paused();
        self.ctx.out.line(
            || {
                let next = paused.map_or("ask the node's operator", account::help);
                format!("paused: {reason}; {next}")
            },
            &json!({ "event": "paused", "paused": paused, "reason": reason }),
        )
    }

    pub(super) fn tell_offline(&self, error: &AppError, retry_ms: u64) -> Result<(), AppError> {
        if self.ctx.out.is_json() {
            return self.ctx.out.line(
                String::new,
                &json!({ "event": "offline", "text": error.to_string(), "retry_ms": retry_ms }),
            );
        }
        self.ctx
            .out
            .note(&format!("offline ({error}); trying again in {retry_ms} ms"));
        Ok(())
    }
}
