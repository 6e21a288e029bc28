//! From arguments to an exit code.

use std::process::ExitCode;

use crate::{
    cli::{
        self, DirectoryCommand, Globals, Job, LanesCommand, LedgerCommand, NodeCommand,
        OperatorCommand,
    },
    commands,
    config::Config,
    error::{DaemonError, EXIT_USAGE},
    out::Out,
    run,
};

/// Which node a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Composition {
    /// A node without clients.
    Relay,
    /// A node with clients.
    Recipient,
}

impl Composition {
    /// The name of the program.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Recipient => "recipient",
        }
    }
}

/// Reads the arguments of the process and does what they say.
#[must_use]
pub fn main(composition: Composition) -> ExitCode {
    let (globals, job) = match cli::parse(composition) {
        Ok(parsed) => parsed,
        Err(error) => return not_understood(&error),
    };
    let out = Out::new(globals.json);
    match dispatch(composition, &globals, job, out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            out.error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Help and version come this way too, with code 0.
fn not_understood(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && cli::json_is_asked_for(std::env::args_os()) {
        let error = DaemonError::Arguments(cli::reason(error));
        Out::new(true).error(&error);
        return ExitCode::from(error.exit_code());
    }
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(EXIT_USAGE))
}

fn dispatch(
    composition: Composition,
    globals: &Globals,
    job: Job,
    out: Out,
) -> Result<(), DaemonError> {
    let path = globals.config()?;
    let password = globals.password_file.as_deref();
    match job {
        // What looks at a broken configuration, or makes one, does not need a good one.
        Job::Node(NodeCommand::Init(init)) => {
            return commands::init::run(composition, path, &init, password, out);
        }
        Job::Node(NodeCommand::Check) => {
            return commands::check::run(composition, path, password, out);
        }
        _ => {}
    }
    let config = Config::load(path, composition)?;
    match job {
        Job::Node(NodeCommand::Init(_) | NodeCommand::Check) => Ok(()),
        Job::Node(NodeCommand::Run) => run::run(composition, &config, password, out),
        Job::Node(NodeCommand::Record) => {
            commands::record::run(composition, &config, password, out)
        }
        Job::Node(NodeCommand::Directory(DirectoryCommand::List)) => {
            commands::directory::list(&config, out)
        }
        Job::Node(NodeCommand::Directory(DirectoryCommand::Import { file })) => {
            commands::directory::import(&config, &file, out)
        }
        Job::Node(NodeCommand::Lanes(LanesCommand::List)) => commands::lanes::list(&config, out),
        Job::Node(NodeCommand::Status) => commands::operator::status(&config, out),
        Job::Node(NodeCommand::Backup { file }) => commands::operator::backup(&config, &file, out),
        Job::Node(NodeCommand::Restore { file }) => {
            commands::restore::run(composition, &config, &file, password, out)
        }
        Job::Operator(OperatorCommand::Grant { address, amount }) => {
            commands::operator::grant(&config, address, amount, out)
        }
        Job::Operator(OperatorCommand::Invite { amount, count }) => {
            commands::operator::invite(&config, amount, count, out)
        }
        Job::Operator(OperatorCommand::Clients) => commands::operator::clients(&config, out),
        Job::Node(NodeCommand::Ledger(LedgerCommand::Verify)) => {
            commands::operator::verify(&config, out)
        }
        Job::Node(NodeCommand::Ledger(LedgerCommand::Export(wish))) => {
            commands::claims::export(&config, wish, out)
        }
        Job::Node(NodeCommand::Ledger(LedgerCommand::Settle(wish))) => {
            commands::claims::settle(&config, &wish, out)
        }
        Job::Node(NodeCommand::Ledger(LedgerCommand::Statement { address, csv })) => {
            commands::statement::run(&config, address, csv, out)
        }
    }
}
