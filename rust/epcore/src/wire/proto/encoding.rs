//! A message made of its JSON, by the bytes that Kubernetes would write.

use std::ops::Range;

use crate::Error;
use crate::model::timestamp;
use crate::wire::json::Reader as Json;
use crate::wire::proto::schema::{Entry, Kind, Message, Presence};

/// Begin a field of bytes.
fn begin(out: &mut Vec<u8>, number: u32) {
    write_varint(out, u64::from(number << 3 | 2));
}

/// Write a number in groups of seven bits.
#[inline]
pub(super) fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Write a field of bytes.
#[inline]
pub(super) fn write_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    begin(out, number);
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Write a number.
pub(super) fn write_number(out: &mut Vec<u8>, number: u32, value: i64) {
    write_varint(out, u64::from(number << 3));
    write_varint(out, value.cast_unsigned());
}

/// Write a message that `write` writes, with its length before it.
pub(super) fn write_message<E>(
    out: &mut Vec<u8>,
    number: u32,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    write_message_of(out, number, 0, write)
}

/// The same of a message that is likely to have about so many bytes: if its length has as many digits, it is written where it belongs.
pub(super) fn write_message_of<E>(
    out: &mut Vec<u8>,
    number: u32,
    expected: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    begin(out, number);
    let place = out.len();
    write_varint(out, expected as u64);
    let start = out.len();
    write(out)?;
    let (length, room) = (out.len() - start, start - place);
    if let (Ok(length @ 0..0x80), 1) = (u8::try_from(length), room) {
        out[place] = length;
    } else {
        put_length(out, place..start, length);
    }
    Ok(())
}

/// Put a length in the place of another, which may have another size.
fn put_length(out: &mut Vec<u8>, place: Range<usize>, length: usize) {
    let end = out.len();
    // Behind all, where there is room for it.
    write_varint(out, length as u64);
    let mut digits = [0; 10];
    let count = out.len() - end;
    digits[..count].copy_from_slice(&out[end..]);
    let start = place.start + count;
    if start > place.end {
        out.resize(end + start - place.end, 0);
    }
    out.copy_within(place.end..end, start);
    out.truncate(start + end - place.end);
    out[place.start..start].copy_from_slice(&digits[..count]);
}

/// Write the fields of a message that are members of an object, in the order of their numbers.
pub(super) fn write_fields(out: &mut Vec<u8>, object: &mut Json<'_>, message: &Message) -> Result<(), Error> {
    let mut found: Vec<(u32, Vec<u8>)> = Vec::new();
    object.object(|reader, name| {
        let Some(entry) = message.named(name) else {
            return Err(no_form());
        };
        if reader.null()? {
            return Ok(());
        }
        let mut field = Vec::new();
        write_entry(&mut field, reader, entry)?;
        found.push((entry.number, field));
        Ok(())
    })?;
    for entry in message.0.iter().filter(|entry| matches!(entry.presence, Presence::Filled | Presence::Always)) {
        if found.iter().all(|(number, _)| *number != entry.number) {
            let mut field = Vec::new();
            write_zero(&mut field, entry)?;
            found.push((entry.number, field));
        }
    }
    found.sort_by_key(|(number, _)| *number);
    out.extend(found.into_iter().flat_map(|(_, field)| field));
    Ok(())
}

pub(super) fn no_form() -> Error {
    Error::invalid("a field of JSON that Kubernetes' protobuf does not have")
}

fn write_zero(out: &mut Vec<u8>, entry: &Entry) -> Result<(), Error> {
    match &entry.kind {
        Kind::Boolean | Kind::Number => write_number(out, entry.number, 0),
        Kind::Message(message) => {
            write_message(out, entry.number, |out| write_fields(out, &mut Json::new("{}"), message))?;
        }
        _ => write_bytes(out, entry.number, b""),
    }
    Ok(())
}

fn write_entry(out: &mut Vec<u8>, reader: &mut Json<'_>, entry: &Entry) -> Result<(), Error> {
    match entry.presence {
        Presence::Repeated => reader.array(|reader, _| write_value(out, entry.number, reader, &entry.kind)),
        Presence::Map => reader.object(|reader, key| {
            write_message(out, entry.number, |out| {
                write_bytes(out, 1, key.as_bytes());
                write_value(out, 2, reader, &entry.kind)
            })
        }),
        _ => write_value(out, entry.number, reader, &entry.kind),
    }
}

fn write_value(out: &mut Vec<u8>, number: u32, reader: &mut Json<'_>, kind: &Kind) -> Result<(), Error> {
    match kind {
        Kind::Text => write_bytes(out, number, reader.optional_string()?.as_bytes()),
        Kind::Boolean => write_number(out, number, i64::from(reader.boolean()?)),
        Kind::Number => write_number(out, number, reader.int64()?),
        Kind::Time => {
            let text = reader.optional_string()?;
            let seconds = timestamp(&text).map(|(seconds, _)| seconds);
            if !text.is_empty() && seconds.is_none() {
                return Err(Error::invalid(format!("{:?} is no time of RFC 3339", crate::model::shorten(&text))));
            }
            write_message(out, number, |out| {
                if let Some(seconds) = seconds {
                    write_number(out, 1, seconds);
                    write_number(out, 2, 0);
                }
                Ok::<_, Error>(())
            })?;
        }
        Kind::Json => {
            let json = reader.canonical()?;
            write_message(out, number, |out| {
                write_bytes(out, 1, json.as_bytes());
                Ok::<_, Error>(())
            })?;
        }
        Kind::Message(message) => write_message(out, number, |out| write_fields(out, reader, message))?,
        Kind::NumberOrText | Kind::Quantity => return Err(Error::invalid("a kind of field that is only read")),
    }
    Ok(())
}
