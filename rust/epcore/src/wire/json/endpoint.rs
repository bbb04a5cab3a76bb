//! One endpoint, in and out.

use std::borrow::Cow;

use crate::Error;
use crate::model::{Address, Conditions, EndpointList, EndpointRef, Members, Rare, Record};
use crate::wire::json::reader::{Reader, Seen};
use crate::wire::json::writer::{Object, write_address, write_array, write_raw_object, write_string};

/// Read one endpoint onto the end of a list.
pub(crate) fn read_endpoint(reader: &mut Reader<'_>, list: &mut EndpointList) -> Result<(), Error> {
    let mut record = Record::default();
    let mut rare: Option<Rare> = None;
    let mut has_address = false;
    let mut seen = Seen::default();
    reader.object(|reader, name| match name {
        "addresses" => {
            seen.once(0)?;
            has_address = read_addresses(reader, list, &mut record, &mut rare)?;
            Ok(())
        }
        "conditions" => {
            seen.once(1)?;
            read_conditions(reader, &mut record, &mut rare)
        }
        "hostname" => {
            seen.once(2)?;
            record.hostname = list.text_mut().push(&reader.optional_string()?)?;
            Ok(())
        }
        "targetRef" => {
            seen.once(3)?;
            read_target(reader, list, &mut record, &mut rare)
        }
        "nodeName" => {
            seen.once(4)?;
            record.node_name = list.text_mut().intern(&reader.optional_string()?)?;
            Ok(())
        }
        "zone" => {
            seen.once(5)?;
            record.zone = list.text_mut().intern(&reader.optional_string()?)?;
            Ok(())
        }
        "hints" => {
            seen.once(6)?;
            record.hints = list.text_mut().intern(&canonical_hints(reader, &mut rare)?)?;
            Ok(())
        }
        _ => {
            let unknown = &mut rare.get_or_insert_default().unknown;
            reader.unknown(name, unknown)?;
            // An empty map is none: the API server leaves it out.
            if name == "deprecatedTopology" && unknown.get(name) == Some("{}") {
                unknown.replace(name, Some("null"));
            }
            Ok(())
        }
    })?;
    if !has_address {
        rare.get_or_insert_default().no_address = true;
    }
    list.push_record(record, rare)
}

/// Read the addresses; false if there are none.
fn read_addresses(
    reader: &mut Reader<'_>,
    list: &mut EndpointList,
    record: &mut Record,
    rare: &mut Option<Rare>,
) -> Result<bool, Error> {
    let mut found = false;
    if reader.null()? {
        return Ok(found);
    }
    reader.array(|reader, index| {
        let text = reader.string()?;
        let address = Address::parse(&text);
        if index > 0 {
            rare.get_or_insert_default().more_addresses.push(address.to_string().into());
            return Ok(());
        }
        found = true;
        record.address = list.store(address)?;
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn read_conditions(
    reader: &mut Reader<'_>,
    record: &mut Record,
    rare: &mut Option<Rare>,
) -> Result<(), Error> {
    if reader.null()? {
        return Ok(());
    }
    let mut values = [None; 3];
    let mut seen = Seen::default();
    reader.object(|reader, name| {
        let index = match name {
            "ready" => 0,
            "serving" => 1,
            "terminating" => 2,
            _ => return reader.unknown(name, &mut rare.get_or_insert_default().conditions_unknown),
        };
        seen.once(index)?;
        if !reader.null()? {
            values[index as usize] = Some(reader.boolean()?);
        }
        Ok(())
    })?;
    record.conditions = Conditions::new(values[0], values[1], values[2]);
    Ok(())
}

pub(super) fn read_target(
    reader: &mut Reader<'_>,
    list: &mut EndpointList,
    record: &mut Record,
    rare: &mut Option<Rare>,
) -> Result<(), Error> {
    if reader.null()? {
        return Ok(());
    }
    let mut seen = Seen::default();
    reader.object(|reader, name| {
        let index = match name {
            "kind" => 0,
            "namespace" => 1,
            "name" => 2,
            "uid" => 3,
            "apiVersion" => 4,
            "resourceVersion" => 5,
            "fieldPath" => 6,
            _ => return reader.unknown(name, &mut rare.get_or_insert_default().target_unknown),
        };
        seen.once(index)?;
        let text = reader.optional_string()?;
        let buffer = list.text_mut();
        match index {
            0 => record.target_kind = buffer.intern(&text)?,
            1 => record.target_namespace = buffer.intern(&text)?,
            2 => record.target_name = buffer.push(&text)?,
            3 => record.target_uid = buffer.push(&text)?,
            4 => rare.get_or_insert_default().target_api_version = text.into(),
            5 => rare.get_or_insert_default().target_resource_version = text.into(),
            _ => rare.get_or_insert_default().target_field_path = text.into(),
        }
        Ok(())
    })
}

/// One of the zones or nodes of hints.
#[derive(Default)]
struct Hint<'a> {
    name: Option<Cow<'a, str>>,
    rest: Members,
}

impl Hint<'_> {
    fn write(out: &mut Vec<u8>, hint: &Self) {
        let mut name = Vec::new();
        if let Some(text) = &hint.name {
            write_string(&mut name, text);
        }
        let name = String::from_utf8_lossy(&name);
        let mut members: Vec<(&str, &str)> = hint.rest.iter().collect();
        if hint.name.is_some() {
            members.push(("name", &name));
        }
        members.sort_unstable();
        write_raw_object(out, members.into_iter());
    }
}

/// Hints with empty and null parts left out, `""` if nothing remains. Fields of a newer API go to `rare`.
pub(crate) fn canonical_hints(reader: &mut Reader<'_>, rare: &mut Option<Rare>) -> Result<String, Error> {
    if reader.null()? {
        return Ok(String::new());
    }
    let mut lists: [Vec<Hint<'_>>; 2] = [Vec::new(), Vec::new()];
    let mut seen = Seen::default();
    reader.object(|reader, name| {
        let index = match name {
            "forZones" => 0,
            "forNodes" => 1,
            _ => return reader.unknown(name, &mut rare.get_or_insert_default().hints_unknown),
        };
        seen.once(index)?;
        if reader.null()? {
            return Ok(());
        }
        reader.array(|reader, _| {
            let mut hint = Hint::default();
            let mut seen = Seen::default();
            reader.object(|reader, name| {
                if name != "name" {
                    return reader.unknown(name, &mut hint.rest);
                }
                seen.once(0)?;
                hint.name = Some(reader.string()?);
                Ok(())
            })?;
            lists[index as usize].push(hint);
            Ok(())
        })
    })?;
    if lists.iter().all(Vec::is_empty) {
        return Ok(String::new());
    }
    let mut out = Vec::new();
    let mut object = Object::start(&mut out);
    for (name, hints) in ["forZones", "forNodes"].into_iter().zip(&lists) {
        if !hints.is_empty() {
            write_array(object.member(name), hints, Hint::write);
        }
    }
    object.end();
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Hints for one zone, one node, or both, in canonical form; `""` for neither.
pub(crate) fn write_hints(zone: Option<&str>, node: Option<&str>) -> String {
    if zone.is_none() && node.is_none() {
        return String::new();
    }
    let mut out = Vec::new();
    let mut object = Object::start(&mut out);
    for (member, name) in [("forZones", zone), ("forNodes", node)] {
        if let Some(name) = name {
            write_array(object.member(member), [name], |out, name| {
                let mut hint = Object::start(out);
                hint.text("name", name);
                hint.end();
            });
        }
    }
    object.end();
    String::from_utf8_lossy(&out).into_owned()
}

/// The zones and the nodes of hints in canonical form.
pub(crate) fn read_hints(hints: &str) -> Result<(Vec<String>, Vec<String>), Error> {
    let mut lists = [Vec::new(), Vec::new()];
    Reader::new(hints).object(|reader, name| {
        let index = match name {
            "forZones" => 0,
            "forNodes" => 1,
            _ => return reader.skip(),
        };
        reader.array(|reader, _| {
            let mut hint = String::new();
            reader.object(|reader, name| {
                if name == "name" {
                    hint = reader.string()?.into_owned();
                    Ok(())
                } else {
                    reader.skip()
                }
            })?;
            lists[index].push(hint);
            Ok(())
        })
    })?;
    let [zones, nodes] = lists;
    Ok((zones, nodes))
}

/// Write one endpoint.
#[must_use]
pub fn write_endpoint(endpoint: EndpointRef<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(320);
    write_endpoint_into(&mut out, endpoint);
    out
}

pub(crate) fn write_endpoint_into(out: &mut Vec<u8>, endpoint: EndpointRef<'_>) {
    let mut object = Object::start(out);
    write_array(object.known("addresses"), endpoint.addresses(), write_address);
    let conditions = endpoint.conditions();
    if !conditions.is_unset() || have_names(endpoint.conditions_unknown()) {
        let mut inner = write_conditions(object.known("conditions"), conditions);
        inner.members(endpoint.conditions_unknown());
        inner.end();
    }
    object.text("hostname", endpoint.hostname().unwrap_or(""));
    write_target(&mut object, endpoint);
    object.text("nodeName", endpoint.node_name().unwrap_or(""));
    object.text("zone", endpoint.zone().unwrap_or(""));
    let hints = (endpoint.hints(), endpoint.hints_unknown());
    if hints.0.is_some() || have_names(hints.1) {
        let mut inner = Object::start(object.known("hints"));
        inner.spread(hints.0.unwrap_or_default());
        inner.members(hints.1);
        inner.end();
    }
    object.members(endpoint.unknown());
    object.end();
}

/// False of fields of protobuf alone, of which JSON has no word: an object of nothing else would be empty.
fn have_names(members: Option<&Members>) -> bool {
    members.is_some_and(|members| members.iter().next().is_some())
}

/// Begin the object of conditions, with all that are known.
pub(super) fn write_conditions(out: &mut Vec<u8>, conditions: Conditions) -> Object<'_> {
    let mut object = Object::start(out);
    object.boolean("ready", conditions.ready());
    object.boolean("serving", conditions.serving());
    object.boolean("terminating", conditions.terminating());
    object
}

pub(super) fn write_target(object: &mut Object<'_>, endpoint: EndpointRef<'_>) {
    let target = endpoint.target_ref();
    if let Some(target) = target.filter(|target| !target.is_empty() || have_names(endpoint.target_unknown())) {
        let mut inner = Object::start(object.known("targetRef"));
        inner.text("kind", target.kind);
        inner.text("namespace", target.namespace);
        inner.text("name", target.name);
        inner.text("uid", target.uid);
        inner.text("apiVersion", target.api_version);
        inner.text("resourceVersion", target.resource_version);
        inner.text("fieldPath", target.field_path);
        inner.members(endpoint.target_unknown());
        inner.end();
    }
}

/// Bytes of JSON that an endpoint takes.
pub(crate) fn endpoint_size(endpoint: EndpointRef<'_>) -> usize {
    write_endpoint(endpoint).len()
}
