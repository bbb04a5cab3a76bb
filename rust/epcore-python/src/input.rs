//! Whatever a caller passes for slices or endpoints, as a JSON document or a handle.

use std::sync::Arc;

use epcore::kube::Published;
use epcore::model::{EndpointList, EndpointSlice as Slice, Shared};
use epcore::pack::Existing;
use epcore::wire::{self, json};
use epcore::{Error, ErrorKind, Segment};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyAttributeError, PyKeyError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyMemoryView, PySequence, PyString,
    PyTuple,
};

use crate::dicts;
use crate::endpoints::{Endpoint, EndpointSet};
use crate::errors::to_exception;
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

/// Why an object has no form in JSON.
pub(crate) enum Failure {
    /// Something in it that the API does not know; with its place.
    Input(Error),
    /// A type that is no data; with its place.
    Type(Error),
    /// What its own code raised.
    Python(PyErr),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Input(error)
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl Failure {
    /// Put the place of the error inside another. Objects nested without end have no place worth telling.
    fn inside(self, place: impl FnOnce(Error) -> Error) -> Self {
        match self {
            Self::Input(error) if error.kind() == ErrorKind::InvalidInput => Self::Input(place(error)),
            Self::Type(error) => Self::Type(place(error)),
            failure => failure,
        }
    }
}

/// Deeper objects are refused before they can overflow the stack.
pub(crate) const MAX_DEPTH: usize = 128;

/// Write an object of Python as JSON.
pub(crate) fn write_value(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> Result<(), Failure> {
    if depth == 0 {
        let message = "objects nested too deep, or within themselves";
        return Err(Error::limit(message, MAX_DEPTH, MAX_DEPTH + 1).into());
    }
    if let Ok(text) = value.cast::<PyString>() {
        json::write_string(out, text_of(text)?);
    } else if value.is_none() {
        out.extend_from_slice(b"null");
    } else if let Ok(truth) = value.cast::<PyBool>() {
        out.extend_from_slice(if truth.is_true() { b"true" } else { b"false" });
    } else if let Ok(mapping) = value.cast::<PyDict>() {
        write_members(members_of(mapping), out, depth)?;
    } else if let Ok(list) = value.cast::<PyList>() {
        write_items(list.iter().map(Ok), out, depth)?;
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        write_items(tuple.iter().map(Ok), out, depth)?;
    } else if value.is_instance_of::<PyInt>() {
        let number = value.call_method0(intern!(value.py(), "__int__"))?;
        // Python refuses to write an int of more than 4,300 digits; what a signal raises meanwhile is something else.
        let digits = number.str().map_err(|error| {
            let is_refused = error.is_instance_of::<PyValueError>(value.py());
            if is_refused { Error::invalid("an int of too many digits").into() } else { Failure::Python(error) }
        })?;
        out.extend_from_slice(digits.to_str()?.as_bytes());
    } else if let Ok(float) = value.cast::<PyFloat>() {
        if !float.value().is_finite() {
            return Err(Error::invalid(format!("{} has no form in JSON", float.value())).into());
        }
        // A subclass may show itself in another way.
        out.extend_from_slice(PyFloat::new(value.py(), float.value()).repr()?.to_str()?.as_bytes());
    } else {
        write_other(value, out, depth)?;
    }
    Ok(())
}

/// Our own records, times, mappings and sequences that are no dict or list, and models of Kubernetes clients.
fn write_other(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> Result<(), Failure> {
    let py = value.py();
    if let Ok(slice) = value.cast::<EndpointSlice>() {
        out.extend(json::write_slice(&slice.get().slice()));
    } else if let Ok(endpoint) = value.cast::<Endpoint>() {
        out.extend(endpoint.get().json());
    } else if let Some(to_dict) = method(value, intern!(py, "to_dict"))? {
        // The official client's models have `serialize`, which asks for the names of the API instead of Python's.
        let serialize = PyDict::new(py);
        serialize.set_item(intern!(py, "serialize"), true)?;
        let dict = match to_dict.call((), Some(&serialize)) {
            Err(error) if error.is_instance_of::<PyTypeError>(py) => to_dict.call0()?,
            called => called?,
        };
        write_value(&dict, out, depth - 1)?;
    } else if let Some(isoformat) = method(value, intern!(py, "isoformat"))? {
        json::write_string(out, &isoformat.call0()?.str()?.to_str()?.replace("+00:00", "Z"));
    } else if let Ok(mapping) = value.cast::<PyMapping>() {
        write_members(mapping.items()?.iter().map(|pair| pair.extract()), out, depth)?;
    } else if let Ok(sequence) = value.cast::<PySequence>().map_err(|_| ())
        && !value.is_instance_of::<PyBytes>()
        && !value.is_instance_of::<PyByteArray>()
    {
        write_items(sequence.try_iter()?, out, depth)?;
    } else {
        let is_all = depth == MAX_DEPTH;
        let message =
            if is_all { unsupported(value)? } else { format!("{} has no form in JSON", value.get_type().qualname()?) };
        return Err(Failure::Type(Error::invalid(message)));
    }
    Ok(())
}

/// A method of an object, if it has one. What else its code raises when it is asked is the caller's to know.
fn method<'py>(value: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
    match value.getattr(name) {
        Ok(method) => Ok(Some(method).filter(PyAnyMethods::is_callable)),
        // A mapping whose members are its attributes may say the latter.
        Err(error) => {
            let py = value.py();
            let has_none = error.is_instance_of::<PyAttributeError>(py) || error.is_instance_of::<PyKeyError>(py);
            if has_none { Ok(None) } else { Err(error) }
        }
    }
}

/// The members of a dict. Code of an object in it may change it meanwhile, which is an error, as it is in Python.
pub(crate) fn members_of<'py>(
    dict: &Bound<'py, PyDict>,
) -> impl Iterator<Item = PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
    let (length, mut passed, mut members) = (dict.len(), 0, dict.iter());
    std::iter::from_fn(move || {
        if dict.len() != length || passed > length {
            return Some(Err(PyRuntimeError::new_err("dictionary changed during iteration")));
        }
        passed += 1;
        members.next().map(Ok)
    })
}

pub(crate) fn write_members<'py>(
    members: impl Iterator<Item = PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)>>,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), Failure> {
    out.push(b'{');
    for (index, member) in members.enumerate() {
        let (name, value) = member?;
        if index > 0 {
            out.push(b',');
        }
        let Ok(text) = name.cast::<PyString>() else {
            let message = format!("names of members must be str, found {}", name.get_type().qualname()?);
            return Err(Failure::Type(Error::invalid(message)));
        };
        let name = text_of(text)?;
        json::write_string(out, name);
        out.push(b':');
        write_value(&value, out, depth - 1).map_err(|error| error.inside(|error| error.in_field(name.to_owned())))?;
    }
    out.push(b'}');
    Ok(())
}

fn write_items<'py>(
    items: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), Failure> {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_value(&item?, out, depth - 1).map_err(|error| error.inside(|error| error.in_index(index)))?;
    }
    out.push(b']');
    Ok(())
}

/// The text of a `str`, which in Python may hold halves of surrogate pairs.
fn text_of<'a>(text: &'a Bound<'_, PyString>) -> Result<&'a str, Error> {
    text.to_str().map_err(|_| Error::invalid("a str with half of a surrogate pair has no form in UTF-8"))
}

fn unsupported(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let name = value.get_type().qualname()?;
    Ok(format!(
        "expected JSON as bytes or str, an epcore handle, a mapping, a sequence of them or an object with to_dict(), found {name}"
    ))
}
