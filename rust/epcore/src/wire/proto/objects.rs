//! Objects of any kind, one or a list, most of them by way of the JSON that Kubernetes would write.

use std::sync::Arc;

use crate::Error;
use crate::engine::{Kind, Object};
use crate::wire::json;
use crate::wire::proto::by_json::{locate, translated};
use crate::wire::proto::documents::{LIST, read_slices};
use crate::wire::proto::envelope::{is_frames, open};
use crate::wire::proto::{nodes, pods};

/// Read all objects of a kind: a list of the API, or one object.
///
/// # Errors
///
/// As [`read_events`](crate::wire::proto::read_events), with paths such as `objects[7].spec.ports`.
pub fn read_objects(document: &[u8], kind: Option<Kind>) -> Result<(Kind, Vec<Object>), Error> {
    let is_slices =
        !is_frames(document) && open(document, 0).is_ok_and(|envelope| envelope.is(LIST) || envelope.is(json::KIND));
    if is_slices && kind.is_none_or(|kind| kind == Kind::EndpointSlice) {
        let slices = read_slices(document).map_err(|error| error.with_root("objects"))?;
        if let Some(index) = slices.iter().position(|slice| slice.metadata.name.is_empty()) {
            let error =
                Error::invalid("required, to tell one slice from another").in_field("name").in_field("metadata");
            return Err(locate(document, error.in_index(index).in_field("objects")));
        }
        return Ok((Kind::EndpointSlice, slices.into_iter().map(Object::EndpointSlice).collect()));
    }
    if kind.is_none_or(|kind| kind == Kind::Pod)
        && let Some(pods) = pods::read_usual(document)
    {
        return Ok((Kind::Pod, pods.into_iter().map(|pod| Object::Pod(Arc::new(pod))).collect()));
    }
    if kind.is_none_or(|kind| kind == Kind::Node)
        && let Some(nodes) = nodes::read_usual(document)
    {
        return Ok((Kind::Node, nodes.into_iter().map(|node| Object::Node(Arc::new(node))).collect()));
    }
    translated(document, "objects", |json| json::read_objects(json, kind))
}
