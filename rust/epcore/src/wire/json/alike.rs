//! The endpoints of a list, out: nearly all are like the one before but for a few texts.

use std::ops::Range;

use crate::model::{Conditions, EndpointList, EndpointRef, Record, Text};
use crate::wire::json::endpoint::{write_conditions, write_endpoint_into};
use crate::wire::json::writer::{Object, is_plain, write_address, write_array};

/// Write an array of endpoints.
pub(super) fn write_endpoints_into(out: &mut Vec<u8>, list: &EndpointList) {
    let mut last = Last { is_plain: is_plain(list.text().all()), ..Last::default() };
    write_array(out, list.iter(), |out, endpoint| {
        if !last.write(out, list, endpoint) {
            write_endpoint_into(out, endpoint);
        }
    });
}

/// What was written last.
#[derive(Default)]
struct Last {
    /// No text of the list needs escapes.
    is_plain: bool,
    /// What is between the address and the name of the target, and where that is.
    middle: Option<(Middle, Range<usize>)>,
}

/// What decides it.
#[derive(Clone, Copy, PartialEq)]
struct Middle {
    conditions: Conditions,
    kind: Text,
    namespace: Text,
    has_target: bool,
}

impl Last {
    /// Write a usual endpoint; false if it is none, and nothing was written.
    fn write(&mut self, out: &mut Vec<u8>, list: &EndpointList, endpoint: EndpointRef<'_>) -> bool {
        let Some(record) = endpoint.usual_record() else { return false };
        let text = |text: Text| list.text().bytes(text);
        let (name, uid) = (text(record.target_name), text(record.target_uid));
        let (node, zone) = (text(record.node_name), text(record.zone));
        if !self.is_plain && ![name, uid, node, zone].into_iter().all(is_plain) {
            return false;
        }
        out.extend_from_slice(br#"{"addresses":["#);
        write_address(out, endpoint.address());
        self.write_middle(out, endpoint, record);
        if !name.is_empty() {
            out.extend_from_slice(name);
            out.extend_from_slice(br#"","uid":""#);
            out.extend_from_slice(uid);
            out.extend_from_slice(br#""}"#);
        }
        if !node.is_empty() {
            out.extend_from_slice(br#","nodeName":""#);
            out.extend_from_slice(node);
            out.push(b'"');
        }
        if !zone.is_empty() {
            out.extend_from_slice(br#","zone":""#);
            out.extend_from_slice(zone);
            out.push(b'"');
        }
        if !record.hints.is_empty() {
            out.extend_from_slice(br#","hints":"#);
            out.extend_from_slice(text(record.hints));
        }
        out.push(b'}');
        true
    }

    fn write_middle(&mut self, out: &mut Vec<u8>, endpoint: EndpointRef<'_>, record: &Record) {
        let middle = Middle {
            conditions: record.conditions,
            kind: record.target_kind,
            namespace: record.target_namespace,
            has_target: !record.target_name.is_empty(),
        };
        match &self.middle {
            Some((last, place)) if *last == middle => out.extend_from_within(place.clone()),
            _ => {
                let start = out.len();
                write_between(out, endpoint, middle);
                self.middle = Some((middle, start..out.len()));
            }
        }
    }
}

/// From behind the address up to the name of the target, or up to what follows where there is none.
fn write_between(out: &mut Vec<u8>, endpoint: EndpointRef<'_>, middle: Middle) {
    out.push(b']');
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
