//! What the API server refuses (upstream `k8s.io/kubernetes/pkg/apis/discovery/validation`), with the place.

use std::collections::BTreeSet;

use crate::Error;
use crate::model::names::{is_label_value, is_qualified_name, shorten};
use crate::model::{
    AddressType, EndpointPort, EndpointRef, EndpointSlice, MAX_ADDRESSES, MAX_ENDPOINTS, MAX_PORTS, ObjectMeta,
    is_dns_label, is_dns_subdomain,
};
use crate::wire::json;

/// Check a slice as the API server does; spellings of IP addresses that only old versions accepted pass.
///
/// # Errors
///
/// The first violation, with its path within the slice.
pub fn validate_slice(slice: &EndpointSlice) -> Result<(), Error> {
    validate_metadata(&slice.metadata).map_err(|error| error.in_field("metadata"))?;
    if slice.endpoints.len() > MAX_ENDPOINTS {
        return Err(Error::limit("too many endpoints", MAX_ENDPOINTS, slice.endpoints.len()).in_field("endpoints"));
    }
    for (index, endpoint) in slice.endpoints.iter().enumerate() {
        validate_endpoint(endpoint, Some(slice.address_type))
            .map_err(|error| error.in_index(index).in_field("endpoints"))?;
    }
    validate_ports(&slice.ports).map_err(|error| error.in_field("ports"))
}

/// Check an endpoint as the API server does, for a slice of the given type if it is known.
///
/// # Errors
///
/// The first violation, with its path within the endpoint.
pub fn validate_endpoint(endpoint: EndpointRef<'_>, address_type: Option<AddressType>) -> Result<(), Error> {
    let mut count = 0;
    for (index, address) in endpoint.addresses().enumerate() {
        address.validate().map_err(|error| error.in_index(index).in_field("addresses"))?;
        count += 1;
    }
    if let Some(address_type) = address_type {
        validate_family(endpoint, address_type)?;
    }
    match count {
        0 => return Err(Error::invalid("at least one address is required").in_field("addresses")),
        1..=MAX_ADDRESSES => {}
        _ => return Err(Error::limit("too many addresses", MAX_ADDRESSES, count).in_field("addresses")),
    }
    if let Some(hostname) = endpoint.hostname().filter(|hostname| !is_dns_label(hostname)) {
        return Err(bad_name(hostname, "a DNS label of at most 63 characters").in_field("hostname"));
    }
    if let Some(node) = endpoint.node_name().filter(|node| !is_dns_subdomain(node)) {
        return Err(bad_name(node, "a DNS subdomain of at most 253 characters").in_field("nodeName"));
    }
    match endpoint.hints() {
        Some(hints) => validate_hints(hints).map_err(|error| error.in_field("hints")),
        None => Ok(()),
    }
}

/// Check that each address fits the type of the slice. A domain name may look like an IP address.
pub(crate) fn validate_family(endpoint: EndpointRef<'_>, address_type: AddressType) -> Result<(), Error> {
    if endpoint.rare().is_none() && endpoint.address().address_type() == address_type {
        return Ok(());
    }
    for (index, address) in endpoint.addresses().enumerate() {
        if address.address_type() != address_type && address_type != AddressType::Fqdn {
            let message = format!("{:?} is not an {} address", shorten(&address.to_string()), address_type.as_str());
            return Err(Error::invalid(message).in_index(index).in_field("addresses"));
        }
    }
    Ok(())
}

/// Tells whether a name is valid.
type Rule = fn(&str) -> bool;

const MAX_HINTS: usize = 8;

fn validate_hints(hints: &str) -> Result<(), Error> {
    let (zones, nodes) = json::read_hints(hints)?;
    let lists: [(_, _, Rule, _); 2] = [
        ("forZones", zones, |name| !name.is_empty() && is_label_value(name), "a label value of 1 to 63 characters"),
        ("forNodes", nodes, is_dns_subdomain, "a DNS subdomain of at most 253 characters"),
    ];
    for (field, names, is_valid, rule) in lists {
        if names.len() > MAX_HINTS {
            return Err(Error::limit("too many hints", MAX_HINTS, names.len()).in_field(field));
        }
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            let trouble = if !is_valid(name) {
                bad_name(name, rule)
            } else if !seen.insert(name) {
                Error::invalid(format!("{:?} is there twice", shorten(name)))
            } else {
                continue;
            };
            return Err(trouble.in_field("name").in_index(index).in_field(field));
        }
    }
    Ok(())
}

fn validate_ports(ports: &[EndpointPort]) -> Result<(), Error> {
    if ports.len() > MAX_PORTS {
        return Err(Error::limit("too many ports", MAX_PORTS, ports.len()));
    }
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let trouble = if !port.name.is_empty() && !is_dns_label(&port.name) {
            bad_name(&port.name, "a DNS label of at most 63 characters").in_field("name")
        } else if !names.insert(&port.name) {
            Error::invalid(format!("a second port has the name {:?}", port.name)).in_field("name")
        } else if !matches!(&*port.protocol, "TCP" | "UDP" | "SCTP") {
            bad_name(&port.protocol, "TCP, UDP or SCTP").in_field("protocol")
        } else if !port.app_protocol.is_empty() && !is_qualified_name(&port.app_protocol) {
            bad_name(&port.app_protocol, "a qualified name").in_field("appProtocol")
        } else {
            continue;
        };
        return Err(trouble.in_index(index));
    }
    Ok(())
}

fn validate_metadata(metadata: &ObjectMeta) -> Result<(), Error> {
    let prefix = metadata.generate_name.trim_end_matches('-');
    let names: [(_, &str, Rule, _); 3] = [
        ("name", &metadata.name, is_dns_subdomain, "a DNS subdomain of at most 253 characters"),
        ("generateName", prefix, is_dns_subdomain, "a DNS subdomain of at most 253 characters, dashes may follow"),
        ("namespace", &metadata.namespace, is_dns_label, "a DNS label of at most 63 characters"),
    ];
    for (field, name, is_valid, rule) in names {
        if !name.is_empty() && !is_valid(name) {
            return Err(bad_name(name, rule).in_field(field));
        }
    }
    for (key, value) in &metadata.labels {
        if !is_qualified_name(key) {
            return Err(bad_name(key, "a qualified name").in_field(key.clone()).in_field("labels"));
        }
        if !is_label_value(value) {
            return Err(bad_name(value, "a label value of at most 63 characters")
                .in_field(key.clone())
                .in_field("labels"));
        }
    }
    Ok(())
}

fn bad_name(name: &str, rule: &str) -> Error {
    Error::invalid(format!("{:?} is not {rule}", shorten(name)))
}
