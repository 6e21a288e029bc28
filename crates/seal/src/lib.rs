//! Sealing and opening of Layer Minus packets: OpenPGP layers of an exact size.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod bulk;
mod certificate;
mod error;
mod guard;
mod layer;
mod message;
pub mod password;
mod records;
mod secret;
mod session;

pub use certificate::{
    CERTIFICATE_ARMOR_BYTES_MAX, CERTIFICATE_BYTES_MAX, CERTIFICATE_PACKETS_MAX,
    CERTIFICATE_SIGNATURES_MAX, Certificate,
};
pub use error::SealError;
#[doc(hidden)]
pub use guard::guard as panic_boundary;
pub use layer::{LAYER_OVERHEAD_MAX, Opened, layer_capacity, open_layer, seal_layer};
pub use message::{OpenedMessage, open_message};
pub use records::{
    RECORD_FIRST_OVERHEAD, RECORD_OVERHEAD, RECORDS_MAX, RecordOpener, RecordSealer, ReplyKey,
};
pub use secret::{Keyring, SecretCertificate, Version};
