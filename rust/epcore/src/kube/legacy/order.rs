//! The order of ports and subsets that Kubernetes' controller writes: by a hash of how Go would print them.
//!
//! Upstream `SortSubsets` hashes what `spew` prints with FNV-1a of 128 bits. The order has no meaning, but the same order is the only way
//! not to write an object that is there already, and it decides which subset loses most when an object is truncated.

use std::fmt::Write as _;

use super::EndpointSubset;
use crate::model::{EndpointList, EndpointPort, EndpointRef};
use crate::pack::fnv1a;

/// The place of a port among others.
pub(super) fn of_port(port: &EndpointPort) -> u128 {
    let mut text = "(v1.EndpointPort)".to_owned();
    print_port(&mut text, port);
    fnv1a(text.as_bytes())
}

/// The place of a subset among others.
pub(super) fn of_subset(subset: &EndpointSubset) -> u128 {
    let mut text = "(v1.EndpointSubset){".to_owned();
    for (name, list) in [("Addresses", &subset.addresses), ("NotReadyAddresses", &subset.not_ready_addresses)] {
        let _ = write!(text, "{name}:([]v1.EndpointAddress)");
        print_addresses(&mut text, list);
        text.push(' ');
    }
    text.push_str("Ports:([]v1.EndpointPort)");
    if subset.ports.is_empty() {
        text.push_str("<nil>");
    } else {
        print_list(&mut text, &subset.ports, print_port);
    }
    text.push('}');
    fnv1a(text.as_bytes())
}

fn print_addresses(text: &mut String, list: &EndpointList) {
    if list.is_empty() {
        text.push_str("<nil>");
    } else {
        print_list(text, list.iter(), print_address);
    }
}

fn print_list<T>(text: &mut String, items: impl IntoIterator<Item = T>, print: fn(&mut String, T)) {
    text.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        print(text, item);
    }
    text.push(']');
}

fn print_address(text: &mut String, address: EndpointRef<'_>) {
    let node = address.node_name().unwrap_or("<nil>");
    let hostname = address.hostname().unwrap_or("");
    let _ = write!(text, "{{IP:(string){} Hostname:(string){hostname} NodeName:(*string){node}", address.address());
    text.push_str(" TargetRef:(*v1.ObjectReference)");
    match address.target_ref() {
        None => text.push_str("<nil>"),
        Some(target) => {
            let _ = write!(
                text,
                "{{Kind:(string){} Namespace:(string){} Name:(string){} UID:(types.UID){} APIVersion:(string){} \
                 ResourceVersion:(string){} FieldPath:(string){}}}",
                target.kind,
                target.namespace,
                target.name,
                target.uid,
                target.api_version,
                target.resource_version,
                target.field_path
            );
        }
    }
    text.push('}');
}

fn print_port(text: &mut String, port: &EndpointPort) {
    let app_protocol = if port.app_protocol.is_empty() { "<nil>" } else { &port.app_protocol };
    let _ = write!(
        text,
        "{{Name:(string){} Port:(int32){} Protocol:(v1.Protocol){} AppProtocol:(*string){app_protocol}}}",
        port.name,
        port.port.unwrap_or(0),
        port.protocol
    );
}
