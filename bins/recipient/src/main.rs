//! A Layer Minus node with clients.

fn main() {}
