//! Whole documents of slices or endpoints, read and written.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::model::{EndpointList, EndpointSlice};
use crate::wire::json::alike::write_endpoints_into;
use crate::wire::json::carry::{Before, Places};
use crate::wire::json::locate::{Wanted, offsets_of};
use crate::wire::json::reader::Reader;
use crate::wire::json::slice::{API_VERSION, read_valid_slice, read_valid_slice_after, slice_size, write_slice_into};
use crate::wire::json::stream::{ENDPOINTS, Event, Fold, each_endpoint, each_slice};
use crate::wire::json::template::Templates;
use crate::wire::json::writer::{Object, write_array};
use crate::wire::past::{Around, Past};
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

/// The same with what is known of the last document.
pub(in crate::wire) fn read_slices_after(
    document: &[u8],
    past: &mut Past<'_>,
) -> Result<Vec<Arc<EndpointSlice>>, Error> {
    Templates::kept(|templates| {
        templates.places = Places::noted();
        read_slices_by(document, templates, Some(past)).map(|(slices, _)| slices)
    })
}

/// The same and the list's version.
fn read_slices_by(
    document: &[u8],
    templates: &mut Templates,
    mut past: Option<&mut Past<'_>>,
) -> Result<(Vec<Arc<EndpointSlice>>, String), Error> {
    let mut fold = Fold::default();
    let version = each_slice(document, |reader, event| {
        let slice = match past.as_deref_mut().filter(|_| event.is_none()) {
            Some(past) => read_slice_after(past, reader, templates)?,
            None => Arc::new(read_valid_slice(reader, templates)?),
        };
        fold.apply(event, slice);
        Ok(1)
    })?;
    Ok((fold.into_slices(), version))
}

/// Read the slice under the reader, as far as it is not as it was.
fn read_slice_after(
    past: &mut Past<'_>,
    reader: &mut Reader<'_>,
    templates: &mut Templates,
) -> Result<Arc<EndpointSlice>, Error> {
    let (start, around) = (reader.position(), Around::Json(reader.depth()));
    let rest = &reader.bytes()[start..];
    // An object ends itself: text that begins as this one does begins with it. Deeper, it might be nested too deep.
    if let Some((slice, length)) = past.same(start, around, |text| rest.starts_with(text)) {
        reader.jump(start + length);
        return Ok(slice);
    }
    templates.places.clear();
    let before = past.expected(around).and_then(|(text, places, slice)| Before::new(text, places, slice));
    let slice = Arc::new(read_valid_slice_after(reader, templates, before)?);
    past.note(start..reader.position(), around, &slice, templates.places.get());
    Ok(slice)
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
        _ => each_slice(document, visit).map(drop),
    };
    let place =
        |(error, offset): (Error, Option<usize>)| if let Some(offset) = offset { error.at(offset) } else { error };
    errors.into_iter().zip(offsets).map(place).collect()
}
