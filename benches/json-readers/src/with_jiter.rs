//! jiter's pull interface: texts must be copied, here into one buffer for each slice, as epcore does.

use jiter::{Jiter, JiterResult, NumberInt, Peek};

use crate::answer::{Answer, Fields};

/// A span of a slice's buffer.
#[derive(Clone, Copy, Default)]
struct Span {
    start: u32,
    length: u32,
}

#[derive(Default)]
struct Endpoint {
    address: Span,
    more_addresses: Vec<String>,
    conditions: [Option<bool>; 3],
    hostname: Span,
    target: [Span; 4],
    node_name: Span,
    zone: Span,
    zone_hints: Vec<Span>,
    node_hints: Vec<Span>,
}

#[derive(Default)]
pub struct Slice {
    text: String,
    metadata: [Span; 6],
    labels: Vec<(Span, Span)>,
    annotations: Vec<(Span, Span)>,
    address_type: Span,
    ports: Vec<(Span, Span, i64)>,
    endpoints: Vec<Endpoint>,
}

pub fn read(document: &[u8]) -> JiterResult<Vec<Slice>> {
    let mut jiter = Jiter::new(document);
    let mut slices = Vec::new();
    let mut next = jiter.next_object()?.map(str::to_owned);
    while let Some(key) = next {
        if key == "items" {
            let mut item = jiter.next_array()?;
            while item.is_some() {
                slices.push(read_slice(&mut jiter)?);
                item = jiter.array_step()?;
            }
        } else {
            jiter.next_skip()?;
        }
        next = jiter.next_key()?.map(str::to_owned);
    }
    jiter.finish()?;
    Ok(slices)
}

/// The members of an object that are known, by index; the rest is stepped over.
fn members(
    jiter: &mut Jiter<'_>,
    names: &[&str],
    mut member: impl FnMut(&mut Jiter<'_>, usize) -> JiterResult<()>,
) -> JiterResult<()> {
    if jiter.peek()? == Peek::Null {
        return jiter.known_null();
    }
    let find = |key: &str| names.iter().position(|name| *name == key);
    let mut next = jiter.next_object()?.map(find);
    while let Some(index) = next {
        match index {
            Some(index) => member(jiter, index)?,
            None => jiter.next_skip()?,
        }
        next = jiter.next_key()?.map(find);
    }
    Ok(())
}

fn items(jiter: &mut Jiter<'_>, mut item: impl FnMut(&mut Jiter<'_>) -> JiterResult<()>) -> JiterResult<()> {
    if jiter.peek()? == Peek::Null {
        return jiter.known_null();
    }
    let mut next = jiter.next_array()?;
    while next.is_some() {
        item(jiter)?;
        next = jiter.array_step()?;
    }
    Ok(())
}

fn text(jiter: &mut Jiter<'_>, buffer: &mut String) -> JiterResult<Span> {
    if jiter.peek()? == Peek::Null {
        jiter.known_null()?;
        return Ok(Span::default());
    }
    let start = buffer.len() as u32;
    let text = jiter.known_str()?;
    buffer.push_str(text);
    Ok(Span { start, length: text.len() as u32 })
}

fn read_slice(jiter: &mut Jiter<'_>) -> JiterResult<Slice> {
    let mut slice = Slice::default();
    members(jiter, &["metadata", "addressType", "endpoints", "ports"], |jiter, index| match index {
        0 => read_metadata(jiter, &mut slice),
        1 => text(jiter, &mut slice.text).map(|text| slice.address_type = text),
        2 => items(jiter, |jiter| read_endpoint(jiter, &mut slice.text).map(|endpoint| slice.endpoints.push(endpoint))),
        _ => items(jiter, |jiter| {
            let mut port = (Span::default(), Span::default(), 0);
            members(jiter, &["name", "port", "protocol"], |jiter, index| {
                match index {
                    0 => port.0 = text(jiter, &mut slice.text)?,
                    1 => {
                        if let NumberInt::Int(number) = jiter.next_int()? {
                            port.2 = number;
                        }
                    }
                    _ => port.1 = text(jiter, &mut slice.text)?,
                }
                Ok(())
            })?;
            slice.ports.push(port);
            Ok(())
        }),
    })?;
    Ok(slice)
}

const METADATA: [&str; 8] =
    ["name", "generateName", "namespace", "uid", "resourceVersion", "creationTimestamp", "labels", "annotations"];

fn read_metadata(jiter: &mut Jiter<'_>, slice: &mut Slice) -> JiterResult<()> {
    members(jiter, &METADATA, |jiter, index| {
        let map = match index {
            6 => &mut slice.labels,
            7 => &mut slice.annotations,
            _ => {
                slice.metadata[index] = text(jiter, &mut slice.text)?;
                return Ok(());
            }
        };
        let buffer = &mut slice.text;
        let keep = |key: &str, buffer: &mut String| {
            buffer.push_str(key);
            Span { start: (buffer.len() - key.len()) as u32, length: key.len() as u32 }
        };
        let mut next = jiter.next_object()?.map(|key| keep(key, buffer));
        while let Some(key) = next {
            map.push((key, text(jiter, buffer)?));
            next = jiter.next_key()?.map(|key| keep(key, buffer));
        }
        Ok(())
    })
}

const ENDPOINT: [&str; 7] = ["addresses", "conditions", "targetRef", "nodeName", "zone", "hostname", "hints"];

fn read_endpoint(jiter: &mut Jiter<'_>, buffer: &mut String) -> JiterResult<Endpoint> {
    let mut endpoint = Endpoint::default();
    members(jiter, &ENDPOINT, |jiter, index| {
        match index {
            0 => {
                let mut first = true;
                items(jiter, |jiter| {
                    if std::mem::take(&mut first) {
                        endpoint.address = text(jiter, buffer)?;
                    } else {
                        endpoint.more_addresses.push(jiter.next_str()?.to_owned());
                    }
                    Ok(())
                })?;
            }
            1 => members(jiter, &["ready", "serving", "terminating"], |jiter, index| {
                endpoint.conditions[index] = if jiter.peek()? == Peek::Null {
                    jiter.known_null()?;
                    None
                } else {
                    Some(jiter.next_bool()?)
                };
                Ok(())
            })?,
            2 => members(jiter, &["kind", "namespace", "name", "uid"], |jiter, index| {
                endpoint.target[index] = text(jiter, buffer)?;
                Ok(())
            })?,
            3 => endpoint.node_name = text(jiter, buffer)?,
            4 => endpoint.zone = text(jiter, buffer)?,
            5 => endpoint.hostname = text(jiter, buffer)?,
            _ => members(jiter, &["forZones", "forNodes"], |jiter, index| {
                let hints = if index == 0 { &mut endpoint.zone_hints } else { &mut endpoint.node_hints };
                items(jiter, |jiter| {
                    members(jiter, &["name"], |jiter, _| {
                        hints.push(text(jiter, buffer)?);
                        Ok(())
                    })
                })
            })?,
        }
        Ok(())
    })?;
    Ok(endpoint)
}

pub fn answer(slices: &[Slice]) -> Answer {
    let mut answer = Answer::default();
    for slice in slices {
        let get = |span: Span| &slice.text[span.start as usize..(span.start + span.length) as usize];
        for endpoint in &slice.endpoints {
            answer.add(
                get(slice.metadata[0]),
                &Fields {
                    address: get(endpoint.address),
                    conditions: endpoint.conditions,
                    target: endpoint.target.map(get),
                    node_name: get(endpoint.node_name),
                    zone: get(endpoint.zone),
                    hint: endpoint.zone_hints.first().map_or("", |hint| get(*hint)),
                },
            );
        }
    }
    answer
}
