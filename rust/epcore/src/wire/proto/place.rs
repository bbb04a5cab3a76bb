//! The byte that a path names.

use crate::wire::proto::reader::Reader;
use crate::wire::proto::schema::{Kind, Message, Presence};
use crate::wire::proto::translation::parts_of;
use crate::{Error, Segment};

/// Put into `error` the byte that its path names, seen from a message.
pub(super) fn locate_in(reader: Reader<'_>, message: &Message, error: Error) -> Error {
    let steps: Vec<Segment> = error.segments().cloned().collect();
    let offset = offset_of(reader, message, &steps);
    error.at(offset)
}

/// The byte at which the value under a path begins; where a field is missing, that of the message that should have it.
pub(super) fn offset_of(reader: Reader<'_>, message: &Message, steps: &[Segment]) -> usize {
    let here = reader.position();
    let [Segment::Field(name), rest @ ..] = steps else { return here };
    let Some(entry) = message.named(name) else { return here };
    let (mut skip, rest) = match (entry.presence, rest) {
        (Presence::Repeated, [Segment::Index(index), rest @ ..]) => (*index, rest),
        (_, rest) => (0, rest),
    };
    let mut found = None;
    // The message was read before, so that it can be read again; an error here could only repeat the first.
    let _ = reader.fields(|field| {
        if field.number != entry.number || found.is_some() {
            return Ok(());
        }
        let mut value = field;
        if let (Presence::Map, [Segment::Field(key), ..]) = (entry.presence, rest) {
            match parts_of(&field, reader.document())? {
                (of, part) if of == key => value = part.unwrap_or(field),
                _ => return Ok(()),
            }
        }
        if skip == 0 {
            found = Some(value);
        }
        skip = skip.wrapping_sub(1);
        Ok(())
    });
    let Some(field) = found else { return here };
    match (&entry.kind, field.message(reader.document())) {
        (Kind::Message(inner), Ok(message)) => offset_of(message, inner, rest),
        _ => field.at(),
    }
}
