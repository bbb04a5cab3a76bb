//! Objects of any kind, one or a list, most of them by way of the JSON that Kubernetes would write.

use std::sync::Arc;

use crate::engine::{Kind, Object};
use crate::wire::json;
use crate::wire::proto::documents::{LIST, read_slices};
use crate::wire::proto::envelope::{Envelope, is_frames, open};
use crate::wire::proto::known_json::KnownJson;
use crate::wire::proto::place::offset_of;
use crate::wire::proto::schema::message_of;
use crate::wire::proto::translation::write_members;
use crate::wire::proto::{nodes, pods};
use crate::{Error, Segment};

/// Read all objects of a kind: a list of the API, or one object.
///
/// # Errors
///
/// As [`read_events`](crate::wire::proto::read_events), with paths such as `objects[7].spec.ports`.
pub fn read_objects(document: &[u8], kind: Option<Kind>) -> Result<(Kind, Vec<Object>), Error> {
    let is_slices =
        !is_frames(document) && open(document, 0).is_ok_and(|envelope| envelope.is(LIST) || envelope.is(json::KIND));
    if is_slices && kind.is_none_or(|kind| kind == Kind::EndpointSlice) {
        let slices = read_slices(document).map_err(|error| error.with_root("objects"))?;
        if let Some(index) = slices.iter().position(|slice| slice.metadata.name.is_empty()) {
            let error =
                Error::invalid("required, to tell one slice from another").in_field("name").in_field("metadata");
            return Err(locate(document, error.in_index(index).in_field("objects")));
        }
        return Ok((Kind::EndpointSlice, slices.into_iter().map(Object::EndpointSlice).collect()));
    }
    if kind.is_none_or(|kind| kind == Kind::Pod)
        && let Some(pods) = pods::read_usual(document)
    {
        return Ok((Kind::Pod, pods.into_iter().map(|pod| Object::Pod(Arc::new(pod))).collect()));
    }
    if kind.is_none_or(|kind| kind == Kind::Node)
        && let Some(nodes) = nodes::read_usual(document)
    {
        return Ok((Kind::Node, nodes.into_iter().map(|node| Object::Node(Arc::new(node))).collect()));
    }
    translated(document, "objects", |json| json::read_objects(json, kind))
}

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

/// The version of a list, `""` if the document is none or does not say.
#[must_use]
pub fn read_list_version(document: &[u8]) -> String {
    let mut version = "";
    let _ = open(document, 0).and_then(|envelope| {
        if !envelope.kind.ends_with("List") {
            return Ok(());
        }
        let document = envelope.object.document();
        envelope.object.fields(|field| {
            if field.number != 1 {
                return Ok(());
            }
            field.message(document)?.fields(|part| {
                version = if part.number == 2 { part.text()? } else { version };
                Ok(())
            })
        })
    });
    version.to_owned()
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
