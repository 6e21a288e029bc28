//! placeholder until the fixtures exist
fn main() {}
