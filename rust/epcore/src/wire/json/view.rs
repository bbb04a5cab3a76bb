//! Snapshots of a view.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::Error;
use crate::diff::{Fields, Key, Options};
use crate::engine::View;
use crate::model::{EndpointSlice, shorten};
use crate::wire::json::events::slice_of;
use crate::wire::json::reader::{Reader, Seen, text_of};
use crate::wire::json::slice::{read_slice, write_slice_into};
use crate::wire::json::template::Templates;
use crate::wire::json::writer::{Object, write_array};

const FORMAT: &str = "epcore-view-1";

/// Write a snapshot of a view: what was handed out, what came since, and the version to go on from.
#[must_use]
pub fn write_view(view: &View) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = Object::start(&mut out);
    object.text("format", FORMAT);
    object.text("key", word_of(&Key::WORDS, view.options().key));
    object.text("fields", word_of(&Fields::WORDS, view.options().fields));
    object.text("resourceVersion", view.resource_version());
    write_array(object.known("slices"), view.slices().iter(), |out, slice| write_slice_into(out, slice));
    // Slices that changed since the last checkout, as they were; of one that was not there, its name alone.
    write_array(object.known("pending"), view.pending(), |out, ((namespace, name), old)| {
        let mut object = Object::start(out);
        object.text("namespace", namespace);
        object.text("name", name);
        if let Some(old) = old {
            write_slice_into(object.known("slice"), old);
        }
        object.end();
    });
    let [held, of_ports] = view.kept_alone();
    write_array(object.known("held"), &held, write_slice_into);
    write_array(object.known("heldPorts"), &of_ports, write_slice_into);
    object.end();
    out
}

/// Read a snapshot of a view. What it kept back is told as removed by the next checkout, unless the new view keeps it back too.
///
/// # Errors
///
/// It is none, or is damaged; with path (`snapshot.slices[3]`) and byte offset.
pub fn read_view(document: &[u8]) -> Result<View, Error> {
    let text = text_of(document)?;
    let (mut format, mut version) = (String::new(), String::new());
    let mut options = Options::default();
    let (mut slices, mut pending, mut held, mut of_ports) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut reader = Reader::new(text);
    let mut seen = Seen::default();
    reader
        .object(|reader, name| match name {
            "format" => {
                seen.once(0)?;
                format = reader.string()?.into_owned();
                Ok(())
            }
            "resourceVersion" => {
                seen.once(1)?;
                version = reader.string()?.into_owned();
                Ok(())
            }
            "key" => {
                seen.once(4)?;
                options.key = read_word(reader, &Key::WORDS)?;
                Ok(())
            }
            "fields" => {
                seen.once(5)?;
                options.fields = read_word(reader, &Fields::WORDS)?;
                Ok(())
            }
            "slices" => {
                seen.once(2)?;
                reader.array(|reader, _| {
                    slices.push(slice_of(reader)?);
                    Ok(())
                })
            }
            "held" => {
                seen.once(6)?;
                held = read_alone(reader)?;
                Ok(())
            }
            "heldPorts" => {
                seen.once(7)?;
                of_ports = read_alone(reader)?;
                Ok(())
            }
            "pending" => {
                seen.once(3)?;
                reader.array(|reader, _| {
                    pending.push(read_pending(reader)?);
                    Ok(())
                })
            }
            _ => reader.skip(),
        })
        .map_err(|error| error.in_field("snapshot"))?;
    if format != FORMAT {
        return Err(Error::invalid(format!("expected {FORMAT:?}")).in_field("format").in_field("snapshot"));
    }
    let changed: BTreeSet<&(String, String)> = pending.iter().map(|(name, _)| name).collect();
    let is_pending =
        |slice: &EndpointSlice| changed.contains(&(slice.metadata.namespace.clone(), slice.metadata.name.clone()));
    let kept = slices.iter().filter(|slice| !is_pending(slice)).cloned();
    let applied = kept.chain(pending.iter().filter_map(|(_, old)| old.clone()));
    let applied: Vec<Arc<EndpointSlice>> = applied.collect();
    View::resume(options, &applied, [&held, &of_ports], &slices, &version).map_err(|error| error.in_field("snapshot"))
}

fn word_of<T: PartialEq + Copy>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, of)| *of == value).map_or("", |(word, _)| word)
}

fn read_word<T: Copy>(reader: &mut Reader<'_>, words: &[(&str, T)]) -> Result<T, Error> {
    let text = reader.string()?;
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    found.ok_or_else(|| Error::invalid(format!("{:?} is not one of the words for it", shorten(&text))))
}

/// Slices with one endpoint each, whose names may be anything.
fn read_alone(reader: &mut Reader<'_>) -> Result<Vec<Arc<EndpointSlice>>, Error> {
    let mut alone = Vec::new();
    reader.array(|reader, _| {
        alone.push(Arc::new(Templates::kept(|templates| read_slice(reader, templates, None))?));
        Ok(())
    })?;
    Ok(alone)
}

/// Namespace and name, and what was there under them.
type Pending = ((String, String), Option<Arc<EndpointSlice>>);

fn read_pending(reader: &mut Reader<'_>) -> Result<Pending, Error> {
    let (mut namespace, mut name, mut slice) = (String::new(), String::new(), None);
    reader.object(|reader, member| {
        match member {
            "namespace" => namespace = reader.string()?.into_owned(),
            "name" => name = reader.string()?.into_owned(),
            "slice" => slice = Some(slice_of(reader)?),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(((namespace, name), slice))
}
