//! Where the parts of an admitted packet or message lie.

use std::ops::Range;

use crate::{Body, Pkesk, Recipient, body::Segments};

/// The most PKESKs of a message that is admitted to opening.
pub const MESSAGE_PKESKS_MAX: usize = 16;

/// The version of the encrypted data packet and its parameters (RFC 9580 §5.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeipdVersion {
    /// Version 1: CFB with a modification detection code. The cipher is told with the session key.
    V1,
    /// Version 2: AEAD in chunks.
    V2 {
        /// Symmetric algorithm: 7, 8 or 9.
        sym: u8,
        /// AEAD algorithm: 1 EAX, 2 OCB, 3 GCM.
        aead: u8,
        /// Chunk size octet `c`: chunks are `2^(c + 6)` octets.
        chunk: u8,
        /// The salt.
        salt: [u8; 32],
    },
}

impl SeipdVersion {
    /// The version octet.
    #[must_use]
    pub const fn number(&self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 { .. } => 2,
        }
    }
}

/// The encrypted data packet as admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seipd {
    pub(crate) packet: Range<usize>,
    pub(crate) body: Body,
    pub(crate) version: SeipdVersion,
}

/// Where the parts of an admitted packet or message lie in its octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    first: Pkesk,
    more: [Option<Pkesk>; MESSAGE_PKESKS_MAX - 1],
    seipd: Seipd,
}

impl Layout {
    pub(crate) const fn one(first: Pkesk, seipd: Seipd) -> Self {
        Self {
            first,
            more: [const { None }; MESSAGE_PKESKS_MAX - 1],
            seipd,
        }
    }

    pub(crate) const fn many(
        first: Pkesk,
        more: [Option<Pkesk>; MESSAGE_PKESKS_MAX - 1],
        seipd: Seipd,
    ) -> Self {
        Self { first, more, seipd }
    }

    /// The first PKESK: it decides where the message goes.
    #[must_use]
    pub const fn first(&self) -> &Pkesk {
        &self.first
    }

    /// The PKESKs in order: 1 to [`MESSAGE_PKESKS_MAX`].
    pub fn pkesks(&self) -> impl Iterator<Item = &Pkesk> + Clone {
        std::iter::once(&self.first).chain(self.more.iter().flatten())
    }

    /// Whom the first PKESK names.
    #[must_use]
    pub const fn recipient(&self) -> Recipient {
        self.first.recipient
    }

    /// The whole SEIPD packet, header included.
    #[must_use]
    pub fn seipd(&self) -> Range<usize> {
        self.seipd.packet.clone()
    }

    /// The body of the SEIPD, from its version octet on.
    #[must_use]
    pub const fn seipd_body(&self) -> &Body {
        &self.seipd.body
    }

    /// The version and parameters of the SEIPD.
    #[must_use]
    pub const fn version(&self) -> &SeipdVersion {
        &self.seipd.version
    }

    /// The octets of the SEIPD behind its version and parameters (1 octet in version 1, 36 in
    /// version 2), cut out of the `input` that was admitted.
    #[must_use]
    pub fn encrypted<'a>(&self, input: &'a [u8]) -> Segments<'a> {
        self.seipd
            .body
            .segments(input)
            .skipping(match self.seipd.version {
                SeipdVersion::V1 => 1,
                SeipdVersion::V2 { .. } => SEIPD_V2_HEAD,
            })
    }
}

/// Version, symmetric algorithm, AEAD algorithm, chunk size octet, salt.
pub(crate) const SEIPD_V2_HEAD: usize = 4 + 32;
