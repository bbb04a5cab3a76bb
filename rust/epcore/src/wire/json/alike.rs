//! The endpoints of a list, out: nearly all are like the one before but for a few texts.

use crate::model::{Conditions, EndpointList, EndpointRef, Text};
use crate::wire::json::endpoint::{write_conditions, write_endpoint, write_endpoint_into};
use crate::wire::json::reader::{are_plain, is_all_plain};
use crate::wire::json::writer::{Object, address_size, write_address, write_array};

/// Write an array of endpoints.
pub(super) fn write_endpoints_into(out: &mut Vec<u8>, list: &EndpointList) {
    let mut before = Last::of(list);
    write_array(out, list.iter(), |out, endpoint| match before.usual(list, endpoint) {
        Some(usual) => before.write(out, endpoint, &usual),
        None => write_endpoint_into(out, endpoint),
    });
}

/// How many bytes that takes.
pub(super) fn endpoints_size(list: &EndpointList) -> usize {
    let mut before = Last::of(list);
    let sizes = list.iter().map(|endpoint| match before.usual(list, endpoint) {
        Some(usual) => before.size(endpoint, &usual),
        None => write_endpoint(endpoint).len(),
    });
    // Commas, and what is around all.
    sizes.sum::<usize>() + list.len().max(1) + 1
}

/// The texts of a usual endpoint, none of which needs escapes.
struct Usual<'a> {
    middle: Middle,
    name: &'a [u8],
    uid: &'a [u8],
    node: &'a [u8],
    zone: &'a [u8],
    hints: &'a [u8],
}

/// What decides what is between the address and the name of the target.
#[derive(Clone, Copy, Default, PartialEq)]
struct Middle {
    conditions: Conditions,
    kind: Text,
    namespace: Text,
    has_target: bool,
}

/// What was written last.
#[derive(Default)]
struct Last {
    /// No text of the list needs escapes.
    is_plain: bool,
    middle: Middle,
    /// That text.
    text: Vec<u8>,
}

/// What is around the texts of a usual endpoint.
const ADDRESSES: &[u8] = br#"{"addresses":["#;
const UID: &[u8] = br#"","uid":""#;
const TARGET_END: &[u8] = br#""}"#;
const NODE: &[u8] = br#","nodeName":""#;
const ZONE: &[u8] = br#","zone":""#;
const HINTS: &[u8] = br#","hints":"#;

impl Last {
    fn of(list: &EndpointList) -> Self {
        Self { is_plain: are_plain(list.text().all()), ..Self::default() }
    }

    #[inline]
    fn usual<'a>(&self, list: &'a EndpointList, endpoint: EndpointRef<'a>) -> Option<Usual<'a>> {
        let record = endpoint.usual_record()?;
        let text = |text: Text| list.text().bytes(text);
        let middle = Middle {
            conditions: record.conditions,
            kind: record.target_kind,
            namespace: record.target_namespace,
            has_target: !record.target_name.is_empty(),
        };
        let usual = Usual {
            middle,
            name: text(record.target_name),
            uid: text(record.target_uid),
            node: text(record.node_name),
            zone: text(record.zone),
            hints: text(record.hints),
        };
        (self.is_plain || [usual.name, usual.uid, usual.node, usual.zone].into_iter().all(is_all_plain))
            .then_some(usual)
    }

    fn write(&mut self, out: &mut Vec<u8>, endpoint: EndpointRef<'_>, usual: &Usual<'_>) {
        out.extend_from_slice(ADDRESSES);
        write_address(out, endpoint.address());
        out.extend_from_slice(self.middle(endpoint, usual.middle));
        if !usual.name.is_empty() {
            out.extend_from_slice(usual.name);
            out.extend_from_slice(UID);
            out.extend_from_slice(usual.uid);
            out.extend_from_slice(TARGET_END);
        }
        for (name, text) in [(NODE, usual.node), (ZONE, usual.zone)] {
            if !text.is_empty() {
                out.extend_from_slice(name);
                out.extend_from_slice(text);
                out.push(b'"');
            }
        }
        if !usual.hints.is_empty() {
            out.extend_from_slice(HINTS);
            out.extend_from_slice(usual.hints);
        }
        out.push(b'}');
    }

    /// How many bytes that takes.
    fn size(&mut self, endpoint: EndpointRef<'_>, usual: &Usual<'_>) -> usize {
        let around = |before: &[u8], text: &[u8], after: usize| {
            if text.is_empty() { 0 } else { before.len() + text.len() + after }
        };
        let target = around(UID, usual.name, usual.uid.len() + TARGET_END.len());
        let rest = around(NODE, usual.node, 1) + around(ZONE, usual.zone, 1) + around(HINTS, usual.hints, 0);
        let address = address_size(endpoint.address());
        ADDRESSES.len() + address + self.middle(endpoint, usual.middle).len() + target + rest + 1
    }

    /// What is between the address and the name of the target.
    fn middle(&mut self, endpoint: EndpointRef<'_>, middle: Middle) -> &[u8] {
        if self.text.is_empty() || self.middle != middle {
            self.text.clear();
            write_between(&mut self.text, endpoint, middle);
            self.middle = middle;
        }
        &self.text
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
