//! Group commit.
fn main() {}
