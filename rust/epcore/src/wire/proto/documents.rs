//! Whole documents of slices and endpoints, in and out: an object, a list of the API, frames of a watch.

use std::sync::Arc;

use crate::Error;
use crate::interrupt::point;
use crate::model::{EndpointList, EndpointSlice, shorten, validate_endpoint};
use crate::wire::json::{self, Event, Fold};
use crate::wire::past::{Around, Past};
use crate::wire::proto::encoding::{write_bytes, write_message, write_message_of};
use crate::wire::proto::endpoint::{Learned, read_endpoint};
use crate::wire::proto::envelope::{Frame, each_frame, is_frames, open, write_envelope};
use crate::wire::proto::place::locate_in;
use crate::wire::proto::reader::Reader;
use crate::wire::proto::schema::{ENDPOINT, ENDPOINT_SLICE};
use crate::wire::proto::slice::{self, likely_size, read_slice};

pub(super) const LIST: &str = "EndpointSliceList";

/// Read slices: one EndpointSlice, an `EndpointSliceList`, or frames of a watch, of which the slices that are there after the last one remain.
/// Each slice is checked as the API server does.
///
/// # Errors
///
/// The first place that is not protobuf of Kubernetes or that the API would refuse, with path (`slices[3].endpoints[0]`) and byte offset.
pub fn read_slices(document: &[u8]) -> Result<Vec<Arc<EndpointSlice>>, Error> {
    read_slices_by(document, Learned::new(), None)
}

/// The same with what is known of the last document.
pub(in crate::wire) fn read_slices_after(
    document: &[u8],
    past: &mut Past<'_>,
) -> Result<Vec<Arc<EndpointSlice>>, Error> {
    read_slices_by(document, Learned::new(), Some(past))
}

/// The same by the plain reader alone, which takes endpoints of the usual form as any others: slower, and there to be compared with.
///
/// # Errors
///
/// As [`read_slices`].
pub fn read_slices_plainly(document: &[u8]) -> Result<Vec<Arc<EndpointSlice>>, Error> {
    read_slices_by(document, Learned::plain(), None)
}

fn read_slices_by<'a>(
    document: &'a [u8],
    mut learned: Learned<'a>,
    mut past: Option<&mut Past<'_>>,
) -> Result<Vec<Arc<EndpointSlice>>, Error> {
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
        slices.push(match &mut past {
            Some(past) => read_slice_after(past, reader, &mut learned)?,
            None => Arc::new(read_slice(reader, &mut learned)?),
        });
        Ok(())
    })?;
    Ok(slices)
}

/// The slice of an event.
pub(super) fn slice_of<'a>(frame: &Frame<'a>, learned: &mut Learned<'a>) -> Result<Arc<EndpointSlice>, Error> {
    if !matches!(frame.kind, "ADDED" | "MODIFIED" | "DELETED") {
        let message = format!("{:?} is no type of watch event", shorten(frame.kind));
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

/// Read a slice, if it is not as it was.
fn read_slice_after<'a>(
    past: &mut Past<'_>,
    reader: Reader<'a>,
    learned: &mut Learned<'a>,
) -> Result<Arc<EndpointSlice>, Error> {
    let (message, start) = (reader.rest(), reader.position());
    if let Some((slice, _)) = past.same(start, Around::Protobuf, |bytes| bytes == message) {
        return Ok(slice);
    }
    let slice = Arc::new(read_slice(reader, learned)?);
    past.note(start..start + message.len(), Around::Protobuf, &slice, &[]);
    Ok(slice)
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

/// Bytes that an envelope has at most, and a list's metadata.
const AROUND: usize = 128;

/// Write one slice with its envelope, by the bytes that Kubernetes would write.
///
/// # Errors
///
/// A field of JSON that Kubernetes' protobuf does not have, with path (`slice.endpoints[0].weight`).
pub fn write_slice(slice: &EndpointSlice) -> Result<Vec<u8>, Error> {
    let size = likely_size(slice);
    let mut out = Vec::with_capacity(AROUND + size);
    write_envelope(&mut out, json::KIND, size, |out| slice::write_slice(out, slice))
        .map_err(|error| error.in_field("slice"))?;
    Ok(out)
}

/// Write an `EndpointSliceList` with its envelope.
///
/// # Errors
///
/// As [`write_slice`], with path (`slices[3].endpoints[0].weight`).
pub fn write_slices<'a>(slices: impl IntoIterator<Item = &'a EndpointSlice>) -> Result<Vec<u8>, Error> {
    let slices: Vec<&EndpointSlice> = slices.into_iter().collect();
    let size = slices.iter().map(|slice| likely_size(slice)).sum();
    let mut out = Vec::with_capacity(AROUND + size);
    write_envelope(&mut out, LIST, size, |out| {
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
