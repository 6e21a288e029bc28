//! A Layer Minus node with clients.

use std::process::ExitCode;

use layer_minus_daemon::Composition;

fn main() -> ExitCode {
    layer_minus_daemon::main(Composition::Recipient)
}
