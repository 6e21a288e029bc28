//! The panic boundary around the OpenPGP library.
//!
//! Everything that leads into it with bytes from outside goes through [`guard`]. What the
//! boundary cannot catch (stack overflow, out of memory) is excluded before, by bounds on
//! depth and size. A binary built with `panic = "abort"` has no boundary.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::SealError;

thread_local! {
    /// How many guarded calls this thread is inside of.
    static GUARDED: Cell<u32> = const { Cell::new(0) };
}

/// Runs `work`, which is to do `step`, and turns a panic into [`SealError::Panicked`].
///
/// The hook that would print the panic stays silent for this call: its message may quote the
/// input. Other threads and unguarded code keep the hook they had.
pub fn guard<T>(step: &'static str, work: impl FnOnce() -> T) -> Result<T, SealError> {
    silence_guarded_panics();
    GUARDED.with(|depth| depth.set(depth.get() + 1));
    // Unwind safety: `work` only borrows immutable input and returns its result; a random
    // generator it advanced stays usable whatever was drawn from it.
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.with(|depth| depth.set(depth.get().saturating_sub(1)));
    outcome.map_err(|_| SealError::Panicked(step))
}

/// Like [`guard`] for a call of the OpenPGP library, whose error message is withheld.
pub(crate) fn library<T>(
    step: &'static str,
    work: impl FnOnce() -> pgp::errors::Result<T>,
) -> Result<T, SealError> {
    guard(step, work)?.map_err(|_| SealError::Library(step))
}

/// Puts a hook in front of the present one, once, that says nothing inside of [`guard`].
fn silence_guarded_panics() {
    static INSTALLED: Once = Once::new();
    // A thread that unwinds already may not change the hook; the next call will.
    if std::thread::panicking() {
        return;
    }
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if GUARDED.with(Cell::get) == 0 {
                before(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_the_thread_lives_on() {
        let caught = guard("count", || -> u32 { panic!("secret 42") });
        assert_eq!(caught, Err(SealError::Panicked("count")));
        assert_eq!(guard("count", || 7), Ok(7));
        assert!(!caught.unwrap_err().to_string().contains("42"));
    }

    #[test]
    fn arithmetic_and_index_panics_are_caught_too() {
        let empty: Vec<u8> = Vec::new();
        let at = empty.len() + 3;
        assert_eq!(
            guard("index", || empty[at]),
            Err(SealError::Panicked("index"))
        );
    }

    #[test]
    fn the_depth_returns_to_zero_even_when_nested() {
        let nested = guard("outer", || guard("inner", || -> () { panic!("x") }));
        assert_eq!(nested, Ok(Err(SealError::Panicked("inner"))));
        assert_eq!(GUARDED.with(Cell::get), 0);
    }

    #[test]
    fn a_library_error_keeps_its_message_to_itself() {
        let refused: Result<(), SealError> =
            library("read", || Err(std::io::Error::other("plaintext").into()));
        assert_eq!(refused, Err(SealError::Library("read")));
    }
}
