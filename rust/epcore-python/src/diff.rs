//! `diff` and what it returns.

use std::sync::Arc;

use epcore::diff::{self as core, Change as CoreChange, Fields, Key, Options, Outcome};
use epcore::wire::json;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PySlice};

use crate::endpoints::Endpoint;
use crate::input;
use crate::iterator::Records;
use crate::options::word;
use crate::slices::{Bounded, first_within, from_json, hash_of, optional, position, positions};
use crate::work;

/// Tell what changed for each endpoint between two sets of slices, of one Service or of many.
#[pyfunction]
#[pyo3(signature = (before, after, *, key="address-port", fields="proxy"))]
pub(crate) fn diff(
    py: Python<'_>,
    before: &Bound<'_, PyAny>,
    after: &Bound<'_, PyAny>,
    key: &str,
    fields: &str,
) -> PyResult<Delta> {
    let options = Options { key: word("key", key, &Key::WORDS)?, fields: word("fields", fields, &Fields::WORDS)? };
    let (before, _) = input::slices_at(before, "before")?;
    let (after, _) = input::slices_at(after, "after")?;
    work::detached(py, || core::diff(&before, &after, options)).map(Delta::new)
}

/// What changed for each endpoint. True if anything did.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct Delta(Arc<core::Delta>);

#[pymethods]
impl Delta {
    #[getter]
    fn added(&self) -> Changes {
        self.changes(Outcome::Added)
    }

    #[getter]
    fn removed(&self) -> Changes {
        self.changes(Outcome::Removed)
    }

    /// Endpoints of which a field under the mask changed; they may have changed their slice too.
    #[getter]
    fn updated(&self) -> Changes {
        self.changes(Outcome::Updated)
    }

    /// Endpoints that only changed their slice.
    #[getter]
    fn moved(&self) -> Changes {
        self.changes(Outcome::Moved)
    }

    #[getter]
    fn transitions(&self) -> Vec<Transition> {
        self.0.transitions().iter().cloned().map(Transition).collect()
    }

    #[getter]
    fn stale_udp(&self) -> Vec<Change> {
        let change = |(outcome, index)| Change { delta: self.0.clone(), outcome, index };
        self.0.stale_udp().into_iter().map(change).collect()
    }

    #[getter]
    fn trigger_times<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let dict = |found: &core::TriggerTime| {
            let dict = PyDict::new(py);
            dict.set_item("namespace", optional(&found.namespace))?;
            dict.set_item("service", optional(&found.service))?;
            dict.set_item("time", &found.time)?;
            Ok(dict)
        };
        self.0.trigger_times().iter().map(dict).collect()
    }

    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let json = py.detach(|| json::write_delta(&self.0));
        PyBytes::new(py, &json)
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &json::write_delta(&self.0))
    }

    fn __bool__(&self) -> bool {
        !self.0.is_empty()
    }

    /// The number of endpoints added, removed, updated and moved.
    fn __len__(&self) -> usize {
        [Outcome::Added, Outcome::Removed, Outcome::Updated, Outcome::Moved]
            .map(|outcome| self.0.count(outcome))
            .iter()
            .sum()
    }

    fn __repr__(&self) -> String {
        let count = |outcome| self.0.count(outcome);
        format!(
            "<Delta: {} added, {} removed, {} updated, {} moved>",
            count(Outcome::Added),
            count(Outcome::Removed),
            count(Outcome::Updated),
            count(Outcome::Moved),
        )
    }
}

impl Delta {
    pub(crate) fn new(delta: core::Delta) -> Self {
        Self(Arc::new(delta))
    }

    pub(crate) fn inner(&self) -> &core::Delta {
        &self.0
    }

    fn changes(&self, outcome: Outcome) -> Changes {
        let indexes = (0..self.0.count(outcome)).collect();
        Changes { delta: self.0.clone(), outcome, indexes }
    }
}

/// A lazy sequence of changes.
#[pyclass(frozen, sequence, module = "epcore")]
pub(crate) struct Changes {
    delta: Arc<core::Delta>,
    outcome: Outcome,
    indexes: Vec<usize>,
}

impl Changes {
    fn change(&self, at: usize) -> Change {
        Change { delta: self.delta.clone(), outcome: self.outcome, index: self.indexes[at] }
    }

    /// Where a change is that equals a value.
    fn places_of(&self, value: &Bound<'_, PyAny>) -> impl Iterator<Item = usize> {
        let wanted = value.cast::<Change>().ok().map(|change| change.get().json());
        let says_so = move |&at: &usize| wanted.as_ref().is_some_and(|wanted| self.change(at).json() == *wanted);
        (0..self.indexes.len()).filter(says_so)
    }
}

#[pymethods]
impl Changes {
    fn __len__(&self) -> usize {
        self.indexes.len()
    }

    fn __iter__(slf: &Bound<'_, Self>) -> Records {
        Records::of(slf)
    }

    fn __getitem__<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = index.py();
        if let Ok(range) = index.cast::<PySlice>() {
            let picked = positions(range, self.indexes.len())?.into_iter().map(|at| self.indexes[at]);
            let part = Self { delta: self.delta.clone(), outcome: self.outcome, indexes: picked.collect() };
            return Ok(Bound::new(py, part)?.into_any());
        }
        let at = position(index, self.indexes.len())?;
        Ok(Bound::new(py, self.change(at))?.into_any())
    }

    fn __reversed__(slf: &Bound<'_, Self>) -> Records {
        Records::reversed(slf, slf.get().__len__())
    }

    fn __contains__(&self, value: &Bound<'_, PyAny>) -> bool {
        self.places_of(value).next().is_some()
    }

    fn count(&self, value: &Bound<'_, PyAny>) -> usize {
        self.places_of(value).count()
    }

    #[pyo3(signature = (value, start=Bounded(0), stop=None), text_signature = "($self, value, start=0, stop=None)")]
    fn index(&self, value: &Bound<'_, PyAny>, start: Bounded, stop: Option<Bounded>) -> PyResult<usize> {
        first_within(self.places_of(value), start, stop, self.__len__())
    }

    fn __repr__(&self) -> String {
        format!("<{} changes>", self.indexes.len())
    }
}

/// What happened to one endpoint.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct Change {
    delta: Arc<core::Delta>,
    outcome: Outcome,
    index: usize,
}

impl Change {
    fn get(&self) -> CoreChange<'_> {
        let change = self.delta.get(self.outcome, self.index);
        change.unwrap_or_else(|| unreachable!("the index was checked when the change was made"))
    }

    /// All that it says.
    fn json(&self) -> Vec<u8> {
        json::write_change(&self.get())
    }
}

#[pymethods]
impl Change {
    /// Readable key, for example `shop/checkout 10.0.0.5 http TCP 8080`.
    #[getter]
    fn key(&self) -> String {
        self.get().key()
    }

    #[getter]
    fn namespace(&self) -> Option<&str> {
        optional(self.get().namespace())
    }

    #[getter]
    fn service(&self) -> Option<&str> {
        optional(self.get().service())
    }

    /// The first address.
    #[getter]
    fn address(&self) -> String {
        self.get().endpoint().map_or_else(String::new, |endpoint| endpoint.address().to_string())
    }

    #[getter]
    fn address_type(&self) -> &'static str {
        self.get().address_type().as_str()
    }

    #[getter]
    fn port_name(&self) -> Option<&str> {
        self.get().port().map(|(name, _, _)| name)
    }

    #[getter]
    fn port(&self) -> Option<i32> {
        self.get().port().and_then(|(_, _, number)| number)
    }

    #[getter]
    fn protocol(&self) -> Option<&str> {
        self.get().port().map(|(_, protocol, _)| protocol)
    }

    #[getter]
    fn before(&self) -> Option<Endpoint> {
        self.get().before().and_then(|(slice, at)| Endpoint::of_slice(slice.clone(), at))
    }

    #[getter]
    fn after(&self) -> Option<Endpoint> {
        self.get().after().and_then(|(slice, at)| Endpoint::of_slice(slice.clone(), at))
    }

    #[getter]
    fn slice_before(&self) -> Option<&str> {
        self.get().before().and_then(|(slice, _)| optional(&slice.metadata.name))
    }

    #[getter]
    fn slice_after(&self) -> Option<&str> {
        self.get().after().and_then(|(slice, _)| optional(&slice.metadata.name))
    }

    #[getter]
    fn reasons(&self) -> Vec<&'static str> {
        self.get().reasons().names().collect()
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &self.json())
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.json() == other.json()
    }

    fn __hash__(&self) -> u64 {
        hash_of(&self.json())
    }

    fn __repr__(&self) -> String {
        let reasons = self.reasons().join(", ");
        let colon = if reasons.is_empty() { "" } else { ": " };
        format!("<Change {:?}{colon}{reasons}>", self.key())
    }
}

/// A service port that went from no endpoint to some, or back.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct Transition(core::Transition);

#[pymethods]
impl Transition {
    #[getter]
    fn namespace(&self) -> Option<&str> {
        optional(&self.0.namespace)
    }

    #[getter]
    fn service(&self) -> Option<&str> {
        optional(&self.0.service)
    }

    #[getter]
    fn port_name(&self) -> &str {
        &self.0.port_name
    }

    #[getter]
    fn protocol(&self) -> &str {
        &self.0.protocol
    }

    #[getter]
    fn endpoints_before(&self) -> usize {
        self.0.endpoints_before
    }

    #[getter]
    fn endpoints_after(&self) -> usize {
        self.0.endpoints_after
    }

    #[getter]
    fn ready_before(&self) -> usize {
        self.0.ready_before
    }

    #[getter]
    fn ready_after(&self) -> usize {
        self.0.ready_after
    }

    #[getter]
    fn hints_complete_before(&self) -> bool {
        self.0.hints_complete_before
    }

    #[getter]
    fn hints_complete_after(&self) -> bool {
        self.0.hints_complete_after
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &json::write_transition(&self.0))
    }

    fn __repr__(&self) -> String {
        let core::Transition { service, port_name, endpoints_before, endpoints_after, .. } = &self.0;
        format!("<Transition {service:?} {port_name:?}: {endpoints_before} -> {endpoints_after} endpoints>")
    }
}
