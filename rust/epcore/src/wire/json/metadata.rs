//! `ObjectMeta`, in and out.

use std::collections::BTreeMap;

use crate::Error;
use crate::model::{Members, ObjectMeta};
use crate::wire::json::reader::{Reader, Seen, read_text_map};
use crate::wire::json::template::Templates;
use crate::wire::json::writer::{Object, write_string};

pub(crate) fn read_metadata(reader: &mut Reader<'_>) -> Result<ObjectMeta, Error> {
    read_metadata_by(reader, &mut Templates::none())
}

/// The same by what is known of others.
pub(super) fn read_metadata_by(reader: &mut Reader<'_>, templates: &mut Templates) -> Result<ObjectMeta, Error> {
    if reader.null()? {
        return Ok(ObjectMeta::default());
    }
    let mut texts: [String; 6] = Default::default();
    let (mut labels, mut annotations, mut unknown) = (None, BTreeMap::new(), Members::default());
    let mut seen = Seen::default();
    reader.object(|reader, name| {
        let index = match name {
            "name" => 0,
            "generateName" => 1,
            "namespace" => 2,
            "uid" => 3,
            "resourceVersion" => 4,
            "creationTimestamp" => 5,
            "labels" => {
                seen.once(6)?;
                labels = Some(templates.read_labels(reader)?);
                return Ok(());
            }
            "annotations" => {
                seen.once(7)?;
                annotations = read_text_map(reader)?;
                return Ok(());
            }
            _ => return templates.read_unknown(reader, name, &mut unknown),
        };
        seen.once(index)?;
        texts[index as usize] = reader.optional_string()?.into_owned();
        Ok(())
    })?;
    let [name, generate_name, namespace, uid, resource_version, creation_timestamp] = texts;
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

/// An owner of an object.
#[derive(Default)]
pub(crate) struct Owner {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) is_controller: bool,
}

/// The owners of an object. What is no list of them has none.
pub(crate) fn owners(metadata: &ObjectMeta) -> Vec<Owner> {
    read_owners(metadata).unwrap_or_default()
}

/// The owners in the JSON of `ownerReferences`.
pub(crate) fn read_owners(metadata: &ObjectMeta) -> Result<Vec<Owner>, Error> {
    let mut owners = Vec::new();
    let mut reader = Reader::new(metadata.unknown.get("ownerReferences").unwrap_or("[]"));
    if reader.null()? {
        return Ok(owners);
    }
    reader.array(|reader, _| {
        let mut owner = Owner::default();
        reader.object(|reader, name| {
            let target = match name {
                "apiVersion" => &mut owner.api_version,
                "kind" => &mut owner.kind,
                "name" => &mut owner.name,
                "uid" => &mut owner.uid,
                "controller" => {
                    owner.is_controller = !reader.null()? && reader.boolean()?;
                    return Ok(());
                }
                _ => return reader.skip(),
            };
            *target = reader.optional_string()?.into_owned();
            Ok(())
        })?;
        owners.push(owner);
        Ok(())
    })?;
    Ok(owners)
}

/// A list of texts, such as `finalizers`.
pub(crate) fn read_texts(json: &str) -> Result<Vec<String>, Error> {
    let mut texts = Vec::new();
    let mut reader = Reader::new(json);
    if reader.null()? {
        return Ok(texts);
    }
    reader.array(|reader, _| {
        texts.push(reader.string()?.into_owned());
        Ok(())
    })?;
    Ok(texts)
}

/// `ownerReferences` with one owner, which controls the object, as canonical JSON.
pub(crate) fn owner_reference(api_version: &str, kind: &str, owner: &ObjectMeta) -> String {
    let mut out = vec![b'['];
    let mut object = Object::start(&mut out);
    object.text("apiVersion", api_version);
    object.boolean("blockOwnerDeletion", Some(true));
    object.boolean("controller", Some(true));
    object.text("kind", kind);
    object.text("name", &owner.name);
    object.text("uid", &owner.uid);
    object.end();
    out.push(b']');
    String::from_utf8_lossy(&out).into_owned()
}

pub(crate) fn write_metadata(out: &mut Vec<u8>, metadata: &ObjectMeta) {
    let mut object = Object::start(out);
    object.text("name", &metadata.name);
    object.text("generateName", &metadata.generate_name);
    object.text("namespace", &metadata.namespace);
    object.text("uid", &metadata.uid);
    object.text("resourceVersion", &metadata.resource_version);
    object.text("creationTimestamp", &metadata.creation_timestamp);
    for (name, map) in [("labels", &*metadata.labels), ("annotations", &metadata.annotations)] {
        if !map.is_empty() {
            let mut inner = Object::start(object.member(name));
            for (key, value) in map {
                write_string(inner.member(key), value);
            }
            inner.end();
        }
    }
    object.members(Some(&metadata.unknown));
    object.end();
}
