//! A delta, out.

use crate::diff::{Change, Delta, Outcome, Transition};
use crate::wire::json::endpoint::write_endpoint_into;
use crate::wire::json::writer::{Object, write_array, write_string};

/// Write `{"added": [...], "removed": [...], "updated": [...], "moved": [...], "transitions": [...], "trigger_times": [...]}`.
#[must_use]
pub fn write_delta(delta: &Delta) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = Object::start(&mut out);
    let outcomes = [
        ("added", Outcome::Added),
        ("removed", Outcome::Removed),
        ("updated", Outcome::Updated),
        ("moved", Outcome::Moved),
    ];
    for (name, outcome) in outcomes {
        let changes = (0..delta.count(outcome)).filter_map(|index| delta.get(outcome, index));
        write_array(object.member(name), changes, |out, change| write_change_into(out, &change));
    }
    write_array(object.known("transitions"), delta.transitions(), |out, transition| {
        out.extend(write_transition(transition));
    });
    write_array(object.known("trigger_times"), delta.trigger_times(), |out, found| {
        let mut object = Object::start(out);
        object.text("namespace", &found.namespace);
        object.text("service", &found.service);
        object.text("time", &found.time);
        object.end();
    });
    object.end();
    out
}

/// Write one change.
#[must_use]
pub fn write_change(change: &Change<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_change_into(&mut out, change);
    out
}

fn write_change_into(out: &mut Vec<u8>, change: &Change<'_>) {
    let mut object = Object::start(out);
    object.text("key", &change.key());
    object.text("namespace", change.namespace());
    object.text("service", change.service());
    if let Some(endpoint) = change.endpoint() {
        write_string(object.known("address"), &endpoint.address().to_string());
    }
    if let Some((name, protocol, number)) = change.port() {
        write_string(object.known("port_name"), name);
        object.text("protocol", protocol);
        if let Some(number) = number {
            object.number("port", number);
        }
    }
    write_array(object.known("reasons"), change.reasons().names(), write_string);
    for (side, name, slice_name) in
        [(change.before(), "before", "slice_before"), (change.after(), "after", "slice_after")]
    {
        let Some((slice, index)) = side else { continue };
        object.text(slice_name, &slice.metadata.name);
        if let Some(endpoint) = slice.endpoints.get(index) {
            write_endpoint_into(object.member(name), endpoint);
        }
    }
    object.end();
}

/// Write one transition.
#[must_use]
pub fn write_transition(transition: &Transition) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = Object::start(&mut out);
    object.text("namespace", &transition.namespace);
    object.text("service", &transition.service);
    write_string(object.known("port_name"), &transition.port_name);
    object.text("protocol", &transition.protocol);
    object.number("endpoints_before", transition.endpoints_before);
    object.number("endpoints_after", transition.endpoints_after);
    object.number("ready_before", transition.ready_before);
    object.number("ready_after", transition.ready_after);
    object.boolean("hints_complete_before", Some(transition.hints_complete_before));
    object.boolean("hints_complete_after", Some(transition.hints_complete_after));
    object.end();
    out
}
