//! `reconcile` and `publish`.

use std::sync::Arc;

use epcore::kube as core;
use epcore::pack::{HintState, Options};
use epcore::wire;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::input;
use crate::notes;
use crate::options;
use crate::plan::Plan;
use crate::work;

/// Plan the slices of a Service with selector from its Pods and their Nodes.
#[pyfunction]
#[pyo3(signature = (service, pods, nodes, existing=None, *, controller=core::CONTROLLER, hints=None, **options),
    text_signature = "(service, pods, nodes, existing=(), *, controller='endpointslice-controller.k8s.io', hints=None, \
    max_endpoints=100, max_bytes=1500000, policy='balanced', cohort='auto', compaction=None, address_reuse='ordered', \
    replace='recycle', naming='generate', trigger_time=None)")]
#[expect(clippy::too_many_arguments, reason = "keywords of Python")]
pub(crate) fn reconcile(
    py: Python<'_>,
    service: &Bound<'_, PyAny>,
    pods: &Bound<'_, PyAny>,
    nodes: &Bound<'_, PyAny>,
    existing: Option<&Bound<'_, PyAny>>,
    controller: &str,
    hints: Option<&Bound<'_, PyDict>>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<Plan> {
    let pack = options::read(options, core::Options::default().pack)?;
    let hints = hints.map_or_else(|| Ok(HintState::default()), notes::hint_state)?;
    let options = core::Options { controller: controller.to_owned(), hints, pack };
    let service = input::objects(service, "service", wire::read_service)?;
    let pods = input::objects(pods, "pods", wire::read_pods)?;
    let nodes = input::objects(nodes, "nodes", wire::read_nodes)?;
    let (slices, document) = existing.map_or_else(|| Ok((Arc::default(), None)), input::existing)?;
    let planned = work::detached(py, || core::reconcile(&service, &pods, &nodes, &slices, &options))?;
    planned.map(Plan::new).map_err(|error| input::exception_in(error, &[("slices", document.as_ref())]))
}

/// Plan the slices of a Service without selector from endpoints that come from outside.
#[pyfunction]
#[pyo3(signature = (service, endpoints, existing=None, *, managed_by, **options),
    text_signature = "(service, endpoints, existing=(), *, managed_by, max_endpoints=100, max_bytes=1500000, \
    policy='balanced', cohort='auto', compaction=None, address_reuse='ordered', replace='safe', naming='generate', \
    trigger_time=None)")]
pub(crate) fn publish(
    py: Python<'_>,
    service: &Bound<'_, PyAny>,
    endpoints: &Bound<'_, PyAny>,
    existing: Option<&Bound<'_, PyAny>>,
    managed_by: &str,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<Plan> {
    let options = options::read(options, Options::default())?;
    let service = input::objects(service, "service", wire::read_service)?;
    let endpoints = input::published(endpoints)?;
    let (slices, document) = existing.map_or_else(|| Ok((Arc::default(), None)), input::existing)?;
    let planned = work::detached(py, || core::publish(&service, &endpoints, &slices, managed_by, &options))?;
    planned.map(Plan::new).map_err(|error| input::exception_in(error, &[("slices", document.as_ref())]))
}
