//! `Packer`, the writer's state.

use std::sync::Arc;

use epcore::engine::{self as core, Answer, Kind, PackerOptions};
use epcore::kube::{self, Published};
use epcore::pack;
use epcore::wire;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::to_exception;
use crate::input;
use crate::lock::Lock;
use crate::options::{self, word};
use crate::plan::{Plan, Write};
use crate::slices::{SliceSet, optional};

/// So many endpoints are told, or planned in place, in some microseconds, for which other threads may wait.
const FEW: usize = 16;

/// The writer's state of many Services.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct Packer(Lock<State>);

struct State {
    packer: core::Packer,
    /// The Service of the call, in room that the calls before have left.
    name: (String, String),
}

impl State {
    /// The engine, and the name of a Service.
    fn of(&mut self, namespace: &str, service: &str) -> (&mut core::Packer, &(String, String)) {
        namespace.clone_into(&mut self.name.0);
        service.clone_into(&mut self.name.1);
        (&mut self.packer, &self.name)
    }
}

impl Packer {
    /// Endpoints from outside, for one of the three verbs that take some; for how many of those that are known it looks at.
    fn outside(
        &self,
        py: Python<'_>,
        (namespace, service): (&str, &str),
        endpoints: &Bound<'_, PyAny>,
        count: impl Fn(&core::Packer, &(String, String)) -> usize,
        give: impl Fn(&mut core::Packer, &(String, String), &Published) -> Result<(), epcore::Error> + Send + Sync,
    ) -> PyResult<()> {
        let endpoints = input::published(endpoints)?;
        let mut state = self.0.lock()?;
        let (packer, name) = state.of(namespace, service);
        let given = if endpoints.len().max(count(packer, name)) <= FEW {
            give(packer, name, &endpoints)
        } else {
            drop(state);
            self.0.detached(py, |state| {
                let (packer, name) = state.of(namespace, service);
                give(packer, name, &endpoints)
            })?
        };
        given.map_err(to_exception)
    }
}

#[pymethods]
impl Packer {
    #[new]
    #[pyo3(signature = (*, managed_by="epcore", controller=kube::CONTROLLER, **options),
        text_signature = "(*, managed_by='epcore', controller='endpointslice-controller.k8s.io', max_endpoints=100, \
        max_bytes=1500000, policy='balanced', cohort='auto', compaction=None, address_reuse='ordered', replace=None, \
        naming='generate', trigger_time=None)")]
    fn new(managed_by: &str, controller: &str, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let options = PackerOptions {
            controller: controller.to_owned(),
            managed_by: managed_by.to_owned(),
            reconcile: options::read(options, kube::Options::default().pack)?,
            publish: options::read(options, pack::Options::default())?,
        };
        let packer = core::Packer::new(options).map_err(to_exception)?;
        Ok(Self(Lock::new(State { packer, name: Default::default() })))
    }

    /// Take in what watches say.
    #[pyo3(signature = (events, *, kind=None))]
    fn apply(&self, py: Python<'_>, events: &Bound<'_, PyAny>, kind: Option<&str>) -> PyResult<()> {
        let kind = read_kind(kind)?;
        let events = input::objects(events, "events", |document| wire::read_object_events(document, kind))?;
        py.detach(|| {
            let packer = &mut self.0.lock()?.packer;
            for event in events {
                packer.feed(event);
            }
            Ok(())
        })
    }

    /// Take a list for all that is there of a kind.
    #[pyo3(signature = (objects, *, kind=None, resource_version=None))]
    fn replace(
        &self,
        py: Python<'_>,
        objects: &Bound<'_, PyAny>,
        kind: Option<&str>,
        resource_version: Option<&str>,
    ) -> PyResult<()> {
        let kind = read_kind(kind)?;
        let read = |document: &[u8]| Ok((wire::read_objects(document, kind)?, wire::read_list_version(document)));
        let ((kind, objects), found) = input::objects(objects, "objects", read)?;
        let version = resource_version.unwrap_or(&found);
        py.detach(|| self.0.lock()?.packer.replace(kind, objects, version).map_err(to_exception))
    }

    /// Make endpoints all that a Service has from outside.
    #[pyo3(signature = (service, endpoints, *, namespace))]
    fn publish(&self, py: Python<'_>, service: &str, endpoints: &Bound<'_, PyAny>, namespace: &str) -> PyResult<()> {
        self.outside(py, (namespace, service), endpoints, core::Packer::count_outside, core::Packer::publish)
    }

    /// Add endpoints from outside, or change them.
    #[pyo3(signature = (service, endpoints, *, namespace))]
    fn upsert(&self, py: Python<'_>, service: &str, endpoints: &Bound<'_, PyAny>, namespace: &str) -> PyResult<()> {
        self.outside(py, (namespace, service), endpoints, |_, _| 0, core::Packer::upsert)
    }

    /// Take endpoints from outside away.
    #[pyo3(signature = (service, endpoints, *, namespace))]
    fn remove(&self, py: Python<'_>, service: &str, endpoints: &Bound<'_, PyAny>, namespace: &str) -> PyResult<()> {
        let remove = |packer: &mut core::Packer, service: &_, endpoints: &_| {
            packer.remove(service, endpoints);
            Ok(())
        };
        self.outside(py, (namespace, service), endpoints, |_, _| 0, remove)
    }

    /// Forget the endpoints from outside of a Service.
    #[pyo3(signature = (service, *, namespace))]
    fn forget(&self, service: &str, namespace: &str) -> PyResult<()> {
        let mut state = self.0.lock()?;
        let (packer, name) = state.of(namespace, service);
        packer.forget(name);
        Ok(())
    }

    #[getter]
    fn dirty(&self) -> PyResult<Vec<(String, String)>> {
        Ok(self.0.lock()?.packer.dirty().into_iter().cloned().collect())
    }

    fn take_news(&self) -> PyResult<Vec<(String, String)>> {
        Ok(self.0.lock()?.packer.take_news())
    }

    #[getter]
    fn waiting(&self) -> PyResult<Vec<(String, String)>> {
        Ok(self.0.lock()?.packer.waiting().into_iter().cloned().collect())
    }

    /// Plan a Service from what is known.
    #[pyo3(signature = (service, *, namespace, trigger_time=None))]
    fn plan(&self, py: Python<'_>, service: &str, namespace: &str, trigger_time: Option<&str>) -> PyResult<Plan> {
        let in_place = |state: &mut State| {
            let (packer, name) = state.of(namespace, service);
            packer.plan_in_place(name, trigger_time, FEW)
        };
        if let Some(plan) = in_place(&mut *self.0.lock()?) {
            return Ok(Plan::new(plan));
        }
        let planned = self.0.detached(py, |state| {
            let (packer, name) = state.of(namespace, service);
            packer.plan(name, trigger_time)
        })?;
        planned.map(Plan::new).map_err(to_exception)
    }

    /// Tell what became of a write.
    #[pyo3(signature = (write, outcome, object=None))]
    fn answer(&self, write: &Write, outcome: &str, object: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let answers = [
            ("accepted", Answer::Accepted as fn(_) -> _),
            ("conflict", |_| Answer::Conflict),
            ("gone", |_| Answer::Gone),
            ("unknown", |_| Answer::Unknown),
        ];
        let object = object.map(|object| input::slices_at(object, "object")).transpose()?;
        let object = match object.as_ref().map(|(slices, _)| slices.as_slice()) {
            None => None,
            Some([only]) => Some(Arc::clone(only)),
            Some(many) => return Err(PyValueError::new_err(format!("object must be one slice, not {}", many.len()))),
        };
        let answer = word("outcome", outcome, &answers)?(object);
        self.0.lock()?.packer.answer(write.inner(), answer).map_err(to_exception)
    }

    #[pyo3(signature = (service, *, namespace))]
    fn slices(&self, service: &str, namespace: &str) -> PyResult<SliceSet> {
        Ok(SliceSet::new(self.0.lock()?.packer.slices(&(namespace.to_owned(), service.to_owned()))))
    }

    fn resource_version(&self, kind: &str) -> PyResult<Option<String>> {
        let kind = word("kind", kind, &Kind::WORDS)?;
        Ok(optional(self.0.lock()?.packer.resource_version(kind)).map(str::to_owned))
    }

    fn expired(&self, kind: &str) -> PyResult<bool> {
        let kind = word("kind", kind, &Kind::WORDS)?;
        Ok(self.0.lock()?.packer.is_expired(kind))
    }

    fn __repr__(&self) -> PyResult<String> {
        let packer = &self.0.lock()?.packer;
        Ok(format!("<Packer: {} dirty, {} waiting>", packer.dirty().len(), packer.waiting().len()))
    }
}

fn read_kind(given: Option<&str>) -> PyResult<Option<Kind>> {
    given.map(|given| word("kind", given, &Kind::WORDS)).transpose()
}
