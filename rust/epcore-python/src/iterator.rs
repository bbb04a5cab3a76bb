//! Iteration over our sequences, one record at a time.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::PyClass;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

/// An iterator over anything that has `__getitem__`; it keeps its own place and no more.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct Records {
    sequence: Py<PyAny>,
    next: AtomicUsize,
}

impl Records {
    pub(crate) fn of<T: PyClass>(sequence: &Bound<'_, T>) -> Self {
        Self { sequence: sequence.as_any().clone().unbind(), next: AtomicUsize::new(0) }
    }
}

#[pymethods]
impl Records {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.sequence.bind(py).get_item(self.next.fetch_add(1, Ordering::Relaxed)) {
            Err(error) if error.is_instance_of::<PyIndexError>(py) => Ok(None),
            found => found.map(Some),
        }
    }
}
