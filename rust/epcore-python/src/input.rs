//! Whatever a caller passes for slices or endpoints, as a JSON document or a handle.

use std::sync::Arc;

use epcore::kube::Published;
use epcore::model::{EndpointList, EndpointSlice as Slice, Shared};
use epcore::pack::Existing;
use epcore::wire::{self, json};
use epcore::{Error, Segment};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyFloat, PyInt, PyMemoryView, PyString};

use crate::dicts;
use crate::endpoints::EndpointSet;
use crate::errors::to_exception;
use crate::objects::{Failure, MAX_DEPTH, text_of, unsupported, write_value};
use crate::slices::{EndpointSlice, SliceSet};
use crate::work;

/// Bytes that take less to read than the interpreter's lock takes to give away and to get back.
const SHORT: usize = 1 << 12;

/// Bytes that take more than some milliseconds to read.
const LONG: usize = 1 << 22;

/// JSON that came from the caller, or was made from the caller's objects.
pub(crate) enum Document {
    Bytes(PyBackedBytes),
    Text(PyBackedStr),
    Copied(Vec<u8>),
    Objects(Vec<u8>),
}

impl AsRef<[u8]> for Document {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl Document {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Text(text) => text.as_bytes(),
            Self::Copied(bytes) | Self::Objects(bytes) => bytes,
        }
    }

    /// Read it with the interpreter lock released, if it is not short.
    fn read<T: Send>(&self, py: Python<'_>, read: impl FnOnce(&[u8]) -> T + Send) -> PyResult<T> {
        let bytes = self.bytes();
        if bytes.len() < SHORT {
            return Ok(read(bytes));
        }
        // One that is not long is read before anybody could ask.
        if bytes.len() < LONG { Ok(py.detach(|| read(bytes))) } else { work::detached(py, || read(bytes)) }
    }

    /// An error found in this document, without offset where the caller has no bytes.
    pub(crate) fn placed(&self, error: Error) -> Error {
        match self {
            Self::Objects(_) => error.without_offset(),
            _ => error,
        }
    }

    /// The exception for an error found in this document, with the byte offset where the caller's own bytes have one.
    pub(crate) fn exception(&self, error: Error) -> PyErr {
        to_exception(match self {
            Self::Objects(_) => error.without_offset(),
            _ => wire::locate(self.bytes(), error),
        })
    }
}

/// What slices are called where there is one document of them.
const SLICES: &str = "slices";

/// Slices and, for the place of later errors, the document they were in.
pub(crate) type Slices = (Arc<Vec<Arc<Slice>>>, Option<Document>);

/// Slices from bytes, handles or objects.
pub(crate) fn slices(source: &Bound<'_, PyAny>) -> PyResult<Slices> {
    slices_at(source, SLICES)
}

/// The same, with paths of errors that begin with `root`.
pub(crate) fn slices_at(source: &Bound<'_, PyAny>, root: &'static str) -> PyResult<Slices> {
    slice_list(source, root).map(|(slices, _)| slices)
}

/// The same, and the version of the list that they were in, `""` if it says none.
pub(crate) fn slice_list(source: &Bound<'_, PyAny>, root: &'static str) -> PyResult<(Slices, String)> {
    if let Some(slices) = handle(source) {
        return Ok(((slices, None), String::new()));
    }
    if let Some((slices, version)) = dicts::slice_list(source)? {
        return Ok(((Arc::new(slices), None), version));
    }
    let document = document(source, root)?;
    match document.read(source.py(), wire::read_slice_list)? {
        Ok((slices, version)) => Ok(((Arc::new(slices), Some(document)), version)),
        Err(error) if root == SLICES => Err(document.exception(named(error, root))),
        Err(error) => Err(document.exception(error.with_root(root))),
    }
}

/// The same for a plan, which keeps in a handle what it finds out about the slices.
pub(crate) fn existing(source: &Bound<'_, PyAny>) -> PyResult<(Arc<Existing>, Option<Document>)> {
    if let Ok(handle) = source.cast::<SliceSet>() {
        return Ok((handle.get().existing(), None));
    }
    slices(source).map(|(slices, document)| (Arc::new(slices.into()), document))
}

/// The slices of a handle, if it is one.
pub(crate) fn handle(source: &Bound<'_, PyAny>) -> Option<Arc<Vec<Arc<Slice>>>> {
    if let Ok(handle) = source.cast::<SliceSet>() {
        return Some(handle.get().slices());
    }
    source.cast::<EndpointSlice>().ok().map(|handle| Arc::new(vec![handle.get().slice()]))
}

/// Endpoints from bytes, handles or objects.
pub(crate) fn endpoints(source: &Bound<'_, PyAny>) -> PyResult<(EndpointSet, Option<Document>)> {
    if let Ok(handle) = source.cast::<EndpointSet>() {
        return Ok((handle.get().clone(), None));
    }
    if let Ok(handle) = source.cast::<SliceSet>() {
        let mut list = EndpointList::default();
        for slice in handle.get().slices().iter() {
            slice.endpoints.iter().try_for_each(|endpoint| list.push(endpoint)).map_err(to_exception)?;
        }
        return Ok((EndpointSet::new(list), None));
    }
    if let Some(list) = dicts::endpoints(source)? {
        return Ok((EndpointSet::new(list), None));
    }
    let document = document(source, "endpoints")?;
    match document.read(source.py(), wire::read_endpoints)? {
        Ok(list) => Ok((EndpointSet::new(list), Some(document))),
        Err(error) => Err(document.exception(named(error, "endpoints"))),
    }
}

/// Endpoints from outside, from bytes, handles or objects.
pub(crate) fn published(source: &Bound<'_, PyAny>) -> PyResult<Published> {
    if let Ok(handle) = source.cast::<EndpointSet>() {
        return Ok(Published::from(handle.get().shared()));
    }
    if let Some(list) = dicts::plain_endpoints(source)? {
        return Ok(Published::from(Shared::from(list)));
    }
    objects(source, "endpoints", json::read_published)
}

/// Objects of the API from bytes or mappings, by their reader.
pub(crate) fn objects<T: Send>(
    source: &Bound<'_, PyAny>,
    root: &'static str,
    read: impl Fn(&[u8]) -> Result<T, Error> + Send + Sync,
) -> PyResult<T> {
    let document = document(source, root)?;
    document.read(source.py(), read)?.map_err(|error| to_exception(document.placed(named(error, root))))
}

/// An error about all of a document, which no path leads to: a call has several, and any of them may be meant.
pub(crate) fn named(error: Error, root: &'static str) -> Error {
    if error.path().is_empty() { error.in_field(root) } else { error }
}

/// The exception for an error that may be in one of several documents.
pub(crate) fn exception_in(error: Error, documents: &[(&str, Option<&Document>)]) -> PyErr {
    let root = error.path();
    match documents.iter().find(|(name, _)| root.starts_with(name)) {
        Some((_, Some(document))) => document.exception(error),
        _ => to_exception(error),
    }
}

pub(crate) fn document(source: &Bound<'_, PyAny>, root: &'static str) -> PyResult<Document> {
    if source.is_instance_of::<PyBytes>() || source.is_instance_of::<PyByteArray>() {
        return Ok(Document::Bytes(source.extract()?));
    }
    if source.is_instance_of::<PyString>() {
        let text = source.cast::<PyString>()?;
        text_of(text).map_err(|error| to_exception(error.in_field(root)))?;
        return Ok(Document::Text(source.extract()?));
    }
    if source.is_instance_of::<PyMemoryView>() {
        return Ok(Document::Copied(PyBuffer::<u8>::get(source)?.to_vec(source.py())?));
    }
    // Most small documents fit into it.
    let mut out = Vec::with_capacity(512);
    // A single object is a document of its own; `None` and other lone values are not.
    if source.is_none()
        || source.is_instance_of::<PyBool>()
        || source.is_instance_of::<PyInt>()
        || source.is_instance_of::<PyFloat>()
    {
        return Err(PyTypeError::new_err(Error::invalid(unsupported(source)?).in_field(root).to_string()));
    }
    match write_value(source, &mut out, MAX_DEPTH) {
        Ok(()) => Ok(Document::Objects(out)),
        Err(Failure::Input(error)) => Err(to_exception(in_root(error, root))),
        Err(Failure::Type(error)) => Err(PyTypeError::new_err(in_root(error, root).to_string())),
        Err(Failure::Python(error)) => Err(error),
    }
}

/// Begin the path of an error as the reader would, with the list that the objects are in.
fn in_root(error: Error, root: &'static str) -> Error {
    let numbered = matches!(error.segments().next(), Some(Segment::Index(_)));
    if numbered || error.path().is_empty() { error.in_field(root) } else { error.in_index(0).in_field(root) }
}
