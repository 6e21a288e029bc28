//! A recipient whose store, or whose disk, is full: what it accepted is collected or expires, and that makes
//! room.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout)] // what was left out

mod world;

use std::{fs, thread, time::Duration};

use world::{Person, World};

/// Bytes of a file that is more than the store of [`World`] has room for, and less than twice that.
const FILE_BYTES: usize = 12_000_000;

/// The same for a disk of [`DISK_BYTES`], of which a node holds 32 MB back.
const LONG_FILE_BYTES: usize = 70_000_000;
const DISK_BYTES: u64 = 90_000_000;

/// Sends a file of which the node has no room for the end.
fn fill(peter: &Person, bytes: usize) {
    let path = peter.file("film");
    let body: Vec<u8> = (0..bytes).map(|at| (at * 7 % 251) as u8).collect();
    fs::write(&path, body).unwrap();
    let sent = peter.via(&["send", "bobo", "--file", &path.to_string_lossy()]);
    let error = sent.failed(3);
    assert_eq!(error["reason"]["reason"], "unavailable", "{error}");
}

/// The same in packets of their own, for whose room a sender does not wait.
fn fill_one_by_one(peter: &Person) {
    let path = peter.file("scene");
    fs::write(&path, vec![7; FILE_BYTES / 14]).unwrap();
    let words = ["send", "bobo", "--file", &path.to_string_lossy()];
    for _ in 0..14 {
        let sent = peter.via(&words);
        if sent.code == Some(0) {
            continue;
        }
        let error = sent.failed(3);
        assert_eq!(error["reason"]["reason"], "unavailable", "{error}");
        return;
    }
    panic!("the store took all");
}

#[test]
fn a_full_store_gives_out_what_it_has_and_lets_it_expire() {
    // 4 MB of it are kept for making room.
    let mut world = World::start_with(&[("max_bytes", "12000000")]);
    let (bobo, peter) = world.bobo_and_peter();
    fill(&peter, FILE_BYTES);
    // Collected, the room is for the rest, which waits in the outbox.
    bobo.via(&["listen", "--once"]).failed(5);
    peter.via(&["send", "--resume"]).ok();
    assert_eq!(bobo.collect(1)[0]["bytes"], FILE_BYTES.to_string());

    let retention_secs = 20;
    world.b.kill_9();
    world.b.set("retention_secs", &retention_secs.to_string());
    world.b.start();
    fill_one_by_one(&peter);
    thread::sleep(Duration::from_secs(retention_secs + 2));
    peter.via(&["send", "--resume"]).ok();
    let listened = bobo.via(&["listen", "--once"]);
    let told = listened.lines.iter().any(|line| line["event"] == "gap");
    assert!(told, "{}", listened.story);
}

#[test]
fn a_node_on_a_full_disk_gives_out_what_it_has_and_goes_on() {
    let mut world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    world.b.kill_9();
    if !world.b.move_to_disk_of(DISK_BYTES) {
        println!("SKIPPED: a full disk, as this machine lets nobody mount a small one");
        return;
    }
    world.b.start();
    fill(&peter, LONG_FILE_BYTES);
    // What it said it had it has, also when it dies on the full disk.
    for _ in 0..3 {
        world.b.kill_9();
        world.b.start();
    }
    assert_eq!(
        world.b.ask(&["ledger", "verify"])[0]["ledger_balanced"],
        true
    );
    // It fills up again and again: what is collected makes room for a part of the rest.
    let is_sent = || {
        bobo.via(&["listen", "--once"]).failed(5);
        let sent = peter.via(&["send", "--resume"]);
        if sent.code == Some(0) {
            return true;
        }
        assert_eq!(sent.failed(3)["reason"]["reason"], "unavailable");
        false
    };
    assert!((0..5).any(|_| is_sent()), "it takes no more");
    assert_eq!(bobo.collect(1)[0]["bytes"], LONG_FILE_BYTES.to_string());
    assert_eq!(
        world.b.ask(&["ledger", "verify"])[0]["ledger_balanced"],
        true
    );
}
