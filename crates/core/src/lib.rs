//! Layer Minus: a network in which a wallet address replaces the IP address.
