//! `directory list` and `directory import`: one line per entry.

use std::path::Path;

use layer_minus_http::clock;
use layer_minus_message::SignedDocument;
use layer_minus_routing::{
    Table,
    directory::{DIRECTORY_BYTES_MAX, Entry, Line, import as read_lines},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{config::Config, directory, error::DaemonError, files, out::Out, record};

#[derive(Default, Serialize)]
struct Row<'a> {
    name: &'a str,
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    urls: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
}

impl<'a> Row<'a> {
    fn new(line: &'a Line, file: Option<&'a Path>) -> Self {
        let name = line.name.as_str();
        match &line.result {
            Ok(Entry::Record(record)) => Self {
                name,
                accepted: true,
                kind: Some("record"),
                key: Some(record.certificate.encryption_key().to_string()),
                urls: Some(&record.body.urls),
                file,
                ..Self::default()
            },
            Ok(Entry::Unaddressed(certificate)) => Self {
                name,
                accepted: true,
                kind: Some("unaddressed"),
                key: Some(certificate.encryption_key().to_string()),
                file,
                ..Self::default()
            },
            Err(reason) => Self {
                name,
                reason: Some(reason),
                file,
                ..Self::default()
            },
        }
    }

    fn human(&self) -> String {
        match (self.urls, self.reason) {
            (_, Some(reason)) => format!("refused   {}: {reason}", self.name),
            (Some(urls), None) => format!("accepted  {} {}", self.name, urls.join(" ")),
            (None, None) => format!("accepted  {} (no address)", self.name),
        }
    }
}

/// The last line. The totals are in an object of their own: `accepted` of an entry is no number.
#[derive(Serialize)]
struct Sum {
    summary: Totals,
}

#[derive(Serialize)]
struct Totals {
    accepted: usize,
    refused: usize,
}

fn finish(out: Out, accepted: usize, refused: usize) -> Result<(), DaemonError> {
    out.line(
        || format!("{accepted} accepted, {refused} refused"),
        &Sum {
            summary: Totals { accepted, refused },
        },
    )
}

/// Lists what a node starts with, as it does: the files in order, into the table.
pub(crate) fn list(config: &Config, out: Out) -> Result<(), DaemonError> {
    let now = clock::now();
    let mut table = Table::new(config.directory.limits(), config.network());
    if let Some(own) = record::kept(config, now) {
        table.set_own(vec![own.certificate.encryption_key()], own);
    }
    let listed = directory::fill(&mut table, config, now);
    let mut accepted = 0;
    for entry in &listed {
        let row = Row::new(&entry.line, Some(&entry.file));
        accepted += usize::from(row.accepted);
        out.line(
            || format!("{}  [{}]", row.human(), entry.file.display()),
            &row,
        )?;
    }
    finish(out, accepted, listed.len() - accepted)
}

/// Checks a file and keeps what is accepted. A running node reads it at SIGHUP or its next start.
pub(crate) fn import(config: &Config, file: &Path, out: Out) -> Result<(), DaemonError> {
    let now = clock::now();
    let text = files::read_text(file, DIRECTORY_BYTES_MAX as u64)?;
    let text = as_directory(text);
    let lines = read_lines(&text, config.network(), now);
    let mut accepted = 0;
    for line in &lines {
        let row = Row::new(line, None);
        accepted += usize::from(row.accepted);
        out.line(|| row.human(), &row)?;
    }
    directory::keep(config, &text, &lines, now)?;
    finish(out, accepted, lines.len() - accepted)?;
    if accepted == 0 {
        return Err(DaemonError::Failed(format!(
            "{}: nothing was accepted",
            file.display()
        )));
    }
    out.note(|| "a running node takes it at SIGHUP or its next start".to_owned());
    Ok(())
}

/// What `record` prints is a directory too, and so is what `cat` makes of several such files and of
/// directories.
fn as_directory(text: String) -> String {
    #[derive(Deserialize)]
    struct Nested<'a> {
        #[serde(borrow)]
        records: Vec<&'a RawValue>,
    }
    let mut records = Vec::new();
    let mut values = 0;
    for value in serde_json::Deserializer::from_str(&text).into_iter::<&RawValue>() {
        let Ok(value) = value else { return text };
        values += 1;
        if serde_json::from_str::<SignedDocument>(value.get()).is_ok() {
            records.push(value);
        } else if let Ok(nested) = serde_json::from_str::<Nested<'_>>(value.get()) {
            records.extend(nested.records);
        } else {
            return text;
        }
    }
    // One value that is a directory already is judged as it is.
    let single = values == 1 && serde_json::from_str::<SignedDocument>(&text).is_err();
    if records.is_empty() || single {
        return text;
    }
    let records: Vec<&str> = records.into_iter().map(RawValue::get).collect();
    format!(
        "{{\"layer_minus_directory\":1,\"records\":[{}]}}",
        records.join(",")
    )
}

#[cfg(test)]
mod tests {
    use layer_minus_routing::directory::read_directory;

    use super::*;

    #[test]
    fn other_files_are_left_as_they_are() {
        for text in [
            "",
            "[]",
            "{\"layer_minus_directory\": 1, \"records\": []}",
            "{}",
            "x\ny",
        ] {
            assert_eq!(as_directory(text.to_owned()), text);
        }
        assert!(
            read_directory("{}", "n", 0)
                .iter()
                .all(|line| line.result.is_err())
        );
    }
}
