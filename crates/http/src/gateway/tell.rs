//! Questions that the table of nodes answers.

use std::sync::{PoisonError, atomic::Ordering};

use layer_minus_message::Reason;
use layer_minus_message::{Answer, SignedDocument, command::parse_key};
use layer_minus_wallet::Address;

use super::Gateway;
use crate::clock;

/// Records of one answer.
const RECORDS_MAX: usize = 64;
/// Bytes of one answer's JSON; the largest sealed answer holds it with all its layers.
const RECORDS_BYTES_MAX: usize = 60_000;

impl Gateway {
    /// The records after that node's; the first of all is this node's own.
    pub(super) fn tell_directory(&self, after: Option<Address>) -> Answer {
        self.counts.told.fetch_add(1, Ordering::Relaxed);
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let found = table.records(after, RECORDS_MAX + 1);
        let mut records: Vec<SignedDocument> = Vec::new();
        let mut bytes = 0;
        let now = clock::now();
        let found_count = found.len();
        let mut taken = 0;
        for record in found.into_iter().take(RECORDS_MAX) {
            let size = serde_json::to_vec(&record.signed).map_or(usize::MAX, |json| json.len() + 1);
            if bytes + size > RECORDS_BYTES_MAX {
                break;
            }
            taken += 1;
            if record.body.valid_until >= now {
                bytes += size;
                records.push(record.signed.clone());
            }
        }
        Answer::Directory {
            records,
            more: taken < found_count,
        }
    }

    /// The record of whoever holds that key.
    pub(super) fn tell_who_has(&self, key: &str) -> Answer {
        self.counts.told.fetch_add(1, Ordering::Relaxed);
        let recipient = match parse_key(key) {
            Ok(recipient) => recipient,
            Err(error) => {
                return Answer::Refused(Reason::Malformed {
                    detail: error.to_string(),
                });
            }
        };
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let now = clock::now();
        let found = table
            .find(&recipient)
            .filter(|record| record.body.valid_until >= now);
        Answer::Has {
            record: found.map(|record| record.signed.clone()),
        }
    }
}
