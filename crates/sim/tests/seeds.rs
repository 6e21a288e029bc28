//! A thousand worlds hold every rule, each replays exactly, and planted bugs are found.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use layer_minus_sim::{Counts, Failure, Options, Plant, run};

/// Seeds that CI runs.
const SEEDS: u64 = 1_000;

/// Threads that share the seeds; a world is one thread's.
const THREADS_MAX: usize = 8;

/// A seed that breaks a rule, if one does: of each thread's the first, and of those the lowest.
fn first_failure(seeds: u64, plant: Plant) -> (Option<Failure>, Counts) {
    let options = Options {
        plant,
        ..Options::default()
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(THREADS_MAX);
    let (next, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        let mut total = Counts::default();
        while !over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                break;
            }
            match run(seed, &options) {
                Ok(report) => total.add(&report.counts),
                Err(failure) => {
                    over.store(true, Ordering::Relaxed);
                    return (Some(failure), total);
                }
            }
        }
        (None, total)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(|worker| worker.join().unwrap());
        let mut total = Counts::default();
        let mut failures = Vec::new();
        for (failure, counts) in done {
            total.add(&counts);
            failures.extend(failure);
        }
        failures.sort_by_key(|failure| failure.seed);
        (failures.into_iter().next(), total)
    })
}

#[test]
fn a_thousand_seeds_hold_every_rule() {
    let (failure, total) = first_failure(SEEDS, Plant::None);
    if let Some(failure) = failure {
        panic!("{failure}");
    }
    eprintln!("{SEEDS} seeds: {total:?}");
    // A world in which little happens proves little.
    assert!(total.accepted > 5 * SEEDS, "{total:?}");
    assert!(total.retries > SEEDS / 2, "{total:?}");
    assert!(total.node_crashes > 5 * SEEDS, "{total:?}");
    assert!(total.torn > SEEDS / 2, "{total:?}");
    assert!(total.client_crashes > SEEDS, "{total:?}");
    assert!(total.expired > SEEDS / 20, "{total:?}");
    assert!(total.relay_crashes > SEEDS, "{total:?}");
    assert!(total.notes > 50 * SEEDS, "{total:?}");
    assert!(total.stopped > SEEDS / 5, "{total:?}");
    assert!(total.settled > SEEDS / 5, "{total:?}");
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
    let (failure, _) = first_failure(SEEDS, plant);
    let failure = failure.unwrap_or_else(|| panic!("{plant:?} was not found"));
    eprintln!(
        "{plant:?} is found at seed {}: {}",
        failure.seed, failure.text
    );
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
        // Whichever the lost commit was of: mail, a charge, a lane's earnings, a frame.
        &[
            "what is accepted survives a crash",
            "every charge has its delivery and every delivery its charge",
            "lanes earn by what was charged",
            "a replay has no effect",
            "a voucher is durable before it is given",
        ],
    );
}

#[test]
fn charging_a_retry_again_is_found() {
    is_found(Plant::ChargeTwiceOnRetry, &["a retry changes nothing"]);
}
