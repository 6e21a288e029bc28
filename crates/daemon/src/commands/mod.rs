//! The commands other than running the node.

pub(crate) mod check;
pub(crate) mod claims;
pub(crate) mod directory;
pub(crate) mod init;
pub(crate) mod lanes;
pub(crate) mod operator;
pub(crate) mod record;
pub(crate) mod restore;
pub(crate) mod statement;
