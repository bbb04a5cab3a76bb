//! `ObjectMeta`, in and out.

use std::collections::BTreeMap;

use crate::Error;
use crate::model::{Members, ObjectMeta};
use crate::wire::json::{self, write_metadata as write_json};
use crate::wire::proto::again::Again;
use crate::wire::proto::encoding::write_fields;
use crate::wire::proto::known_json::KnownJson;
use crate::wire::proto::reader::{Field, Reader, Seen, second};
use crate::wire::proto::schema::{Message, OBJECT_META, REST_OF_METADATA};
use crate::wire::proto::translation::{Found, each_member, parts_of, time};

/// What others have had in their metadata.
pub(super) struct Known<'a> {
    labels: Again<'a, BTreeMap<String, String>>,
    json: KnownJson<'a>,
}

impl Known<'_> {
    pub(super) fn new(is_plain: bool) -> Self {
        Self { labels: Again::new(is_plain), json: KnownJson::new(is_plain) }
    }
}

pub(super) fn read_metadata<'a>(mut reader: Reader<'a>, known: &mut Known<'a>) -> Result<ObjectMeta, Error> {
    let document = reader.document();
    let mut texts: [String; 5] = Default::default();
    let (mut creation_timestamp, mut labels) = (String::new(), None);
    let (mut annotations, mut unknown) = (BTreeMap::new(), Members::default());
    let mut seen = Seen::default();
    let (mut rest, mut has_rest) = (Vec::new(), false);
    while let Some(field) = reader.field()? {
        let (name, which) = match field.number {
            1 => ("name", 0),
            2 => ("generateName", 1),
            3 => ("namespace", 2),
            5 => ("uid", 3),
            6 => ("resourceVersion", 4),
            8 => {
                seen.once(&field)?;
                let created = time(&field, document).map_err(|error| error.in_field("creationTimestamp"))?;
                creation_timestamp = created.unwrap_or_default();
                continue;
            }
            11 => {
                let read =
                    known.labels.read(&mut reader, &field, &mut labels, |map, field| read_text(map, field, document));
                read.map_err(|error| error.in_field("labels"))?;
                continue;
            }
            12 => {
                read_text(&mut annotations, &field, document).map_err(|error| error.in_field("annotations"))?;
                continue;
            }
            number => {
                let Some(which) = REST_OF_METADATA.numbered(number) else {
                    unknown.keep_numbered(field.raw(document));
                    continue;
                };
                // Kubernetes writes `selfLink` and `generation` though they say nothing.
                let is_nothing = match number {
                    4 => field.bytes().is_ok_and(<[u8]>::is_empty),
                    7 => field.number().is_ok_and(|number| number == 0),
                    _ => false,
                };
                has_rest |= !is_nothing || seen.once(&field).is_err();
                rest.push((which, field));
                continue;
            }
        };
        let text = seen.once(&field).and_then(|()| field.text()).map_err(|error| error.in_field(name))?;
        text.clone_into(&mut texts[which]);
    }
    if has_rest {
        read_rest(document, &REST_OF_METADATA, rest, &mut unknown, &mut known.json)?;
    }
    let [name, generate_name, namespace, uid, resource_version] = texts;
    let labels = labels.unwrap_or_default();
    Ok(ObjectMeta {
        name,
        generate_name,
        namespace,
        uid,
        resource_version,
        creation_timestamp,
        labels,
        annotations,
        unknown,
    })
}

/// Keep as JSON what the model has no field for.
pub(super) fn read_rest<'a>(
    document: &'a [u8],
    message: &Message,
    rest: Found<'a>,
    members: &mut Members,
    known: &mut KnownJson<'a>,
) -> Result<(), Error> {
    each_member(document, message, rest, known, |name, json| {
        let json =
            simdutf8::basic::from_utf8(json).map_or_else(|_| String::from_utf8_lossy(json).into_owned(), str::to_owned);
        members.insert(name, json);
    })
}

/// Read one member of a map of texts.
fn read_text(map: &mut BTreeMap<String, String>, field: &Field<'_>, document: &[u8]) -> Result<(), Error> {
    let (key, value) = parts_of(field, document)?;
    let value = value.map_or(Ok(""), |value| value.text()).map_err(|error| error.in_field(key.to_owned()))?;
    match map.insert(key.to_owned(), value.to_owned()) {
        None => Ok(()),
        Some(_) => Err(second(field).in_field(key.to_owned())),
    }
}

pub(super) fn write_metadata(out: &mut Vec<u8>, metadata: &ObjectMeta) -> Result<(), Error> {
    let mut text = Vec::new();
    write_json(&mut text, metadata);
    write_fields(out, &mut json::Reader::of_bytes(&text), &OBJECT_META).map_err(Error::without_offset)?;
    out.extend_from_slice(metadata.unknown.numbered());
    Ok(())
}
