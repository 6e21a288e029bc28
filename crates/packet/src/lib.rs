//! Bounded, allocation-free reader of OpenPGP packet framing: bytes to recipient.
