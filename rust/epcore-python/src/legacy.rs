//! Legacy Endpoints: `build_endpoints`, `merge_endpoints`, `mirror`, `change_cost`.

use std::collections::BTreeMap;
use std::sync::Arc;

use epcore::kube::legacy as core;
use epcore::model::AddressType;
use epcore::pack::{Options, Policy};
use epcore::wire::{self, json};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::errors::to_exception;
use crate::input;
use crate::options::{self, Count};
use crate::plan::Plan;
use crate::slices::{from_json, optional};
use crate::work;

/// A `v1` Endpoints object.
#[pyclass(frozen, eq, module = "epcore")]
#[derive(PartialEq)]
pub(crate) struct LegacyEndpoints(Arc<core::Endpoints>);

impl LegacyEndpoints {
    fn read(object: &Bound<'_, PyAny>, root: &'static str) -> PyResult<Arc<core::Endpoints>> {
        if let Ok(handle) = object.cast::<Self>() {
            return Ok(handle.get().0.clone());
        }
        let read = |document: &[u8]| wire::read_legacy_endpoints(document).map_err(|error| error.with_root(root));
        input::objects(object, root, read).map(Arc::new)
    }
}

#[pymethods]
impl LegacyEndpoints {
    /// Read the object from JSON.
    #[staticmethod]
    fn from_json(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::read(data, "endpoints").map(Self)
    }

    /// Read the object from a mapping or an object with `to_dict()`.
    #[staticmethod]
    fn from_object(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::read(object, "endpoints").map(Self)
    }

    /// The same with subsets in canonical form.
    fn repack(&self) -> PyResult<Self> {
        let subsets = core::repack(&self.0.subsets).map_err(to_exception)?;
        Ok(Self(Arc::new(core::Endpoints { subsets, ..(*self.0).clone() })))
    }

    #[getter]
    fn name(&self) -> &str {
        &self.0.metadata.name
    }

    #[getter]
    fn namespace(&self) -> Option<&str> {
        optional(&self.0.metadata.namespace)
    }

    #[getter]
    fn labels(&self) -> BTreeMap<String, String> {
        (*self.0.metadata.labels).clone()
    }

    #[getter]
    fn annotations(&self) -> BTreeMap<String, String> {
        self.0.metadata.annotations.clone()
    }

    #[getter]
    fn ready(&self) -> usize {
        self.0.counts().0
    }

    #[getter]
    fn not_ready(&self) -> usize {
        self.0.counts().1
    }

    #[getter]
    fn truncated(&self) -> bool {
        self.0.is_truncated()
    }

    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &json::write_legacy_endpoints(&self.0))
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &json::write_legacy_endpoints(&self.0))
    }

    fn __repr__(&self) -> String {
        let (ready, others) = self.0.counts();
        let truncated = if self.0.is_truncated() { ", truncated" } else { "" };
        format!("<LegacyEndpoints {:?}: {ready} ready, {others} not ready{truncated}>", self.0.metadata.name)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        Ok((slf.get_type().getattr("from_json")?, (slf.get().to_json(slf.py()),)))
    }
}

/// What to write of the Endpoints of a Service.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct EndpointsPlan(core::EndpointsPlan);

#[pymethods]
impl EndpointsPlan {
    #[getter]
    fn verb(&self) -> Option<&'static str> {
        self.0.verb.map(epcore::pack::Verb::as_str)
    }

    #[getter]
    fn object(&self) -> Option<LegacyEndpoints> {
        self.0.object.clone().map(Arc::new).map(LegacyEndpoints)
    }

    #[getter]
    fn errors(&self) -> Vec<String> {
        self.0.errors.clone()
    }

    fn __bool__(&self) -> bool {
        self.0.verb.is_some()
    }

    fn __repr__(&self) -> String {
        let object = self.object().map_or_else(|| "no object".to_owned(), |object| object.__repr__());
        format!("<EndpointsPlan: {} {object}>", self.verb().unwrap_or("nothing to write,"))
    }
}

/// The Endpoints object that Kubernetes writes for a Service with selector.
#[pyfunction]
#[pyo3(signature = (service, pods, existing=None, *, trigger_time=None))]
pub(crate) fn build_endpoints(
    py: Python<'_>,
    service: &Bound<'_, PyAny>,
    pods: &Bound<'_, PyAny>,
    existing: Option<&Bound<'_, PyAny>>,
    trigger_time: Option<&str>,
) -> PyResult<EndpointsPlan> {
    let service = input::objects(service, "service", wire::read_service)?;
    let pods = input::objects(pods, "pods", wire::read_pods)?;
    let existing = existing.map(|given| LegacyEndpoints::read(given, "existing")).transpose()?;
    let built = work::detached(py, || core::build(&service, &pods, existing.as_deref(), trigger_time))?;
    built.map(EndpointsPlan).map_err(to_exception)
}

/// The Endpoints object that says what slices of one Service say.
#[pyfunction]
#[pyo3(signature = (slices, *, family=None))]
pub(crate) fn merge_endpoints(
    py: Python<'_>,
    slices: &Bound<'_, PyAny>,
    family: Option<&str>,
) -> PyResult<LegacyEndpoints> {
    let family = read_family(family)?;
    let (slices, document) = input::slices(slices)?;
    let merged = work::detached(py, || core::merge(&slices, family))?;
    let merged = merged.map_err(|error| input::exception_in(error, &[("slices", document.as_ref())]))?;
    Ok(LegacyEndpoints(Arc::new(merged)))
}

/// Plan the slices that mirror Endpoints which somebody wrote.
#[pyfunction]
#[pyo3(signature = (service, endpoints_object, existing=None, *, controller=None, **options),
    text_signature = "(service, endpoints_object, existing=(), *, \
    controller='endpointslicemirroring-controller.k8s.io', max_endpoints=100, max_bytes=1500000, policy='balanced', \
    cohort='auto', compaction=None, address_reuse='ordered', replace='recycle', naming='generate', trigger_time=None)")]
pub(crate) fn mirror(
    py: Python<'_>,
    service: Option<&Bound<'_, PyAny>>,
    endpoints_object: Option<&Bound<'_, PyAny>>,
    existing: Option<&Bound<'_, PyAny>>,
    controller: Option<String>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<Plan> {
    let mut mirroring = core::MirrorOptions::default();
    let defaults = mirroring.pack;
    mirroring.pack = options::read(options, defaults.clone())?;
    if mirroring.pack.policy == Policy::Upstream {
        let as_kubernetes = Options { max_endpoints: core::MAX_ADDRESSES, ..defaults };
        mirroring.pack = options::read(options, as_kubernetes)?;
    }
    mirroring.controller = controller.unwrap_or(mirroring.controller);
    let service = service.map(|given| input::objects(given, "service", wire::read_service)).transpose()?;
    let endpoints = endpoints_object.map(|given| LegacyEndpoints::read(given, "endpoints")).transpose()?;
    let (slices, document) = existing.map_or_else(|| Ok((Arc::default(), None)), input::existing)?;
    let planned = work::detached(py, || core::mirror(service.as_ref(), endpoints.as_deref(), &slices, &mirroring))?;
    planned.map(Plan::new).map_err(|error| input::exception_in(error, &[("slices", document.as_ref())]))
}

/// What one change costs under each API.
#[pyclass(frozen, eq, module = "epcore")]
#[derive(PartialEq)]
pub(crate) struct ChangeCost(core::ChangeCost);

#[pymethods]
impl ChangeCost {
    #[getter]
    fn endpoints(&self) -> usize {
        self.0.endpoints
    }

    #[getter]
    fn slices(&self) -> usize {
        self.0.slices
    }

    #[getter]
    fn watchers(&self) -> u64 {
        self.0.watchers
    }

    #[getter]
    fn slice_bytes(&self) -> u64 {
        self.0.slice_bytes
    }

    #[getter]
    fn slice_bytes_most(&self) -> u64 {
        self.0.slice_bytes_most
    }

    #[getter]
    fn slice_bytes_total(&self) -> u64 {
        self.0.slice_bytes_total()
    }

    #[getter]
    fn endpoints_bytes(&self) -> u64 {
        self.0.endpoints_bytes
    }

    #[getter]
    fn endpoints_bytes_whole(&self) -> u64 {
        self.0.endpoints_bytes_whole
    }

    #[getter]
    fn endpoints_bytes_total(&self) -> u64 {
        self.0.endpoints_bytes_total()
    }

    #[getter]
    fn left_out(&self) -> usize {
        self.0.left_out
    }

    fn to_dict(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::from([
            ("endpoints", self.0.endpoints as u64),
            ("slices", self.0.slices as u64),
            ("watchers", self.0.watchers),
            ("slice_bytes", self.0.slice_bytes),
            ("slice_bytes_most", self.0.slice_bytes_most),
            ("slice_bytes_total", self.slice_bytes_total()),
            ("endpoints_bytes", self.0.endpoints_bytes),
            ("endpoints_bytes_whole", self.0.endpoints_bytes_whole),
            ("endpoints_bytes_total", self.endpoints_bytes_total()),
            ("left_out", self.0.left_out as u64),
        ])
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<ChangeCost: {}>", self.0)
    }
}

/// What it costs that one endpoint of a Service changes.
#[pyfunction]
#[pyo3(signature = (slices, *, watchers=None, family=None), text_signature = "(slices, *, watchers=1, family=None)")]
pub(crate) fn change_cost(
    py: Python<'_>,
    slices: &Bound<'_, PyAny>,
    watchers: Option<Count>,
    family: Option<&str>,
) -> PyResult<ChangeCost> {
    let watchers = watchers.unwrap_or_else(|| Count::new(1)).read("watchers")? as u64;
    let family = read_family(family)?;
    let (slices, document) = input::slices(slices)?;
    let cost = work::detached(py, || core::change_cost(&slices, family, watchers))?;
    cost.map(ChangeCost).map_err(|error| input::exception_in(error, &[("slices", document.as_ref())]))
}

fn read_family(given: Option<&str>) -> PyResult<Option<AddressType>> {
    let words = [("IPv4", AddressType::IPv4), ("IPv6", AddressType::IPv6)];
    given.map(|given| options::word("family", given, &words)).transpose()
}
