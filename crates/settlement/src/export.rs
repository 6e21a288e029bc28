//! The settlement that needs no chain: a list for people, who pay each other as they like.

use alloy_primitives::B256;
use serde_json::{Map, Value};

use crate::{
    Claim, Plan, Settlement, Step,
    settlement::{Checked, check},
};

/// Version of the JSON export, under the key `layer_minus_settlement`.
const FORMAT_VERSION: u32 = 1;
/// What makes a spreadsheet take a field for a formula, if it comes first.
const FORMULA_STARTS: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// Settlement by export.
#[derive(Clone, Copy, Debug, Default)]
pub struct Export;

/// The same list twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// For spreadsheets.
    pub csv: String,
    /// For programs.
    pub json: String,
}

impl Settlement for Export {
    type Work = Document;

    /// One document of all that is due, or none if nothing is.
    fn plan(&self, claims: &[Claim]) -> Plan<Document> {
        let (good, left) = check(claims);
        let step = Step {
            work: Document {
                csv: csv(&good),
                json: json(&good),
            },
            marks: good.iter().map(Checked::mark).collect(),
        };
        Plan {
            steps: Vec::from_iter((!good.is_empty()).then_some(step)),
            left,
        }
    }
}

/// The claims on which something is due and whose paper is good, as CSV (RFC 4180, a line of names
/// first).
///
/// One line each: who owes (`payer`), to whom (`receiver`), what is due now, the channel's totals,
/// the newest voucher with its signature and all the terms it needs to be cashed. A note that a
/// spreadsheet would take for a formula gets an apostrophe before it.
#[must_use]
pub fn export_csv(claims: &[Claim]) -> String {
    csv(&check(claims).0)
}

/// The same as JSON: `{"layer_minus_settlement": 1, "claims": [{…}]}`, with the columns of the CSV
/// as keys and every value a string, the note as it is.
#[must_use]
pub fn export_json(claims: &[Claim]) -> String {
    json(&check(claims).0)
}

fn csv(claims: &[Checked<'_>]) -> String {
    let mut text = line(COLUMNS.iter().map(|&(name, _)| name.to_owned()));
    for claim in claims {
        text += &line(COLUMNS.iter().map(|(_, value)| inert(value(claim))));
    }
    text
}

fn json(claims: &[Checked<'_>]) -> String {
    let object = |claim| -> Map<String, Value> {
        COLUMNS
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value(claim).into()))
            .collect()
    };
    let claims: Vec<_> = claims.iter().map(object).collect();
    let document = serde_json::json!({
        "layer_minus_settlement": FORMAT_VERSION,
        "claims": claims,
    });
    format!("{document:#}\n")
}

type Column = (&'static str, fn(&Checked<'_>) -> String);

const COLUMNS: [Column; 18] = [
    ("payer", |it| it.claim.channel.payer.to_string()),
    ("receiver", |it| it.claim.channel.receiver.to_string()),
    ("due_units", |it| it.due.increase_units.to_string()),
    ("total_units", |it| it.due.total_units.to_string()),
    ("settled_units", |it| it.claim.settled_units.to_string()),
    ("owed_pusd", |it| it.claim.owed_pusd.to_string()),
    ("remainder_pusd", |it| it.due.remainder_pusd.to_string()),
    ("note", |it| it.claim.note.clone()),
    ("channel_id", |it| it.channel_id.to_string()),
    ("limit_units", |it| it.claim.limit_units.to_string()),
    ("signature", |it| it.claim.signature.to_string()),
    ("chain_id", |it| it.claim.channel.chain.chain_id.to_string()),
    ("contract", |it| it.claim.channel.chain.contract.to_string()),
    ("token", |it| it.claim.channel.chain.token.to_string()),
    ("payer_authorizer", |it| {
        it.claim.channel.payer_authorizer.to_string()
    }),
    ("receiver_authorizer", |it| {
        it.claim.channel.receiver_authorizer.to_string()
    }),
    ("withdraw_delay_secs", |it| {
        it.claim.channel.withdraw_delay_secs.to_string()
    }),
    ("salt", |it| B256::from(it.claim.channel.salt).to_string()),
];

/// A field that no spreadsheet evaluates, as OWASP advises for CSV.
fn inert(field: String) -> String {
    match field.starts_with(FORMULA_STARTS) {
        true => format!("'{field}"),
        false => field,
    }
}

fn line(fields: impl Iterator<Item = String>) -> String {
    let fields: Vec<String> = fields.map(quoted).collect();
    fields.join(",") + "\r\n"
}

fn quoted(field: String) -> String {
    match field.contains(['"', ',', '\r', '\n']) || field != field.trim() {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed_and_nothing_else_is_touched() {
        for (field, safe) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\n=1", "'\n=1"),
            ("a=b", "a=b"),
            ("", ""),
            ("0x01", "0x01"),
        ] {
            assert_eq!(inert(field.to_owned()), safe);
        }
    }

    #[test]
    fn fields_are_quoted_as_rfc_4180_says() {
        let fields = ["a", "b,c", "say \"hi\"", "two\nlines", " space ", ""];
        assert_eq!(
            line(fields.iter().map(|field| (*field).to_owned())),
            "a,\"b,c\",\"say \"\"hi\"\"\",\"two\nlines\",\" space \",\r\n"
        );
    }
}
