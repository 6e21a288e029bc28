//! What is made on disk, for whom, and what is refused.

use std::fs;
use std::path::Path;

use layer_minus_node::store::{Store, StoreError, Table};
use layer_minus_store_sqlite::{Options, SCHEMA_VERSION, SqliteStore};
use rusqlite::Connection;

use crate::{open, put};

const T: Table = Table::Grants;

fn refusal(path: &Path) -> String {
    let error = SqliteStore::open(path, Options::default()).unwrap_err();
    assert!(matches!(error, StoreError::Failed(_)), "{error:?}");
    error.to_string()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
#[cfg(unix)]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("deep/home");
    let path = home.join("store.db");
    let mut store = open(&path);
    put(&mut store, T, &[(b"k", b"v")]);
    assert_eq!(mode(&home), 0o700);
    assert_eq!(mode(&folder.path().join("deep")), 0o700);
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        assert_eq!(mode(&home.join(name)), 0o600, "{name}");
    }
    store.backup_to(home.join("copy.db")).unwrap();
    assert_eq!(mode(&home.join("copy.db")), 0o600);
    drop(store);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
    let mut store = open(&path);
    put(&mut store, T, &[(b"k", b"w")]);
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        assert_eq!(mode(&home.join(name)), 0o600, "{name} was for others too");
    }
}

#[test]
fn a_new_store_is_empty_and_of_this_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    assert_eq!(store.schema_version(), Ok(SCHEMA_VERSION));
    assert_eq!(store.path(), path);
    assert!(store.verify(|_| ()).unwrap().is_sound());
    assert!(store.size_bytes().unwrap() > 0);
    drop(store);
    assert_eq!(names(folder.path()), ["store.db"]);
    let pragma = |name: &str| -> String {
        let connection = Connection::open(&path).unwrap();
        connection
            .query_row(
                &format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"),
                [],
                |row| row.get(0),
            )
            .unwrap()
    };
    assert_eq!(pragma("journal_mode"), "wal");
    assert_eq!(pragma("auto_vacuum"), "2");
    assert_eq!(pragma("page_size"), "8192");
}

#[test]
fn a_relative_path_stays_where_it_was() {
    // The name of a database in memory, were it not made absolute first.
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join(":memory:"));
    assert!(store.path().is_absolute());
    drop(store);
    assert_eq!(names(folder.path()), [":memory:"]);
}

#[test]
fn many_may_make_the_same_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    std::thread::scope(|scope| {
        for number in 0..8_u8 {
            let path = &path;
            scope.spawn(move || put(&mut open(path), T, &[(&[number], b"here")]));
        }
    });
    let store = open(&path);
    assert!((0..8_u8).all(|number| store.get(T, &[number]).unwrap().is_some()));
    drop(store);
    assert_eq!(names(folder.path()), ["store.db"]);
}

#[test]
fn a_newer_store_is_refused_and_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    put(&mut open(&path), T, &[(b"k", b"v")]);
    Connection::open(&path)
        .unwrap()
        .execute("UPDATE store_info SET value = 99", [])
        .unwrap();
    let before = fs::read(&path).unwrap();
    let newer = StoreError::Newer {
        found: 99,
        known: SCHEMA_VERSION,
    };
    assert_eq!(
        SqliteStore::open(&path, Options::default()).unwrap_err(),
        newer
    );
    assert_eq!(SqliteStore::open_read_only(&path).unwrap_err(), newer);
    assert!(fs::read(&path).unwrap() == before);
}

/// A store of version 0: founded, and without tables.
fn version_0(path: &Path) {
    drop(open(path));
    let connection = Connection::open(path).unwrap();
    for table in Table::ALL {
        connection
            .execute_batch(&format!("DROP TABLE \"{table}\""))
            .unwrap();
    }
    connection
        .execute("UPDATE store_info SET value = 0", [])
        .unwrap();
}

#[test]
fn an_older_store_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    version_0(&path);
    let refused = SqliteStore::open_read_only(&path).unwrap_err().to_string();
    assert!(refused.contains("schema version 0"), "{refused}");
    let mut store = open(&path);
    assert_eq!(store.schema_version(), Ok(SCHEMA_VERSION));
    for table in Table::ALL {
        put(&mut store, table, &[(b"k", b"v")]);
    }
    assert!(store.verify(|_| ()).unwrap().is_sound());
    assert!(SqliteStore::open_read_only(&path).is_ok());
}

#[test]
fn what_is_no_store_is_refused_and_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    fs::write(&path, b"").unwrap();
    assert!(refusal(&path).contains("the file was cut"));
    fs::write(&path, [b'x'; 5_000]).unwrap();
    assert!(
        refusal(&path).contains("file is not a database"),
        "{}",
        refusal(&path)
    );
    assert_eq!(fs::read(&path).unwrap(), [b'x'; 5_000]);
    fs::remove_file(&path).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE other (x)")
        .unwrap();
    let before = fs::read(&path).unwrap();
    assert!(refusal(&path).contains("is not a store"));
    assert!(fs::read(&path).unwrap() == before);
    assert!(refusal(folder.path()).contains("store"));
    let missing = SqliteStore::open_read_only(folder.path().join("none.db")).unwrap_err();
    assert!(
        missing.to_string().contains("cannot open store"),
        "{missing}"
    );
    assert_eq!(names(folder.path()), ["store.db"]);
}

#[test]
fn a_changed_schema_is_refused() {
    for change in [
        "DROP TABLE seen",
        "ALTER TABLE seen RENAME TO sean",
        "ALTER TABLE clients ADD COLUMN more BLOB",
        "DELETE FROM store_info",
        "UPDATE store_info SET value = -1",
        "PRAGMA application_id = 7",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        drop(open(&path));
        Connection::open(&path)
            .unwrap()
            .execute_batch(change)
            .unwrap();
        refusal(&path);
        assert!(SqliteStore::open_read_only(&path).is_err(), "{change}");
    }
}

#[test]
fn a_log_without_its_store_is_not_given_to_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = open(&path);
    put(&mut store, T, &[(b"k", b"v")]);
    let log = fs::read(folder.path().join("store.db-wal")).unwrap();
    drop(store);
    fs::remove_file(&path).unwrap();
    fs::write(folder.path().join("store.db-wal"), log).unwrap();
    assert!(refusal(&path).contains("store.db-wal is there"));
    assert_eq!(names(folder.path()), ["store.db-wal"]);
}

#[test]
fn debug_shows_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(&folder.path().join("store.db"));
    put(&mut store, Table::Meta, &[(b"secret key", b"secret value")]);
    let text = format!("{store:?}");
    assert!(
        text.starts_with("SqliteStore") && !text.contains("secret"),
        "{text}"
    );
}
