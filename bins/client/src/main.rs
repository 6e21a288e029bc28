//! A person or a server on Layer Minus.

use std::process::ExitCode;

fn main() -> ExitCode {
    layer_minus_client_app::main()
}
