//! `SliceSet` and `EndpointSlice`.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use epcore::model::EndpointSlice as Slice;
use epcore::pack::Existing;
use epcore::wire::{Listing, json, proto};
use pyo3::exceptions::{PyAssertionError, PyIndexError, PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PySlice};

use crate::endpoints::EndpointSet;
use crate::errors::to_exception;
use crate::input::{self, Document};
use crate::iterator::Records;
use crate::work;

/// Parsed `EndpointSlice`s: an immutable sequence of records.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct SliceSet {
    existing: Arc<Existing>,
    /// The document that they were read from, if it is kept to read the next one by.
    listing: Option<Listing<Document>>,
}

impl SliceSet {
    pub(crate) fn new(slices: Vec<Arc<Slice>>) -> Self {
        Self::of(Arc::new(slices))
    }

    fn of(slices: Arc<Vec<Arc<Slice>>>) -> Self {
        Self { existing: Arc::new(slices.into()), listing: None }
    }

    pub(crate) fn slices(&self) -> Arc<Vec<Arc<Slice>>> {
        self.existing.slices().clone()
    }

    /// With what plans found out about them.
    pub(crate) fn existing(&self) -> Arc<Existing> {
        self.existing.clone()
    }

    fn get(&self) -> &[Arc<Slice>] {
        self.existing.slices()
    }

    /// Where a record is that equals a value.
    fn places_of(&self, value: &Bound<'_, PyAny>) -> impl Iterator<Item = usize> {
        let wanted = value.cast::<EndpointSlice>().ok().map(|record| record.get().slice());
        (0..self.get().len()).filter(move |&at| wanted.as_ref().is_some_and(|wanted| self.get()[at] == *wanted))
    }
}

#[pymethods]
impl SliceSet {
    /// Read slices from JSON.
    #[staticmethod]
    fn from_json(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        input::slices(data).map(|(slices, _)| Self::of(slices))
    }

    /// Read slices from mappings, sequences of them, and objects with `to_dict()`.
    #[staticmethod]
    fn from_objects(objects: &Bound<'_, PyAny>) -> PyResult<Self> {
        input::slices(objects).map(|(slices, _)| Self::of(slices))
    }

    /// Read a list page by page.
    #[staticmethod]
    fn from_pages(pages: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut slices = Vec::new();
        for (number, page) in pages.try_iter()?.enumerate() {
            let (read, _) = input::slices(&page?).map_err(|error| in_page(pages.py(), error, number))?;
            slices.extend(read.iter().cloned());
            // An iterable of bytes gives nobody a chance to be heard.
            pages.py().check_signals()?;
        }
        Ok(Self::new(slices))
    }

    /// Read the next list, and of it only what changed.
    fn refresh(&self, data: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Some(slices) = input::handle(data) {
            return Ok(Self::of(slices));
        }
        let document = Arc::new(input::document(data, "slices")?);
        let read = work::detached(data.py(), || match &self.listing {
            Some(listing) => listing.next(document.clone()),
            None => Listing::read(document.clone()),
        })?;
        let listing = read.map_err(|error| document.exception(input::named(error, "slices")))?;
        Ok(Self { existing: Arc::new(listing.slices().clone().into()), listing: Some(listing) })
    }

    /// Write an `EndpointSliceList`.
    fn to_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let slices = || self.get().iter().map(|slice| &**slice);
        let size = py.detach(|| json::slices_size(slices()));
        PyBytes::new_with(py, size, |bytes| {
            let (mut rest, mut fits) = (bytes, true);
            let put = |part: &[u8]| match rest.split_off_mut(..part.len()) {
                Some(room) => room.copy_from_slice(part),
                None => fits = false,
            };
            py.detach(|| json::write_slices_by(slices(), put));
            if fits && rest.is_empty() { Ok(()) } else { Err(PyAssertionError::new_err("the list has another size")) }
        })
    }

    /// Write an `EndpointSliceList` as protobuf.
    fn to_protobuf<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let written = py.detach(|| proto::write_slices(self.get().iter().map(|slice| &**slice)));
        written.map(|bytes| PyBytes::new(py, &bytes)).map_err(to_exception)
    }

    /// All slices as plain dicts.
    fn to_dicts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &json::write_slices(self.get().iter().map(|slice| &**slice)))?.get_item("items")
    }

    fn __len__(&self) -> usize {
        self.get().len()
    }

    fn __iter__(slf: &Bound<'_, Self>) -> Records {
        Records::of(slf)
    }

    fn __getitem__<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = index.py();
        if let Ok(range) = index.cast::<PySlice>() {
            let picked = positions(range, self.get().len())?.into_iter().map(|at| self.get()[at].clone());
            return Ok(Bound::new(py, Self::new(picked.collect()))?.into_any());
        }
        let at = position(index, self.get().len())?;
        Ok(Bound::new(py, EndpointSlice(self.get()[at].clone()))?.into_any())
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.get() == other.get()
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
        hash_of(&self.get())
    }

    fn __repr__(&self) -> String {
        let endpoints: usize = self.get().iter().map(|slice| slice.endpoints.len()).sum();
        format!("<SliceSet: {} slices, {endpoints} endpoints>", self.get().len())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        Ok((py.get_type::<Self>().getattr("from_json")?, (self.to_json(py)?,)))
    }
}

/// One `EndpointSlice`, read only.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct EndpointSlice(Arc<Slice>);

impl EndpointSlice {
    pub(crate) fn new(slice: Arc<Slice>) -> Self {
        Self(slice)
    }

    pub(crate) fn slice(&self) -> Arc<Slice> {
        self.0.clone()
    }
}

#[pymethods]
impl EndpointSlice {
    #[getter]
    fn name(&self) -> Option<&str> {
        optional(&self.0.metadata.name)
    }

    #[getter]
    fn generate_name(&self) -> Option<&str> {
        optional(&self.0.metadata.generate_name)
    }

    #[getter]
    fn namespace(&self) -> Option<&str> {
        optional(&self.0.metadata.namespace)
    }

    /// The value of the label `kubernetes.io/service-name`.
    #[getter]
    fn service(&self) -> Option<&str> {
        optional(self.0.metadata.service())
    }

    #[getter]
    fn address_type(&self) -> &'static str {
        self.0.address_type.as_str()
    }

    #[getter]
    fn labels(&self) -> BTreeMap<String, String> {
        (*self.0.metadata.labels).clone()
    }

    #[getter]
    fn annotations(&self) -> BTreeMap<String, String> {
        self.0.metadata.annotations.clone()
    }

    /// The endpoints, in the order of the slice.
    #[getter]
    fn endpoints(&self) -> EndpointSet {
        EndpointSet::of_slice(self.0.clone())
    }

    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &json::write_slice(&self.0))
    }

    fn to_protobuf<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        protobuf(py, &self.0)
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &json::write_slice(&self.0))
    }

    fn __len__(&self) -> usize {
        self.0.endpoints.len()
    }

    /// Without it an empty slice would be false.
    #[expect(clippy::unused_self, reason = "a method of Python's protocol")]
    fn __bool__(&self) -> bool {
        true
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn __hash__(&self) -> u64 {
        hash_of(&self.0)
    }

    fn __repr__(&self) -> String {
        let name = if self.0.metadata.name.is_empty() { &self.0.metadata.generate_name } else { &self.0.metadata.name };
        format!("<EndpointSlice {name:?}: {} endpoints>", self.0.endpoints.len())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (SliceSet, usize))> {
        Ok((py.import("operator")?.getattr("getitem")?, (SliceSet::new(vec![self.0.clone()]), 0)))
    }
}

/// The same exception, which tells the page too.
fn in_page(py: Python<'_>, error: PyErr, number: usize) -> PyErr {
    let noted = error.value(py).call_method1("add_note", (format!("in page {number} of the list"),));
    noted.err().unwrap_or(error)
}

/// A slice as Kubernetes' protobuf.
pub(crate) fn protobuf<'py>(py: Python<'py>, slice: &Slice) -> PyResult<Bound<'py, PyBytes>> {
    proto::write_slice(slice).map(|bytes| PyBytes::new(py, &bytes)).map_err(to_exception)
}

pub(crate) fn optional(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// JSON as plain Python objects.
pub(crate) fn from_json<'py>(py: Python<'py>, json: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    py.import("json")?.call_method1("loads", (PyBytes::new(py, json),))
}

/// An index of Python, which may count from the end.
pub(crate) fn position(index: &Bound<'_, PyAny>, length: usize) -> PyResult<usize> {
    let index = match index.extract::<isize>() {
        Err(error) if error.is_instance_of::<PyOverflowError>(index.py()) => isize::MAX,
        index => index?,
    };
    let from_start = if index < 0 { length.checked_add_signed(index) } else { usize::try_from(index).ok() };
    from_start.filter(|&at| at < length).ok_or_else(|| PyIndexError::new_err("index out of range"))
}

/// An index of any size: a sequence is over long before one that does not fit.
#[derive(Clone, Copy)]
pub(crate) struct Bounded(pub(crate) isize);

impl FromPyObject<'_, '_> for Bounded {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match given.extract::<isize>() {
            Err(error) if error.is_instance_of::<PyOverflowError>(given.py()) => {
                Ok(Self(if given.lt(0)? { isize::MIN } else { isize::MAX }))
            }
            extracted => extracted.map(Self),
        }
    }
}

/// The first of the places between two indices, as `list.index` finds it.
pub(crate) fn first_within(
    mut places: impl Iterator<Item = usize>,
    start: Bounded,
    stop: Option<Bounded>,
    length: usize,
) -> PyResult<usize> {
    let from_start = |Bounded(index): Bounded| {
        if index < 0 { length.saturating_sub(index.unsigned_abs()) } else { index.unsigned_abs() }
    };
    let within = from_start(start)..stop.map_or(length, from_start);
    places.find(|at| within.contains(at)).ok_or_else(|| PyValueError::new_err("no record equals the value"))
}

/// A hash that is the same in every process.
pub(crate) fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The positions that a slice of Python names.
pub(crate) fn positions(range: &Bound<'_, PySlice>, length: usize) -> PyResult<Vec<usize>> {
    let indices = range.indices(isize::try_from(length)?)?;
    (0..indices.slicelength)
        .map(|step| usize::try_from(indices.start + indices.step * isize::try_from(step)?).map_err(PyErr::from))
        .collect()
}
