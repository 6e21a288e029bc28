//! A Layer Minus node without clients.

fn main() {}
