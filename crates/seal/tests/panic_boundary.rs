//! The panic boundary in a process of its own, because the panic hook is the process's.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use layer_minus_seal::{SealError, panic_boundary};

static PRINTED: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_guarded_panic_is_caught_and_silent_and_others_are_as_before() {
    panic::set_hook(Box::new(|_| {
        PRINTED.fetch_add(1, Ordering::SeqCst);
    }));

    let caught: Result<(), SealError> = panic_boundary("read", || panic!("plaintext"));
    assert_eq!(caught, Err(SealError::Panicked("read")));
    assert_eq!(
        PRINTED.load(Ordering::SeqCst),
        0,
        "the caught panic was printed"
    );

    // What escapes is nobody's: the same hook still prints it, here and in other threads.
    assert!(panic::catch_unwind(|| panic!("ours")).is_err());
    assert_eq!(PRINTED.load(Ordering::SeqCst), 1);
    let (entered, in_boundary) = std::sync::mpsc::channel();
    let (leave, may_leave) = std::sync::mpsc::channel::<()>();
    let inside = thread::spawn(move || {
        panic_boundary("wait", move || {
            entered.send(()).unwrap();
            may_leave.recv().unwrap();
        })
    });
    in_boundary.recv().unwrap();
    assert!(thread::spawn(|| panic!("elsewhere")).join().is_err());
    assert_eq!(PRINTED.load(Ordering::SeqCst), 2);
    leave.send(()).unwrap();
    assert_eq!(inside.join().unwrap(), Ok(()));

    // After a thousand caught panics the thread works on.
    for _ in 0..1_000 {
        assert!(panic_boundary("index", || Vec::<u8>::new()[0]).is_err());
    }
    assert_eq!(panic_boundary("count", || 7), Ok(7));
    assert_eq!(PRINTED.load(Ordering::SeqCst), 2);
}
