//! A thousand worlds hold every rule, each replays exactly, and planted bugs are found.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write as _;

use layer_minus_sim::{Counts, Failure, Options, Plant, run};

/// Seeds that CI runs.
const SEEDS: u64 = 1_000;

/// The first seed of these that breaks a rule.
fn first_failure(seeds: std::ops::Range<u64>, plant: Plant) -> (Option<Failure>, Counts) {
    let options = Options {
        plant,
        ..Options::default()
    };
    let mut total = Counts::default();
    for seed in seeds {
        match run(seed, &options) {
            Ok(report) => total.add(&report.counts),
            Err(failure) => return (Some(failure), total),
        }
    }
    (None, total)
}

fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").unwrap();
}

#[test]
fn a_thousand_seeds_hold_every_rule() {
    let (failure, total) = first_failure(0..SEEDS, Plant::None);
    if let Some(failure) = failure {
        panic!("{failure}");
    }
    say(&format!("{SEEDS} seeds: {total:?}"));
    // A world in which little happens proves little.
    assert!(total.accepted > 5 * SEEDS, "{total:?}");
    assert!(total.retries > SEEDS / 2, "{total:?}");
    assert!(total.node_crashes > 5 * SEEDS, "{total:?}");
    assert!(total.torn > SEEDS / 2, "{total:?}");
    assert!(total.client_crashes > SEEDS, "{total:?}");
    assert!(total.expired > SEEDS / 20, "{total:?}");
}

#[test]
fn a_seed_replays_exactly() {
    let options = Options::default();
    for seed in 0..5 {
        let (one, two) = (run(seed, &options).unwrap(), run(seed, &options).unwrap());
        assert_eq!(one, two);
    }
    let (one, two) = (run(0, &options).unwrap(), run(1, &options).unwrap());
    assert_ne!(one.digest, two.digest);
}

/// A planted bug breaks one of these rules within the seeds that pass without it.
fn is_found(plant: Plant, rules: &[&str]) {
    let (failure, _) = first_failure(0..SEEDS, plant);
    let failure = failure.unwrap_or_else(|| panic!("{plant:?} was not found"));
    say(&format!(
        "{plant:?} is found at seed {}: {}",
        failure.seed, failure.text
    ));
    assert!(rules.contains(&failure.oracle), "{failure}");
    let honest = run(failure.seed, &Options::default());
    assert!(honest.is_ok(), "the rule is broken without the bug too");
    // A failure replays as exactly as a success.
    let options = Options {
        plant,
        ..Options::default()
    };
    assert_eq!(run(failure.seed, &options), Err(failure));
}

#[test]
fn acknowledging_before_the_commit_is_found() {
    is_found(
        Plant::AcknowledgeBeforeCommit,
        &["what is accepted survives a crash"],
    );
}

#[test]
fn charging_a_retry_again_is_found() {
    is_found(Plant::ChargeTwiceOnRetry, &["a retry changes nothing"]);
}
