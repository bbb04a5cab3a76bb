//! `Slots`, the servers of a proxy.

use std::sync::{Mutex, MutexGuard, PoisonError};

use epcore::engine::{self as core, Backend, SlotState, Target};
use epcore::model::AddressType;
use pyo3::prelude::*;

use crate::diff::Delta;
use crate::errors::to_exception;
use crate::options::{Count, PROTOCOLS, word};
use crate::view::View;

/// The server slots of one backend of a proxy.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct Slots(Mutex<core::Slots>);

impl Slots {
    fn lock(&self) -> MutexGuard<'_, core::Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Slots {
    #[new]
    #[pyo3(signature = (service, port, *, namespace, capacity=Count::new(0), protocol="TCP", family="IPv4", servers=Vec::new()),
        text_signature = "(service, port, *, namespace, capacity=0, protocol='TCP', family='IPv4', servers=())")]
    fn new(
        service: String,
        port: String,
        namespace: String,
        capacity: Count,
        protocol: &str,
        family: &str,
        servers: Vec<Option<Target>>,
    ) -> PyResult<Self> {
        let families = [AddressType::IPv4, AddressType::IPv6, AddressType::Fqdn].map(|one| (one.as_str(), one));
        let family = word("family", family, &families)?;
        let protocol = word("protocol", protocol, &PROTOCOLS)?;
        let capacity = capacity.read("capacity")?.max(servers.len());
        let backend = Backend { namespace, service, port_name: port, protocol: protocol.to_owned(), family };
        let mut slots = core::Slots::new(backend, servers);
        slots.grow(capacity).map_err(to_exception)?;
        Ok(Self(Mutex::new(slots)))
    }

    /// Follow what a view tells.
    fn apply(&self, py: Python<'_>, delta: &Delta) -> PyResult<Vec<SlotChange>> {
        py.detach(|| self.lock().apply(delta.inner())).map(wrap).map_err(to_exception)
    }

    /// Follow a view, whatever was told before.
    fn replace(&self, py: Python<'_>, view: &View) -> PyResult<Vec<SlotChange>> {
        let replaced = py.detach(|| {
            let view = view.lock()?;
            PyResult::Ok(self.lock().replace(&view))
        });
        replaced.map(wrap)
    }

    /// Add slots, after a reload.
    fn grow(&self, capacity: Count) -> PyResult<Vec<SlotChange>> {
        self.lock().grow(capacity.read("capacity")?).map(wrap).map_err(to_exception)
    }

    #[getter]
    fn capacity(&self) -> usize {
        self.lock().capacity()
    }

    #[getter]
    fn fits(&self) -> bool {
        self.lock().fits()
    }

    #[getter]
    fn waiting(&self) -> Vec<Target> {
        self.lock().waiting().into_iter().cloned().collect()
    }

    fn servers(&self) -> Vec<Option<Server>> {
        self.lock().servers().into_iter().map(|server| server.map(Server)).collect()
    }

    fn __repr__(&self) -> String {
        let slots = self.lock();
        let used = slots.servers().iter().flatten().count();
        let Backend { namespace, service, port_name, .. } = slots.backend();
        format!(
            "<Slots of {namespace}/{service} {port_name:?}: {used} of {} used, {} waiting>",
            slots.capacity(),
            slots.waiting().len()
        )
    }
}

fn wrap(changes: Vec<core::SlotChange>) -> Vec<SlotChange> {
    changes.into_iter().map(SlotChange).collect()
}

/// A slot that is to serve something else, or otherwise.
#[pyclass(frozen, eq, module = "epcore")]
#[derive(PartialEq)]
pub(crate) struct SlotChange(core::SlotChange);

#[pymethods]
impl SlotChange {
    #[getter]
    fn index(&self) -> usize {
        self.0.index
    }

    #[getter]
    fn action(&self) -> &'static str {
        self.0.action()
    }

    #[getter]
    fn before(&self) -> Option<Server> {
        self.0.before.clone().map(Server)
    }

    #[getter]
    fn after(&self) -> Option<Server> {
        self.0.after.clone().map(Server)
    }

    fn __repr__(&self) -> String {
        let after = self.0.after.as_ref().map_or_else(String::new, |server| format!(" {}", shown(server)));
        format!("<SlotChange {}: {}{after}>", self.0.index, self.0.action())
    }
}

/// What a slot serves.
#[pyclass(frozen, eq, module = "epcore")]
#[derive(PartialEq)]
pub(crate) struct Server(core::Server);

#[pymethods]
impl Server {
    #[getter]
    fn address(&self) -> &str {
        &self.0.target.0
    }

    #[getter]
    fn port(&self) -> i32 {
        self.0.target.1
    }

    #[getter]
    fn state(&self) -> &'static str {
        state(self.0.state)
    }

    fn __repr__(&self) -> String {
        format!("<Server {}>", shown(&self.0))
    }
}

fn shown(server: &core::Server) -> String {
    let (address, port) = &server.target;
    let address = if address.contains(':') { format!("[{address}]") } else { address.clone() };
    format!("{address}:{port} {}", state(server.state))
}

fn state(state: SlotState) -> &'static str {
    match state {
        SlotState::Ready => "ready",
        SlotState::Drain => "drain",
        SlotState::Maintenance => "maint",
    }
}
