//! Calling the library user's code: a panic in it fails one check and has no other effect.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Attempt, Input, Output};
use crate::clock::Now;
use crate::result::{Failure, Reason};

/// A panic in `call` becomes a failure; after it, the caller must not use the state that `call` captured.
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = message(&*panic).unwrap_or("without a message");
        let failure = Failure::new(Reason::Custom, format!("the probe panicked: {text}"));
        discard(panic);
        failure
    })
}

/// Drops a value whose `Drop` may panic.
pub(crate) fn discard<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // The payload may panic when it is dropped, and the payload of that panic too.
        mem::forget(panic);
    }
}

/// An attempt that requests nothing and never ends.
pub(crate) struct NoAttempt;

impl Attempt for NoAttempt {
    fn handle_input(&mut self, _input: Input<'_>, _now: Now) {}

    fn poll_output(&mut self) -> Option<Output> {
        None
    }
}

/// A probe's name or URL: a panic must not end a response that lists all targets.
pub(crate) fn label<'a>(call: impl FnOnce() -> &'a str) -> &'a str {
    guarded(call).unwrap_or("(panicked)")
}

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
        let detail = |result: Result<(), Failure>| result.unwrap_err().detail;
        assert_eq!(detail(guarded(|| panic!("no {}", "luck"))), "the probe panicked: no luck");
        assert_eq!(detail(guarded(|| panic!("plain"))), "the probe panicked: plain");
        assert_eq!(detail(guarded(|| std::panic::panic_any(7))), "the probe panicked: without a message");
        assert_eq!((label(|| "web"), label(|| panic!("no name"))), ("web", "(panicked)"));
    }

    struct PanicsOnDrop;

    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            std::panic::panic_any(PanicsOnDrop);
        }
    }

    #[test]
    fn a_panic_of_drop_and_of_its_payload_ends_there() {
        discard(PanicsOnDrop);
        assert!(guarded(|| std::panic::panic_any(PanicsOnDrop)).is_err());
    }
}
