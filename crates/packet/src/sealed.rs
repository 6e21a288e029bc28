//! A packet of a listed size: what relays carry.

use std::fmt;

use bytes::Bytes;

use crate::{Layout, Pkesk, Recipient, Refused, SeipdVersion, Sizes, admit::layer, layout::Seipd};

/// One layer of an exact size from the network's list, admitted and still sealed.
///
/// Only [`admit`](Self::admit) makes one, so whoever holds one knows that its framing is sound.
/// Cloning shares the octets.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPacket {
    bytes: Bytes,
    pkesk: Pkesk,
    seipd: Seipd,
}

impl SealedPacket {
    /// Admits octets whose number is listed and whose shape [`admit_layer`](crate::admit_layer)
    /// accepts.
    ///
    /// # Errors
    /// [`Refused::Size`] when the size is not listed, otherwise what the shape lacks.
    pub fn admit(bytes: Bytes, sizes: &Sizes) -> Result<Self, Refused> {
        if !sizes.contains(bytes.len()) {
            return Err(Refused::Size { size: bytes.len() });
        }
        let (pkesk, seipd) = layer(&bytes, &mut ())?;
        Ok(Self {
            bytes,
            pkesk,
            seipd,
        })
    }

    /// The octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The octets, given away.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Whom the PKESK names.
    #[must_use]
    pub const fn recipient(&self) -> Recipient {
        self.pkesk.recipient
    }

    /// The total size in octets.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The version and parameters of the SEIPD.
    #[must_use]
    pub const fn version(&self) -> &SeipdVersion {
        &self.seipd.version
    }

    /// Where its parts lie.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout::one(self.pkesk.clone(), self.seipd.clone())
    }
}

impl AsRef<[u8]> for SealedPacket {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for SealedPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedPacket")
            .field("recipient", &self.recipient())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_octets() {
        let mut octets = vec![0xc1, 76, 6, 0, 25];
        octets.extend([0x5a; 32]);
        octets.push(40);
        octets.extend([0x5a; 40]);
        octets.extend([0xd2, 255]);
        octets.extend((16_000u32 - 78 - 6).to_be_bytes());
        octets.extend([2, 9, 3, 10]);
        octets.resize(16_000, 0x5a);
        let packet = SealedPacket::admit(octets.clone().into(), &Sizes::default()).unwrap();
        assert_eq!(
            format!("{packet:?}"),
            "SealedPacket { recipient: Wildcard, size: 16000, .. }"
        );
        assert_eq!(packet.layout().seipd(), 78..16_000);
        assert_eq!(packet.into_bytes(), octets);
    }
}
