//! `View` and what it is asked.

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use epcore::Error;
use epcore::diff::{Fields, Key, Options};
use epcore::engine::{self as core, TrafficPolicy, WatchEvent};
use epcore::wire::{self, json};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::dicts;
use crate::diff::Delta;
use crate::endpoints::Endpoint;
use crate::errors::to_exception;
use crate::input;
use crate::lock::Lock;
use crate::options::{PROTOCOLS, word};
use crate::slices::{EndpointSlice, SliceSet, optional};

/// A reader's view of slices.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct View(Lock<core::View>);

impl View {
    pub(crate) fn lock(&self) -> PyResult<MutexGuard<'_, core::View>> {
        self.0.lock()
    }

    fn told(&self, py: Python<'_>, now: Option<Duration>) -> PyResult<Delta> {
        let told = |view: &mut core::View| if let Some(now) = now { view.checkout_at(now) } else { view.checkout() };
        self.0.detached(py, told).map(Delta::new)
    }
}

#[pymethods]
impl View {
    #[new]
    #[pyo3(signature = (*, key="address-port", fields="proxy", hold=0.0))]
    fn new(key: &str, fields: &str, hold: f64) -> PyResult<Self> {
        let options = Options { key: word("key", key, &Key::WORDS)?, fields: word("fields", fields, &Fields::WORDS)? };
        Ok(Self(Lock::new(core::View::new(options).holding(seconds("hold", hold)?))))
    }

    /// Take in events, to be told by the next checkout.
    fn feed(&self, py: Python<'_>, events: &Bound<'_, PyAny>) -> PyResult<()> {
        let events = match parsed(events)? {
            Some(events) => events,
            None => input::objects(events, "events", wire::read_events)?,
        };
        py.detach(|| {
            let mut view = self.lock()?;
            events.into_iter().try_for_each(|event| view.feed(event)).map_err(to_exception)
        })
    }

    /// Take a list for all that is there, to be told by the next checkout.
    #[pyo3(signature = (slices, *, resource_version=None))]
    fn feed_list(&self, py: Python<'_>, slices: &Bound<'_, PyAny>, resource_version: Option<&str>) -> PyResult<()> {
        let ((slices, document), found) = input::slice_list(slices, "slices")?;
        let version = resource_version.unwrap_or(&found);
        let fed = self.0.detached(py, |view| view.replace(&slices, version))?;
        fed.map_err(|error| input::exception_in(error, &[("slices", document.as_ref())]))
    }

    /// What changed since the last checkout.
    #[pyo3(signature = (now=None))]
    fn checkout(&self, py: Python<'_>, now: Option<f64>) -> PyResult<Delta> {
        self.told(py, at(now)?)
    }

    #[pyo3(signature = (events, *, now=None))]
    fn apply(&self, py: Python<'_>, events: &Bound<'_, PyAny>, now: Option<f64>) -> PyResult<Delta> {
        let now = at(now)?;
        self.feed(py, events)?;
        self.told(py, now)
    }

    #[pyo3(signature = (slices, *, resource_version=None, now=None))]
    fn replace(
        &self,
        py: Python<'_>,
        slices: &Bound<'_, PyAny>,
        resource_version: Option<&str>,
        now: Option<f64>,
    ) -> PyResult<Delta> {
        let now = at(now)?;
        self.feed_list(py, slices, resource_version)?;
        self.told(py, now)
    }

    #[pyo3(signature = (name, namespace=None, *, now=None))]
    fn remove(&self, py: Python<'_>, name: &str, namespace: Option<&str>, now: Option<f64>) -> PyResult<Delta> {
        let now = at(now)?;
        self.lock()?.remove(namespace.unwrap_or(""), name);
        self.told(py, now)
    }

    #[getter]
    fn pending(&self) -> PyResult<bool> {
        Ok(self.lock()?.has_pending())
    }

    #[getter]
    fn next_due(&self) -> PyResult<Option<f64>> {
        Ok(self.lock()?.next_due().map(|due| due.as_secs_f64()))
    }

    #[getter]
    fn expired(&self) -> PyResult<bool> {
        Ok(self.lock()?.is_expired())
    }

    #[getter]
    fn resource_version(&self) -> PyResult<Option<String>> {
        Ok(optional(self.lock()?.resource_version()).map(str::to_owned))
    }

    fn slices(&self, py: Python<'_>) -> PyResult<SliceSet> {
        py.detach(|| Ok(SliceSet::new(self.lock()?.slices())))
    }

    fn services(&self) -> PyResult<Vec<(String, String)>> {
        let owned = |(namespace, name): (&str, &str)| (namespace.to_owned(), name.to_owned());
        Ok(self.lock()?.services().into_iter().map(owned).collect())
    }

    fn ports(&self) -> PyResult<Vec<(String, String, String, String)>> {
        let owned = |port: [&str; 4]| port.map(str::to_owned).into();
        Ok(self.lock()?.ports().into_iter().map(owned).collect())
    }

    #[pyo3(signature = (service=None, port=None, *, namespace=None))]
    fn endpoints(
        &self,
        py: Python<'_>,
        service: Option<&str>,
        port: Option<&str>,
        namespace: Option<&str>,
    ) -> PyResult<Vec<PortEndpoint>> {
        let found: Vec<_> = py.detach(|| {
            let view = self.lock()?;
            let services = view.matching(namespace, service);
            PyResult::Ok(services.flat_map(|(namespace, name)| view.endpoints(namespace, name)).collect())
        })?;
        let is_wanted =
            |entry: &core::PortEndpoint| port.is_none_or(|port| entry.port().is_some_and(|of| of.0 == port));
        Ok(found.into_iter().filter(is_wanted).map(PortEndpoint).collect())
    }

    /// Slices that hold an address.
    fn find(&self, address: &str) -> PyResult<SliceSet> {
        Ok(SliceSet::new(self.lock()?.find(address)))
    }

    #[pyo3(signature = (service, port, *, namespace, node, zone="", protocol="TCP", policy="Cluster"))]
    #[expect(clippy::too_many_arguments, reason = "keywords of Python")]
    fn reachable(
        &self,
        py: Python<'_>,
        service: &str,
        port: &str,
        namespace: &str,
        node: &str,
        zone: &str,
        protocol: &str,
        policy: &str,
    ) -> PyResult<Reachable> {
        let policies = [("Cluster", TrafficPolicy::Cluster), ("Local", TrafficPolicy::Local)];
        let policy = word("policy", policy, &policies)?;
        let protocol = word("protocol", protocol, &PROTOCOLS)?;
        let reachable = || Ok(self.lock()?.reachable(namespace, service, (port, protocol), (node, zone), policy));
        py.detach(reachable).map(Reachable)
    }

    #[pyo3(signature = (service, *, namespace, node))]
    fn local_ready(&self, service: &str, namespace: &str, node: &str) -> PyResult<usize> {
        Ok(self.lock()?.local_ready(namespace, service, node))
    }

    fn explain_duplicates(&self, py: Python<'_>) -> PyResult<Vec<Duplicate>> {
        py.detach(|| Ok(self.lock()?.duplicates().into_iter().map(Duplicate).collect()))
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let json = py.detach(|| PyResult::Ok(json::write_view(&*self.lock()?)))?;
        Ok(PyBytes::new(py, &json))
    }

    #[staticmethod]
    #[pyo3(signature = (snapshot, *, hold=0.0))]
    fn restore(snapshot: &Bound<'_, PyAny>, hold: f64) -> PyResult<Self> {
        let view = input::objects(snapshot, "snapshot", json::read_view)?;
        Ok(Self(Lock::new(view.holding(seconds("hold", hold)?))))
    }

    fn __len__(&self) -> PyResult<usize> {
        Ok(self.lock()?.len())
    }

    /// Without it an empty view would be false.
    #[expect(clippy::unused_self, reason = "a method of Python's protocol")]
    fn __bool__(&self) -> bool {
        true
    }

    fn __repr__(&self) -> PyResult<String> {
        let view = self.lock()?;
        let pending = if view.has_pending() { ", pending" } else { "" };
        Ok(format!("<View: {} slices of {} services{pending}>", view.len(), view.services().len()))
    }
}

/// Events that need no document: a handle is there, or an event has a handle or a dict for its object.
fn parsed(events: &Bound<'_, PyAny>) -> PyResult<Option<Vec<WatchEvent>>> {
    if events.is_instance_of::<SliceSet>() || events.is_instance_of::<EndpointSlice>() {
        let (slices, _) = input::slices(events)?;
        let present = slices.iter().cloned().map(WatchEvent::Present);
        return checked(present.collect(), |error| error).map(Some);
    }
    let parsed: Option<Vec<WatchEvent>> = match events.cast::<PyList>() {
        Ok(events) => events.iter().map(|event| parsed_event(&event)).collect::<PyResult<_>>()?,
        Err(_) => parsed_event(events)?.map(|event| vec![event]),
    };
    parsed.map(|events| checked(events, |error| error.in_field("object"))).transpose()
}

/// The events, if each tells which slice it is about.
fn checked(events: Vec<WatchEvent>, place: impl Fn(Error) -> Error) -> PyResult<Vec<WatchEvent>> {
    for (index, event) in events.iter().enumerate() {
        let at = |error| to_exception(place(error).in_index(index).in_field("events"));
        event.check().map_err(at)?;
    }
    Ok(events)
}

fn parsed_event(event: &Bound<'_, PyAny>) -> PyResult<Option<WatchEvent>> {
    let Ok(event) = event.cast::<PyDict>() else { return Ok(None) };
    let [kind, object] = [event.get_item("type")?, event.get_item("object")?];
    let kind: Option<String> = kind.and_then(|kind| kind.extract().ok());
    let event: fn(_) -> _ = match kind.as_deref() {
        Some("ADDED" | "MODIFIED") => WatchEvent::Present,
        Some("DELETED") => WatchEvent::Deleted,
        _ => return Ok(None),
    };
    let Some(object) = object else { return Ok(None) };
    let slice = match object.cast::<EndpointSlice>() {
        Ok(slice) => Some(slice.get().slice()),
        Err(_) => dicts::slice(&object)?.filter(|slice| !slice.metadata.name.is_empty()),
    };
    Ok(slice.map(event))
}

fn at(now: Option<f64>) -> PyResult<Option<Duration>> {
    now.map(|now| seconds("now", now)).transpose()
}

fn seconds(name: &str, given: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(given)
        .map_err(|_| PyValueError::new_err(format!("{name} must be seconds, 0 or more, not {given}")))
}

/// One endpoint behind one port.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct PortEndpoint(core::PortEndpoint);

#[pymethods]
impl PortEndpoint {
    #[getter]
    fn address(&self) -> String {
        self.0.endpoint().address().to_string()
    }

    #[getter]
    fn address_type(&self) -> &'static str {
        self.0.slice().address_type.as_str()
    }

    #[getter]
    fn port_name(&self) -> Option<&str> {
        self.0.port().map(|(name, _, _)| name)
    }

    #[getter]
    fn protocol(&self) -> Option<&str> {
        self.0.port().map(|(_, protocol, _)| protocol)
    }

    #[getter]
    fn port(&self) -> Option<i32> {
        self.0.port().and_then(|(_, _, number)| number)
    }

    #[getter]
    fn app_protocol(&self) -> Option<&str> {
        optional(self.0.app_protocol())
    }

    #[getter]
    fn ready(&self) -> bool {
        self.0.endpoint().conditions().is_ready()
    }

    #[getter]
    fn serving(&self) -> bool {
        self.0.endpoint().conditions().is_serving()
    }

    #[getter]
    fn terminating(&self) -> bool {
        self.0.endpoint().conditions().is_terminating()
    }

    #[getter]
    fn namespace(&self) -> Option<&str> {
        optional(&self.0.slice().metadata.namespace)
    }

    #[getter]
    fn service(&self) -> Option<&str> {
        optional(self.0.slice().metadata.service())
    }

    /// Name of the slice that holds it.
    #[getter]
    fn slice(&self) -> &str {
        &self.0.slice().metadata.name
    }

    #[getter]
    fn endpoint(&self) -> PyResult<Endpoint> {
        let endpoint = Endpoint::of_slice(Arc::clone(self.0.slice()), self.0.index());
        endpoint.ok_or_else(|| PyValueError::new_err("the slice has no such endpoint"))
    }

    fn __repr__(&self) -> String {
        let port = self.port().map_or_else(String::new, |port| format!(":{port}"));
        let ready = if self.ready() { "" } else { ", not ready" };
        let address = self.address();
        let address = if address.contains(':') && !port.is_empty() { format!("[{address}]") } else { address };
        format!("<PortEndpoint {address}{port}{ready}>")
    }
}

/// What a node may send traffic to.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct Reachable(core::Reachable);

#[pymethods]
impl Reachable {
    #[getter]
    fn endpoints(&self) -> Vec<PortEndpoint> {
        self.0.endpoints.iter().cloned().map(PortEndpoint).collect()
    }

    #[getter]
    fn fallback(&self) -> bool {
        self.0.is_fallback
    }

    #[getter]
    fn exists(&self) -> bool {
        self.0.exists
    }

    fn __repr__(&self) -> String {
        let fallback = if self.0.is_fallback { ", terminating" } else { "" };
        format!("<Reachable: {} endpoints{fallback}>", self.0.endpoints.len())
    }
}

/// Entries that claim to be one endpoint.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct Duplicate(core::Duplicate);

#[pymethods]
impl Duplicate {
    #[getter]
    fn entries(&self) -> Vec<PortEndpoint> {
        self.0.entries.iter().cloned().map(PortEndpoint).collect()
    }

    #[getter]
    fn reason(&self) -> &'static str {
        self.0.reason()
    }

    fn __repr__(&self) -> String {
        let slices: Vec<&str> = self.0.entries.iter().map(|entry| &*entry.slice().metadata.name).collect();
        let address = self.0.entries.first().map(|entry| entry.endpoint().address().to_string()).unwrap_or_default();
        format!("<Duplicate {address} in {}: {}>", slices.join(", "), self.reason())
    }
}
