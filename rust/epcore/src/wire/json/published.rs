//! Endpoints from outside, in: addresses as plain strings, with more in a short form, or as the API has them.

use std::cell::Cell;

use crate::Error;
use crate::kube::{Ports, PortsOfEach, Published, check_port, split_port};
use crate::model::{EndpointList, EndpointPort, Shared, shorten};
use crate::thread;
use crate::wire::json::endpoint::read_endpoint;
use crate::wire::json::port::read_port;
use crate::wire::json::reader::{Reader, Seen};
use crate::wire::json::stream::runs_of_items;
use crate::wire::json::template::Templates;
use crate::wire::json::writer::{Object, write_array, write_raw_object, write_string};

/// Read endpoints to publish: an array or lines of
///
/// - strings: `"10.0.0.5"`, `"10.0.0.5:5432"`, `"[2001:db8::1]:443"`, `"db.example.org:5432"`;
/// - objects with `address` (as such a string) and, as needed, `port` (a number), `ports` (numbers by the name of the Service's port, or
///   ports as the API has them), `ready`, `serving`, `terminating`, `zone`, `nodeName`, `hostname`, `targetRef`, `hints`;
/// - endpoints as the API has them, with `port` or `ports` beside.
///
/// # Errors
///
/// The first place that is not as said, with path (`endpoints[3].port`) and byte offset.
pub fn read_published(document: &[u8]) -> Result<Published, Error> {
    Templates::kept(|templates| {
        if document.len() < SHORT
            && let Some(published) = Desk::kept(|desk| desk.read(document, templates))
        {
            return Ok(published);
        }
        read_published_by(document, templates, Published::default())
    })
}

/// The same by the plain reader alone, as [`read_slices_plainly`](super::read_slices_plainly).
///
/// # Errors
///
/// As [`read_published`].
pub fn read_published_plainly(document: &[u8]) -> Result<Published, Error> {
    read_published_by(document, &mut Templates::none(), Published::default())
}

thread_local! {
    /// Who tells one endpoint is likely to tell another.
    static KEPT: Cell<Option<Box<Desk>>> = const { Cell::new(None) };
}

/// Room to read short documents in, which are then copied into no more than they need.
#[derive(Default)]
struct Desk {
    padded: Vec<u8>,
    endpoints: Option<Shared<EndpointList>>,
}

impl Desk {
    fn kept<T>(read: impl FnOnce(&mut Self) -> T) -> T {
        let mut desk = thread::take(&KEPT).unwrap_or_default();
        let outcome = read(&mut desk);
        thread::keep(&KEPT, Some(desk));
        outcome
    }

    /// Read a document; `None` if there is something to be told about it.
    fn read(&mut self, document: &[u8], templates: &mut Templates) -> Option<Published> {
        // With some bytes behind it the last endpoint, often the only one, is compared like any other.
        self.padded.clear();
        self.padded.extend_from_slice(document);
        self.padded.extend_from_slice(&[b' '; MARGIN]);
        let empty = Published { endpoints: self.endpoints.take().unwrap_or_default(), ports: PortsOfEach::default() };
        let mut read = read_published_by(&self.padded, templates, empty).ok()?;
        let alone = EndpointList::clone(&read.endpoints).into();
        let mut room = std::mem::replace(&mut read.endpoints, alone);
        room.clear();
        self.endpoints = Some(room);
        Some(read)
    }
}

/// Read onto the end of none.
fn read_published_by(document: &[u8], templates: &mut Templates, mut published: Published) -> Result<Published, Error> {
    let mut is_of_api = true;
    templates.forget();
    runs_of_items(document, "endpoints", "List", |reader| {
        if reader.peek() == Some(b'"') {
            let text = reader.string()?;
            return push(&mut published, &text, &[("conditions", READY.to_owned())], None).map(|()| 1);
        }
        // Nearly always all are of the same form.
        let count = if is_of_api { read_plain(reader, &mut published, templates) } else { 0 };
        is_of_api = count > 0 || read_object(reader, &mut published)?;
        Ok(count.max(1))
    })?;
    Ok(published)
}

/// Read endpoints that are all as the API has them, and tell how many. None if the next may be something else: then nothing was read.
fn read_plain(reader: &mut Reader<'_>, published: &mut Published, templates: &mut Templates) -> usize {
    let (start, before) = (reader.clone(), published.endpoints.len());
    let read = templates.read_some(reader, &mut published.endpoints);
    // Where there are several, none has more than others have.
    if let (Ok(count), Some(endpoint)) = (read, published.endpoints.get(before))
        && endpoint.unknown().is_none()
    {
        published.ports.push(Ports::OfService, count);
        return count;
    }
    published.endpoints.truncate(before);
    *reader = start;
    0
}

/// Documents that cost less to copy than the last endpoint costs to read without.
const SHORT: usize = 4096;
/// Bytes that are compared at once.
const MARGIN: usize = 16;
/// Said, and not left to what readers take a missing one for.
const READY: &str = r#"{"ready":true}"#;

/// Append an endpoint of the short form. `members` are those of the API's form but for the addresses, as JSON.
fn push(published: &mut Published, text: &str, members: &[(&str, String)], ports: Option<Ports>) -> Result<(), Error> {
    let (address, port) = split_port(text)?;
    let ports = match (port, ports) {
        (None, ports) => ports.unwrap_or(Ports::OfService),
        (Some(port), None) => Ports::Number(port),
        (Some(_), Some(_)) => return Err(Error::invalid("the port is there twice").in_field("address")),
    };
    let mut json = Vec::new();
    let mut object = Object::start(&mut json);
    write_array(object.member("addresses"), [address], write_string);
    for (name, value) in members {
        object.raw(name, value);
    }
    object.end();
    let json = String::from_utf8_lossy(&json).into_owned();
    read_endpoint(&mut Reader::new(&json), &mut published.endpoints).map_err(Error::without_offset)?;
    published.ports.push(ports, 1);
    Ok(())
}

/// Read an endpoint of any form. True if it was that of the API, and nothing beside.
fn read_object(reader: &mut Reader<'_>, published: &mut Published) -> Result<bool, Error> {
    let mut seen = Seen::default();
    let mut address = None;
    let mut ports = None;
    let mut conditions: Vec<(&'static str, String)> = Vec::new();
    let mut members: Vec<(&'static str, String)> = Vec::new();
    let mut strange = None;
    let mut of_api: Vec<(String, String)> = Vec::new();
    reader.object(|reader, name| {
        const CONDITIONS: [&str; 3] = ["ready", "serving", "terminating"];
        const MEMBERS: [&str; 5] = ["zone", "nodeName", "hostname", "targetRef", "hints"];
        match name {
            "address" => {
                seen.once(0)?;
                address = Some(reader.string()?.into_owned());
            }
            "port" | "ports" => {
                seen.once(1)?;
                ports = read_ports(reader)?;
            }
            _ => {
                let value = reader.canonical()?;
                let known = |names: &'static [&str]| names.iter().copied().find(|known| *known == name);
                if let Some(name) = known(&CONDITIONS) {
                    conditions.push((name, value.clone()));
                } else if let Some(name) = known(&MEMBERS) {
                    members.push((name, value.clone()));
                } else if name != "addresses" {
                    strange.get_or_insert_with(|| name.to_owned());
                }
                of_api.push((name.to_owned(), value));
            }
        }
        Ok(())
    })?;
    let Some(address) = address else {
        // The API's own form.
        let mut json = Vec::new();
        write_raw_object(&mut json, of_api.iter().map(|(name, value)| (&**name, &**value)));
        let json = String::from_utf8_lossy(&json).into_owned();
        read_endpoint(&mut Reader::new(&json), &mut published.endpoints).map_err(Error::without_offset)?;
        let is_of_api = ports.is_none();
        published.ports.push(ports.unwrap_or(Ports::OfService), 1);
        return Ok(is_of_api);
    };
    if let Some(name) = strange {
        return Err(Error::invalid(format!("{:?} is not known beside address", shorten(&name))));
    }
    if !conditions.iter().any(|(name, _)| *name == "ready") {
        conditions.insert(0, ("ready", "true".to_owned()));
    }
    let mut inner = Vec::new();
    write_raw_object(&mut inner, conditions.iter().map(|(name, value)| (*name, &**value)));
    members.push(("conditions", String::from_utf8_lossy(&inner).into_owned()));
    push(published, &address, &members, ports)?;
    Ok(false)
}

/// `5432`, `{"sql": 5432}` or `[{"name": "sql", "port": 5432}]`.
fn read_ports(reader: &mut Reader<'_>) -> Result<Option<Ports>, Error> {
    if reader.null()? {
        return Ok(None);
    }
    match reader.peek() {
        Some(b'{') => {
            let mut named: Vec<(String, i32)> = Vec::new();
            reader.object(|reader, name| {
                let number = reader.int32()?;
                check_port(number, name)?;
                if named.iter().any(|(other, _)| other == name) {
                    return Err(Error::invalid("a second member of this name"));
                }
                named.push((name.to_owned(), number));
                Ok(())
            })?;
            Ok(Some(Ports::Named(named)))
        }
        Some(b'[') => {
            let mut ports: Vec<EndpointPort> = Vec::new();
            reader.array(|reader, _| {
                let port = read_port(reader)?;
                check_port(port.port.unwrap_or(1), &port.name)?;
                ports.push(port);
                Ok(())
            })?;
            Ok(Some(Ports::Exact(ports)))
        }
        _ => {
            let number = reader.int32()?;
            check_port(number, "")?;
            Ok(Some(Ports::Number(number)))
        }
    }
}
