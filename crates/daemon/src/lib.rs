//! The shell of a node process: configuration, keys, timers, admin address, shutdown.
