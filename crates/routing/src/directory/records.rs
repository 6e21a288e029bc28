//! Directories of signed node records.

use layer_minus_message::{NodeRecord, SignedDocument};
use serde::{Deserialize, Serialize};

use super::{Bounded, Entry, Line, json_error, lines, printable};

/// The version of the file's format, under the key that tells what file it is.
const FORMAT: u32 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    layer_minus_directory: u32,
    #[serde(borrow)]
    records: Bounded<'a>,
}

#[derive(Serialize)]
struct FileOut<'a> {
    layer_minus_directory: u32,
    records: Vec<&'a SignedDocument>,
}

/// Reads `{"layer_minus_directory": 1, "records": [{"document", "signature"}, …]}` and checks
/// every record: signature, network, time, certificate.
#[must_use]
pub fn read_directory(json: &str, network: &str, now: u64) -> Vec<Line> {
    let parse = |json| -> serde_json::Result<Bounded<'_>> {
        let file: File<'_> = serde_json::from_str(json)?;
        if file.layer_minus_directory != FORMAT {
            return Err(serde::de::Error::custom("another version of the format"));
        }
        Ok(file.records)
    };
    lines(json, parse, |number, text| {
        let signed: SignedDocument = match serde_json::from_str(text) {
            Ok(signed) => signed,
            Err(error) => return Line::refused(format!("entry {number}"), json_error(&error)),
        };
        let name = stated_node(&signed).unwrap_or_else(|| format!("entry {number}"));
        match NodeRecord::read(signed, network, now) {
            Ok(record) => Line {
                name: record.node().to_string(),
                result: Ok(Entry::Record(record)),
            },
            Err(error) => Line::refused(name, error.to_string()),
        }
    })
}

/// Writes such a file, with one record a line.
///
/// # Errors
/// Only those of the serializer, which has no reason to fail.
pub fn write_directory<'a>(
    records: impl IntoIterator<Item = &'a NodeRecord>,
) -> serde_json::Result<String> {
    let records = records.into_iter().map(|record| &record.signed).collect();
    let mut text = serde_json::to_string_pretty(&FileOut {
        layer_minus_directory: FORMAT,
        records,
    })?;
    text.push('\n');
    Ok(text)
}

/// Which node an unchecked record says that it is of: a name for its line, nothing more.
fn stated_node(signed: &SignedDocument) -> Option<String> {
    #[derive(Deserialize)]
    struct Stated<'a> {
        node: &'a str,
    }
    let stated: Stated<'_> = serde_json::from_str(&signed.document).ok()?;
    Some(printable(stated.node)).filter(|name| !name.is_empty())
}
