//! Legacy Endpoints, in and out.

use crate::Error;
use crate::kube::legacy::{EndpointSubset, Endpoints};
use crate::model::{Address, EndpointList, EndpointPort, EndpointRef, Record};
use crate::wire::json::endpoint::{read_target, write_target};
use crate::wire::json::locate::locate_in;
use crate::wire::json::metadata::{read_metadata, write_metadata};
use crate::wire::json::objects::{each, expect_kind, members, one};
use crate::wire::json::port::read_port;
use crate::wire::json::reader::{Reader, Seen};
use crate::wire::json::writer::{Object, write_array, write_string};

/// Read legacy Endpoints: one object.
///
/// # Errors
///
/// The first place that is not JSON or has the wrong type, or an object without name; with path (`endpoints.subsets[0].addresses`) and byte offset.
pub fn read_legacy_endpoints(document: &[u8]) -> Result<Endpoints, Error> {
    one(document, "endpoints", "Endpoints", endpoints)
}

fn endpoints(reader: &mut Reader<'_>) -> Result<Endpoints, Error> {
    let start = reader.clone();
    let mut endpoints = Endpoints::default();
    let mut seen = Seen::default();
    reader.object(|reader, name| match name {
        "kind" => seen.once(0).and_then(|()| expect_kind(reader, "Endpoints")),
        "apiVersion" => seen.once(1).and_then(|()| reader.skip()),
        "metadata" => {
            seen.once(2)?;
            endpoints.metadata = read_metadata(reader)?;
            Ok(())
        }
        "subsets" => {
            seen.once(3)?;
            each(reader, |reader| {
                endpoints.subsets.push(subset(reader)?);
                Ok(())
            })
        }
        _ => reader.unknown(name, &mut endpoints.unknown),
    })?;
    if endpoints.metadata.name.is_empty() {
        let error = Error::invalid("required").in_field("name").in_field("metadata");
        return Err(locate_in(start, error));
    }
    Ok(endpoints)
}

fn subset(reader: &mut Reader<'_>) -> Result<EndpointSubset, Error> {
    let mut subset = EndpointSubset::default();
    members(reader, &["addresses", "notReadyAddresses", "ports"], |reader, index| {
        let list = match index {
            0 => &mut subset.addresses,
            1 => &mut subset.not_ready_addresses,
            _ => {
                return each(reader, |reader| {
                    subset.ports.push(read_port(reader)?);
                    Ok(())
                });
            }
        };
        each(reader, |reader| address(reader, list))
    })?;
    Ok(subset)
}

/// Read one address of a subset as an endpoint.
fn address(reader: &mut Reader<'_>, list: &mut EndpointList) -> Result<(), Error> {
    let mut record = Record::default();
    let mut rare = None;
    members(reader, &["ip", "hostname", "nodeName", "targetRef"], |reader, index| {
        match index {
            0 => record.address = list.store(Address::parse(&reader.optional_string()?))?,
            1 => record.hostname = list.text_mut().push(&reader.optional_string()?)?,
            2 => record.node_name = list.text_mut().intern(&reader.optional_string()?)?,
            _ => read_target(reader, list, &mut record, &mut rare)?,
        }
        Ok(())
    })?;
    list.push_record(record, rare)
}

/// Write legacy Endpoints.
#[must_use]
pub fn write_legacy_endpoints(endpoints: &Endpoints) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = Object::start(&mut out);
    object.text("apiVersion", "v1");
    object.text("kind", "Endpoints");
    write_metadata(object.known("metadata"), &endpoints.metadata);
    write_array(object.known("subsets"), &endpoints.subsets, |out, subset| {
        let mut object = Object::start(out);
        for (name, list) in [("addresses", &subset.addresses), ("notReadyAddresses", &subset.not_ready_addresses)] {
            if !list.is_empty() {
                write_array(object.member(name), list.iter(), write_address);
            }
        }
        if !subset.ports.is_empty() {
            write_array(object.known("ports"), &subset.ports, write_legacy_port);
        }
        object.end();
    });
    object.members(Some(&endpoints.unknown));
    object.end();
    out
}

fn write_address(out: &mut Vec<u8>, address: EndpointRef<'_>) {
    let mut object = Object::start(out);
    write_string(object.known("ip"), &address.address().to_string());
    object.text("hostname", address.hostname().unwrap_or(""));
    object.text("nodeName", address.node_name().unwrap_or(""));
    write_target(&mut object, address);
    object.end();
}

fn write_legacy_port(out: &mut Vec<u8>, port: &EndpointPort) {
    let mut object = Object::start(out);
    object.text("name", &port.name);
    object.number("port", port.port.unwrap_or(0));
    object.text("protocol", &port.protocol);
    object.text("appProtocol", &port.app_protocol);
    object.members(Some(&port.unknown));
    object.end();
}
