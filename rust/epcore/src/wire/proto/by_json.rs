//! Objects by way of the JSON that Kubernetes would write of them.

use crate::wire::json;
use crate::wire::proto::envelope::{Envelope, is_frames, open};
use crate::wire::proto::known_json::KnownJson;
use crate::wire::proto::place::offset_of;
use crate::wire::proto::schema::message_of;
use crate::wire::proto::translation::write_members;
use crate::{Error, Segment};

/// Read a document by way of its JSON, with places of errors in the document itself.
///
/// # Errors
///
/// Those of `read`, and the first place that is not protobuf of Kubernetes.
pub(crate) fn translated<T>(
    document: &[u8],
    root: &'static str,
    read: impl FnOnce(&[u8]) -> Result<T, Error>,
) -> Result<T, Error> {
    let json = to_json(document).map_err(|error| error.in_field(root))?;
    read(&json).map_err(|error| locate(document, error.without_offset()))
}

/// The JSON of a whole document.
fn to_json(document: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    if is_frames(document) {
        return Err(Error::invalid("expected an object, found a watch event").at(0));
    }
    let envelope = open(document, 0)?;
    let Some(message) = envelope.kind.strip_suffix("List").and_then(message_of) else {
        write_typed(&mut out, &envelope)?;
        return Ok(out);
    };
    let mut object = json::Object::start(&mut out);
    object.text("kind", envelope.kind);
    let items = object.member("items");
    let (mut count, mut known) = (0, KnownJson::default());
    let document = envelope.object.document();
    items.push(b'[');
    envelope.object.fields(|field| {
        if field.number != 2 {
            return Ok(());
        }
        if count > 0 {
            items.push(b',');
        }
        let mut item = json::Object::start(items);
        let written = field.message(document).and_then(|reader| write_members(&mut item, reader, message, &mut known));
        written.map_err(|error| error.in_index(count))?;
        item.end();
        count += 1;
        Ok(())
    })?;
    items.push(b']');
    object.end();
    Ok(out)
}

/// Write an object with its kind, and with nothing else if the kind is none that is read.
pub(super) fn write_typed(out: &mut Vec<u8>, envelope: &Envelope<'_>) -> Result<(), Error> {
    let mut object = json::Object::start(out);
    object.text("apiVersion", envelope.api_version);
    object.text("kind", envelope.kind);
    if let Some(message) = message_of(envelope.kind) {
        write_members(&mut object, envelope.object, message, &mut KnownJson::default())?;
    }
    object.end();
    Ok(())
}

/// Find the byte that the path of `error` names in an object or a list, and put it into the error.
#[must_use]
pub fn locate(document: &[u8], error: Error) -> Error {
    let steps: Vec<Segment> = error.segments().cloned().collect();
    let Ok(envelope) = open(document, 0) else { return error };
    let kind = envelope.kind.strip_suffix("List");
    let Some(message) = message_of(kind.unwrap_or(envelope.kind)) else { return error };
    let (index, rest) = match &*steps {
        [_, Segment::Index(index), rest @ ..] => (*index, rest),
        [_, rest @ ..] => (0, rest),
        [] => return error,
    };
    let mut item = kind.is_none().then_some(envelope.object);
    let (mut count, document) = (0, envelope.object.document());
    let _ = envelope.object.fields(|field| {
        if kind.is_some() && field.number == 2 {
            if count == index {
                item = Some(field.message(document)?);
            }
            count += 1;
        }
        Ok(())
    });
    match item {
        Some(item) => error.at(offset_of(item, message, rest)),
        None => error,
    }
}
