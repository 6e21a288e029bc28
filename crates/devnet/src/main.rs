//! A local network of real processes that tells what it does.

fn main() {}
