//! The arguments.

use std::path::PathBuf;

/// What `--help` says.
pub(crate) const HELP: &str = "\
cargo devnet [--json] [--keep] [--bins FOLDER]

Builds relay, recipient and client, starts two relays and two recipients, lets Bobo and Peter
write to each other, and checks what everybody saw and what it cost.

  --json         print one JSON object per step, the last one with the summary; amounts
                 (picodollars) and sums of bytes are decimal strings
  --keep         leave the network running until Ctrl-C, and print how to talk to it
  --bins FOLDER  use the programs in this folder instead of building them

Exit codes: 0 all as it should be, 1 something failed or differs, 2 wrong arguments,
130 interrupted.";

/// How devnet is to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) json: bool,
    pub(crate) keep: bool,
    pub(crate) bins: Option<PathBuf>,
}

/// What is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Run(Args),
    Help,
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Wish, String> {
    let mut args = Args::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => args.json = true,
            "--keep" => args.keep = true,
            "--bins" => args.bins = Some(words.next().ok_or("--bins needs a folder")?.into()),
            "-h" | "--help" => return Ok(Wish::Help),
            other => return Err(format!("unknown argument '{other}'")),
        }
    }
    Ok(Wish::Run(args))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_understood() {
        let parse = |line: &str| parse(line.split_whitespace().map(str::to_owned));
        assert_eq!(parse(""), Ok(Wish::Run(Args::default())));
        let all = Args {
            json: true,
            keep: true,
            bins: Some("x".into()),
        };
        assert_eq!(parse("--keep --json --bins x"), Ok(Wish::Run(all)));
        assert_eq!(parse("--json -h"), Ok(Wish::Help));
        assert!(parse("--bins").is_err() && parse("run").is_err());
    }
}
