//! The values of a Pod, where they are in its text.

use std::borrow::Cow;
use std::ops::Range;

use crate::Error;
use crate::wire::json::hole::{Field, Hole, word_length};
use crate::wire::json::reader::Reader;

/// The values of a Pod, in order.
#[derive(Default)]
pub(super) struct Walk {
    start: usize,
    holes: Vec<Hole>,
    spare: Vec<Hole>,
    /// `status.podIP`, and how many `status.podIPs` there are, which count more.
    pod_ip: Option<Range<usize>>,
    ips: usize,
    is_ready_seen: bool,
}

type Walked = Result<(), Error>;

impl Walk {
    /// What has a meaning and differs from Pod to Pod, and what may become a hole, if something can be learned from the Pod.
    pub(super) fn of(reader: &mut Reader<'_>) -> Option<(Vec<Hole>, Vec<Hole>)> {
        let mut walk = Self { start: reader.position(), ..Self::default() };
        walk.pod(reader).ok()?;
        let mut holes = walk.holes;
        if let Some(place) = walk.pod_ip {
            holes.push(Hole::new(if walk.ips == 0 { Field::Ip(0) } else { Field::Text }, place));
        }
        holes.sort_by_key(Hole::start);
        Some((holes, walk.spare))
    }

    fn pod(&mut self, reader: &mut Reader<'_>) -> Walked {
        reader.object(|reader, name| match name {
            "kind" => reader.skip(),
            "metadata" => self.object(reader, Self::metadata),
            "spec" => self.object(reader, Self::spec),
            "status" => self.object(reader, Self::status),
            _ => self.ignored(reader),
        })
    }

    /// Visit the members of an object that may be `null`.
    fn object(&mut self, reader: &mut Reader<'_>, member: fn(&mut Self, &mut Reader<'_>, &str) -> Walked) -> Walked {
        if reader.null()? { Ok(()) } else { reader.object(|reader, name| member(self, reader, name)) }
    }

    /// Visit the items of an array that may be `null`.
    fn array(&mut self, reader: &mut Reader<'_>, item: fn(&mut Self, &mut Reader<'_>) -> Walked) -> Walked {
        if reader.null()? { Ok(()) } else { reader.array(|reader, _| item(self, reader)) }
    }

    fn metadata(&mut self, reader: &mut Reader<'_>, name: &str) -> Walked {
        match name {
            "name" => self.hole(reader, Field::Name),
            "uid" => self.hole(reader, Field::Uid),
            "resourceVersion" => self.hole(reader, Field::Version),
            "deletionTimestamp" => self.hole(reader, Field::Deletion),
            "labels" => self.object(reader, |walk, reader, key| {
                let place = walk.value(reader)?;
                walk.spare.extend(place.map(|place| Hole::new(Field::Label(key.into()), place)));
                Ok(())
            }),
            "namespace" => reader.skip(),
            _ => self.ignored(reader),
        }
    }

    fn spec(&mut self, reader: &mut Reader<'_>, name: &str) -> Walked {
        match name {
            "nodeName" => self.hole(reader, Field::NodeName),
            "hostname" => self.hole(reader, Field::Hostname),
            "containers" | "initContainers" => self.array(reader, |walk, reader| {
                walk.object(reader, |walk, reader, name| match name {
                    "ports" | "restartPolicy" => reader.skip(),
                    _ => walk.ignored(reader),
                })
            }),
            "subdomain" => reader.skip(),
            _ => self.ignored(reader),
        }
    }

    fn status(&mut self, reader: &mut Reader<'_>, name: &str) -> Walked {
        match name {
            "podIP" => {
                self.pod_ip = self.value(reader)?;
                Ok(())
            }
            "podIPs" => self.array(reader, |walk, reader| {
                walk.ips += 1;
                walk.object(reader, |walk, reader, name| match name {
                    "ip" => walk.hole(reader, Field::Ip(walk.ips - 1)),
                    _ => walk.ignored(reader),
                })
            }),
            "conditions" => self.array(reader, |walk, reader| {
                let is_ready = !walk.is_ready_seen && type_of(reader.clone())? == "Ready";
                walk.is_ready_seen |= is_ready;
                walk.object(reader, if is_ready { Self::ready } else { Self::condition })
            }),
            "phase" => reader.skip(),
            _ => self.ignored(reader),
        }
    }

    fn ready(&mut self, reader: &mut Reader<'_>, name: &str) -> Walked {
        match name {
            "type" | "status" => reader.skip(),
            "lastTransitionTime" => self.hole(reader, Field::ReadySince),
            _ => self.ignored(reader),
        }
    }

    fn condition(&mut self, reader: &mut Reader<'_>, name: &str) -> Walked {
        if name == "type" { reader.skip() } else { self.ignored(reader) }
    }

    /// A value of which nothing is read.
    fn ignored(&mut self, reader: &mut Reader<'_>) -> Walked {
        match reader.peek() {
            Some(b'{') => reader.members(|reader, name, spelled| {
                // Managed fields name an address of the Pod: `k:{\"ip\":\"10.0.0.1\"}`.
                if matches!(name, Cow::Owned(_)) {
                    self.spare.push(Hole::new(Field::Spelled, self.place(spelled.start, spelled.end)));
                }
                self.ignored(reader)
            }),
            Some(b'[') => reader.array(|reader, _| self.ignored(reader)),
            Some(b'"') => {
                let start = reader.position() + 1;
                let field = if matches!(reader.string()?, Cow::Borrowed(_)) { Field::Text } else { Field::Spelled };
                self.spare.push(Hole::new(field, self.place(start, reader.position() - 1)));
                Ok(())
            }
            _ => {
                let start = reader.position();
                reader.skip()?;
                let word = &reader.bytes()[start..reader.position()];
                if word_length(word) == Some(word.len()) {
                    self.spare.push(Hole::new(Field::Word, self.place(start, reader.position())));
                }
                Ok(())
            }
        }
    }

    fn hole(&mut self, reader: &mut Reader<'_>, field: Field) -> Walked {
        let place = self.value(reader)?;
        self.holes.extend(place.map(|place| Hole::new(field, place)));
        Ok(())
    }

    /// Where a text is; `null` is part of the literal around it. An error means that nothing can be learned from the Pod.
    fn value(&self, reader: &mut Reader<'_>) -> Result<Option<Range<usize>>, Error> {
        if reader.null()? {
            return Ok(None);
        }
        reader.peek();
        let start = reader.position() + 1;
        match reader.string()? {
            Cow::Borrowed(text) => Ok(Some(self.place(start, start + text.len()))),
            Cow::Owned(_) => Err(Error::invalid("a text with an escape")),
        }
    }

    fn place(&self, start: usize, end: usize) -> Range<usize> {
        start - self.start..end - self.start
    }
}

/// The type of the condition under the reader.
fn type_of(mut reader: Reader<'_>) -> Result<Cow<'_, str>, Error> {
    let mut found = Cow::Borrowed("");
    if reader.null()? {
        return Ok(found);
    }
    reader.object(|reader, name| {
        if name != "type" {
            return reader.skip();
        }
        found = reader.optional_string()?;
        Ok(())
    })?;
    Ok(found)
}
