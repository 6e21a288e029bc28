//! The SQL of every table.
//!
//! Small rows live in the b-tree of their key (`WITHOUT ROWID`). Bodies would make such a tree
//! deep, since a page of it holds few large rows: they lie in the order of their arrival, and a
//! small index of their keys leads to them.

use std::collections::BTreeMap;

use layer_minus_node::store::Table;

/// How the rows of a table lie in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// In the tree of the key.
    Small,
    /// Appended, under an index of the keys.
    Large,
}

pub(crate) fn shape(table: Table) -> Shape {
    if table == Table::Bodies {
        Shape::Large
    } else {
        Shape::Small
    }
}

/// The statement that makes the table.
pub(crate) fn create(table: Table) -> String {
    let name = table.name();
    match shape(table) {
        Shape::Small => format!(
            "CREATE TABLE \"{name}\" (key BLOB NOT NULL PRIMARY KEY, digest BLOB NOT NULL, \
             value BLOB NOT NULL) STRICT, WITHOUT ROWID"
        ),
        Shape::Large => format!(
            "CREATE TABLE \"{name}\" (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, \
             digest BLOB NOT NULL, value BLOB NOT NULL) STRICT"
        ),
    }
}

/// The statements on one table, as text: the connection caches what it prepared by it.
#[derive(Debug)]
pub(crate) struct Statements {
    /// `?1` key, `?2` digest, `?3` value.
    pub(crate) put: String,
    /// `?1` key; digest and value.
    pub(crate) get: String,
    /// `?1` key.
    pub(crate) delete: String,
    /// `?1` first key, `?2` first key beyond, `?3` rows at most; key, digest, value.
    pub(crate) scan: String,
    /// `?1` first key, `?2` rows at most; key, digest, value.
    pub(crate) walk: String,
}

impl Statements {
    fn of(table: Table) -> Self {
        let name = table.name();
        Self {
            put: format!("REPLACE INTO \"{name}\" (key, digest, value) VALUES (?1, ?2, ?3)"),
            get: format!("SELECT digest, value FROM \"{name}\" WHERE key = ?1"),
            delete: format!("DELETE FROM \"{name}\" WHERE key = ?1"),
            scan: format!(
                "SELECT key, digest, value FROM \"{name}\" WHERE key >= ?1 AND key < ?2 \
                 ORDER BY key LIMIT ?3"
            ),
            walk: format!(
                "SELECT key, digest, value FROM \"{name}\" WHERE key >= ?1 ORDER BY key LIMIT ?2"
            ),
        }
    }

    /// The statements of every table.
    pub(crate) fn all() -> BTreeMap<Table, Self> {
        Table::ALL
            .into_iter()
            .map(|table| (table, Self::of(table)))
            .collect()
    }
}
