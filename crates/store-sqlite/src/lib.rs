//! The durable store of a node: SQLite with group commit.
