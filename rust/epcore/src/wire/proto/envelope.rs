//! What is around objects: the envelope that says what they are, and the frames of a watch.

use crate::interrupt::point;
use crate::model::shorten;
use crate::wire::proto::encoding::{write_bytes, write_message, write_message_of};
use crate::wire::proto::parts::Parts;
use crate::wire::proto::reader::{Field, Reader, Seen};
use crate::{Error, wire::json};

/// What begins every object that stands by itself.
const MAGIC: &[u8] = b"k8s\0";
const CONTENT_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// True if a document is protobuf of Kubernetes: an object in its envelope, or frames of a watch, whose length of four bytes begins with zero.
/// JSON begins with neither.
#[must_use]
pub fn is_protobuf(document: &[u8]) -> bool {
    document.starts_with(MAGIC) || document.first() == Some(&0)
}

/// True if it is frames of a watch.
pub(super) fn is_frames(document: &[u8]) -> bool {
    document.first() == Some(&0)
}

/// An object, and what it says that it is.
#[derive(Clone, Copy)]
pub(super) struct Envelope<'a> {
    pub(super) api_version: &'a str,
    pub(super) kind: &'a str,
    pub(super) object: Reader<'a>,
}

/// Open an envelope that begins at `position` and ends the document.
pub(super) fn open(document: &[u8], position: usize) -> Result<Envelope<'_>, Error> {
    if !document[position..].starts_with(MAGIC) {
        return Err(Error::invalid("expected an object that begins with \"k8s\\0\"").at(position));
    }
    let start = position + MAGIC.len();
    let mut envelope = Envelope { api_version: "", kind: "", object: Reader::new(&document[..start], start) };
    let mut seen = Seen::default();
    Reader::new(document, start).fields(|field| {
        match field.number {
            1 => {
                seen.once(&field)?;
                field.message(document)?.fields(|field| {
                    match field.number {
                        1 => envelope.api_version = field.text()?,
                        2 => envelope.kind = field.text()?,
                        _ => {}
                    }
                    Ok(())
                })?;
            }
            2 => {
                seen.once(&field)?;
                envelope.object = field.message(document)?;
            }
            3 => expect(&field, "")?,
            4 => expect(&field, CONTENT_TYPE)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(envelope)
}

/// Refuse what is encoded in another way.
fn expect(field: &Field<'_>, wanted: &str) -> Result<(), Error> {
    let found = field.text()?;
    if found.is_empty() || found == wanted {
        return Ok(());
    }
    Err(Error::invalid(format!("an object encoded as {:?}", shorten(found))).at(field.at()))
}

/// One call of `visit` for an object of a kind or each one of a list of them, with what is left of the list behind it. Whatever is another document, or is spelled as Kubernetes does not,
/// is `None`, as what `visit` says about it.
pub(super) fn each_usual<'a>(
    document: &'a [u8],
    kind: &str,
    mut visit: impl FnMut(&'a [u8], usize) -> Option<()>,
) -> Option<()> {
    let envelope = open(document, 0).ok()?;
    let mut list = Parts(envelope.object.rest());
    match envelope.kind.strip_prefix(kind)? {
        "" => return visit(list.0, 0),
        "List" => {}
        _ => return None,
    }
    while !list.is_empty() {
        let item = list.next()?;
        if item.number == 2 {
            point();
            visit(item.bytes()?, list.0.len())?;
        }
    }
    Some(())
}

impl Envelope<'_> {
    /// An error about its kind.
    pub(super) fn expected(&self, wanted: &str) -> Error {
        let (version, kind) = (shorten(self.api_version), shorten(self.kind));
        Error::invalid(format!("expected {wanted}, found {kind:?} of {version:?}")).at(self.object.position())
    }

    /// True for a kind of `discovery.k8s.io/v1`.
    pub(super) fn is(&self, kind: &str) -> bool {
        self.api_version == json::API_VERSION && self.kind == kind
    }
}

/// Write an object of likely so many bytes with its envelope.
pub(super) fn write_envelope(
    out: &mut Vec<u8>,
    kind: &str,
    expected: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    out.extend_from_slice(MAGIC);
    write_message(out, 1, |out| {
        write_bytes(out, 1, json::API_VERSION.as_bytes());
        write_bytes(out, 2, kind.as_bytes());
        Ok::<_, Error>(())
    })?;
    write_message_of(out, 2, expected, write)?;
    // Kubernetes writes both, though they say nothing.
    write_bytes(out, 3, b"");
    write_bytes(out, 4, b"");
    Ok(())
}

/// One event of a watch.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) kind: &'a str,
    pub(super) object: Envelope<'a>,
    pub(super) start: usize,
}

/// One call of `visit` for each frame: four bytes of length, the most significant first, and a `WatchEvent`.
pub(super) fn each_frame<'a>(
    document: &'a [u8],
    mut visit: impl FnMut(Frame<'a>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut start = 0;
    for index in 0.. {
        let rest = &document[start..];
        if rest.is_empty() {
            break;
        }
        let read = frame(document, start).and_then(|(frame, end)| {
            start = end;
            visit(frame)
        });
        read.map_err(|error| error.at(start).in_index(index).in_field("events"))?;
    }
    Ok(())
}

fn frame(document: &[u8], start: usize) -> Result<(Frame<'_>, usize), Error> {
    let rest = &document[start..];
    let length = rest.first_chunk().map(|length| u32::from_be_bytes(*length) as usize);
    let Some(length) = length.filter(|length| *length <= rest.len() - 4) else {
        return Err(Error::invalid("a frame of a watch that does not end").at(start));
    };
    let end = start + 4 + length;
    let (mut kind, mut object) = ("", None);
    let document = &document[..end];
    let mut seen = Seen::default();
    Reader::new(document, start + 4).fields(|field| {
        match field.number {
            1 => {
                seen.once(&field)?;
                kind = field.text().map_err(|error| error.in_field("type"))?;
            }
            2 => {
                seen.once(&field)?;
                field
                    .message(document)?
                    .fields(|field| {
                        if field.number == 1 {
                            let raw = field.message(document)?;
                            object = Some(open(raw.document(), raw.position())?);
                        }
                        Ok(())
                    })
                    .map_err(|error| error.in_field("object"))?;
            }
            _ => {}
        }
        Ok(())
    })?;
    let object = object.ok_or_else(|| Error::invalid("required").at(start).in_field("object"))?;
    Ok((Frame { kind, object, start }, end))
}
