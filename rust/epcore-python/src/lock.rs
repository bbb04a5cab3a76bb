//! An engine that threads share.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use crate::work;

thread_local! {
    /// Where the engines are on which long work of this thread goes on. A signal handler, which runs in the middle of it, would wait for itself.
    static AT_WORK: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// What one call at a time may use.
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(engine: T) -> Self {
        Self(Mutex::new(engine))
    }

    /// The engine, for as long as no Python runs. Whoever has to wait gives way to a thread that has it and needs the interpreter's lock, to look
    /// for signals.
    pub(crate) fn lock(&self) -> PyResult<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(engine) => Ok(engine),
            Err(TryLockError::Poisoned(engine)) => Ok(engine.into_inner()),
            Err(TryLockError::WouldBlock) if AT_WORK.with_borrow(|engines| engines.contains(&self.place())) => {
                Err(PyRuntimeError::new_err("a signal handler may not use what was at work when the signal came"))
            }
            Err(TryLockError::WouldBlock) => {
                Ok(Python::attach(|py| self.0.lock_py_attached(py)).unwrap_or_else(PoisonError::into_inner))
            }
        }
    }

    /// Do long work on it, as [`work::detached`] does.
    pub(crate) fn detached<R: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut T) -> R + Send) -> PyResult<R>
    where
        T: Send,
    {
        work::detached(py, || {
            let mut engine = AtWork::on(self)?;
            Ok(work(&mut engine))
        })?
    }

    fn place(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

/// An engine on which long work goes on.
struct AtWork<'a, T>(MutexGuard<'a, T>);

impl<'a, T> AtWork<'a, T> {
    fn on(lock: &'a Lock<T>) -> PyResult<Self> {
        let engine = lock.lock()?;
        AT_WORK.with_borrow_mut(|engines| engines.push(lock.place()));
        Ok(Self(engine))
    }
}

impl<T> Deref for AtWork<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for AtWork<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Drop for AtWork<'_, T> {
    fn drop(&mut self) {
        AT_WORK.with_borrow_mut(Vec::pop);
    }
}
