//! `pack` and what it returns.

use std::sync::Arc;

use epcore::Error;
use epcore::pack::{self as core, Options};
use epcore::wire::json;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::endpoints::Endpoint;
use crate::errors::to_exception;
use crate::input;
use crate::notes;
use crate::options::{self, Count};
use crate::slices::{EndpointSlice, SliceSet, from_json, optional, protobuf};
use crate::work;

/// Plan the writes that make the slices of one group hold `endpoints`, with the least churn.
#[pyfunction]
#[pyo3(signature = (endpoints, existing=None, *, template=None, **options),
    text_signature = "(endpoints, existing=(), *, template=None, max_endpoints=100, max_bytes=1500000, \
    policy='balanced', cohort='auto', compaction=None, address_reuse='ordered', replace='safe', naming='generate', \
    trigger_time=None)")]
pub(crate) fn pack(
    py: Python<'_>,
    endpoints: &Bound<'_, PyAny>,
    existing: Option<&Bound<'_, PyAny>>,
    template: Option<&Bound<'_, PyAny>>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<Plan> {
    let options =
        Options { template: template.map(self::template).transpose()?, ..options::read(options, Options::default())? };
    let (wanted, wanted_document) = input::endpoints(endpoints)?;
    let (existing, slices_document) = existing.map_or_else(|| Ok((Arc::default(), None)), input::existing)?;
    let planned = work::detached(py, || existing.pack(wanted.list(), &options))?;
    let documents = [("endpoints", wanted_document.as_ref()), ("slices", slices_document.as_ref())];
    planned.map(Plan::new).map_err(|error| input::exception_in(error, &documents))
}

fn template(given: &Bound<'_, PyAny>) -> PyResult<Arc<epcore::model::EndpointSlice>> {
    match &input::slices_at(given, "template")?.0[..] {
        [slice] => Ok(slice.clone()),
        slices => {
            let message = format!("must be one slice, found {}", slices.len());
            Err(to_exception(Error::invalid(message).in_field("template")))
        }
    }
}

/// The cohort that `pack` gives to each endpoint.
#[pyfunction]
#[pyo3(signature = (endpoint, cohort="auto"))]
pub(crate) fn cohort_of(endpoint: &Bound<'_, PyAny>, cohort: &str) -> PyResult<Vec<Option<String>>> {
    let cohort = options::cohort(Some(cohort))?;
    let (endpoints, _) = input::endpoints(endpoint)?;
    let join = |(whole, finer): (Option<&str>, Option<&str>)| match (whole, finer) {
        (Some(whole), Some(finer)) => Some(format!("{whole} {finer}")),
        (whole, finer) => whole.or(finer).map(str::to_owned),
    };
    Ok(endpoints.list().iter().map(|endpoint| join(cohort.of(endpoint))).collect())
}

/// Ordered writes that make the slices hold what is wanted.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct Plan(Arc<core::Plan>);

impl Plan {
    pub(crate) fn new(plan: core::Plan) -> Self {
        Self(Arc::new(plan))
    }
}

#[pymethods]
impl Plan {
    /// What could not be published, and why.
    #[getter]
    fn errors(&self) -> Vec<String> {
        self.0.notes().errors.clone()
    }

    #[getter]
    fn events<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        self.0.notes().events.iter().map(|event| notes::event_dict(py, event)).collect()
    }

    /// State for the next call.
    #[getter]
    fn hints<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        notes::hint_state_dict(py, &self.0.notes().hints)
    }

    #[getter]
    fn writes(&self) -> Vec<Write> {
        (0..self.0.writes().len()).map(|at| Write { plan: self.0.clone(), at }).collect()
    }

    #[getter]
    fn moves(&self) -> Vec<Move> {
        self.0.moves().iter().cloned().map(Move).collect()
    }

    #[getter]
    fn stats(&self, py: Python<'_>) -> Stats {
        Stats(py.detach(|| self.0.stats()))
    }

    /// All slices of the group after the last write.
    fn result(&self) -> SliceSet {
        SliceSet::new(self.0.result())
    }

    /// The slices after the first `writes` writes.
    fn prefix(&self, writes: Count) -> PyResult<SliceSet> {
        Ok(SliceSet::new(self.0.prefix(writes.read("writes")?)))
    }

    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let json = py.detach(|| json::write_plan(&self.0));
        PyBytes::new(py, &json)
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &json::write_plan(&self.0))
    }

    fn __bool__(&self) -> bool {
        !self.0.writes().is_empty()
    }

    fn __len__(&self) -> usize {
        self.0.writes().len()
    }

    fn __repr__(&self) -> String {
        let stats = self.0.stats();
        format!("<Plan: {} creates, {} updates, {} deletes>", stats.creates, stats.updates, stats.deletes)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }
}

/// One API call of a plan.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct Write {
    plan: Arc<core::Plan>,
    at: usize,
}

impl Write {
    pub(crate) fn inner(&self) -> &core::Write {
        self.get()
    }

    fn get(&self) -> &core::Write {
        &self.plan.writes()[self.at]
    }
}

#[pymethods]
impl Write {
    #[getter]
    fn verb(&self) -> &'static str {
        self.get().verb.as_str()
    }

    #[getter]
    fn namespace(&self) -> Option<&str> {
        optional(&self.get().slice.metadata().namespace)
    }

    #[getter]
    fn name(&self) -> Option<&str> {
        optional(&self.get().slice.metadata().name)
    }

    #[getter]
    fn reasons(&self) -> Vec<&'static str> {
        self.get().reasons.names().collect()
    }

    /// The object to send; for a delete its last known state.
    #[getter]
    fn slice(&self) -> EndpointSlice {
        EndpointSlice::new(self.get().slice.whole().clone())
    }

    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &json::write_slice(&self.get().slice))
    }

    fn to_protobuf<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        protobuf(py, &self.get().slice)
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &json::write_slice(&self.get().slice))
    }

    fn __repr__(&self) -> String {
        format!("<Write {}>", self.get())
    }
}

/// One endpoint that changes its slice.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct Move(core::Move);

#[pymethods]
impl Move {
    #[getter]
    fn endpoint(&self) -> Option<Endpoint> {
        Endpoint::of_slice(self.0.target.clone(), self.0.index)
    }

    #[getter]
    fn source(&self) -> &str {
        &self.0.source.metadata.name
    }

    /// Name of the slice it goes to; `None` for a slice without a name yet.
    #[getter]
    fn target(&self) -> Option<&str> {
        optional(&self.0.target.metadata.name)
    }

    fn __repr__(&self) -> String {
        format!("<Move {:?} -> {:?}>", self.source(), self.target().unwrap_or(""))
    }
}

/// Exact counts of a plan.
#[pyclass(frozen, eq, module = "epcore")]
#[derive(PartialEq, Eq)]
pub(crate) struct Stats(core::Stats);

#[pymethods]
impl Stats {
    /// The counts by name.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &json::write_stats(&self.0))
    }

    #[getter]
    fn creates(&self) -> usize {
        self.0.creates
    }

    #[getter]
    fn updates(&self) -> usize {
        self.0.updates
    }

    #[getter]
    fn deletes(&self) -> usize {
        self.0.deletes
    }

    #[getter]
    fn writes(&self) -> usize {
        self.0.writes()
    }

    #[getter]
    fn write_floor(&self) -> usize {
        self.0.write_floor
    }

    #[getter]
    fn bytes(&self) -> usize {
        self.0.bytes
    }

    #[getter]
    fn endpoints_added(&self) -> usize {
        self.0.endpoints_added
    }

    #[getter]
    fn endpoints_updated(&self) -> usize {
        self.0.endpoints_updated
    }

    #[getter]
    fn endpoints_removed(&self) -> usize {
        self.0.endpoints_removed
    }

    #[getter]
    fn endpoints_moved(&self) -> usize {
        self.0.endpoints_moved
    }

    #[getter]
    fn endpoints_resent(&self) -> usize {
        self.0.endpoints_resent
    }

    #[getter]
    fn slices_before(&self) -> usize {
        self.0.slices_before
    }

    #[getter]
    fn slices_after(&self) -> usize {
        self.0.slices_after
    }

    #[getter]
    fn slices_ideal(&self) -> usize {
        self.0.slices_ideal
    }

    #[getter]
    fn address_reuse_unordered(&self) -> usize {
        self.0.address_reuse_unordered
    }

    fn __repr__(&self) -> String {
        let counts: Vec<String> = self.0.counts().iter().map(|(name, count)| format!("{name}={count}")).collect();
        format!("Stats({})", counts.join(", "))
    }
}
