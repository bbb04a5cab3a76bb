//! Rules about all slices of a Service.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::{Item, Options, Report, Rule};
use crate::Error;
use crate::kube::desired::{PortsKey, ports_key};
use crate::model::{Address, AddressType, EndpointPort, EndpointRef};
use crate::wire::json;

pub(super) fn check(items: &[Item], options: &Options, report: &mut Report) {
    let mut services: BTreeMap<(&str, &str), Vec<&Item>> = BTreeMap::new();
    for item in items {
        if let Some(service) = item.service() {
            services.entry(service).or_default().push(item);
        }
    }
    for slices in services.into_values() {
        check_ports(&slices, report);
        for family in [AddressType::IPv4, AddressType::IPv6, AddressType::Fqdn] {
            let slices: Vec<&Item> = slices.iter().copied().filter(|item| item.slice.address_type == family).collect();
            check_family(&slices, options, report);
        }
    }
}

fn check_family(slices: &[&Item], options: &Options, report: &mut Report) {
    let mut groups: BTreeMap<PortsKey, Vec<&Item>> = BTreeMap::new();
    for item in slices {
        groups.entry(ports_key(&item.slice.ports)).or_default().push(item);
    }
    check_duplicates(slices, report);
    let others = slices.iter().any(|item| !item.slice.endpoints.is_empty());
    for item in slices.iter().filter(|item| others && item.slice.endpoints.is_empty()) {
        report.add(Rule::EmptySlice, item, Error::invalid("no endpoints").in_field("endpoints"));
    }
    for group in groups.values() {
        check_hints(group, report);
        let endpoints: usize = group.iter().map(|item| item.slice.endpoints.len()).sum();
        let limit = 2 * endpoints.div_ceil(options.max_endpoints.max(1)) + 2;
        if group.len() > limit {
            let message = format!("{endpoints} endpoints are spread over {} slices with these ports", group.len());
            report.add(Rule::Fragmented, group[0], Error::limit(message, limit, group.len()));
        }
    }
}

/// Tell addresses that are held twice with a port in common: the same name, protocol and number, or no ports on either side.
fn check_duplicates(slices: &[&Item], report: &mut Report) {
    type Port<'a> = (&'a str, &'a str, Option<i32>);
    let mut numbers: HashMap<Option<Port<'_>>, usize> = HashMap::new();
    let mut holders: HashMap<(Address<'_>, usize), (&Item, EndpointRef<'_>)> = HashMap::new();
    for item in slices {
        let ports = item.slice.ports.iter().map(|port| Some((&*port.name, &*port.protocol, port.port)));
        let none = item.slice.ports.is_empty().then_some(None);
        let mut number = |port| {
            let next = numbers.len();
            *numbers.entry(port).or_insert(next)
        };
        let ports: Vec<usize> = ports.chain(none).map(&mut number).collect();
        let has_address = |endpoint: &EndpointRef<'_>| endpoint.address() != Address::Name("");
        for (index, endpoint) in item.slice.endpoints.iter().enumerate().filter(|(_, endpoint)| has_address(endpoint)) {
            let address = endpoint.address();
            let Some((other, held)) = ports.iter().find_map(|&port| holders.get(&(address, port)).copied()) else {
                holders.extend(ports.iter().map(|&port| ((address, port), (*item, endpoint))));
                continue;
            };
            let whose = if held.target_name() == endpoint.target_name() { "" } else { " of another target" };
            let place = if other.index == item.index { "this slice".to_owned() } else { other.label() };
            let message = format!("{address} is in {place} already, with a port in common{whose}");
            report.add(Rule::DuplicateEndpoint, item, Error::invalid(message).in_index(index).in_field("endpoints"));
        }
    }
}

/// Hints count only if every ready endpoint behind a port has them (upstream kube-proxy's `CategorizeEndpoints`).
fn check_hints(group: &[&Item], report: &mut Report) {
    let mut without: Option<(&Item, usize)> = None;
    let (mut hinted, mut unhinted) = (0, 0);
    for item in group {
        for (index, endpoint) in item.slice.endpoints.iter().enumerate().filter(|(_, one)| one.conditions().is_ready())
        {
            let has_hints = endpoint.hints().and_then(|hints| json::read_hints(hints).ok());
            if has_hints.is_some_and(|(zones, nodes)| !zones.is_empty() || !nodes.is_empty()) {
                hinted += 1;
            } else {
                unhinted += 1;
                without.get_or_insert((item, index));
            }
        }
    }
    if let Some((item, index)) = without.filter(|_| hinted > 0) {
        let message = format!("no hints, as on {unhinted} of {} ready endpoints", hinted + unhinted);
        report.add(Rule::UnhintedEndpoint, item, Error::invalid(message).in_index(index).in_field("endpoints"));
    }
}

/// Compare the ports of all slices with endpoints, name by name.
fn check_ports(slices: &[&Item], report: &mut Report) {
    let mut known: BTreeMap<&str, (&EndpointPort, &Item)> = BTreeMap::new();
    let with_endpoints = || slices.iter().filter(|item| !item.slice.endpoints.is_empty());
    for item in with_endpoints() {
        for port in &item.slice.ports {
            known.entry(&port.name).or_insert((port, item));
        }
    }
    for item in with_endpoints() {
        for (index, port) in item.slice.ports.iter().enumerate() {
            let (first, holder) = known[&*port.name];
            if first.port != port.port && holder.index != item.index {
                let number = |port: &EndpointPort| port.port.map_or("unset".to_owned(), |number| number.to_string());
                let message = format!("{} here and {} in {}", number(port), number(first), holder.label());
                report.add(Rule::PortNumbersDiffer, item, Error::invalid(message).in_index(index).in_field("ports"));
            }
        }
        let names: BTreeSet<&str> = item.slice.ports.iter().map(|port| &*port.name).collect();
        let missing: Vec<&str> = known.keys().filter(|name| !names.contains(*name)).copied().take(5).collect();
        if !missing.is_empty() {
            let message = format!("no port {missing:?}, which other slices of the Service have");
            report.add(Rule::PortSetsDiffer, item, Error::invalid(message).in_field("ports"));
        }
    }
}
