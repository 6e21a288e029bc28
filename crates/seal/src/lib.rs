//! Sealing and opening of Layer Minus packets: OpenPGP layers of an exact size.
