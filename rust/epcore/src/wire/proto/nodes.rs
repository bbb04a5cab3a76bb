//! Nodes in, straight into what is read of them, as Pods are: what is to be told about them, the way by JSON tells.

use crate::Error;
use crate::kube::{Node, parse_quantity};
use crate::wire::json;
use crate::wire::proto::by_json::translated;
use crate::wire::proto::checked::{Checked, condition, rises};
use crate::wire::proto::envelope::each_usual;
use crate::wire::proto::parts::{Part, Parts, Seen};
use crate::wire::proto::schema::OBJECT_META;

/// Read Nodes: one or a list, as [`json::read_nodes`] does.
///
/// # Errors
///
/// Those of [`json::read_nodes`], with places in this document.
pub fn read_nodes(document: &[u8]) -> Result<Vec<Node>, Error> {
    read_usual(document).map_or_else(|| read_nodes_plainly(document), Ok)
}

/// The same by way of JSON alone: slower, and there to be compared with.
///
/// # Errors
///
/// As [`read_nodes`].
pub fn read_nodes_plainly(document: &[u8]) -> Result<Vec<Node>, Error> {
    translated(document, "nodes", json::read_nodes)
}

/// The Nodes of a list, or a Node by itself, if there is nothing to be told about them.
pub(super) fn read_usual(document: &[u8]) -> Option<Vec<Node>> {
    let (mut checked, mut nodes) = (Checked::default(), Vec::new());
    each_usual(document, "Node", |message, _| {
        nodes.push(node(message, &mut checked)?);
        Some(())
    })?;
    Some(nodes)
}

/// Read a Node, if there is nothing to be told about it.
pub(super) fn node<'a>(message: &'a [u8], checked: &mut Checked<'a>) -> Option<Node> {
    let (mut node, mut seen, mut parts) = (Node::default(), Seen::default(), Parts(message));
    while !parts.is_empty() {
        let part = parts.next()?;
        match part.number {
            1 => metadata(seen.once(&part)?.message()?, &mut node, checked)?,
            3 => status(seen.once(&part)?.message()?, &mut node)?,
            _ => {}
        }
    }
    (!node.name.is_empty()).then_some(node)
}

fn metadata<'a>(mut parts: Parts<'a>, node: &mut Node, checked: &mut Checked<'a>) -> Option<()> {
    let (mut seen, mut last_label, mut last_annotation) = (Seen::default(), None, None);
    while !parts.is_empty() {
        let part = parts.next()?;
        match part.number {
            1 => seen.once(&part)?.text()?.clone_into(&mut node.name),
            6 => seen.once(&part)?.text()?.clone_into(&mut node.resource_version),
            11 => {
                let [key, value] = part.message()?.each([1, 2], Part::text)?;
                rises(&mut last_label, key.as_bytes())?;
                node.label(key, value);
            }
            12 => rises(&mut last_annotation, part.message()?.each([1, 2], Part::word)?[0])?,
            _ => checked.field(&OBJECT_META, &part, &mut seen)?,
        }
    }
    Some(())
}

fn status(mut parts: Parts<'_>, node: &mut Node) -> Option<()> {
    let (mut last, mut is_told) = (None, false);
    while !parts.is_empty() {
        let part = parts.next()?;
        match part.number {
            2 => {
                let [key, value] = part.message()?.each([1, 2], Part::bytes)?;
                let [quantity] = Parts(value).each([1], Part::text)?;
                std::str::from_utf8(key).ok()?;
                rises(&mut last, key)?;
                if key == b"cpu" && !quantity.is_empty() {
                    node.cpu = parse_quantity(quantity)?;
                }
            }
            4 => {
                let (kind, is_true, _) = condition(part.message()?)?;
                // The first one counts.
                if kind == b"Ready" && !is_told {
                    (is_told, node.is_ready) = (true, is_true);
                }
            }
            _ => {}
        }
    }
    Some(())
}
