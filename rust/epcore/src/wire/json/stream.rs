//! Whole documents: a single object, a list, an array, lines of objects, watch events.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::interrupt::points;
use crate::model::{EndpointList, EndpointSlice};
use crate::wire::json::alike::write_endpoints_into;
use crate::wire::json::events::{parts_of, unknown_type};
use crate::wire::json::metadata::read_metadata;
use crate::wire::json::reader::{Reader, Seen, text_of};
use crate::wire::json::relist::Past;
use crate::wire::json::slice::{API_VERSION, read_valid_slice, slice_size, write_slice_into};
use crate::wire::json::template::Templates;
use crate::wire::json::writer::{Object, write_array};
use crate::{Error, Segment};

/// Read slices: one EndpointSlice, an `EndpointSliceList`, a `v1` `List`, an array, JSON lines, or watch events, of which the
/// slices that are there after the last one remain. Each slice is checked as the API server does.
///
/// # Errors
///
/// The first place that is not JSON or that the API would refuse, with path (`slices[3].endpoints[0]`) and byte offset.
///
/// # Examples
///
/// ```
/// let slices = epcore::wire::json::read_slices(
///     br#"{"kind": "List", "items": [{"addressType": "IPv4", "endpoints": null, "ports": null}]}"#,
/// )?;
/// assert_eq!(slices.len(), 1);
/// # Ok::<(), epcore::Error>(())
/// ```
pub fn read_slices(document: &[u8]) -> Result<Vec<Arc<EndpointSlice>>, Error> {
    read_slice_list(document).map(|(slices, _)| slices)
}

/// The same, and the version of the list that the document is, `""` if it is none or does not say.
///
/// # Errors
///
/// As [`read_slices`].
pub fn read_slice_list(document: &[u8]) -> Result<(Vec<Arc<EndpointSlice>>, String), Error> {
    Templates::kept(|templates| read_slices_by(document, templates, None))
}

/// The same by the plain reader alone, which learns nothing from what it reads: slower, and there to be compared with.
///
/// # Errors
///
/// As [`read_slices`].
pub fn read_slices_plainly(document: &[u8]) -> Result<Vec<Arc<EndpointSlice>>, Error> {
    read_slices_by(document, &mut Templates::none(), None).map(|(slices, _)| slices)
}

/// The same and the list's version, with what is known of the last document.
pub(super) fn read_slices_by(
    document: &[u8],
    templates: &mut Templates,
    mut past: Option<&mut Past<'_>>,
) -> Result<(Vec<Arc<EndpointSlice>>, String), Error> {
    let mut fold = Fold::default();
    let version = items(document, SLICES, SLICE_LIST, |reader, event| {
        let mut past = past.as_deref_mut().filter(|_| event.is_none());
        if let Some(slice) = past.as_deref_mut().and_then(|past| past.step_over(reader)) {
            fold.apply(event, slice);
            return Ok(1);
        }
        let start = reader.clone();
        let slice = Arc::new(read_valid_slice(reader, templates)?);
        if let Some(past) = past {
            past.note(start.position()..reader.position(), start.depth(), &slice);
        }
        fold.apply(event, slice);
        Ok(1)
    })?;
    Ok((fold.into_slices(), version))
}

/// Read endpoints: an array or lines of endpoints, an object with `endpoints`, or slices in any form that [`read_slices`] takes,
/// whose endpoints are taken in order. Each is checked as the API server does, as far as that needs no address type.
///
/// # Errors
///
/// As [`read_slices`], with a path such as `endpoints[5].addresses[0]`.
pub fn read_endpoints(document: &[u8]) -> Result<EndpointList, Error> {
    Templates::kept(|templates| read_endpoints_by(document, templates))
}

/// The same by the plain reader alone, as [`read_slices_plainly`].
///
/// # Errors
///
/// As [`read_endpoints`].
pub fn read_endpoints_plainly(document: &[u8]) -> Result<EndpointList, Error> {
    read_endpoints_by(document, &mut Templates::none())
}

fn read_endpoints_by(document: &[u8], templates: &mut Templates) -> Result<EndpointList, Error> {
    let mut list = EndpointList::default();
    each_endpoint(document, |reader| {
        let start = reader.position();
        let count = templates.read_valid(reader, &mut list)?;
        if count >= TELLING && count > list.len() / 2 {
            make_room(&mut list, document.len() - reader.position(), (reader.position() - start) / count);
        }
        Ok(count)
    })?;
    Ok(list)
}

/// Endpoints that tell how long the others are.
const TELLING: usize = 64;

/// Make room for the endpoints in the rest of a document, and some more, if they are as long as these.
fn make_room(list: &mut EndpointList, rest: usize, length: usize) {
    let more = rest / length.max(1);
    let (count, text) = list.size();
    list.reserve((more + more / 16, (text / count * more + more).min(rest)));
}

/// Find the byte that the path of `error` names in a document of slices or endpoints, and put it into the error.
#[must_use]
pub fn locate(document: &[u8], error: Error) -> Error {
    let unknown = error.clone();
    locate_all(document, vec![error]).pop().unwrap_or(unknown)
}

/// The same for many errors, in one pass. All paths begin as the first does.
pub(crate) fn locate_all(document: &[u8], errors: Vec<Error>) -> Vec<Error> {
    let paths: Vec<Vec<Segment>> = errors.iter().map(|error| error.segments().cloned().collect()).collect();
    let mut in_item: HashMap<usize, Wanted<'_>> = HashMap::new();
    for (which, path) in paths.iter().enumerate() {
        if let [Segment::Field(_), Segment::Index(item), rest @ ..] = &**path {
            in_item.entry(*item).or_default().push((which, rest));
        }
    }
    let mut offsets = vec![None; errors.len()];
    let mut item = 0;
    let mut visit = |reader: &mut Reader<'_>, event: Option<Event>| {
        if event.is_some() || in_item.is_empty() {
            // Slices that events leave are not numbered as the events are.
            return Err(Error::invalid("enough seen"));
        }
        if let Some(wanted) = in_item.remove(&item) {
            offsets_of(&mut reader.clone(), wanted, &mut offsets);
        }
        item += 1;
        reader.skip().map(|()| 1)
    };
    // The document was read before, so that it can be read again; an error here could only repeat the first.
    let _ = match paths.first().and_then(|path| path.first()) {
        Some(Segment::Field(root)) if root == ENDPOINTS => each_endpoint(document, |reader| visit(reader, None)),
        _ => items(document, SLICES, SLICE_LIST, visit).map(drop),
    };
    let place =
        |(error, offset): (Error, Option<usize>)| if let Some(offset) = offset { error.at(offset) } else { error };
    errors.into_iter().zip(offsets).map(place).collect()
}

/// Put into `error` the byte that its path names, seen from `reader`.
pub(crate) fn locate_in(mut reader: Reader<'_>, error: Error) -> Error {
    let steps: Vec<Segment> = error.segments().cloned().collect();
    let offset = offset_of(&mut reader, &steps);
    error.at(offset)
}

/// The byte at which the value under a path begins; where a member is missing, that of the object that should have it.
fn offset_of(reader: &mut Reader<'_>, steps: &[Segment]) -> usize {
    let mut offset = [None];
    offsets_of(reader, vec![(0, steps)], &mut offset);
    offset[0].unwrap_or_default()
}

/// Numbers of places that are looked for, each with the path that leads there.
type Wanted<'p> = Vec<(usize, &'p [Segment])>;

fn offsets_of(reader: &mut Reader<'_>, wanted: Wanted<'_>, offsets: &mut [Option<usize>]) {
    let first = reader.peek();
    let here = reader.position();
    let mut deeper: HashMap<&Segment, Wanted<'_>> = HashMap::new();
    for (which, steps) in wanted {
        offsets[which] = Some(here);
        if let Some((step, rest)) = steps.split_first() {
            deeper.entry(step).or_default().push((which, rest));
        }
    }
    let mut visit = |reader: &mut Reader<'_>, step: &Segment| {
        if let Some(wanted) = deeper.remove(step) {
            offsets_of(&mut reader.clone(), wanted, offsets);
        }
        if deeper.is_empty() { Err(Error::invalid("enough seen")) } else { reader.skip() }
    };
    let _ = match first {
        Some(b'{') => reader.object(|reader, name| visit(reader, &Segment::Field(name.to_owned().into()))),
        _ => reader.array(|reader, index| visit(reader, &Segment::Index(index))),
    };
}

const SLICES: &str = "slices";
const ENDPOINTS: &str = "endpoints";
const SLICE_LIST: &str = "EndpointSliceList";

/// Visit each endpoint of a document: items that are endpoints, or the endpoints of items that have some. A call may read several endpoints that are next in an
/// array; the answer is how many.
fn each_endpoint(document: &[u8], mut visit: impl FnMut(&mut Reader<'_>) -> Result<usize, Error>) -> Result<(), Error> {
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
            Err(Error::invalid(format!("expected \"List\" or {wanted:?}, found {:?}", crate::model::shorten(&kind))))
        }
        "items" => {
            seen.once(1)?;
            if reader.null()? {
                return Ok(());
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

/// Write an `EndpointSliceList`.
pub fn write_slices<'a>(slices: impl IntoIterator<Item = &'a EndpointSlice>) -> Vec<u8> {
    let slices: Vec<&EndpointSlice> = slices.into_iter().collect();
    let mut out = Vec::with_capacity(slices_size(slices.iter().copied()));
    write_slices_by(slices, |part| out.extend_from_slice(part));
    out
}

/// How many bytes of JSON an `EndpointSliceList` takes: looked up, not written.
pub fn slices_size<'a>(slices: impl IntoIterator<Item = &'a EndpointSlice>) -> usize {
    // Each but the first has a comma before it.
    let sizes = slices.into_iter().map(|slice| slice_size(slice) + 1);
    let [start, end] = around_slices();
    start.len() + sizes.sum::<usize>().saturating_sub(1) + end.len()
}

/// Write an `EndpointSliceList` part by part, for who has room for it already.
pub fn write_slices_by<'a>(slices: impl IntoIterator<Item = &'a EndpointSlice>, mut put: impl FnMut(&[u8])) {
    let [start, end] = around_slices();
    put(&start);
    let mut part = Vec::new();
    for (index, slice) in slices.into_iter().enumerate() {
        part.clear();
        if index > 0 {
            part.push(b',');
        }
        write_slice_into(&mut part, slice);
        put(&part);
    }
    put(&end);
}

/// What a list has before its slices and behind them.
fn around_slices() -> [Vec<u8>; 2] {
    let mut start = Vec::new();
    let mut object = Object::start(&mut start);
    object.text("apiVersion", API_VERSION);
    object.text("kind", "EndpointSliceList");
    write_array(object.known("items"), [], |_, (): ()| ());
    object.end();
    let end = start.split_off(start.len() - 2);
    [start, end]
}

/// Write an array of endpoints.
#[must_use]
pub fn write_endpoints(endpoints: &EndpointList) -> Vec<u8> {
    let mut out = Vec::with_capacity(endpoints.len() * 320);
    write_endpoints_into(&mut out, endpoints);
    out
}
