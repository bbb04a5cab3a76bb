//! What watches say: frames one after the other, or an object by itself, which is there.

use crate::engine::{Kind, Object, ObjectEvent, WatchEvent};
use crate::wire::json;
use crate::wire::proto::by_json::write_typed;
use crate::wire::proto::documents::{read_slices, slice_of};
use crate::wire::proto::endpoint::Learned;
use crate::wire::proto::envelope::{Frame, each_frame, is_frames};
use crate::wire::proto::metadata::{Known, read_metadata};
use crate::wire::proto::objects::read_objects;
use crate::wire::proto::place::offset_of;
use crate::wire::proto::pods::KnownPods;
use crate::wire::proto::reader::Reader;
use crate::wire::proto::schema::message_of;
use crate::{Error, Segment};

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
    KnownPods::kept(|known| read_frames(document, kind, known, &mut events)).map(|()| events)
}

fn read_frames<'a>(
    document: &'a [u8],
    kind: Option<Kind>,
    known: &mut KnownPods<'a>,
    events: &mut Vec<ObjectEvent>,
) -> Result<(), Error> {
    let mut learned = Learned::new();
    let mut count = 0;
    each_frame(document, |frame| {
        count += 1;
        if frame.object.is(json::KIND) && frame.kind != "BOOKMARK" {
            let slice = Object::EndpointSlice(slice_of(&frame, &mut learned)?);
            let deleted = frame.kind == "DELETED";
            events.push(if deleted { ObjectEvent::Deleted(slice) } else { ObjectEvent::Present(slice) });
            return Ok(());
        }
        let is_usual = matches!(frame.kind, "ADDED" | "MODIFIED" | "DELETED");
        if let Some(object) = is_usual.then(|| known.object(&frame.object)).flatten() {
            let deleted = frame.kind == "DELETED";
            events.push(if deleted { ObjectEvent::Deleted(object) } else { ObjectEvent::Present(object) });
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
    })
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
