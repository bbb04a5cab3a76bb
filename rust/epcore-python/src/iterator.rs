//! Iteration over our sequences, one record at a time.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::PyClass;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

/// An iterator over anything that has `__getitem__`; it keeps its own place and no more.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct Records {
    sequence: Py<PyAny>,
    /// How many were asked for.
    next: AtomicUsize,
    /// The place to begin at and go back from.
    from: Option<usize>,
}

impl Records {
    pub(crate) fn of<T: PyClass>(sequence: &Bound<'_, T>) -> Self {
        Self { sequence: sequence.as_any().clone().unbind(), next: AtomicUsize::new(0), from: None }
    }

    /// The same from the last of so many to the first.
    pub(crate) fn reversed<T: PyClass>(sequence: &Bound<'_, T>, length: usize) -> Self {
        // Where there is none, no place is the last.
        Self { from: Some(length.wrapping_sub(1)), ..Self::of(sequence) }
    }
}

#[pymethods]
impl Records {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let asked = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(place) = self.from.map_or(Some(asked), |from| from.checked_sub(asked)) else { return Ok(None) };
        match self.sequence.bind(py).get_item(place) {
            Err(error) if error.is_instance_of::<PyIndexError>(py) => Ok(None),
            found => found.map(Some),
        }
    }
}
