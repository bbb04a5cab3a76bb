//! The ports of slices, and of subsets of legacy Endpoints.

use crate::Error;
use crate::model::EndpointPort;
use crate::wire::json::reader::{Reader, Seen};
use crate::wire::json::writer::{Object, write_string};

pub(super) fn read_ports(reader: &mut Reader<'_>) -> Result<Vec<EndpointPort>, Error> {
    let mut ports = Vec::new();
    if reader.null()? {
        return Ok(ports);
    }
    reader.array(|reader, _| {
        ports.push(read_port(reader)?);
        Ok(())
    })?;
    // Most slices have one or two.
    ports.shrink_to_fit();
    Ok(ports)
}

pub(super) fn read_port(reader: &mut Reader<'_>) -> Result<EndpointPort, Error> {
    let mut port = EndpointPort::default();
    let mut seen = Seen::default();
    reader.object(|reader, name| {
        match name {
            "name" => {
                seen.once(0)?;
                port.name = reader.optional_string()?.into_owned();
            }
            "protocol" => {
                seen.once(1)?;
                let protocol = reader.optional_string()?;
                if !protocol.is_empty() && protocol != port.protocol {
                    port.protocol = protocol.into_owned();
                }
            }
            "port" => {
                seen.once(2)?;
                port.port = if reader.null()? { None } else { Some(reader.int32()?) };
            }
            "appProtocol" => {
                seen.once(3)?;
                port.app_protocol = reader.optional_string()?.into_owned();
            }
            _ => reader.unknown(name, &mut port.unknown)?,
        }
        Ok(())
    })?;
    Ok(port)
}

pub(super) fn write_port(out: &mut Vec<u8>, port: &EndpointPort) {
    let mut object = Object::start(out);
    write_string(object.known("name"), &port.name);
    object.text("protocol", &port.protocol);
    if let Some(number) = port.port {
        object.number("port", number);
    }
    object.text("appProtocol", &port.app_protocol);
    object.members(Some(&port.unknown));
    object.end();
}
