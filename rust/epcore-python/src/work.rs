//! Long work: the interpreter lock is released, and Ctrl-C ends it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use epcore::interrupt::{Stopped, watched};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

/// How long signals may wait. To look for them needs the lock, which other threads may have for some milliseconds.
const PERIOD: Duration = Duration::from_millis(200);

/// Do work that changes nothing but what it gives back. What a signal handler raises ends it.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    let raised = Arc::new(Mutex::new(None));
    let told = raised.clone();
    let may_go_on = move |_| {
        let signals = signals();
        signals.map_err(|error| *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error)).is_ok()
    };
    py.detach(|| watched(PERIOD, may_go_on, work)).map_err(|Stopped| {
        let raised = raised.lock().unwrap_or_else(PoisonError::into_inner).take();
        raised.unwrap_or_else(|| PyKeyboardInterrupt::new_err(()))
    })
}

#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is not general enough")]
fn signals() -> PyResult<()> {
    Python::attach(|py| py.check_signals())
}
