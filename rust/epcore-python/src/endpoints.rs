//! `EndpointSet` and `Endpoint`.

use std::sync::Arc;

use epcore::model::{EndpointList, EndpointRef, EndpointSlice as Slice, Shared, TargetRef};
use epcore::wire::json;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PySlice};

use crate::errors::to_exception;
use crate::input;
use crate::iterator::Records;
use crate::slices::{Bounded, first_within, from_json, hash_of, optional, position, positions};

/// Who owns the endpoints.
#[derive(Clone)]
enum Owner {
    List(Arc<EndpointList>),
    Slice(Arc<Slice>),
}

/// Parsed endpoints: an immutable sequence of records.
#[pyclass(frozen, module = "epcore")]
#[derive(Clone)]
pub(crate) struct EndpointSet(Owner);

impl EndpointSet {
    pub(crate) fn new(list: EndpointList) -> Self {
        Self(Owner::List(Arc::new(list)))
    }

    pub(crate) fn of_slice(slice: Arc<Slice>) -> Self {
        Self(Owner::Slice(slice))
    }

    pub(crate) fn list(&self) -> &EndpointList {
        match &self.0 {
            Owner::List(list) => list,
            Owner::Slice(slice) => &slice.endpoints,
        }
    }

    /// The list, copied only if it is part of a slice.
    pub(crate) fn shared(&self) -> Shared<EndpointList> {
        match &self.0 {
            Owner::List(list) => list.clone().into(),
            Owner::Slice(slice) => slice.endpoints.clone().into(),
        }
    }

    /// Where a record is that equals a value.
    fn places_of<'a>(&'a self, value: &'a Bound<'_, PyAny>) -> impl Iterator<Item = usize> + 'a {
        let wanted = value.cast::<Endpoint>().ok().map(|record| record.get().get());
        let places = self.list().iter().enumerate();
        places.filter(move |(_, endpoint)| wanted.is_some_and(|wanted| wanted == *endpoint)).map(|(at, _)| at)
    }
}

#[pymethods]
impl EndpointSet {
    /// Read endpoints from JSON: an array or lines of endpoints, or slices, whose endpoints are taken.
    #[staticmethod]
    fn from_json(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        input::endpoints(data).map(|(endpoints, _)| endpoints)
    }

    /// Read endpoints from mappings, sequences of them, and objects with `to_dict()`.
    #[staticmethod]
    fn from_objects(objects: &Bound<'_, PyAny>) -> PyResult<Self> {
        input::endpoints(objects).map(|(endpoints, _)| endpoints)
    }

    /// Write a JSON array.
    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let json = py.detach(|| json::write_endpoints(self.list()));
        PyBytes::new(py, &json)
    }

    /// All endpoints as plain dicts.
    fn to_dicts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &json::write_endpoints(self.list()))
    }

    fn __len__(&self) -> usize {
        self.list().len()
    }

    fn __iter__(slf: &Bound<'_, Self>) -> Records {
        Records::of(slf)
    }

    fn __getitem__<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = index.py();
        if let Ok(range) = index.cast::<PySlice>() {
            let mut picked = EndpointList::default();
            for endpoint in positions(range, self.list().len())?.into_iter().filter_map(|at| self.list().get(at)) {
                picked.push(endpoint).map_err(to_exception)?;
            }
            return Ok(Bound::new(py, Self::new(picked))?.into_any());
        }
        let at = position(index, self.list().len())?;
        Ok(Bound::new(py, Endpoint { set: self.clone(), at })?.into_any())
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.list() == other.list()
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

    fn __hash__(&self) -> u64 {
        hash_of(&self.list().iter().collect::<Vec<_>>())
    }

    fn __repr__(&self) -> String {
        format!("<EndpointSet: {} endpoints>", self.list().len())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        Ok((py.get_type::<Self>().getattr("from_json")?, (self.to_json(py),)))
    }
}

/// One endpoint, read only. `None` means that the field is not set.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct Endpoint {
    set: EndpointSet,
    at: usize,
}

impl Endpoint {
    /// The endpoint at an index of a slice, if there is one.
    pub(crate) fn of_slice(slice: Arc<Slice>, at: usize) -> Option<Self> {
        (at < slice.endpoints.len()).then(|| Self { set: EndpointSet::of_slice(slice), at })
    }

    fn get(&self) -> EndpointRef<'_> {
        self.set.list().get(self.at).unwrap_or_else(|| unreachable!("the index was checked when the record was made"))
    }

    pub(crate) fn json(&self) -> Vec<u8> {
        json::write_endpoint(self.get())
    }

    fn target(&self) -> TargetRef<'_> {
        self.get().target_ref().unwrap_or_default()
    }
}

#[pymethods]
impl Endpoint {
    /// Canonical text of each address.
    #[getter]
    fn addresses(&self) -> Vec<String> {
        self.get().addresses().map(|address| address.to_string()).collect()
    }

    #[getter]
    fn ready(&self) -> Option<bool> {
        self.get().conditions().ready()
    }

    #[getter]
    fn serving(&self) -> Option<bool> {
        self.get().conditions().serving()
    }

    #[getter]
    fn terminating(&self) -> Option<bool> {
        self.get().conditions().terminating()
    }

    #[getter]
    fn hostname(&self) -> Option<&str> {
        self.get().hostname()
    }

    #[getter]
    fn node_name(&self) -> Option<&str> {
        self.get().node_name()
    }

    #[getter]
    fn zone(&self) -> Option<&str> {
        self.get().zone()
    }

    #[getter]
    fn target_name(&self) -> Option<&str> {
        optional(self.target().name)
    }

    #[getter]
    fn target_namespace(&self) -> Option<&str> {
        optional(self.target().namespace)
    }

    #[getter]
    fn target_uid(&self) -> Option<&str> {
        optional(self.target().uid)
    }

    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.json())
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &self.json())
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.get() == other.get()
    }

    fn __hash__(&self) -> u64 {
        hash_of(&self.get())
    }

    fn __repr__(&self) -> String {
        format!("<Endpoint {}>", String::from_utf8_lossy(&self.json()))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (EndpointSet, usize))> {
        let mut alone = EndpointList::default();
        alone.push(self.get()).map_err(to_exception)?;
        Ok((py.import("operator")?.getattr("getitem")?, (EndpointSet::new(alone), 0)))
    }
}
