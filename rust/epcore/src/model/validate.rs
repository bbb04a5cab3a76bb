//! What the API server refuses (upstream `k8s.io/kubernetes/pkg/apis/discovery/validation`), with the place.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::Error;
use crate::model::names::{is_fqdn, is_label_value, is_qualified_name, shorten};
use crate::model::{
    Address, AddressType, EndpointList, EndpointPort, EndpointRef, EndpointSlice, MAX_ADDRESSES, MAX_ENDPOINTS,
    MAX_PORTS, ObjectMeta, Shared, is_dns_label, is_dns_subdomain, is_subdomain, may_be_special,
};
use crate::wire::json;

/// Check a slice as the API server does; spellings of IP addresses that only old versions accepted pass.
///
/// # Errors
///
/// The first violation, with its path within the slice.
pub fn validate_slice(slice: &EndpointSlice) -> Result<(), Error> {
    first(|found| check_slice(slice, Some(slice.address_type), found))
}

/// Labels and ports that no rule refuses, which the next slice may share.
#[derive(Default)]
pub(crate) struct Valid {
    labels: Option<Shared<BTreeMap<String, String>>>,
    ports: Option<Shared<Vec<EndpointPort>>>,
}

impl Valid {
    fn has_labels(&self, slice: &EndpointSlice) -> bool {
        self.labels.as_ref().is_some_and(|labels| labels.is_copy_of(&slice.metadata.labels))
    }

    fn has_ports(&self, slice: &EndpointSlice) -> bool {
        self.ports.as_ref().is_some_and(|ports| ports.is_copy_of(&slice.ports))
    }
}

/// Check a slice of IPv4 whose endpoints were checked as they were read.
pub(crate) fn validate_slice_around_endpoints(slice: &EndpointSlice, valid: &mut Valid) -> Result<(), Error> {
    first(|found| check_around_endpoints(slice, valid, found, |_| {}))?;
    if !(valid.has_labels(slice) && valid.has_ports(slice)) {
        *valid = Valid { labels: Some(slice.metadata.labels.clone()), ports: Some(slice.ports.clone()) };
    }
    Ok(())
}

/// Check an endpoint as the API server does, for a slice of the given type if it is known.
///
/// # Errors
///
/// The first violation, with its path within the endpoint.
pub fn validate_endpoint(endpoint: EndpointRef<'_>, address_type: Option<AddressType>) -> Result<(), Error> {
    first(|found| {
        if address_type.is_none() {
            each_address(endpoint, found, |address| address.validate());
        }
        check_endpoint(endpoint, address_type, found);
    })
}

/// Check that each address fits the type of the slice.
pub(crate) fn validate_family(endpoint: EndpointRef<'_>, address_type: AddressType) -> Result<(), Error> {
    first(|found| each_address(endpoint, found, |address| check_family(address, address_type)))
}

/// Takes one violation after the other.
pub(crate) type Found<'f> = dyn FnMut(Error) + 'f;

fn first(check: impl FnOnce(&mut Found<'_>)) -> Result<(), Error> {
    let mut violation = None;
    check(&mut |error| {
        violation.get_or_insert(error);
    });
    violation.map_or(Ok(()), Err)
}

/// Tell every violation of a slice; one whose address type is not known has its addresses left unchecked.
pub(crate) fn check_slice(slice: &EndpointSlice, address_type: Option<AddressType>, found: &mut Found<'_>) {
    check_around_endpoints(slice, &Valid::default(), found, |found| check_each(&slice.endpoints, address_type, found));
}

/// True if no rule refuses any of these endpoints in a slice of this type.
pub(crate) fn are_valid(endpoints: &EndpointList, address_type: AddressType) -> bool {
    let mut are_valid = true;
    check_each(endpoints, Some(address_type), &mut |_| are_valid = false);
    are_valid
}

fn check_each(endpoints: &EndpointList, address_type: Option<AddressType>, found: &mut Found<'_>) {
    let mut valid = Vec::new();
    for (index, endpoint) in endpoints.iter().enumerate() {
        let found = &mut |error: Error| found(error.in_index(index).in_field("endpoints"));
        if !is_usual(endpoint, address_type) {
            check_all_but_hints(endpoint, address_type, found);
        }
        check_new_hints(endpoint, &mut valid, found);
    }
}

/// The same, with another way to check the endpoints, if there are not too many.
fn check_around_endpoints(
    slice: &EndpointSlice,
    valid: &Valid,
    found: &mut Found<'_>,
    check_endpoints: impl FnOnce(&mut Found<'_>),
) {
    let in_metadata = &mut |error: Error| found(error.in_field("metadata"));
    check_names(&slice.metadata, in_metadata);
    if !valid.has_labels(slice) {
        check_labels(&slice.metadata, in_metadata);
    }
    if slice.endpoints.len() > MAX_ENDPOINTS {
        found(Error::limit("too many endpoints", MAX_ENDPOINTS, slice.endpoints.len()).in_field("endpoints"));
    } else {
        check_endpoints(found);
    }
    if !valid.has_ports(slice) {
        check_ports(&slice.ports, &mut |error| found(error.in_field("ports")));
    }
}

/// True if no rule refuses hints, which are canonical JSON.
pub(crate) fn are_valid_hints(hints: &str) -> bool {
    let mut are_valid = true;
    check_hints(hints, &mut |_| are_valid = false);
    are_valid
}

pub(crate) fn check_endpoint(endpoint: EndpointRef<'_>, address_type: Option<AddressType>, found: &mut Found<'_>) {
    check_all_but_hints(endpoint, address_type, found);
    check_new_hints(endpoint, &mut Vec::new(), found);
}

/// Check the hints of an endpoint, if they are none of the few that are known to be valid: most endpoints of a zone have the same.
#[inline]
fn check_new_hints<'a>(endpoint: EndpointRef<'a>, valid: &mut Vec<&'a str>, found: &mut Found<'_>) {
    if let Some(hints) = endpoint.hints().filter(|hints| !valid.contains(hints)) {
        check_other_hints(hints, valid, found);
    }
}

fn check_other_hints<'a>(hints: &'a str, valid: &mut Vec<&'a str>, found: &mut Found<'_>) {
    const MOST: usize = 8;
    let mut is_valid = true;
    check_hints(hints, &mut |error| {
        is_valid = false;
        found(error.in_field("hints"));
    });
    if is_valid && valid.len() < MOST {
        valid.push(hints);
    }
}

/// True of most endpoints that no rule refuses, hints left aside: one address that cannot be special, no host name, a valid node.
#[inline]
fn is_usual(endpoint: EndpointRef<'_>, address_type: Option<AddressType>) -> bool {
    matches!(endpoint.address(), Address::V4(address) if !may_be_special(address))
        && address_type == Some(AddressType::IPv4)
        && endpoint.rare().is_none()
        && endpoint.hostname().is_none()
        && (endpoint.node_bytes().is_empty() || is_subdomain(endpoint.node_bytes()))
}

fn check_all_but_hints(endpoint: EndpointRef<'_>, address_type: Option<AddressType>, found: &mut Found<'_>) {
    if let Some(address_type) = address_type {
        each_address(endpoint, found, |address| {
            check_family(address, address_type)?;
            if address_type == AddressType::Fqdn { Ok(()) } else { address.validate() }
        });
    }
    let count = endpoint.address_count();
    if count == 0 {
        // Whoever spelled the field wrong has it here.
        let strange = endpoint.unknown().and_then(|unknown| unknown.iter().next());
        let strange = strange.map(|(name, _)| format!("; {:?} is not known", shorten(name))).unwrap_or_default();
        found(Error::invalid(format!("at least one address is required{strange}")).in_field("addresses"));
    } else if count > MAX_ADDRESSES {
        found(Error::limit("too many addresses", MAX_ADDRESSES, count).in_field("addresses"));
    }
    if let Some(hostname) = endpoint.hostname().filter(|hostname| !is_dns_label(hostname)) {
        found(bad_name(hostname, LABEL).in_field("hostname"));
    }
    if let Some(node) = endpoint.node_name().filter(|node| !is_dns_subdomain(node)) {
        found(bad_name(node, SUBDOMAIN).in_field("nodeName"));
    }
}

#[inline]
fn each_address(endpoint: EndpointRef<'_>, found: &mut Found<'_>, check: impl Fn(Address<'_>) -> Result<(), Error>) {
    // Nearly all have one, and need no walk.
    if endpoint.address_count() == 1 && check(endpoint.address()).is_ok() {
        return;
    }
    for (index, address) in endpoint.addresses().enumerate() {
        if let Err(error) = check(address) {
            found(error.in_index(index).in_field("addresses"));
        }
    }
}

/// Check that an address fits the type of the slice. An IPv4 address is a domain name too, for the API.
fn check_family(address: Address<'_>, address_type: AddressType) -> Result<(), Error> {
    let (fits, wanted) = match (address_type, address) {
        (AddressType::IPv4, address) => (matches!(address, Address::V4(_)), "an IPv4 address"),
        (AddressType::IPv6, address) => (matches!(address, Address::V6(_)), "an IPv6 address"),
        (AddressType::Fqdn, Address::Name(name)) => (is_fqdn(name), "a domain name"),
        (AddressType::Fqdn, address) => (matches!(address, Address::V4(_)), "a domain name"),
    };
    if fits { Ok(()) } else { Err(bad_name(&address.to_string(), wanted)) }
}

/// Tells whether a name is valid.
type Rule = fn(&str) -> bool;

const MAX_HINTS: usize = 8;
/// Bytes of keys and values.
const MAX_ANNOTATIONS: usize = 256 << 10;

const LABEL: &str = "a DNS label of at most 63 characters";
const SUBDOMAIN: &str = "a DNS subdomain of at most 253 characters";
const QUALIFIED: &str = "a qualified name";
const LABEL_VALUE: &str = "a label value of at most 63 characters";

fn check_hints(hints: &str, found: &mut Found<'_>) {
    let (zones, nodes) = match json::read_hints(hints) {
        Ok(hints) => hints,
        Err(error) => return found(error),
    };
    let lists: [(_, _, Rule, _); 2] =
        [("forZones", zones, is_label_value, LABEL_VALUE), ("forNodes", nodes, is_dns_subdomain, SUBDOMAIN)];
    for (field, names, is_valid, rule) in lists {
        if names.len() > MAX_HINTS {
            return found(Error::limit("too many hints", MAX_HINTS, names.len()).in_field(field));
        }
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            if !is_valid(name) {
                found(bad_name(name, rule).in_field("name").in_index(index).in_field(field));
            } else if !seen.insert(name) {
                let error = Error::invalid(format!("{:?} is there twice", shorten(name)));
                found(error.in_field("name").in_index(index).in_field(field));
            }
        }
    }
}

pub(crate) fn check_ports(ports: &[EndpointPort], found: &mut Found<'_>) {
    check_each_port(ports, found);
    if ports.len() > MAX_PORTS {
        return;
    }
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate().filter(|(_, port)| is_port_name(&port.name)) {
        if !names.insert(&port.name) {
            let error = Error::invalid(format!("a second port has the name {:?}", port.name));
            found(error.in_field("name").in_index(index));
        }
    }
}

/// The same of ports of which several may have one name, as in legacy Endpoints.
pub(crate) fn check_each_port(ports: &[EndpointPort], found: &mut Found<'_>) {
    if ports.len() > MAX_PORTS {
        return found(Error::limit("too many ports", MAX_PORTS, ports.len()));
    }
    for (index, port) in ports.iter().enumerate() {
        if !is_port_name(&port.name) {
            found(bad_name(&port.name, LABEL).in_field("name").in_index(index));
        }
        if !matches!(&*port.protocol, "TCP" | "UDP" | "SCTP") {
            found(bad_name(&port.protocol, "TCP, UDP or SCTP").in_field("protocol").in_index(index));
        }
        if !port.app_protocol.is_empty() && !is_qualified_name(&port.app_protocol) {
            found(bad_name(&port.app_protocol, QUALIFIED).in_field("appProtocol").in_index(index));
        }
    }
}

fn is_port_name(name: &str) -> bool {
    name.is_empty() || is_dns_label(name)
}

pub(crate) fn check_metadata(metadata: &ObjectMeta, found: &mut Found<'_>) {
    check_names(metadata, found);
    check_labels(metadata, found);
}

fn check_names(metadata: &ObjectMeta, found: &mut Found<'_>) {
    let prefix = without_dash(&metadata.generate_name);
    let names: [(_, &str, Rule, _); 3] = [
        ("name", &metadata.name, is_dns_subdomain, SUBDOMAIN),
        ("generateName", &prefix, is_dns_subdomain, "a DNS subdomain of at most 253 characters, dashes may follow"),
        ("namespace", &metadata.namespace, is_dns_label, LABEL),
    ];
    for (field, name, is_valid, rule) in names {
        if !name.is_empty() && !is_valid(name) {
            found(bad_name(name, rule).in_field(field));
        }
    }
}

fn check_labels(metadata: &ObjectMeta, found: &mut Found<'_>) {
    for (key, value) in &*metadata.labels {
        if !is_qualified_name(key) {
            found(bad_name(key, QUALIFIED).in_field(key.clone()).in_field("labels"));
        }
        if !is_label_value(value) {
            found(bad_name(value, LABEL_VALUE).in_field(key.clone()).in_field("labels"));
        }
    }
}

/// A prefix with its dash made a letter (upstream `maskTrailingDash`).
fn without_dash(prefix: &str) -> Cow<'_, str> {
    match prefix.strip_suffix('-').and_then(|rest| rest.char_indices().next_back()) {
        Some((last, _)) => Cow::Owned(format!("{}a", &prefix[..last])),
        None => Cow::Borrowed(prefix),
    }
}

/// Tell what the API server refuses in the metadata of an object that is sent to it, beyond what [`check_slice`] tells.
pub(crate) fn check_submitted_metadata(metadata: &ObjectMeta, found: &mut Found<'_>) {
    if metadata.name.is_empty() && metadata.generate_name.is_empty() {
        found(Error::invalid("name or generateName is required").in_field("name"));
    }
    if metadata.generation() < 0 {
        found(Error::invalid("must not be negative").in_field("generation"));
    }
    for key in metadata.annotations.keys().filter(|key| !is_qualified_name(&key.to_ascii_lowercase())) {
        found(bad_name(key, QUALIFIED).in_field(key.clone()).in_field("annotations"));
    }
    let size = metadata.annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size > MAX_ANNOTATIONS {
        found(Error::limit("too many bytes of annotations", MAX_ANNOTATIONS, size).in_field("annotations"));
    }
    check_owners(metadata, &mut |error| found(error.in_field("ownerReferences")));
    check_finalizers(metadata, &mut |error| found(error.in_field("finalizers")));
}

fn check_owners(metadata: &ObjectMeta, found: &mut Found<'_>) {
    let owners = match json::read_owners(metadata) {
        Ok(owners) => owners,
        Err(error) => return found(error),
    };
    let mut controllers = 0;
    for (index, owner) in owners.iter().enumerate() {
        let texts =
            [("apiVersion", &owner.api_version), ("kind", &owner.kind), ("name", &owner.name), ("uid", &owner.uid)];
        for (field, _) in texts.into_iter().filter(|(_, text)| text.is_empty()) {
            found(Error::invalid("required").in_field(field).in_index(index));
        }
        let version = &owner.api_version;
        if version.matches('/').count() > 1 || version.ends_with('/') {
            found(bad_name(version, "group/version or version").in_field("apiVersion").in_index(index));
        }
        if owner.kind == "Event" && version.strip_prefix('/').unwrap_or(version) == "v1" {
            found(Error::invalid("an Event owns nothing").in_index(index));
        }
        controllers += usize::from(owner.is_controller);
    }
    if controllers > 1 {
        found(Error::invalid(format!("{controllers} owners have controller set to true, at most one may")));
    }
}

fn check_finalizers(metadata: &ObjectMeta, found: &mut Found<'_>) {
    const STANDARD: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];
    let names = match json::read_texts(metadata.unknown.get("finalizers").unwrap_or("[]")) {
        Ok(names) => names,
        Err(error) => return found(error),
    };
    for (index, name) in names.iter().enumerate() {
        if !is_qualified_name(name) {
            found(bad_name(name, QUALIFIED).in_index(index));
        } else if !name.contains('/') && !STANDARD.contains(&name.as_str()) {
            found(bad_name(name, "a standard finalizer or a name with a domain").in_index(index));
        }
    }
    if STANDARD[1..].iter().all(|standard| names.iter().any(|name| name == standard)) {
        found(Error::invalid("orphan and foregroundDeletion exclude each other"));
    }
}

fn bad_name(name: &str, rule: &str) -> Error {
    Error::invalid(format!("{:?} is not {rule}", shorten(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_that_are_wrong_are_told_each_time_whatever_was_valid_before() {
        let endpoint = |number: usize, zone: &str| {
            format!(r#"{{"addresses":["10.0.0.{number}"],"hints":{{"forZones":[{{"name":"{zone}"}}]}}}}"#)
        };
        let zones = ["a", "b", "a", "a!", "a", "a!", "b!", "b"];
        let endpoints: Vec<String> = (1..).zip(zones).map(|(number, zone)| endpoint(number, zone)).collect();
        let text = format!(r#"{{"addressType":"IPv4","endpoints":[{}],"ports":[]}}"#, endpoints.join(","));
        let error = json::read_slices(text.as_bytes()).unwrap_err();
        assert_eq!(error.path(), "slices[0].endpoints[3].hints.forZones[0].name");
        let submitted = json::read_submitted(text.as_bytes()).unwrap();
        let [json::Submitted::Slice(slice, _)] = &*submitted else { panic!("one slice") };
        let mut paths = Vec::new();
        check_slice(slice, Some(AddressType::IPv4), &mut |error| paths.push(error.path()));
        assert_eq!(paths, [3, 5, 6].map(|index| format!("endpoints[{index}].hints.forZones[0].name")));
    }
}
