//! Whole documents: an object, a list of the API, frames of a watch.

use std::sync::Arc;

use crate::engine::{Kind, Object, ObjectEvent, WatchEvent};
use crate::interrupt::point;
use crate::model::{EndpointList, EndpointSlice, validate_endpoint};
use crate::wire::json::{self, Event, Fold};
use crate::wire::proto::encoding::{write_bytes, write_message, write_message_of};
use crate::wire::proto::endpoint::{Learned, read_endpoint};
use crate::wire::proto::envelope::{Envelope, Frame, each_frame, is_frames, open, write_envelope};
use crate::wire::proto::known_json::KnownJson;
use crate::wire::proto::metadata::{Known, read_metadata};
use crate::wire::proto::place::{locate_in, offset_of};
use crate::wire::proto::pods::{KnownPods, read_usual};
use crate::wire::proto::reader::Reader;
use crate::wire::proto::schema::{ENDPOINT, ENDPOINT_SLICE, message_of};
use crate::wire::proto::slice::{self, likely_size, read_slice};
use crate::wire::proto::translation::write_members;
use crate::{Error, Segment};

const LIST: &str = "EndpointSliceList";

/// Read slices: one EndpointSlice, an `EndpointSliceList`, or frames of a watch, of which the slices that are there after the last one remain.
/// Each slice is checked as the API server does.
///
/// # Errors
///
/// The first place that is not protobuf of Kubernetes or that the API would refuse, with path (`slices[3].endpoints[0]`) and byte offset.
pub fn read_slices(document: &[u8]) -> Result<Vec<Arc<EndpointSlice>>, Error> {
    read_slices_by(document, Learned::new())
}

/// The same by the plain reader alone, which takes endpoints of the usual form as any others: slower, and there to be compared with.
///
/// # Errors
///
/// As [`read_slices`].
pub fn read_slices_plainly(document: &[u8]) -> Result<Vec<Arc<EndpointSlice>>, Error> {
    read_slices_by(document, Learned::plain())
}

fn read_slices_by<'a>(document: &'a [u8], mut learned: Learned<'a>) -> Result<Vec<Arc<EndpointSlice>>, Error> {
    if is_frames(document) {
        let mut fold = Fold::default();
        let read = each_frame(document, |frame| match frame.kind {
            "BOOKMARK" => Ok(()),
            "ERROR" => Err(Error::invalid("the watch ended with an ERROR event")),
            kind => {
                let event = if kind == "DELETED" { Event::Deleted } else { Event::Present };
                fold.apply(Some(event), slice_of(&frame, &mut learned)?);
                Ok(())
            }
        });
        return read.map(|()| fold.into_slices()).map_err(|error| error.with_root("slices"));
    }
    let mut slices = Vec::new();
    each_slice(document, "slices", |reader| {
        slices.push(Arc::new(read_slice(reader, &mut learned)?));
        Ok(())
    })?;
    Ok(slices)
}

/// The same, and the version of the list that the document is, `""` if it is none or does not say.
///
/// # Errors
///
/// As [`read_slices`].
pub fn read_slice_list(document: &[u8]) -> Result<(Vec<Arc<EndpointSlice>>, String), Error> {
    read_slices(document).map(|slices| (slices, read_list_version(document)))
}

/// One call of `visit` for each slice of an object or a list; paths begin with `root` and the number of the slice.
fn each_slice<'a>(
    document: &'a [u8],
    root: &'static str,
    mut visit: impl FnMut(Reader<'a>) -> Result<(), Error>,
) -> Result<(), Error> {
    let envelope = open(document, 0).map_err(|error| error.in_field(root))?;
    if envelope.is(json::KIND) {
        return visit(envelope.object).map_err(|error| error.in_index(0).in_field(root));
    }
    if !envelope.is(LIST) {
        return Err(envelope.expected("an EndpointSlice or EndpointSliceList of discovery.k8s.io/v1").in_field(root));
    }
    let mut count = 0;
    let document = envelope.object.document();
    envelope.object.fields(|field| {
        if field.number != 2 {
            return Ok(());
        }
        point();
        let read = field.message(document).and_then(&mut visit);
        count += 1;
        read.map_err(|error| error.at(field.at()).in_index(count - 1).in_field(root))
    })
}

/// Read the endpoints of slices, in order, each checked as far as that needs no address type.
///
/// # Errors
///
/// As [`read_slices`], with paths such as `endpoints[0].endpoints[5].addresses[0]`, the number of the slice first.
pub fn read_endpoints(document: &[u8]) -> Result<EndpointList, Error> {
    read_endpoints_by(document, Learned::new())
}

/// The same by the plain reader alone, as [`read_slices_plainly`].
///
/// # Errors
///
/// As [`read_endpoints`].
pub fn read_endpoints_plainly(document: &[u8]) -> Result<EndpointList, Error> {
    read_endpoints_by(document, Learned::plain())
}

fn read_endpoints_by<'a>(document: &'a [u8], mut learned: Learned<'a>) -> Result<EndpointList, Error> {
    if is_frames(document) {
        return Err(Error::invalid("expected endpoints or slices, found a watch event").at(0).in_field("endpoints"));
    }
    let mut list = EndpointList::default();
    learned.begin();
    each_slice(document, "endpoints", |mut slice| {
        let (document, first) = (slice.document(), list.len());
        loop {
            let (from, count) = (slice.position(), list.len());
            learned.read_usual(&mut slice, &mut list);
            if (count..list.len()).any(|index| check(&list, index).is_err()) {
                // The plain reader tells the place of what is wrong.
                learned.read_again(&mut slice, from, &mut list, count);
            }
            let index = list.len() - first;
            let Some(field) = slice.field()? else { return Ok(()) };
            if ENDPOINT_SLICE.named("endpoints").is_none_or(|entry| entry.number != field.number) {
                continue;
            }
            let read = field.message(document).and_then(|reader| {
                read_endpoint(reader, &mut list, &mut learned)?;
                check(&list, list.len() - 1).map_err(|error| locate_in(reader, &ENDPOINT, error))
            });
            read.map_err(|error| error.in_index(index).in_field("endpoints"))?;
        }
    })?;
    Ok(list)
}

/// Check an endpoint as far as that needs no address type.
fn check(list: &EndpointList, index: usize) -> Result<(), Error> {
    list.get(index).map_or(Ok(()), |endpoint| validate_endpoint(endpoint, None))
}

/// The slice of an event.
fn slice_of<'a>(frame: &Frame<'a>, learned: &mut Learned<'a>) -> Result<Arc<EndpointSlice>, Error> {
    if !matches!(frame.kind, "ADDED" | "MODIFIED" | "DELETED") {
        let message = format!("{:?} is no type of watch event", crate::model::shorten(frame.kind));
        return Err(Error::invalid(message).at(frame.start).in_field("type"));
    }
    let read = if frame.object.is(json::KIND) {
        read_slice(frame.object.object, learned)
    } else {
        Err(frame.object.expected("an EndpointSlice of discovery.k8s.io/v1"))
    };
    let slice = read.map_err(|error| error.in_field("object"))?;
    if slice.metadata.name.is_empty() {
        let error = Error::invalid("required, to tell one slice from another").at(frame.object.object.position());
        return Err(error.in_field("name").in_field("metadata").in_field("object"));
    }
    Ok(Arc::new(slice))
}

/// Read what watches of slices say: frames one after the other, or a slice by itself, which is there.
///
/// # Errors
///
/// As [`read_slices`], with paths such as `events[3].object.endpoints[0]`.
pub fn read_events(document: &[u8]) -> Result<Vec<WatchEvent>, Error> {
    let mut events = Vec::new();
    if !is_frames(document) {
        let slices = read_slices(document).map_err(|error| error.with_root("events"))?;
        return Ok(slices.into_iter().map(WatchEvent::Present).collect());
    }
    let mut learned = Learned::new();
    each_frame(document, |frame| {
        events.push(match frame.kind {
            "BOOKMARK" => WatchEvent::Bookmark(version_of(frame.object.object)?),
            "ERROR" => {
                let read = json::read_events(&by_json(&frame)?);
                let event = read.map_err(|error| error.without_offset().without_root())?.pop();
                event.ok_or_else(|| Error::invalid("expected a watch event"))?
            }
            "DELETED" => WatchEvent::Deleted(slice_of(&frame, &mut learned)?),
            _ => WatchEvent::Present(slice_of(&frame, &mut learned)?),
        });
        Ok(())
    })?;
    Ok(events)
}

/// Read what watches of several kinds say; an object by itself says that it is there. `kind` is that of an `ERROR`.
///
/// # Errors
///
/// As [`read_events`]; an object of another kind.
pub fn read_object_events(document: &[u8], kind: Option<Kind>) -> Result<Vec<ObjectEvent>, Error> {
    let mut events = Vec::new();
    if !is_frames(document) {
        let (_, objects) = read_objects(document, None).map_err(|error| error.with_root("events"))?;
        return Ok(objects.into_iter().map(ObjectEvent::Present).collect());
    }
    let (mut learned, mut known) = (Learned::new(), KnownPods::default());
    let mut count = 0;
    let read = each_frame(document, |frame| {
        count += 1;
        if frame.object.is(json::KIND) && frame.kind != "BOOKMARK" {
            let slice = Object::EndpointSlice(slice_of(&frame, &mut learned)?);
            let deleted = frame.kind == "DELETED";
            events.push(if deleted { ObjectEvent::Deleted(slice) } else { ObjectEvent::Present(slice) });
            return Ok(());
        }
        let is_pod = frame.object.kind == "Pod" && matches!(frame.kind, "ADDED" | "MODIFIED" | "DELETED");
        if let Some(pod) = is_pod.then(|| known.read(frame.object.object.rest())).flatten() {
            let pod = Object::Pod(Arc::new(pod));
            let deleted = frame.kind == "DELETED";
            events.push(if deleted { ObjectEvent::Deleted(pod) } else { ObjectEvent::Present(pod) });
            return Ok(());
        }
        let read = json::read_object_events(&by_json(&frame)?, kind).map_err(Error::without_offset);
        // The place of the event is in the path already; each_frame puts it there again.
        events.extend(read.map_err(|error| {
            let steps: Vec<Segment> = error.segments().skip(3).cloned().collect();
            let offset = message_of(frame.object.kind).map(|message| offset_of(frame.object.object, message, &steps));
            error.without_root().at(offset.unwrap_or(frame.start))
        })?);
        Ok(())
    });
    read.map(|()| events)
}

/// Read all objects of a kind: a list of the API, or one object.
///
/// # Errors
///
/// As [`read_events`], with paths such as `objects[7].spec.ports`.
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
        && let Some(pods) = read_usual(document)
    {
        return Ok((Kind::Pod, pods.into_iter().map(|pod| Object::Pod(Arc::new(pod))).collect()));
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
fn write_typed(out: &mut Vec<u8>, envelope: &Envelope<'_>) -> Result<(), Error> {
    let mut object = json::Object::start(out);
    object.text("apiVersion", envelope.api_version);
    object.text("kind", envelope.kind);
    if let Some(message) = message_of(envelope.kind) {
        write_members(&mut object, envelope.object, message, &mut KnownJson::default())?;
    }
    object.end();
    Ok(())
}

/// An event as JSON.
fn by_json(frame: &Frame<'_>) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let mut object = json::Object::start(&mut out);
    object.text("type", frame.kind);
    write_typed(object.member("object"), &frame.object).map_err(|error| error.in_field("object"))?;
    object.end();
    Ok(out)
}

/// `metadata.resourceVersion` of an object of any kind, or of a list.
fn version_of(object: Reader<'_>) -> Result<String, Error> {
    let mut version = String::new();
    let document = object.document();
    object.fields(|field| {
        if field.number == 1 {
            let metadata = field.message(document).and_then(|reader| read_metadata(reader, &mut Known::new(true)));
            version = metadata.map_err(|error| error.in_field("metadata").in_field("object"))?.resource_version;
        }
        Ok(())
    })?;
    Ok(version)
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

/// Write one slice with its envelope, by the bytes that Kubernetes would write.
///
/// # Errors
///
/// A field of JSON that Kubernetes' protobuf does not have, with path (`slice.endpoints[0].weight`).
pub fn write_slice(slice: &EndpointSlice) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(1024 + slice.endpoints.len() * 200);
    write_envelope(&mut out, json::KIND, |out| slice::write_slice(out, slice))
        .map_err(|error| error.in_field("slice"))?;
    Ok(out)
}

/// Write an `EndpointSliceList` with its envelope.
///
/// # Errors
///
/// As [`write_slice`], with path (`slices[3].endpoints[0].weight`).
pub fn write_slices<'a>(slices: impl IntoIterator<Item = &'a EndpointSlice>) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    write_envelope(&mut out, LIST, |out| {
        // Metadata of a list is there though it says nothing.
        write_message(out, 1, |out| {
            (1..=3).for_each(|number| write_bytes(out, number, b""));
            Ok::<_, Error>(())
        })?;
        for (index, slice) in slices.into_iter().enumerate() {
            write_message_of(out, 2, likely_size(slice), |out| slice::write_slice(out, slice))
                .map_err(|error| error.in_index(index))?;
        }
        Ok(())
    })
    .map_err(|error| error.in_field("slices"))?;
    Ok(out)
}
