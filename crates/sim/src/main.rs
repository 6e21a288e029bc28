//! The longer hunt: runs many seeds, or one with its trace.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

use std::{
    io::{self, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

use layer_minus_sim::{Counts, Failure, Options, Plant, run};

const HELP: &str = "\
layer-minus-sim [--seeds N] [--from N] [--seed N] [--trace] [--plant BUG] [--keep-going] [--json]

Runs seeded worlds in which nodes and clients crash and the network loses what it likes, and checks
that nothing is lost and the money is exact.

  --seeds N     how many seeds (1000)
  --from N      the first one (0)
  --seed N      only this one
  --trace       print all that happened
  --plant BUG   plant early-ack or double-charge, to see that it is found
  --keep-going  go on after a failure and print each
  --json        print one JSON object per failure, and a last one with the sums

Exit codes: 0 every rule held, 1 one was broken, 2 wrong arguments.";

/// Time between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Args {
    from: u64,
    seeds: u64,
    options: Options,
    keep_going: bool,
    json: bool,
}

/// None if help is wanted.
fn parse(words: impl IntoIterator<Item = String>) -> Result<Option<Args>, String> {
    let mut args = Args {
        from: 0,
        seeds: 1_000,
        options: Options::default(),
        keep_going: false,
        json: false,
    };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().ok_or(format!("{word} needs a number"))?;
            let number = value.parse::<u64>();
            number.map_err(|_| format!("{word} needs a number, not '{value}'"))
        };
        match word.as_str() {
            "--seeds" => args.seeds = number()?,
            "--from" => args.from = number()?,
            "--seed" => (args.from, args.seeds) = (number()?, 1),
            "--trace" => args.options.trace = true,
            "--keep-going" => args.keep_going = true,
            "--json" => args.json = true,
            "--plant" => {
                args.options.plant = match words.next().as_deref() {
                    Some("early-ack") => Plant::AcknowledgeBeforeCommit,
                    Some("double-charge") => Plant::ChargeTwiceOnRetry,
                    _ => return Err("--plant needs early-ack or double-charge".to_owned()),
                }
            }
            "-h" | "--help" => return Ok(None),
            other => return Err(format!("unknown argument '{other}'")),
        }
    }
    Ok(Some(args))
}

fn main() -> ExitCode {
    let (mut out, mut notes) = (io::stdout().lock(), io::stderr().lock());
    let hunted = match parse(std::env::args().skip(1)) {
        Ok(Some(args)) => hunt(&args, &mut out, &mut notes),
        Ok(None) => writeln!(out, "{HELP}").map(|()| 0),
        Err(error) => {
            // Nothing is left to be done if even that cannot be written.
            let _ = writeln!(notes, "{error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match hunted {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) | Err(_) => ExitCode::from(1),
    }
}

/// Runs the seeds; returns how many failed.
fn hunt(args: &Args, out: &mut impl Write, notes: &mut impl Write) -> io::Result<u64> {
    let began = Instant::now();
    let mut said = began;
    let mut failures = 0;
    let mut total = Counts::default();
    for seed in args.from..args.from.saturating_add(args.seeds) {
        match run(seed, &args.options) {
            Ok(report) => {
                total.add(&report.counts);
                for line in &report.trace {
                    writeln!(out, "{line}")?;
                }
                if args.seeds == 1 && !args.json {
                    let (steps, digest) = (report.steps, &report.digest);
                    writeln!(out, "seed {seed}: {steps} steps, trace {digest}")?;
                }
            }
            Err(failure) => {
                failures += 1;
                tell(&failure, args.json, out)?;
                if !args.keep_going {
                    break;
                }
            }
        }
        if said.elapsed() >= PROGRESS {
            said = Instant::now();
            let (done, secs) = (seed - args.from + 1, began.elapsed().as_secs());
            writeln!(
                notes,
                "{done} of {} seeds, {failures} failed, {secs} s",
                args.seeds
            )?;
        }
    }
    let secs = began.elapsed().as_secs_f64();
    if args.json {
        let sums = serde_json::json!({
            "from": args.from, "seeds": args.seeds, "failures": failures,
            "accepted": total.accepted, "retries": total.retries, "taken": total.taken,
            "expired": total.expired, "node_crashes": total.node_crashes,
            "client_crashes": total.client_crashes, "torn": total.torn, "secs": secs,
        });
        writeln!(out, "{sums}")?;
    } else {
        writeln!(
            out,
            "{} seeds, {failures} failed, {secs:.1} s: {total:?}",
            args.seeds
        )?;
    }
    Ok(failures)
}

fn tell(failure: &Failure, json: bool, out: &mut impl Write) -> io::Result<()> {
    if !json {
        return writeln!(out, "{failure}\n");
    }
    let object = serde_json::json!({
        "seed": failure.seed, "step": failure.step, "oracle": failure.oracle,
        "text": failure.text, "trace": failure.trace,
    });
    writeln!(out, "{object}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_understood() {
        let parse = |line: &str| parse(line.split_whitespace().map(str::to_owned));
        assert!(matches!(parse("--help"), Ok(None)));
        let Ok(Some(args)) = parse("--seed 7 --trace --json --plant early-ack") else {
            panic!("refused");
        };
        assert_eq!((args.from, args.seeds, args.json), (7, 1, true));
        assert!(args.options.trace && args.options.plant == Plant::AcknowledgeBeforeCommit);
        for bad in ["--seeds", "--seeds x", "--plant", "--plant nothing", "7"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
