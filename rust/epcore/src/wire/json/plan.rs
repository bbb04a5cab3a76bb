//! A plan, out.

use crate::pack::{Plan, Stats};
use crate::wire::json::slice::write_slice_into;
use crate::wire::json::writer::{Object, write_array, write_string};

/// Write `{"writes": [{"verb", "namespace", "name", "reasons", "object"}], "stats": {...}}`.
#[must_use]
pub fn write_plan(plan: &Plan) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = Object::start(&mut out);
    write_array(object.known("writes"), plan.writes(), |out, write| {
        let mut inner = Object::start(out);
        inner.text("verb", write.verb.as_str());
        inner.text("namespace", &write.slice.metadata.namespace);
        inner.text("name", &write.slice.metadata.name);
        write_array(inner.known("reasons"), write.reasons.names(), write_string);
        write_slice_into(inner.known("object"), &write.slice);
        inner.end();
    });
    object.known("stats").extend(write_stats(&plan.stats()));
    object.end();
    out
}

/// Write the counts of a plan.
#[must_use]
pub fn write_stats(stats: &Stats) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = Object::start(&mut out);
    for (name, count) in stats.counts() {
        object.number(name, count);
    }
    object.end();
    out
}
