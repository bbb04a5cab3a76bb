//! The objects of a document: a single one, a list, an array, lines of objects, watch events.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::Error;
use crate::interrupt::points;
use crate::model::{EndpointSlice, shorten};
use crate::wire::json::locate::locate_in;
use crate::wire::json::metadata::read_metadata;
use crate::wire::json::reader::{Reader, Seen, text_of};

const SLICES: &str = "slices";
pub(super) const ENDPOINTS: &str = "endpoints";
const SLICE_LIST: &str = "EndpointSliceList";

/// Visit each slice of a document, or event of one. The answer is the version of the list that the document is.
pub(super) fn each_slice(
    document: &[u8],
    visit: impl FnMut(&mut Reader<'_>, Option<Event>) -> Result<usize, Error>,
) -> Result<String, Error> {
    items(document, SLICES, SLICE_LIST, visit)
}

/// Visit each endpoint of a document: items that are endpoints, or the endpoints of items that have some. A call may read several endpoints
/// that are next in an array; the answer is how many.
pub(super) fn each_endpoint(
    document: &[u8],
    mut visit: impl FnMut(&mut Reader<'_>) -> Result<usize, Error>,
) -> Result<(), Error> {
    items(document, ENDPOINTS, SLICE_LIST, |reader, event| {
        if event.is_some() {
            return Err(Error::invalid("expected endpoints or slices, found a watch event"));
        }
        if !has_endpoints(reader.clone()) {
            return visit(reader);
        }
        let read = reader.object(|reader, name| {
            if name != ENDPOINTS || reader.peek() == Some(b'n') {
                return reader.skip();
            }
            reader.runs(|reader, _| visit(reader))
        });
        read.map(|()| 1)
    })
    .map(drop)
}

/// True if the object under the reader is a slice, or anything else that has endpoints.
fn has_endpoints(mut reader: Reader<'_>) -> bool {
    if reader.peek() != Some(b'{') {
        return false;
    }
    // Nearly all endpoints begin so, and to leave the look at one takes as long as to read it.
    if reader.bytes()[reader.position()..].starts_with(br#"{"addresses":"#) {
        return false;
    }
    let mut found = false;
    let _ = reader.object(|reader, name| {
        if name == ENDPOINTS || name == "addresses" {
            found = name == ENDPOINTS;
            return Err(Error::invalid("enough seen"));
        }
        reader.skip()
    });
    found
}

/// Visit each object of a document that has no watch events; a list's kind is `List` or `kind`.
pub(crate) fn single_items(
    document: &[u8],
    root: &'static str,
    kind: &'static str,
    mut visit: impl FnMut(&mut Reader<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let visit = no_event(|reader| visit(reader).map(|()| 1));
    items_of(Reader::new(text_of(document)?), root, kind, visit).map(drop)
}

/// The same where a call of `visit` may read several objects that are next in an array, and looks at each text of them. The answer is how many.
pub(super) fn runs_of_items(
    document: &[u8],
    root: &'static str,
    kind: &'static str,
    visit: impl FnMut(&mut Reader<'_>) -> Result<usize, Error>,
) -> Result<(), Error> {
    items(document, root, kind, no_event(visit)).map(drop)
}

fn no_event(
    mut visit: impl FnMut(&mut Reader<'_>) -> Result<usize, Error>,
) -> impl FnMut(&mut Reader<'_>, Option<Event>) -> Result<usize, Error> {
    move |reader, event| match event {
        None => visit(reader),
        Some(_) => Err(Error::invalid("expected an object, found a watch event")),
    }
}

/// Visit each object of a document, whatever the document's form; paths begin with `root` and the number of the object. The answer is the
/// version of the list that the document is, `""` if it is none or does not say. That a document is no UTF-8 comes before any other error.
fn items(
    document: &[u8],
    root: &'static str,
    kind: &'static str,
    visit: impl FnMut(&mut Reader<'_>, Option<Event>) -> Result<usize, Error>,
) -> Result<String, Error> {
    let read = items_of(Reader::of_bytes(document), root, kind, visit);
    read.map_err(|error| text_of(document).err().unwrap_or(error))
}

fn items_of(
    mut reader: Reader<'_>,
    root: &'static str,
    kind: &'static str,
    mut visit: impl FnMut(&mut Reader<'_>, Option<Event>) -> Result<usize, Error>,
) -> Result<String, Error> {
    let (mut count, mut values, mut version) = (0, 0, String::new());
    let mut item = |reader: &mut Reader<'_>, event: Option<Event>| {
        let start = reader.position();
        let visited = visit(reader, event).map_err(|error| error.at(start).in_index(count).in_field(root))?;
        count += visited;
        points(visited);
        Ok(visited)
    };
    if reader.peek().is_none() {
        return Err(reader.expected("JSON"));
    }
    while let Some(first) = reader.peek() {
        values += 1;
        if first == b'[' {
            reader.items_of_array(&mut |reader| item(reader, None))?;
            continue;
        }
        match form(reader.clone()) {
            Form::List => version = read_list(&mut reader, kind, &mut |reader| item(reader, None))?,
            Form::Event => read_event(&mut reader, &mut item)?,
            Form::Item => drop(item(&mut reader, None)?),
        }
    }
    Ok(if values == 1 { version } else { String::new() })
}

/// The form of an object at the top of a document.
enum Form {
    List,
    Event,
    Item,
}

/// Look at the names of the members up to the first that tells.
fn form(mut reader: Reader<'_>) -> Form {
    let mut form = Form::Item;
    if reader.peek() != Some(b'{') {
        return form;
    }
    let _ = reader.object(|reader, name| {
        form = match name {
            "items" => Form::List,
            "object" => Form::Event,
            "addressType" | "endpoints" | "addresses" | "ports" | "spec" | "status" | "subsets" => Form::Item,
            _ => return reader.skip(),
        };
        Err(Error::invalid("enough seen"))
    });
    form
}

/// Visit each item of a list, whose version is the answer.
fn read_list(
    reader: &mut Reader<'_>,
    wanted: &str,
    item: &mut dyn FnMut(&mut Reader<'_>) -> Result<usize, Error>,
) -> Result<String, Error> {
    let mut version = String::new();
    let mut seen = Seen::default();
    let mut failed = None;
    let outcome = reader.object(|reader, name| match name {
        "kind" => {
            seen.once(0)?;
            let kind = reader.optional_string()?;
            if kind.is_empty() || kind == "List" || kind == wanted {
                return Ok(());
            }
            Err(Error::invalid(format!("expected \"List\" or {wanted:?}, found {:?}", shorten(&kind))))
        }
        "items" => {
            seen.once(1)?;
            if reader.null()? {
                return Ok(());
            }
            if reader.peek() != Some(b'[') {
                return Err(reader.expected("an array"));
            }
            reader.items_of_array(item).map_err(|error| failed.insert(error).clone())
        }
        "metadata" => {
            // Of a list nothing is refused, whatever it is.
            version = read_metadata(&mut reader.clone()).unwrap_or_default().resource_version;
            reader.skip()
        }
        _ => reader.skip(),
    });
    // An item's path begins at the item, not at the list around it.
    match failed {
        Some(error) => Err(error),
        None => outcome.map(|()| version),
    }
}

/// Reads one object that an event is about.
type Visit<'v> = dyn FnMut(&mut Reader<'_>, Option<Event>) -> Result<usize, Error> + 'v;

fn read_event(reader: &mut Reader<'_>, item: &mut Visit<'_>) -> Result<(), Error> {
    let start = reader.clone();
    let parts = parts_of(reader)?;
    let Some((kind, mut object)) = parts else {
        return Err(locate_in(start, Error::invalid("required").in_field("type")));
    };
    let event = match &*kind {
        "ADDED" | "MODIFIED" => Event::Present,
        "DELETED" => Event::Deleted,
        "BOOKMARK" => return Ok(()),
        "ERROR" => return Err(Error::invalid("the watch ended with an ERROR event").at(start.position())),
        other => return Err(unknown_type(start, other)),
    };
    item(&mut object, Some(event)).map(drop)
}

/// The type of an event and its object, or `None` for an object by itself.
pub(super) fn parts_of<'r>(reader: &mut Reader<'r>) -> Result<Option<(String, Reader<'r>)>, Error> {
    let (mut kind, mut object) = (None, None);
    let mut seen = Seen::default();
    reader.object(|reader, name| match name {
        "type" => {
            seen.once(0)?;
            kind = Some(reader.string()?.into_owned());
            Ok(())
        }
        "object" => {
            seen.once(1)?;
            object = Some(reader.clone());
            reader.skip()
        }
        _ => reader.skip(),
    })?;
    match (kind, object) {
        (Some(kind), Some(object)) => Ok(Some((kind, object))),
        (Some(_), None) => Err(Error::invalid("required").in_field("object")),
        (None, _) => Ok(None),
    }
}

pub(super) fn unknown_type(start: Reader<'_>, word: &str) -> Error {
    let error = Error::invalid(format!("{:?} is no type of watch event", shorten(word))).in_field("type");
    locate_in(start, error)
}

/// What a watch says of the object.
#[derive(Clone, Copy)]
pub(in crate::wire) enum Event {
    Present,
    Deleted,
}

/// The objects that a stream of them, or of events, leaves.
#[derive(Default)]
pub(in crate::wire) struct Fold {
    slices: Vec<Option<Arc<EndpointSlice>>>,
    by_name: HashMap<(String, String), usize>,
}

impl Fold {
    pub(in crate::wire) fn into_slices(self) -> Vec<Arc<EndpointSlice>> {
        self.slices.into_iter().flatten().collect()
    }

    pub(in crate::wire) fn apply(&mut self, event: Option<Event>, slice: Arc<EndpointSlice>) {
        let Some(event) = event else {
            self.slices.push(Some(slice));
            return;
        };
        let key = (slice.metadata.namespace.clone(), slice.metadata.name.clone());
        let index = *self.by_name.entry(key).or_insert(self.slices.len());
        if index == self.slices.len() {
            self.slices.push(None);
        }
        self.slices[index] = match event {
            Event::Present => Some(slice),
            Event::Deleted => None,
        };
    }
}
