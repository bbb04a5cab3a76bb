//! One EndpointSlice, in and out.

use crate::Error;
use crate::model::{AddressType, EndpointList, EndpointPort, EndpointSlice, Members, shorten};
use crate::wire::proto::alike::write_endpoints;
use crate::wire::proto::encoding::{write_bytes, write_message, write_number};
use crate::wire::proto::endpoint::{Learned, read_endpoint, write_numbered};
use crate::wire::proto::metadata::{read_metadata, write_metadata};
use crate::wire::proto::place::locate_in;
use crate::wire::proto::reader::{Field, Reader, Seen};
use crate::wire::proto::schema::ENDPOINT_SLICE;

/// Read one slice, and check it as the API server does.
pub(super) fn read_slice<'a>(reader: Reader<'a>, learned: &mut Learned<'a>) -> Result<EndpointSlice, Error> {
    let document = reader.document();
    let (mut metadata, mut address_type, mut ports) = (None, None, None);
    let (mut endpoints, mut unknown) = (EndpointList::default(), Members::default());
    let mut seen = Seen::default();
    learned.begin();
    let mut rest = reader;
    loop {
        learned.read_usual(&mut rest, &mut endpoints);
        let Some(field) = rest.field()? else { break };
        match field.number {
            1 => {
                seen.once(&field)?;
                let read = field.message(document).and_then(|reader| read_metadata(reader, &mut learned.metadata));
                metadata = Some(read.map_err(|error| error.in_field("metadata"))?);
            }
            2 => {
                let index = endpoints.len();
                let read = field.message(document);
                read.and_then(|reader| read_endpoint(reader, &mut endpoints, learned))
                    .map_err(|error| error.in_index(index).in_field("endpoints"))?;
            }
            3 => {
                let add = |ports: &mut Vec<_>, field: &Field<'a>| {
                    if ports.is_empty() {
                        // Most slices have one.
                        ports.reserve_exact(1);
                    }
                    let port = field.message(document).and_then(read_port);
                    ports.push(port.map_err(|error| error.in_index(ports.len()).in_field("ports"))?);
                    Ok(())
                };
                learned.ports.read(&mut rest, &field, &mut ports, add)?;
            }
            4 => {
                seen.once(&field)?;
                let word = field.text().map_err(|error| error.in_field("addressType"))?;
                let message = || format!("{:?} is not IPv4, IPv6 or FQDN", shorten(word));
                let parsed = AddressType::parse(word);
                let parsed = parsed.ok_or_else(|| Error::invalid(message()).at(field.at()).in_field("addressType"));
                address_type = Some(parsed);
            }
            _ => unknown.keep_numbered(field.raw(document)),
        }
    }
    let missing = || Err(Error::invalid("required").at(reader.position()).in_field("addressType"));
    let (metadata, ports) = (metadata.unwrap_or_default().into(), ports.unwrap_or_default());
    let address_type = address_type.unwrap_or_else(missing)?;
    endpoints.shrink();
    let slice = EndpointSlice { metadata, address_type, ports, endpoints, unknown };
    learned.validate(&slice).map_err(|error| locate_in(reader, &ENDPOINT_SLICE, error))?;
    Ok(slice)
}

fn read_port(reader: Reader<'_>) -> Result<EndpointPort, Error> {
    let document = reader.document();
    let mut port = EndpointPort::default();
    let mut seen = Seen::default();
    reader.fields(|field| {
        let (name, target) = match field.number {
            1 => ("name", &mut port.name),
            2 => ("protocol", &mut port.protocol),
            3 => {
                let number = seen.once(&field).and_then(|()| field.number());
                let number = number.and_then(|number| {
                    let message = || format!("{number} is not a whole number of 32 bits");
                    i32::try_from(number).map_err(|_| Error::invalid(message()).at(field.at()))
                });
                port.port = Some(number.map_err(|error| error.in_field("port"))?);
                return Ok(());
            }
            4 => ("appProtocol", &mut port.app_protocol),
            _ => {
                port.unknown.keep_numbered(field.raw(document));
                return Ok(());
            }
        };
        let text = seen.once(&field).and_then(|()| field.text()).map_err(|error| error.in_field(name))?;
        if !(field.number == 2 && text.is_empty()) {
            text.clone_into(target);
        }
        Ok(())
    })?;
    Ok(port)
}

/// Bytes that a slice is likely to have.
pub(super) fn likely_size(slice: &EndpointSlice) -> usize {
    256 + slice.endpoints.len() * 170
}

/// Write one slice, all but its tag and length.
pub(super) fn write_slice(out: &mut Vec<u8>, slice: &EndpointSlice) -> Result<(), Error> {
    write_message(out, 1, |out| write_metadata(out, &slice.metadata)).map_err(|error| error.in_field("metadata"))?;
    write_endpoints(out, &slice.endpoints)?;
    for (index, port) in slice.ports.iter().enumerate() {
        write_message(out, 3, |out| write_port(out, port)).map_err(|error| error.in_index(index).in_field("ports"))?;
    }
    write_bytes(out, 4, slice.address_type.as_str().as_bytes());
    write_numbered(out, Some(&slice.unknown))
}

fn write_port(out: &mut Vec<u8>, port: &EndpointPort) -> Result<(), Error> {
    write_bytes(out, 1, port.name.as_bytes());
    if !port.protocol.is_empty() {
        write_bytes(out, 2, port.protocol.as_bytes());
    }
    if let Some(number) = port.port {
        write_number(out, 3, i64::from(number));
    }
    if !port.app_protocol.is_empty() {
        write_bytes(out, 4, port.app_protocol.as_bytes());
    }
    write_numbered(out, Some(&port.unknown))
}
