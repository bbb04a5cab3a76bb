//! `ObjectMeta`, in and out.

use std::collections::BTreeMap;

use crate::Error;
use crate::model::{Members, ObjectMeta};
use crate::wire::json::{self, write_metadata as write_json};
use crate::wire::proto::encoding::write_fields;
use crate::wire::proto::reader::{Field, Reader, Seen, second};
use crate::wire::proto::schema::{Message, OBJECT_META, REST_OF_METADATA};
use crate::wire::proto::translation::{each_member, parts_of, time};

pub(super) fn read_metadata(reader: Reader<'_>) -> Result<ObjectMeta, Error> {
    let document = reader.document();
    let mut metadata = ObjectMeta::default();
    let mut seen = Seen::default();
    let mut has_rest = false;
    reader.fields(|field| {
        let (name, target) = match field.number {
            1 => ("name", &mut metadata.name),
            2 => ("generateName", &mut metadata.generate_name),
            3 => ("namespace", &mut metadata.namespace),
            5 => ("uid", &mut metadata.uid),
            6 => ("resourceVersion", &mut metadata.resource_version),
            8 => {
                seen.once(&field)?;
                let created = time(&field, document).map_err(|error| error.in_field("creationTimestamp"))?;
                metadata.creation_timestamp = created.unwrap_or_default();
                return Ok(());
            }
            11 => return read_text(&mut metadata.labels, &field, document).map_err(|error| error.in_field("labels")),
            12 => {
                return read_text(&mut metadata.annotations, &field, document)
                    .map_err(|error| error.in_field("annotations"));
            }
            number if REST_OF_METADATA.numbered(number).is_some() => {
                // Kubernetes writes `selfLink` and `generation` though they say nothing.
                let is_nothing = match number {
                    4 => field.bytes().is_ok_and(<[u8]>::is_empty),
                    7 => field.number().is_ok_and(|number| number == 0),
                    _ => false,
                };
                has_rest |= !is_nothing || seen.once(&field).is_err();
                return Ok(());
            }
            _ => {
                metadata.unknown.keep_numbered(field.raw(document));
                return Ok(());
            }
        };
        seen.once(&field).and_then(|()| field.text()).map_err(|error| error.in_field(name))?.clone_into(target);
        Ok(())
    })?;
    if has_rest {
        read_rest(reader, &REST_OF_METADATA, &mut metadata.unknown)?;
    }
    Ok(metadata)
}

/// Keep as JSON what the model has no field for.
pub(super) fn read_rest(reader: Reader<'_>, rest: &Message, members: &mut Members) -> Result<(), Error> {
    each_member(reader, rest, |name, json| {
        members.insert(name, String::from_utf8_lossy(json).into_owned());
        Ok(())
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
