//! Code of the library's users, called so that a panic in it costs one check and nothing else.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::result::{Failure, Reason};

/// Calls `call`; a panic in it becomes a failure that repeats its message. What a panic leaves behind
/// is not looked at again: the attempt that it came from is dropped.
///
/// In a program built with `panic = "abort"` there is nothing to catch: the process ends.
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let words = message(&*panic).unwrap_or("without a word");
        let failure = Failure::new(Reason::Custom, format!("the probe panicked: {words}"));
        discard(panic);
        failure
    })
}

/// Drops what belongs to a library user, whose `Drop` may panic: the result does not depend on it any more.
pub(crate) fn discard<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // The payload of a panic may panic when it is dropped, and so on for ever.
        mem::forget(panic);
    }
}

/// A probe's name or URL; a panic in there must not end a page that lists all targets.
pub(crate) fn label<'a>(call: impl FnOnce() -> &'a str) -> &'a str {
    guarded(call).unwrap_or("(panicked)")
}

/// The message of a panic, if it is text, as it is from `panic!`, `unwrap` and the like.
fn message(panic: &(dyn Any + Send)) -> Option<&str> {
    match panic.downcast_ref::<&'static str>() {
        Some(text) => Some(text),
        None => panic.downcast_ref::<String>().map(String::as_str),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_failure_with_its_message() {
        assert_eq!(guarded(|| 1), Ok(1));
        let told = |result: Result<(), Failure>| result.unwrap_err().detail;
        assert_eq!(told(guarded(|| panic!("no {}", "luck"))), "the probe panicked: no luck");
        assert_eq!(told(guarded(|| panic!("plain"))), "the probe panicked: plain");
        assert_eq!(told(guarded(|| std::panic::panic_any(7))), "the probe panicked: without a word");
        assert_eq!((label(|| "web"), label(|| panic!("no name"))), ("web", "(panicked)"));
    }

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any(Bomb);
        }
    }

    #[test]
    fn a_drop_that_panics_ends_there_also_if_its_payload_does() {
        discard(Bomb);
        assert!(guarded(|| std::panic::panic_any(Bomb)).is_err());
    }
}
