//! Going over all rows of a table, a page at a time.

use crate::store::{Store, StoreError, Table};

/// Rows read at a time.
pub(crate) const PAGE_ROWS: usize = 1_024;

/// Calls `visit` on every row of a table, `page_rows` of them in memory at a time.
pub(crate) fn each<S: Store, E: From<StoreError>>(
    store: &S,
    table: Table,
    page_rows: usize,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut from: Vec<u8> = Vec::new();
    loop {
        let rows = store.scan(table, &from, &[0xff; 64], page_rows)?;
        let full = rows.len() == page_rows;
        for (key, value) in &rows {
            visit(key, value)?;
        }
        match rows.into_iter().next_back() {
            Some((key, _)) if full => {
                from = key;
                from.push(0);
            }
            _ => return Ok(()),
        }
    }
}
