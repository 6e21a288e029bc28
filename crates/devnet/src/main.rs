//! A local network of real processes that tells what it does: two relays, two recipients, two
//! people who never learn each other's IP address.
//!
//! ```text
//! Bobo --tap--> A --tap--> B        A, D: relays       B: Bobo's node
//! Peter --tap-> D --tap--> B, C                        C: Peter's node
//! ```
//! What a party saw is read from a recording tap in front of it and from its own output. The
//! launcher knows everything, and therefore proves nothing by itself.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod args;
mod audit;
mod bill;
mod binaries;
mod books;
mod error;
mod keep;
mod knowledge;
mod needles;
mod nodes;
mod patterns;
mod people;
mod picture;
mod play;
mod process;
mod story;
mod tap;
mod views;

use std::process::ExitCode;

use args::Wish;
use error::Error;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args().skip(1)) {
        Ok(Wish::Run(args)) => args,
        Ok(Wish::Help) => {
            story::print(args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(text) => {
            story::complain(&format!("{text}\n{}", args::HELP));
            return ExitCode::from(2);
        }
    };
    let mut story = story::Story::new(args.json);
    match play::run(&args, &mut story) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            story.failed(&error);
            ExitCode::from(if matches!(error, Error::Interrupted) {
                130
            } else {
                1
            })
        }
    }
}
