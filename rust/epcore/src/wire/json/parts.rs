//! Parts of slices, for who has the rest of them in another form.

use crate::Error;
use crate::model::{EndpointList, EndpointSlice, validate_slice};
use crate::wire::json::endpoint::{canonical_hints, read_endpoint};
use crate::wire::json::reader::{Reader, text_of};
use crate::wire::json::slice::read_slice;
use crate::wire::json::template::Templates;

/// Read a slice from JSON of all but its endpoints, and check the whole of it as the API server does.
///
/// # Errors
///
/// As [`read_slices`](super::read_slices), with paths within the slice.
///
/// # Examples
///
/// ```
/// use epcore::wire::json;
///
/// let endpoints = json::read_endpoints(br#"[{"addresses": ["10.0.0.5"]}, {"addresses": ["2001:db8::1"]}]"#)?;
/// let wrong = json::read_slice_around(br#"{"addressType": "IPv4", "ports": []}"#, endpoints);
/// assert!(wrong.is_err_and(|error| error.path() == "endpoints[1].addresses[0]"));
/// # Ok::<(), epcore::Error>(())
/// ```
pub fn read_slice_around(document: &[u8], endpoints: EndpointList) -> Result<EndpointSlice, Error> {
    let text = text_of(document)?;
    let mut slice = Templates::kept(|templates| read_slice(&mut Reader::new(text), templates))?;
    slice.endpoints = endpoints;
    validate_slice(&slice)?;
    Ok(slice)
}

/// Read one endpoint onto the end of a list. Nothing but its form is checked.
///
/// # Errors
///
/// As [`read_endpoints`](super::read_endpoints), with paths within the endpoint.
pub fn read_endpoint_onto(document: &[u8], list: &mut EndpointList) -> Result<(), Error> {
    read_endpoint(&mut Reader::new(text_of(document)?), list)
}

/// The canonical form of an endpoint's hints, nothing if it leaves fields of a newer API out.
///
/// # Errors
///
/// They have no form of hints, with paths within them.
pub fn read_plain_hints(document: &[u8]) -> Result<Option<String>, Error> {
    let mut rare = None;
    let hints = canonical_hints(&mut Reader::new(text_of(document)?), &mut rare)?;
    Ok(rare.is_none().then_some(hints))
}
