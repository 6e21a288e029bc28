//! Wallets of Layer Minus: keys, keystores, phrases and EIP-712 signatures.
