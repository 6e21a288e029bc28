//! Double-entry ledger in picodollars: accounts, transfers, reservations.
