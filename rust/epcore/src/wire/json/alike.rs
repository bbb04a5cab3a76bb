//! The endpoints of a list, out: nearly all are like the one before but for a few texts.

use crate::model::{Address, Conditions, EndpointList, EndpointRef, Record, Text};
use crate::wire::json::endpoint::{write_conditions, write_endpoint, write_endpoint_into};
use crate::wire::json::reader::{are_plain, is_all_plain};
use crate::wire::json::writer::Object;
use crate::wire::line::{Line, address_size};

/// Write an array of endpoints.
pub(super) fn write_endpoints_into(out: &mut Vec<u8>, list: &EndpointList) {
    let start = out.len();
    let (mut lines, mut line) = (Lines::of(list), Line::new());
    for endpoint in list.iter() {
        if let Some(record) = lines.usual(endpoint) {
            line.make_room(out);
            lines.write(&mut line, endpoint.address(), record);
        } else {
            line.flush(out);
            out.push(b',');
            write_endpoint_into(out, endpoint);
        }
    }
    line.flush(out);
    // In the place of the first comma.
    out.resize(out.len().max(start + 1), 0);
    out[start] = b'[';
    out.push(b']');
}

/// How many bytes that takes.
pub(super) fn endpoints_size(list: &EndpointList) -> usize {
    let mut lines = Lines::of(list);
    let sizes = list.iter().map(|endpoint| match lines.usual(endpoint) {
        Some(record) => lines.size(endpoint.address(), record),
        None => 1 + write_endpoint(endpoint).len(),
    });
    sizes.sum::<usize>().max(1) + 1
}

/// What decides what is between the address and the name of the target.
#[derive(Clone, Copy, Default, PartialEq)]
struct Middle {
    conditions: Conditions,
    kind: Text,
    namespace: Text,
    has_target: bool,
}

/// Endpoints of one list, and what they have in common with the one before.
struct Lines<'a> {
    list: &'a EndpointList,
    /// No text of the list needs escapes.
    is_plain: bool,
    middle: Middle,
    /// The text of that, and its length; 0 where it is not there.
    text: [u8; ROOM],
    length: usize,
}

/// Room for a middle, of which most take two thirds.
const ROOM: usize = 3 * Line::BLOCK;

/// What is around the texts of a usual endpoint. One that says all of it fits a line with a middle and texts of ten blocks.
const ADDRESSES: &[u8; 16] = br#",{"addresses":[""#;
const UID: &[u8; 9] = br#"","uid":""#;
const TARGET_END: &[u8; 2] = br#""}"#;
const NODE: &[u8; 13] = br#","nodeName":""#;
const ZONE: &[u8; 9] = br#","zone":""#;
const HINTS: &[u8; 9] = br#","hints":"#;

impl<'a> Lines<'a> {
    fn of(list: &'a EndpointList) -> Self {
        let is_plain = are_plain(list.text().all());
        Self { list, is_plain, middle: Middle::default(), text: [0; ROOM], length: 0 }
    }

    /// The record of an endpoint that fits a line and has no text that needs escapes. Its middle is there then.
    #[inline]
    fn usual(&mut self, endpoint: EndpointRef<'a>) -> Option<&'a Record> {
        let record = endpoint.usual_record()?;
        let middle = Middle {
            conditions: record.conditions,
            kind: record.target_kind,
            namespace: record.target_namespace,
            has_target: !record.target_name.is_empty(),
        };
        if self.middle != middle || self.length == 0 {
            self.keep_middle(endpoint, middle)?;
        }
        let texts = [record.target_name, record.target_uid, record.node_name, record.zone];
        let length = texts.iter().map(|text| text.len()).sum::<usize>() + record.hints.len();
        let is_plain = self.is_plain || texts.iter().all(|&text| is_all_plain(self.list.text().bytes(text)));
        (is_plain && length <= 10 * Line::BLOCK).then_some(record)
    }

    /// Keep the text of a middle, unless it is too long.
    fn keep_middle(&mut self, endpoint: EndpointRef<'_>, middle: Middle) -> Option<()> {
        let mut text = Vec::with_capacity(2 * ROOM);
        write_between(&mut text, endpoint, middle);
        (self.middle, self.length) = (middle, 0);
        self.text.get_mut(..text.len())?.copy_from_slice(&text);
        self.length = text.len();
        Some(())
    }

    /// How many bytes the endpoint takes that [`usual`](Self::usual) gave the record of, with a comma.
    fn size(&self, address: Address<'_>, record: &Record) -> usize {
        ADDRESSES.len() + address_size(address) + self.length + size_behind(record)
    }

    /// Write that endpoint, with a comma before it.
    #[inline]
    fn write(&self, line: &mut Line, address: Address<'_>, record: &Record) {
        let text = self.list.text();
        line.put(ADDRESSES);
        line.address(address);
        line.put_first(&self.text, self.length);
        if !record.target_name.is_empty() {
            line.text(text, record.target_name);
            line.put(UID);
            line.text(text, record.target_uid);
            line.put(TARGET_END);
        }
        if !record.node_name.is_empty() {
            line.put(NODE);
            line.text(text, record.node_name);
            line.put(b"\"");
        }
        if !record.zone.is_empty() {
            line.put(ZONE);
            line.text(text, record.zone);
            line.put(b"\"");
        }
        if !record.hints.is_empty() {
            line.put(HINTS);
            line.text(text, record.hints);
        }
        line.put(b"}");
    }
}

/// How many bytes of a usual endpoint are behind its middle.
#[inline]
fn size_behind(record: &Record) -> usize {
    let around = |before: &[u8], text: Text, after| if text.is_empty() { 0 } else { before.len() + text.len() + after };
    let target = around(UID, record.target_name, record.target_uid.len() + TARGET_END.len());
    target + around(NODE, record.node_name, 1) + around(ZONE, record.zone, 1) + around(HINTS, record.hints, 0) + 1
}

/// From the quote behind the address up to the name of the target, or up to what follows where there is none.
fn write_between(out: &mut Vec<u8>, endpoint: EndpointRef<'_>, middle: Middle) {
    out.extend_from_slice(br#""]"#);
    if !middle.conditions.is_unset() {
        out.extend_from_slice(br#","conditions":"#);
        write_conditions(out, middle.conditions).end();
    }
    if middle.has_target {
        let target = endpoint.target_ref().unwrap_or_default();
        out.extend_from_slice(br#","targetRef":"#);
        let mut object = Object::start(out);
        object.text("kind", target.kind);
        object.text("namespace", target.namespace);
        object.known("name").push(b'"');
    }
}
