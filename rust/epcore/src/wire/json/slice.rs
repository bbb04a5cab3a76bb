//! One EndpointSlice, in and out.

use crate::Error;
use crate::model::{AddressType, EndpointList, EndpointSlice, Members, ObjectMeta};
use crate::wire::json::alike::{endpoints_size, write_endpoints_into};
use crate::wire::json::carry::Before;
use crate::wire::json::locate::locate_in;
use crate::wire::json::metadata::{read_metadata_by, write_metadata};
use crate::wire::json::port::write_port;
use crate::wire::json::reader::{Reader, Seen};
use crate::wire::json::template::Templates;
use crate::wire::json::writer::{Object, write_array};

pub(crate) const API_VERSION: &str = "discovery.k8s.io/v1";
pub(crate) const KIND: &str = "EndpointSlice";

/// Read one slice, and check it as the API server does.
pub(crate) fn read_valid_slice(reader: &mut Reader<'_>, templates: &mut Templates) -> Result<EndpointSlice, Error> {
    read_valid_slice_after(reader, templates, None)
}

/// The same of a slice that was there before.
pub(super) fn read_valid_slice_after(
    reader: &mut Reader<'_>,
    templates: &mut Templates,
    before: Option<Before<'_>>,
) -> Result<EndpointSlice, Error> {
    let start = reader.clone();
    let slice = read_slice(reader, templates, before)?;
    templates.validate(&slice).map_err(|error| locate_in(start, error))?;
    Ok(slice)
}

/// Read one slice. Nothing but its form is checked.
pub(super) fn read_slice(
    reader: &mut Reader<'_>,
    templates: &mut Templates,
    before: Option<Before<'_>>,
) -> Result<EndpointSlice, Error> {
    let (mut slice, address_type) = read_slice_of_any_type(reader, templates, before)?;
    slice.address_type = address_type?;
    Ok(slice)
}

/// Read one slice and, apart from it, its address type, which may be none that the API knows.
pub(super) fn read_slice_of_any_type(
    reader: &mut Reader<'_>,
    templates: &mut Templates,
    before: Option<Before<'_>>,
) -> Result<(EndpointSlice, Result<AddressType, Error>), Error> {
    let mut metadata = ObjectMeta::default();
    let mut address_type: Option<Result<AddressType, Error>> = None;
    let mut ports = None;
    let mut endpoints = EndpointList::default();
    let mut unknown = Members::default();
    let mut seen = Seen::default();
    reader.object(|reader, name| match name {
        "kind" => seen.once(0).and_then(|()| expect_word(reader, KIND)),
        "apiVersion" => seen.once(1).and_then(|()| expect_word(reader, API_VERSION)),
        "metadata" => {
            seen.once(2)?;
            metadata = read_metadata_by(reader, templates)?;
            Ok(())
        }
        "addressType" => {
            seen.once(3)?;
            reader.peek();
            let start = reader.position();
            let word = reader.optional_string()?;
            if word.is_empty() {
                return Ok(());
            }
            address_type = Some(AddressType::parse(&word).ok_or_else(|| {
                let message = format!("{:?} is not IPv4, IPv6 or FQDN", crate::model::shorten(&word));
                Error::invalid(message).at(start).in_field("addressType")
            }));
            Ok(())
        }
        "endpoints" => {
            seen.once(4)?;
            if reader.null()? {
                return Ok(());
            }
            templates.read_endpoints(reader, &mut endpoints, before)
        }
        "ports" => {
            seen.once(5)?;
            ports = Some(templates.read_ports(reader)?);
            Ok(())
        }
        _ => reader.unknown(name, &mut unknown),
    })?;
    let address_type = address_type.unwrap_or_else(|| Err(missing_address_type(&unknown).in_field("addressType")));
    let (metadata, ports) = (metadata.into(), ports.unwrap_or_default());
    Ok((EndpointSlice { metadata, address_type: AddressType::IPv4, ports, endpoints, unknown }, address_type))
}

fn missing_address_type(unknown: &Members) -> Error {
    if unknown.get("address_type").is_some() {
        return Error::invalid(
            "required, but only address_type is there: pass the client's object itself, or its JSON form, not its snake_case dict",
        );
    }
    Error::invalid("required")
}

/// `kind` and `apiVersion` may be left out, as in lists; if they are there they must be right.
fn expect_word(reader: &mut Reader<'_>, wanted: &str) -> Result<(), Error> {
    let word = reader.optional_string()?;
    if word.is_empty() || word == wanted {
        return Ok(());
    }
    Err(Error::invalid(format!("expected {wanted:?}, found {:?}", crate::model::shorten(&word))))
}

/// Write one slice.
#[must_use]
pub fn write_slice(slice: &EndpointSlice) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024 + slice.endpoints.len() * 320);
    write_slice_into(&mut out, slice);
    out
}

pub(crate) fn write_slice_into(out: &mut Vec<u8>, slice: &EndpointSlice) {
    write_around(out, slice, |out| write_endpoints_into(out, &slice.endpoints));
}

fn write_around(out: &mut Vec<u8>, slice: &EndpointSlice, write_endpoints: impl FnOnce(&mut Vec<u8>)) {
    let mut object = Object::start(out);
    object.text("apiVersion", API_VERSION);
    object.text("kind", KIND);
    write_metadata(object.known("metadata"), &slice.metadata);
    object.text("addressType", slice.address_type.as_str());
    write_endpoints(object.known("endpoints"));
    write_array(object.known("ports"), &slice.ports, write_port);
    object.members(Some(&slice.unknown));
    object.end();
}

/// Bytes of JSON that a slice takes.
pub(crate) fn slice_size(slice: &EndpointSlice) -> usize {
    let mut around = Vec::new();
    write_around(&mut around, slice, |_| ());
    around.len() + endpoints_size(&slice.endpoints)
}
