//! The SQL of every table.
//!
//! Rows of a few bytes live in the tree of their keys (`WITHOUT ROWID`): without the key a second
//! time they take half the room. All others lie in the order of their arrival under an index of
//! the keys. That tree stays flat whatever the rows weigh: a commit of 200-byte rows is up to
//! twice as fast, a body of 1 MB is deleted three times as fast (measured).

use std::collections::BTreeMap;

use layer_minus_node::store::Table;

/// How the rows of a table lie in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// In the tree of the keys.
    Tree,
    /// In the order of arrival, under an index of the keys.
    Indexed,
}

fn shape(table: Table) -> Shape {
    match table {
        Table::Keys
        | Table::Retention
        | Table::Receipts
        | Table::Seen
        | Table::SeenExpiry
        | Table::Journal
        | Table::Backings => Shape::Tree,
        _ => Shape::Indexed,
    }
}

/// The statement that makes the table.
pub(crate) fn create(table: Table) -> String {
    let name = table.name();
    match shape(table) {
        Shape::Tree => format!(
            "CREATE TABLE \"{name}\" (key BLOB NOT NULL PRIMARY KEY, digest BLOB NOT NULL, \
             value BLOB NOT NULL) STRICT, WITHOUT ROWID"
        ),
        Shape::Indexed => format!(
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
        let put = match shape(table) {
            Shape::Tree => {
                format!("REPLACE INTO \"{name}\" (key, digest, value) VALUES (?1, ?2, ?3)")
            }
            // In place: a replaced row would move to the end of the table at every change.
            Shape::Indexed => format!(
                "INSERT INTO \"{name}\" (key, digest, value) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, value = excluded.value"
            ),
        };
        Self {
            put,
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

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// A change here changes files that people have: it takes a migration.
    #[test]
    fn the_tables_of_version_1_are_these() {
        let names: Vec<String> = Table::ALL
            .into_iter()
            .map(|table| match shape(table) {
                Shape::Tree => table.name().to_owned(),
                Shape::Indexed => format!("{table}+index"),
            })
            .collect();
        assert_eq!(
            names.join(" "),
            "meta+index clients+index keys accounts+index transfers+index mailboxes+index \
             consumers+index packets+index bodies+index retention receipts seen seen_expiry \
             grants+index invites+index lanes+index payables+index receivables+index \
             directory+index journal channels+index backings"
        );
    }

    /// Every statement finds its rows by key; none reads a whole table or sorts.
    #[test]
    fn every_statement_uses_the_keys() {
        let connection = Connection::open_in_memory().unwrap();
        for (table, sql) in Statements::all() {
            connection.execute_batch(&create(table)).unwrap();
            for text in [&sql.get, &sql.delete, &sql.scan, &sql.walk] {
                let mut statement = connection
                    .prepare(&format!("EXPLAIN QUERY PLAN {text}"))
                    .unwrap();
                let plan: Vec<String> = statement
                    .raw_query()
                    .mapped(|row| row.get("detail"))
                    .collect::<Result<_, _>>()
                    .unwrap();
                assert_eq!(plan.len(), 1, "{text}: {plan:?}");
                assert!(plan[0].starts_with("SEARCH"), "{text}: {plan:?}");
            }
        }
    }
}
