//! Slices and endpoints of dicts, without a document between.
//!
//! This takes what most programs have: lists of dicts, with endpoints of the fields that nearly all have. An endpoint with others goes by way
//! of JSON, alone, and so does what is around the endpoints of a slice. Whatever is of another kind, or wrong, is left to the way through JSON
//! as a whole, which says what it is.

use std::borrow::Cow;
use std::sync::Arc;

use epcore::model::{Conditions, EndpointFields, EndpointList, EndpointSlice as Slice, validate_endpoint};
use epcore::wire::json;
use pyo3::CastError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::type_object::PyTypeCheck;
use pyo3::types::{PyBool, PyDict, PyList, PyString};

use crate::objects::{Failure, MAX_DEPTH, members_of, write_members, write_value};

/// How deep what is in a slice may be, which is in a list, which is in an object; and what is in an endpoint, in the list of the slice.
const IN_SLICE: usize = MAX_DEPTH - 2;
const IN_ENDPOINT: usize = IN_SLICE - 2;

/// Endpoints that are read before somebody may say that it is enough.
const MOST_AT_ONCE: usize = 1024;

/// Dicts after which it is worth the time to find out which objects they have for names.
const FEW: usize = 16;

/// Why something is not read here.
enum Other {
    /// It is of another kind, or wrong.
    Kind,
    /// What code of an object in it raised.
    Python(PyErr),
}

/// [`Other::Kind`], where nothing else can be.
struct OtherKind;

impl From<OtherKind> for Other {
    fn from(_: OtherKind) -> Self {
        Self::Kind
    }
}

impl From<CastError<'_, '_>> for OtherKind {
    fn from(_: CastError<'_, '_>) -> Self {
        Self
    }
}

impl From<Failure> for Other {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Input(_) | Failure::Type(_) => Self::Kind,
            Failure::Python(error) => Self::Python(error),
        }
    }
}

impl From<PyErr> for Other {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<CastError<'_, '_>> for Other {
    fn from(_: CastError<'_, '_>) -> Self {
        Self::Kind
    }
}

impl From<epcore::Error> for Other {
    fn from(_: epcore::Error) -> Self {
        Self::Kind
    }
}

/// Slices of a list of them, of an `EndpointSliceList`, or one, and the version of the list, `""` if it says none; if they are read here.
pub(crate) fn slice_list(source: &Bound<'_, PyAny>) -> PyResult<Option<(Vec<Arc<Slice>>, String)>> {
    read(source, |reader| {
        if let Ok(list) = source.cast::<PyList>() {
            return Ok((reader.slices(list)?, String::new()));
        }
        let dict = source.cast::<PyDict>()?;
        let Some(items) = dict.get_item("items")? else {
            // With an object it may be an event.
            return if dict.contains("object")? {
                Err(Other::Kind)
            } else {
                Ok((vec![reader.slice(dict)?], String::new()))
            };
        };
        let slices = reader.slices(items.cast()?)?;
        let mut head = Vec::new();
        write_without("items", dict, &mut head)?;
        // What is a list without items is one with them. Anything else has slices of its own, or is wrong.
        head.pop();
        head.extend_from_slice(if head.len() > 1 { br#","items":[]}"# } else { br#""items":[]}"# });
        match json::read_slice_list(&head)? {
            (none, version) if none.is_empty() => Ok((slices, version)),
            _ => Err(Other::Kind),
        }
    })
}

/// The slice that a dict is, if it is read here.
pub(crate) fn slice(source: &Bound<'_, PyAny>) -> PyResult<Option<Arc<Slice>>> {
    read(source, |reader| reader.slice(source.cast()?))
}

/// Endpoints of a list, each checked as far as that needs no address type, if they are read here.
pub(crate) fn endpoints(source: &Bound<'_, PyAny>) -> PyResult<Option<EndpointList>> {
    read(source, |reader| {
        let list = reader.endpoints(source.cast()?)?;
        list.iter().try_for_each(|endpoint| validate_endpoint(endpoint, None))?;
        Ok(list)
    })
}

/// Endpoints of a list of them, or one, unchecked, if all have one address and nothing that few have.
pub(crate) fn plain_endpoints(source: &Bound<'_, PyAny>) -> PyResult<Option<EndpointList>> {
    read(source, |reader| {
        let Ok(endpoint) = source.cast::<PyDict>() else {
            return reader.endpoints_or(source.cast()?, |_, _, _| Err(Other::Kind));
        };
        let mut list = EndpointList::with_capacity(1);
        reader.plain_endpoint(endpoint, &mut list)?;
        Ok(list)
    })
}

fn read<'py, T>(
    source: &Bound<'py, PyAny>,
    read: impl FnOnce(&mut Reader<'py>) -> Result<T, Other>,
) -> PyResult<Option<T>> {
    // Most callers have bytes.
    if !source.is_instance_of::<PyDict>() && !source.is_instance_of::<PyList>() {
        return Ok(None);
    }
    match read(&mut Reader::new(source.py())) {
        Ok(read) => Ok(Some(read)),
        Err(Other::Kind) => Ok(None),
        Err(Other::Python(error)) => Err(error),
    }
}

/// Write all members of a dict but one, whose value is the answer, if it is there.
fn write_without<'py>(
    name: &str,
    dict: &Bound<'py, PyDict>,
    out: &mut Vec<u8>,
) -> Result<Option<Bound<'py, PyAny>>, Other> {
    let (mut left_out, mut is_twice) = (None, false);
    let members = members_of(dict).filter(|member| match member {
        Ok((its, value)) if its.cast().is_ok_and(|its: &Bound<'_, PyString>| *its == *name) => {
            is_twice |= left_out.replace(value.clone()).is_some();
            false
        }
        _ => true,
    });
    write_members(members, out, IN_SLICE)?;
    if is_twice { Err(Other::Kind) } else { Ok(left_out) }
}

/// What is remembered from one endpoint to the next.
struct Reader<'py> {
    endpoint: Names<'py, 7>,
    conditions: Names<'py, 3>,
    target: Names<'py, 4>,
    /// The last hints as JSON, and in canonical form.
    hints: (Vec<u8>, String),
    json: Vec<u8>,
}

macro_rules! names {
    ($py:ident: $($name:literal)+) => {
        Names { names: [$(Cow::Borrowed(intern!($py, $name))),+], count: 0 }
    };
}

impl<'py> Reader<'py> {
    fn new(py: Python<'py>) -> Self {
        Self {
            endpoint: names!(py: "addresses" "conditions" "targetRef" "nodeName" "zone" "hints" "hostname"),
            conditions: names!(py: "ready" "serving" "terminating"),
            target: names!(py: "kind" "namespace" "name" "uid"),
            hints: Default::default(),
            json: Vec::new(),
        }
    }

    fn slices(&mut self, slices: &Bound<'py, PyList>) -> Result<Vec<Arc<Slice>>, Other> {
        let mut read = Vec::with_capacity(slices.len());
        for slice in slices {
            read.push(self.slice(slice.cast()?)?);
        }
        Ok(read)
    }

    fn slice(&mut self, slice: &Bound<'py, PyDict>) -> Result<Arc<Slice>, Other> {
        let mut around = Vec::new();
        let endpoints = match write_without("endpoints", slice, &mut around)? {
            Some(endpoints) if !endpoints.is_none() => self.endpoints(endpoints.cast()?)?,
            _ => EndpointList::default(),
        };
        Ok(Arc::new(json::read_slice_around(&around, endpoints)?))
    }

    fn endpoints(&mut self, endpoints: &Bound<'py, PyList>) -> Result<EndpointList, Other> {
        self.endpoints_or(endpoints, Self::endpoint_by_json)
    }

    /// Read endpoints, and those that are not plain by `other`.
    fn endpoints_or(
        &mut self,
        endpoints: &Bound<'py, PyList>,
        other: impl Fn(&mut Self, &Bound<'py, PyDict>, &mut EndpointList) -> Result<(), Other>,
    ) -> Result<EndpointList, Other> {
        let mut list = EndpointList::with_capacity(endpoints.len());
        for (number, endpoint) in endpoints.iter().enumerate() {
            if number % MOST_AT_ONCE == 0 {
                endpoints.py().check_signals()?;
            }
            let endpoint = endpoint.cast()?;
            match self.plain_endpoint(endpoint, &mut list) {
                Err(Other::Kind) => other(self, endpoint, &mut list)?,
                read => read?,
            }
        }
        list.shrink();
        Ok(list)
    }

    fn endpoint_by_json(&mut self, endpoint: &Bound<'py, PyDict>, list: &mut EndpointList) -> Result<(), Other> {
        if endpoint.contains("endpoints")? {
            // It may be a slice, whose endpoints are meant.
            return Err(Other::Kind);
        }
        self.json.clear();
        write_value(endpoint, &mut self.json, IN_ENDPOINT)?;
        Ok(json::read_endpoint_onto(&self.json, list)?)
    }

    /// Append an endpoint that has one address and nothing that few have.
    fn plain_endpoint(&mut self, endpoint: &Bound<'py, PyDict>, list: &mut EndpointList) -> Result<(), Other> {
        let [addresses, conditions, target, node_name, zone, hints, hostname] = self.endpoint.values(endpoint)?;
        let addresses = addresses.as_ref().ok_or(Other::Kind)?.cast::<PyList>()?;
        let address = addresses.iter().next().filter(|_| addresses.len() == 1).ok_or(Other::Kind)?;
        let target = self.target.values_of(target.as_ref())?;
        let [kind, namespace, name, uid] = target.each_ref().map(|value| text(value.as_ref()));
        let conditions = self.conditions.values_of(conditions.as_ref())?;
        let [ready, serving, terminating] = conditions.each_ref().map(|value| truth(value.as_ref()));
        let fields = EndpointFields {
            address: str_of(address.cast()?)?,
            conditions: Conditions::new(ready?, serving?, terminating?),
            hostname: text(hostname.as_ref())?,
            node_name: text(node_name.as_ref())?,
            zone: text(zone.as_ref())?,
            hints: hints.map_or(Ok(""), |hints| self.plain_hints(&hints))?,
            target: [kind?, namespace?, name?, uid?],
        };
        Ok(list.push_fields(&fields)?)
    }

    /// Hints in canonical form: most are those of the endpoint before.
    fn plain_hints(&mut self, hints: &Bound<'py, PyAny>) -> Result<&str, Other> {
        self.json.clear();
        write_value(hints, &mut self.json, IN_ENDPOINT - 1)?;
        if self.hints.0 != self.json {
            self.hints.1 = json::read_plain_hints(&self.json)?.ok_or(Other::Kind)?;
            self.hints.0.clone_from(&self.json);
        }
        Ok(&self.hints.1)
    }
}

/// The names of the members that dicts of a kind may have. To look one up is fastest by the object that the dict has for it.
struct Names<'py, const N: usize> {
    names: [Cow<'py, Bound<'py, PyString>>; N],
    /// How many dicts were looked at.
    count: usize,
}

impl<'py, const N: usize> Names<'py, N> {
    /// The values of these members of a dict, if it has no others. Those that few dicts have are last, and seldom looked up.
    fn values(&mut self, dict: &Bound<'py, PyDict>) -> Result<[Option<Bound<'py, PyAny>>; N], Other> {
        self.count += 1;
        if self.count == FEW {
            self.learn(dict);
        }
        let (mut values, mut missing) = ([const { None }; N], dict.len());
        for (name, value) in self.names.iter().zip(&mut values) {
            if missing == 0 {
                break;
            }
            *value = dict.get_item(&**name)?;
            missing -= usize::from(value.is_some());
        }
        if missing == 0 { Ok(values) } else { Err(Other::Kind) }
    }

    /// The same of what may be a dict or not be there.
    fn values_of(&mut self, value: Option<&Bound<'py, PyAny>>) -> Result<[Option<Bound<'py, PyAny>>; N], Other> {
        cast(value)?.map_or(Ok([const { None }; N]), |dict| self.values(dict))
    }

    #[cold]
    fn learn(&mut self, dict: &Bound<'py, PyDict>) {
        for name in dict.iter().filter_map(|(name, _)| name.cast_into_exact::<PyString>().ok()) {
            if let Ok(text) = name.to_str()
                && let Some(known) = self.names.iter_mut().find(|known| ***known == *text)
            {
                *known = Cow::Owned(name.clone());
            }
        }
    }
}

/// A value of a type, or that there is none.
fn cast<'a, 'py, T: PyTypeCheck>(
    value: Option<&'a Bound<'py, PyAny>>,
) -> Result<Option<&'a Bound<'py, T>>, CastError<'a, 'py>> {
    value.filter(|value| !value.is_none()).map(Bound::cast).transpose()
}

/// The text that a value is, `""` of none.
fn text<'a>(value: Option<&'a Bound<'_, PyAny>>) -> Result<&'a str, OtherKind> {
    cast(value)?.map_or(Ok(""), str_of)
}

fn str_of<'a>(text: &'a Bound<'_, PyString>) -> Result<&'a str, OtherKind> {
    text.to_str().map_err(|_| OtherKind)
}

/// The truth that a value is, if it is one.
fn truth(value: Option<&Bound<'_, PyAny>>) -> Result<Option<bool>, OtherKind> {
    Ok(cast::<PyBool>(value)?.map(PyBoolMethods::is_true))
}
