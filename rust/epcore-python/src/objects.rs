//! Objects of Python as JSON: plain data, our own records, and the models of Kubernetes clients.

use epcore::wire::json;
use epcore::{Error, ErrorKind};
use pyo3::exceptions::{PyAttributeError, PyKeyError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString, PyTuple,
};

use crate::endpoints::Endpoint;
use crate::slices::EndpointSlice;

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
pub(crate) fn text_of<'a>(text: &'a Bound<'_, PyString>) -> Result<&'a str, Error> {
    text.to_str().map_err(|_| Error::invalid("a str with half of a surrogate pair has no form in UTF-8"))
}

/// What may be given, and what was.
pub(crate) fn unsupported(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let name = value.get_type().qualname()?;
    Ok(format!(
        "expected JSON as bytes or str, an epcore handle, a mapping, a sequence of them or an object with to_dict(), found {name}"
    ))
}
