//! Watch events.

use std::borrow::Cow;
use std::sync::Arc;

use crate::Error;
use crate::engine::{Kind, Object, ObjectEvent, WatchEvent};
use crate::model::{EndpointSlice, shorten};
use crate::wire::json::locate::locate_in;
use crate::wire::json::metadata::read_metadata;
use crate::wire::json::objects;
use crate::wire::json::pods::Likenesses;
use crate::wire::json::reader::{self, Reader};
use crate::wire::json::slice::read_valid_slice;
use crate::wire::json::stream::{parts_of, single_items, unknown_type};
use crate::wire::json::template::Templates;

/// Read watch events, one after the other; a slice by itself says that it is there.
///
/// # Errors
///
/// The first place that is not JSON, no event, or that the API would refuse, with path (`events[3].object.endpoints[0]`) and byte offset.
pub fn read_events(document: &[u8]) -> Result<Vec<WatchEvent>, Error> {
    each_event(document, read_event)
}

/// Read what watches of several kinds say, one event after the other; an object by itself says that it is there. `kind` is that of objects
/// that do not tell, and of an `ERROR`.
///
/// # Errors
///
/// As [`read_events`]; an object of another kind, or of one that nobody tells.
pub fn read_object_events(document: &[u8], kind: Option<Kind>) -> Result<Vec<ObjectEvent>, Error> {
    each_event(document, |reader| read_object_event(reader, kind))
}

fn each_event<T>(document: &[u8], mut read: impl FnMut(&mut Reader<'_>) -> Result<T, Error>) -> Result<Vec<T>, Error> {
    let text = reader::text_of(document)?;
    let mut reader = Reader::new(text);
    let mut events = Vec::new();
    if reader.peek() == Some(b'[') {
        reader
            .array(|reader, _| {
                events.push(read(reader)?);
                Ok(())
            })
            .map_err(|error| error.in_field("events"))?;
    }
    while reader.peek().is_some() {
        let start = reader.position();
        let event = read(&mut reader);
        events.push(event.map_err(|error| error.at(start).in_index(events.len()).in_field("events"))?);
    }
    Ok(events)
}

/// What `read` makes of an event whose `type` comes before its `object`, as servers write it, in one pass. Anything else is left, and
/// all errors, to readers that look twice: what is `None` here is not wrong.
fn read_at_once<T>(
    reader: &mut Reader<'_>,
    mut read: impl FnMut(&mut Reader<'_>, &str) -> Result<T, Error>,
) -> Option<T> {
    let (mut word, mut found) = (None, None);
    let mut ahead = reader.clone();
    let outcome = ahead.object(|reader, name| match (name, &word, &found) {
        ("type", None, None) => {
            word = Some(reader.string()?);
            Ok(())
        }
        ("object", Some(word), None) => {
            found = Some(read(reader, word)?);
            Ok(())
        }
        _ => Err(Error::invalid("another form")),
    });
    outcome.ok()?;
    let found = found?;
    *reader = ahead;
    Some(found)
}

/// A slice by itself, which has no `type`, in one pass; anything else is left as in [`read_at_once`].
fn slice_at_once(reader: &mut Reader<'_>) -> Option<Arc<EndpointSlice>> {
    let mut ahead = reader.clone();
    let slice = slice_of(&mut ahead).ok().filter(|slice| slice.unknown.get("type").is_none())?;
    *reader = ahead;
    Some(slice)
}

fn read_object_event(reader: &mut Reader<'_>, kind: Option<Kind>) -> Result<ObjectEvent, Error> {
    let at_once = read_at_once(reader, |reader, word| match word {
        "ADDED" | "MODIFIED" => read_object(reader, kind).map(ObjectEvent::Present),
        "DELETED" => read_object(reader, kind).map(ObjectEvent::Deleted),
        _ => Err(Error::invalid("another type")),
    });
    if let Some(event) = at_once {
        return Ok(event);
    }
    read_any_object_event(reader, kind)
}

fn read_any_object_event(reader: &mut Reader<'_>, kind: Option<Kind>) -> Result<ObjectEvent, Error> {
    let start = reader.clone();
    let Some((word, mut object)) = parts_of(reader)? else {
        return read_object(&mut start.clone(), kind).map(ObjectEvent::Present);
    };
    let event = match &*word {
        "ADDED" | "MODIFIED" => read_object(&mut object, kind).map(ObjectEvent::Present),
        "DELETED" => read_object(&mut object, kind).map(ObjectEvent::Deleted),
        "BOOKMARK" => kind_of(&object, kind)
            .and_then(|kind| version_of(&mut object).map(|version| ObjectEvent::Bookmark(kind, version))),
        "ERROR" => kind.map(ObjectEvent::Expired).ok_or_else(|| Error::invalid("of which watch? give its kind")),
        other => return Err(unknown_type(start, other)),
    };
    event.map_err(|error| error.in_field("object"))
}

/// The kind that an object tells, or the one that it is known to have.
fn kind_of(object: &Reader<'_>, known: Option<Kind>) -> Result<Kind, Error> {
    let word = match first_text(object.clone(), "kind") {
        Some(word) => word,
        None => text_of(&mut object.clone(), "kind")?.into(),
    };
    let found = if word.is_empty() { known } else { Kind::parse(&word).filter(|_| !word.ends_with("List")) };
    let trouble = || match &*word {
        "" => Error::invalid("required, where no kind is given"),
        other => Error::invalid(format!("{:?} is not one of EndpointSlice, Service, Pod, Node", shorten(other))),
    };
    found.ok_or_else(|| locate_in(object.clone(), trouble().in_field("kind")))
}

fn read_object(reader: &mut Reader<'_>, kind: Option<Kind>) -> Result<Object, Error> {
    Ok(match kind_of(reader, kind)? {
        Kind::EndpointSlice => Object::EndpointSlice(slice_of(reader)?),
        Kind::Service => Object::Service(Arc::new(objects::service(reader)?)),
        Kind::Pod => Object::Pod(Arc::new(Likenesses::kept(|likenesses| likenesses.read_one(reader))?)),
        Kind::Node => Object::Node(Arc::new(objects::node(reader)?)),
    })
}

/// Read all objects of a kind: a list of the API, an array or JSON lines. `kind` is needed where nothing in the document tells it.
///
/// # Errors
///
/// As [`read_object_events`], with paths such as `objects[7].spec.ports`.
pub fn read_objects(document: &[u8], kind: Option<Kind>) -> Result<(Kind, Vec<Object>), Error> {
    let kind = kind.or_else(|| kind_of_document(document));
    let Some(kind) = kind else {
        return Err(Error::invalid("nothing tells of which kind they are: give kind").in_field("objects"));
    };
    let mut objects = Vec::new();
    single_items(document, "objects", kind.list(), |reader| {
        let object = read_object(reader, Some(kind))?;
        if object.kind() != kind {
            let message = format!("expected {:?}, found {:?}", kind.as_str(), object.kind().as_str());
            return Err(Error::invalid(message).in_field("kind"));
        }
        objects.push(object);
        Ok(())
    })?;
    Ok((kind, objects))
}

/// The kind of a list, or of the first object of an array, or of a list such as `kubectl` makes, which does not tell itself.
fn kind_of_document(document: &[u8]) -> Option<Kind> {
    let mut reader = Reader::new(std::str::from_utf8(document).ok()?);
    if reader.peek()? == b'[' {
        return kind_of_first(&mut reader).ok()?;
    }
    if let Some(kind) = Kind::parse(&text_of(&mut reader.clone(), "kind").ok()?) {
        return Some(kind);
    }
    let mut first = None;
    let read = reader.object(|reader, name| {
        if name != "items" || reader.peek() != Some(b'[') {
            return reader.skip();
        }
        first = kind_of_first(reader)?;
        Ok(())
    });
    read.ok().and(first)
}

/// The kind of the first object of an array.
fn kind_of_first(reader: &mut Reader<'_>) -> Result<Option<Kind>, Error> {
    let mut first = None;
    reader.array(|reader, index| {
        first = if index == 0 { kind_of(reader, None).ok() } else { first };
        reader.skip()
    })?;
    Ok(first)
}

/// A member of an object that is text, if it is the first one and not empty: servers begin with the kind.
fn first_text<'a>(mut object: Reader<'a>, member: &str) -> Option<Cow<'a, str>> {
    let mut text = Cow::Borrowed("");
    let _ = object.object(|reader, name| {
        if name == member {
            text = reader.string()?;
        }
        Err(Error::invalid("enough seen"))
    });
    (!text.is_empty()).then_some(text)
}

/// A member of an object that is text, `""` if it has none.
fn text_of(object: &mut Reader<'_>, member: &str) -> Result<String, Error> {
    let mut text = String::new();
    object.object(|reader, name| {
        if name != member {
            return reader.skip();
        }
        text = reader.optional_string()?.into_owned();
        Ok(())
    })?;
    Ok(text)
}

fn read_event(reader: &mut Reader<'_>) -> Result<WatchEvent, Error> {
    let at_once = read_at_once(reader, |reader, word| match word {
        "ADDED" | "MODIFIED" => slice_of(reader).map(WatchEvent::Present),
        "DELETED" => slice_of(reader).map(WatchEvent::Deleted),
        _ => Err(Error::invalid("another type")),
    });
    if let Some(event) = at_once.or_else(|| slice_at_once(reader).map(WatchEvent::Present)) {
        return Ok(event);
    }
    read_any_event(reader)
}

fn read_any_event(reader: &mut Reader<'_>) -> Result<WatchEvent, Error> {
    let start = reader.clone();
    let Some((kind, mut object)) = parts_of(reader)? else {
        return slice_of(&mut start.clone()).map(WatchEvent::Present);
    };
    let event = match &*kind {
        "ADDED" | "MODIFIED" => slice_of(&mut object).map(WatchEvent::Present),
        "DELETED" => slice_of(&mut object).map(WatchEvent::Deleted),
        "BOOKMARK" => version_of(&mut object).map(WatchEvent::Bookmark),
        "ERROR" => text_of(&mut object, "message").map(WatchEvent::Expired),
        other => return Err(unknown_type(start, other)),
    };
    event.map_err(|error| error.in_field("object"))
}

pub(super) fn slice_of(reader: &mut Reader<'_>) -> Result<Arc<EndpointSlice>, Error> {
    let start = reader.clone();
    let slice = Templates::kept(|templates| read_valid_slice(reader, templates))?;
    if slice.metadata.name.is_empty() {
        let error = Error::invalid("required, to tell one slice from another").in_field("name").in_field("metadata");
        return Err(locate_in(start, error));
    }
    Ok(Arc::new(slice))
}

/// `metadata.resourceVersion` of an object of any kind.
fn version_of(reader: &mut Reader<'_>) -> Result<String, Error> {
    let mut version = String::new();
    reader.object(|reader, name| {
        if name != "metadata" {
            return reader.skip();
        }
        version = read_metadata(reader)?.resource_version;
        Ok(())
    })?;
    Ok(version)
}

/// The version of a list, `""` if the document is none or does not say.
#[must_use]
pub fn read_list_version(document: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(document) else { return String::new() };
    let mut reader = Reader::new(text);
    let mut is_list = false;
    let mut version = String::new();
    let read = reader.object(|reader, name| match name {
        "items" => {
            is_list = true;
            reader.skip()
        }
        "metadata" => {
            version = read_metadata(reader)?.resource_version;
            Ok(())
        }
        _ => reader.skip(),
    });
    if is_list && read.is_ok() && reader.peek().is_none() { version } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLICE: &str = r#"{"kind":"EndpointSlice","metadata":{"name":"a","resourceVersion":"7"},"addressType":"IPv4","ports":[{"port":80}],"endpoints":[{"addresses":["10.0.0.1"],"zone":"a"},{"addresses":["10.0.0.2"],"zone":"b"}]}"#;

    /// Both ways to read events come to the same, whatever their form and whatever is wrong.
    fn assert_same(document: &[u8]) {
        let shown = String::from_utf8_lossy(document);
        let [at_once, twice] = [read_event, read_any_event].map(|read| each_event(document, read));
        assert_eq!(format!("{at_once:?}"), format!("{twice:?}"), "{shown}");
        for kind in [None, Some(Kind::EndpointSlice), Some(Kind::Node)] {
            let at_once = each_event(document, |reader| read_object_event(reader, kind));
            let twice = each_event(document, |reader| read_any_object_event(reader, kind));
            assert_eq!(format!("{at_once:?}"), format!("{twice:?}"), "{shown}");
        }
    }

    fn documents() -> Vec<String> {
        let node = r#"{"kind":"Node","metadata":{"name":"n"}}"#;
        let mut documents =
            vec![SLICE.to_owned(), format!("[{SLICE},{SLICE}]"), SLICE.replacen('{', r#"{"type":"x","#, 1)];
        for (word, object) in
            [("ADDED", SLICE), ("DELETED", SLICE), ("MODIFIED", node), ("BOOKMARK", SLICE), ("NEW", SLICE)]
        {
            documents.push(format!(r#"{{"type":"{word}","object":{object}}}{{"object":{object},"type":"{word}"}}"#));
            documents.push(format!(r#"{{"type":"{word}","object":{object},"type":"{word}"}}"#));
            documents.push(format!(r#"{{"type":"{word}","more":1,"object":{object}}}"#));
            documents.push(format!(r#"{{"type":null,"object":{object}}}"#));
        }
        documents
    }

    #[test]
    fn events_are_the_same_read_at_once_or_part_by_part() {
        for document in documents() {
            assert_same(document.as_bytes());
        }
    }

    #[test]
    fn events_that_are_cut_or_spoiled_are_the_same_read_at_once_or_part_by_part() {
        let text = format!(r#"{{"type":"ADDED","object":{SLICE}}}"#);
        for at in 0..text.len() {
            assert_same(&text.as_bytes()[..at]);
            for byte in *b"\"\\}],:x1" {
                let mut spoiled = text.clone().into_bytes();
                spoiled[at] = byte;
                assert_same(&spoiled);
            }
        }
    }
}
