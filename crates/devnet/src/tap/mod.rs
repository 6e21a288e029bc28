//! A recording tap: a proxy in front of a process that passes bytes on unchanged and notes what
//! whoever sits there can see. What devnet says that a party saw, it says from here.

mod events;
pub(crate) mod http;
mod proxy;
pub(crate) mod records;
pub(crate) mod sheet;

pub(crate) use proxy::Tap;
pub(crate) use sheet::{Exchange, Record, Sheet};
