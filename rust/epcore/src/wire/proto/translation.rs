//! A message as the JSON that Kubernetes would write of it, as far as its schema goes. Other fields are left out.

use std::collections::BTreeMap;

use crate::Error;
use crate::model::rfc3339;
use crate::wire::json::{self, Object, write_string};
use crate::wire::proto::known_json::KnownJson;
use crate::wire::proto::reader::{Field, Reader, second};
use crate::wire::proto::schema::{Entry, Kind, Message, Presence};

/// Write a message as an object.
pub(super) fn write_object<'a>(
    out: &mut Vec<u8>,
    reader: Reader<'a>,
    message: &Message,
    known: &mut KnownJson<'a>,
) -> Result<(), Error> {
    let mut object = Object::start(out);
    write_members(&mut object, reader, message, known)?;
    object.end();
    Ok(())
}

/// Write the fields of a message as members.
pub(super) fn write_members<'a>(
    object: &mut Object<'_>,
    reader: Reader<'a>,
    message: &Message,
    known: &mut KnownJson<'a>,
) -> Result<(), Error> {
    each_entry(message, found_in(reader, message)?, |entry, fields| {
        object.known_if(entry.name, |out| write_entry(out, reader.document(), entry, fields, known))
    })
}

/// Bytes that the JSON of a member seldom has more of.
const LIKELY: usize = 1 << 10;

/// Fields of a message, each with the place of its entry in the schema.
pub(super) type Found<'a> = Vec<(usize, Field<'a>)>;

fn found_in<'a>(reader: Reader<'a>, message: &Message) -> Result<Found<'a>, Error> {
    let mut found = Vec::with_capacity(message.0.len());
    reader.fields(|field| {
        found.extend(message.numbered(field.number).map(|which| (which, field)));
        Ok(())
    })?;
    Ok(found)
}

/// One call of `visit` for each member that the JSON of some fields of a message has, in the order of the schema.
pub(super) fn each_member<'a>(
    document: &'a [u8],
    message: &Message,
    found: Found<'a>,
    known: &mut KnownJson<'a>,
    mut visit: impl FnMut(&'static str, &[u8]),
) -> Result<(), Error> {
    let mut json = Vec::with_capacity(LIKELY);
    each_entry(message, found, |entry, fields| {
        json.clear();
        if write_entry(&mut json, document, entry, fields, known)? {
            visit(entry.name, &json);
        }
        Ok(())
    })
}

/// One call of `visit` for each entry of a message, with the fields that are there of it, in the order of the schema.
fn each_entry<'a>(
    message: &Message,
    mut found: Found<'a>,
    mut visit: impl FnMut(&'static Entry, &[(usize, Field<'a>)]) -> Result<(), Error>,
) -> Result<(), Error> {
    found.sort_by_key(|(which, _)| *which);
    let mut rest = &*found;
    for (which, entry) in message.0.iter().enumerate() {
        let count = rest.iter().take_while(|(of, _)| *of == which).count();
        let (fields, others) = rest.split_at(count);
        rest = others;
        visit(entry, fields).map_err(|error| error.in_field(entry.name))?;
    }
    Ok(())
}

/// Write what is there of one field of a message; false if the JSON has no such member, and something of it may be written all the same.
fn write_entry<'a>(
    out: &mut Vec<u8>,
    document: &'a [u8],
    entry: &Entry,
    fields: &[(usize, Field<'a>)],
    known: &mut KnownJson<'a>,
) -> Result<bool, Error> {
    let start = out.len();
    match entry.presence {
        Presence::Map => write_map(out, document, entry, fields, known)?,
        Presence::Repeated => {
            for (index, (_, field)) in fields.iter().enumerate() {
                out.push(if index == 0 { b'[' } else { b',' });
                write_value(out, document, &entry.kind, field, known).map_err(|error| error.in_index(index))?;
            }
            if !fields.is_empty() {
                out.push(b']');
            }
        }
        presence => match fields {
            [] if presence == Presence::Always => out.extend_from_slice(zero(&entry.kind).as_bytes()),
            [] => {}
            [(_, field)] => {
                write_value(out, document, &entry.kind, field, known)?;
                let nothing = if presence == Presence::Filled { zero(&entry.kind) } else { NULL };
                return Ok(presence == Presence::Always || out[start..] != *nothing.as_bytes());
            }
            [_, (_, again), ..] => return Err(second(again)),
        },
    }
    Ok(out.len() > start)
}

/// The JSON of a time, or of JSON within bytes, that is not set. A member that may be left out is left out then: it says the same, and stays
/// the same when it is written and read again.
const NULL: &str = "null";

/// The JSON of a field that says nothing.
fn zero(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Quantity => "\"\"",
        Kind::Boolean => "false",
        Kind::Number | Kind::NumberOrText => "0",
        Kind::Time | Kind::Json => NULL,
        Kind::Message(_) => "{}",
    }
}

fn write_map<'a>(
    out: &mut Vec<u8>,
    document: &'a [u8],
    entry: &Entry,
    fields: &[(usize, Field<'a>)],
    known: &mut KnownJson<'a>,
) -> Result<(), Error> {
    let mut members = BTreeMap::new();
    for (_, field) in fields {
        let (key, value) = parts_of(field, document)?;
        let mut json = Vec::new();
        match value {
            Some(value) => {
                write_value(&mut json, document, &entry.kind, &value, known)
                    .map_err(|error| error.in_field(key.to_owned()))?;
            }
            None => json.extend_from_slice(zero(&entry.kind).as_bytes()),
        }
        if members.insert(key, json).is_some() {
            return Err(second(field).in_field(key.to_owned()));
        }
    }
    if members.is_empty() {
        return Ok(());
    }
    let mut object = Object::start(out);
    for (key, json) in members {
        object.member(key).extend_from_slice(&json);
    }
    object.end();
    Ok(())
}

/// Key and value of a member of a map, each of which is missing where it says nothing.
pub(super) fn parts_of<'a>(field: &Field<'a>, document: &'a [u8]) -> Result<(&'a str, Option<Field<'a>>), Error> {
    let (mut key, mut value) = ("", None);
    field.message(document)?.fields(|part| {
        match part.number {
            1 => key = part.text()?,
            2 => value = Some(part),
            _ => {}
        }
        Ok(())
    })?;
    Ok((key, value))
}

fn write_value<'a>(
    out: &mut Vec<u8>,
    document: &'a [u8],
    kind: &Kind,
    field: &Field<'a>,
    known: &mut KnownJson<'a>,
) -> Result<(), Error> {
    match kind {
        Kind::Text => write_string(out, field.text()?),
        Kind::Boolean => out.extend_from_slice(if field.boolean()? { b"true" } else { b"false" }),
        Kind::Number => out.extend_from_slice(field.number()?.to_string().as_bytes()),
        Kind::Time => match time(field, document)? {
            Some(text) => write_string(out, &text),
            None => out.extend_from_slice(NULL.as_bytes()),
        },
        Kind::Json => write_json(out, field, document, known.is_plain())?,
        Kind::NumberOrText => {
            let (mut is_text, mut number, mut text) = (false, 0, "");
            field.message(document)?.fields(|part| {
                match part.number {
                    1 => is_text = part.boolean()?,
                    2 => number = part.number()?,
                    3 => text = part.text()?,
                    _ => {}
                }
                Ok(())
            })?;
            if is_text { write_string(out, text) } else { out.extend_from_slice(number.to_string().as_bytes()) }
        }
        Kind::Quantity => {
            let mut text = "";
            field.message(document)?.fields(|part| {
                text = if part.number == 1 { part.text()? } else { text };
                Ok(())
            })?;
            write_string(out, text);
        }
        Kind::Message(message) if message.comes_again() => {
            let reader = field.message(document)?;
            known.write(out, field, |out, known| write_object(out, reader, message, known))?;
        }
        Kind::Message(message) => write_object(out, field.message(document)?, message, known)?,
    }
    Ok(())
}

/// The RFC 3339 form of a time, `None` if it is not set. Kubernetes leaves out what is less than a second.
pub(super) fn time(field: &Field<'_>, document: &[u8]) -> Result<Option<String>, Error> {
    let message = field.message(document)?;
    if message.rest().is_empty() {
        return Ok(None);
    }
    let mut seconds = 0;
    message.fields(|part| {
        seconds = if part.number == 1 { part.number()? } else { seconds };
        Ok(())
    })?;
    let text = rfc3339(seconds);
    text.map(Some).ok_or_else(|| Error::invalid("a time before the year 0 or after 9999").at(field.at()))
}

/// JSON within bytes within a message.
fn write_json(out: &mut Vec<u8>, field: &Field<'_>, document: &[u8], is_plain: bool) -> Result<(), Error> {
    let mut text = "";
    let mut at = field.at();
    field.message(document)?.fields(|part| {
        if part.number == 1 {
            (text, at) = (part.text()?, part.at());
        }
        Ok(())
    })?;
    let canonical = match text {
        "" => Ok(NULL.to_owned()),
        _ if is_plain => json::canonical(text),
        _ => json::whole(text, json::canonical_like_others),
    };
    out.extend_from_slice(canonical.map_err(|error| error.without_offset().at(at))?.as_bytes());
    Ok(())
}
