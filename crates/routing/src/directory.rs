//! Directory files: signed node records, and lists of bare keys as CoNET publishes them.
//!
//! Every entry of a file gets a [`Line`]: accepted, or refused and why. One bad entry does not
//! spoil the others. A file that is no list at all has a single refused line.

mod conet;
mod records;

use layer_minus_message::NodeRecord;
use layer_minus_seal::Certificate;

pub use conet::import_conet;
pub use records::{read_directory, write_directory};

/// Longest directory file, bytes.
pub const DIRECTORY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most entries of a directory file.
pub const DIRECTORY_ENTRIES_MAX: usize = 10_000;
/// Longest entry of a directory file, bytes of JSON.
pub const ENTRY_BYTES_MAX: usize = 48 * 1024;
/// Longest name of a line, characters.
const NAME_CHARS_MAX: usize = 64;

/// One entry of a file, and what became of it.
#[derive(Clone, Debug)]
pub struct Line {
    /// The node's address or the key ID that it states, else its number in the file. Printable.
    pub name: String,
    /// What it is, or why it was refused.
    pub result: Result<Entry, String>,
}

/// An accepted entry.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // short-lived; on its way into the table
pub enum Entry {
    /// A checked node record.
    Record(NodeRecord),
    /// A verified certificate of a node whose address is not known.
    Unaddressed(Certificate),
}

/// Reads a file of either kind, told apart by its first character: an object is a directory of
/// records, an array a list of keys.
#[must_use]
pub fn import(json: &str, network: &str, now: u64) -> Vec<Line> {
    match json.trim_start().as_bytes().first() {
        Some(b'[') => import_conet(json),
        _ => read_directory(json, network, now),
    }
}

impl Line {
    fn refused(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            result: Err(why.into()),
        }
    }

    /// The line of a file that cannot be read at all.
    fn whole_file(why: impl Into<String>) -> Vec<Self> {
        vec![Self::refused("file", why)]
    }
}

/// A name from a file, without what could confuse a terminal.
fn printable(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_graphic)
        .take(NAME_CHARS_MAX)
        .collect()
}

/// What to say about JSON that does not fit: where, never what it holds.
fn json_error(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "has a missing, unknown, double or wrong field",
        serde_json::error::Category::Eof => "ends early",
        _ => "is not JSON",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

/// A list of at most [`DIRECTORY_ENTRIES_MAX`] entries, each left as its JSON text for now: no
/// memory is taken for what they hold.
struct Bounded<'a>(Vec<&'a serde_json::value::RawValue>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Bounded<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Bounded<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "a list of at most {DIRECTORY_ENTRIES_MAX} entries")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = list.next_element()? {
                    if entries.len() == DIRECTORY_ENTRIES_MAX {
                        return Err(serde::de::Error::invalid_length(entries.len() + 1, &self));
                    }
                    entries.push(entry);
                }
                Ok(Bounded(entries))
            }
        }

        from.deserialize_seq(Visitor)
    }
}

/// Checks the length of a file, then gives every entry its line.
fn lines<'a>(
    json: &'a str,
    parse: impl FnOnce(&'a str) -> serde_json::Result<Bounded<'a>>,
    mut line: impl FnMut(usize, &'a str) -> Line,
) -> Vec<Line> {
    if json.len() > DIRECTORY_BYTES_MAX {
        let have = json.len();
        return Line::whole_file(format!(
            "has {have} bytes, at most {DIRECTORY_BYTES_MAX} allowed"
        ));
    }
    let entries = match parse(json) {
        Ok(Bounded(entries)) => entries,
        Err(error) => return Line::whole_file(json_error(&error)),
    };
    let lines = entries.into_iter().enumerate().map(|(index, entry)| {
        let (number, text) = (index + 1, entry.get());
        if text.len() > ENTRY_BYTES_MAX {
            let why = format!(
                "has {} bytes, at most {ENTRY_BYTES_MAX} allowed",
                text.len()
            );
            return Line::refused(format!("entry {number}"), why);
        }
        line(number, text)
    });
    lines.collect()
}
