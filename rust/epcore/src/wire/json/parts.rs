//! Parts of slices, for who has the rest of them in another form.

use crate::Error;
use crate::model::{EndpointList, EndpointSlice, validate_slice};
use crate::wire::json::endpoint::{canonical_hints, read_endpoint};
use crate::wire::json::reader::{text_of, whole};
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
    let mut slice =
        whole(text_of(document)?, |reader| Templates::kept(|templates| read_slice(reader, templates, None)))?;
    if !slice.endpoints.is_empty() {
        return Err(Error::invalid("endpoints are there twice").in_field("endpoints"));
    }
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
    let before = list.len();
    whole(text_of(document)?, |reader| read_endpoint(reader, list)).inspect_err(|_| list.truncate(before))
}

/// The canonical form of an endpoint's hints, nothing if it leaves fields of a newer API out.
///
/// # Errors
///
/// They have no form of hints, with paths within them.
pub fn read_plain_hints(document: &[u8]) -> Result<Option<String>, Error> {
    let mut rare = None;
    let hints = whole(text_of(document)?, |reader| canonical_hints(reader, &mut rare))?;
    Ok(rare.is_none().then_some(hints))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_document_is_left_out_in_silence() {
        let endpoint = br#"{"addresses":["10.0.0.1"]}"#;
        let around = |members: &str| {
            let document = format!(r#"{{"addressType":"IPv4"{members}}} "#);
            read_slice_around(document.as_bytes(), EndpointList::default()).map_err(|error| error.path())
        };
        assert!(around("").is_ok() && around(r#","endpoints":null"#).is_ok());
        assert_eq!(around(r#","endpoints":[{"addresses":["10.0.0.1"]}]"#).err().as_deref(), Some("endpoints"));
        assert!(around("}").is_err());
        let mut list = EndpointList::default();
        read_endpoint_onto(endpoint, &mut list).unwrap();
        for behind in ["{}", "]", "1"] {
            let more = [endpoint, behind.as_bytes()].concat();
            assert!(read_endpoint_onto(&more, &mut list).is_err());
            assert!(read_plain_hints(format!("{{}}{behind}").as_bytes()).is_err());
        }
        assert_eq!(list.len(), 1);
    }
}
