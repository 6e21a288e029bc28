//! The shell of a client: home folder, contacts, transfers, commands.
