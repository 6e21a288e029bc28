//! A person or a server on Layer Minus.

fn main() {}
