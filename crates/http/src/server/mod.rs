//! Everything about incoming requests that is not the protocol.

pub(crate) mod accept;
mod form;
pub(crate) mod gate;
mod guarded;
pub(crate) mod held;
pub(crate) mod plain;
pub(crate) mod receive;
