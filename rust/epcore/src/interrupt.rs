//! Long calls that can be told to stop.
//!
//! Work that is told to stop unwinds, so that no function on the way needs to know: as the rust-analyzer's salsa does it. It must therefore
//! change nothing but what it gives back, which all work of this crate does that looks at many objects at once; the engines change
//! only when all else is done.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use crate::thread;

/// The call was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the work was told to stop")
    }
}

impl std::error::Error for Stopped {}

/// Points that are passed between two looks at the clock.
const POINTS: usize = 64;

struct Watch {
    may_go_on: Box<dyn FnMut(usize) -> bool>,
    passed: usize,
    period: Duration,
    /// `None` if no clock comes to it.
    next: Option<Instant>,
}

thread_local! {
    static WATCH: Cell<Option<Box<Watch>>> = const { Cell::new(None) };
}

/// Do work that asks, once in each period, whether it may go on; with the number of objects that it has looked at. Work of other threads does
/// not ask. In a program whose panics abort (`panic = "abort"`) nothing can be stopped: it asks, to tell how far it is, and goes on.
///
/// # Errors
///
/// The answer was no. Nothing is left of the work then.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use epcore::{interrupt::{Stopped, watched}, wire::json};
///
/// let document = format!("[{}]", vec![r#"{"addresses": ["10.0.0.1"]}"#; 100_000].join(","));
/// assert_eq!(watched(Duration::ZERO, |_| false, || json::read_endpoints(document.as_bytes())).unwrap_err(), Stopped);
/// assert_eq!(watched(Duration::ZERO, |_| true, || json::read_endpoints(document.as_bytes())).unwrap()?.len(), 100_000);
/// # Ok::<(), epcore::Error>(())
/// ```
pub fn watched<T>(
    period: Duration,
    may_go_on: impl FnMut(usize) -> bool + 'static,
    work: impl FnOnce() -> T,
) -> Result<T, Stopped> {
    let watch = Watch { may_go_on: Box::new(may_go_on), passed: 0, period, next: Instant::now().checked_add(period) };
    let around = thread::take(&WATCH);
    thread::keep(&WATCH, Some(Box::new(watch)));
    let outcome = catch_unwind(AssertUnwindSafe(work));
    thread::keep(&WATCH, around);
    outcome.map_err(stopped)
}

fn stopped(payload: Box<dyn Any + Send>) -> Stopped {
    if payload.is::<Stopped>() { Stopped } else { resume_unwind(payload) }
}

/// One more object was looked at.
pub(crate) fn point() {
    points(1);
}

/// So many more objects were looked at.
pub(crate) fn points(count: usize) {
    // Nobody else finds it meanwhile, so that an answer may itself be work of this crate.
    if let Some(mut watch) = thread::take(&WATCH) {
        let before = watch.passed / POINTS;
        watch.passed += count;
        let goes_on = watch.passed / POINTS == before || watch.ask();
        thread::keep(&WATCH, Some(watch));
        if !goes_on && cfg!(panic = "unwind") {
            resume_unwind(Box::new(Stopped));
        }
    }
}

impl Watch {
    fn ask(&mut self) -> bool {
        let now = Instant::now();
        if self.next.is_none_or(|next| now < next) {
            return true;
        }
        self.next = now.checked_add(self.period);
        (self.may_go_on)(self.passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<T>(answer: impl FnMut(usize) -> bool + 'static, work: impl FnOnce() -> T) -> Result<T, Stopped> {
        watched(Duration::ZERO, answer, work)
    }

    #[test]
    fn work_goes_on_or_leaves_nothing() {
        let count = |points| (0..points).map(|_| point()).count();
        assert_eq!(asked(|_| true, || count(1_000)), Ok(1_000));
        assert_eq!(asked(|_| false, || count(1_000)), Err(Stopped));
        assert_eq!(asked(|_| false, || count(POINTS - 1)), Ok(POINTS - 1), "short work is not asked about");
        assert_eq!(count(1_000), 1_000, "nobody asks outside");
    }

    #[test]
    fn many_objects_at_once_are_as_many_one_by_one() {
        let asked_of = |counts: &'static [usize]| asked(|_| false, || counts.iter().for_each(|&count| points(count)));
        assert_eq!(asked_of(&[1_000]), Err(Stopped));
        assert_eq!(asked_of(&[POINTS - 1, 0, 1]), Err(Stopped));
        assert_eq!(asked_of(&[POINTS - 2, 1, 0]), Ok(()));
    }

    #[test]
    fn an_answer_may_be_such_work_itself() {
        let inner = || asked(|_| false, || (0..100).for_each(|_| point()));
        let outer = asked(move |_| inner().is_err(), || (0..100).for_each(|_| point()));
        assert_eq!(outer, Ok(()));
    }

    #[test]
    fn the_watch_around_is_there_again() {
        let both = asked(
            |_| false,
            || {
                assert_eq!(asked(|_| true, || (0..100).for_each(|_| point())), Ok(()));
                (0..100).for_each(|_| point());
            },
        );
        assert_eq!(both, Err(Stopped));
    }

    #[test]
    fn nobody_asks_before_the_period_is_over() {
        let hour = Duration::from_hours(1);
        assert_eq!(watched(hour, |_| false, || (0..1_000).for_each(|_| point())), Ok(()));
        assert_eq!(watched(Duration::MAX, |_| false, || (0..1_000).for_each(|_| point())), Ok(()));
    }

    #[test]
    fn that_it_was_stopped_is_an_error_like_others() {
        let work = || -> Result<(), Box<dyn std::error::Error>> {
            asked(|_| false, || (0..1_000).for_each(|_| point()))?;
            Ok(())
        };
        assert_eq!(work().unwrap_err().to_string(), "the work was told to stop");
    }

    #[test]
    #[should_panic(expected = "another trouble")]
    fn other_panics_go_through() {
        let _ = asked(|_| true, || panic!("another trouble"));
    }
}
