//! The canonical form of subsets.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{EndpointSubset, order};
use crate::Error;
use crate::model::{Address, EndpointList, EndpointPort, EndpointRef};

/// Subsets in canonical form: each port once, ports that have the same addresses in the same readiness together, everything sorted
/// (upstream `RepackSubsets`).
///
/// Of an address that is there twice, with one target, the first counts; if either is not ready, it is not. Addresses without ports stay
/// only if no port has the same ones, and ports without addresses do not. Two ports are the same if they look the same; upstream compares `appProtocol` by its address in memory.
///
/// # Errors
///
/// More than 4 GiB of text.
pub fn repack(subsets: &[EndpointSubset]) -> Result<Vec<EndpointSubset>, Error> {
    let mut addresses: Vec<EndpointRef<'_>> = Vec::new();
    let mut known: HashMap<(Address<'_>, &str), usize> = HashMap::new();
    let mut by_port: BTreeMap<PortKey<'_>, (Option<&EndpointPort>, Members)> = BTreeMap::new();
    for subset in subsets {
        let ready = subset.addresses.iter().map(|address| (address, true));
        let members: Members = ready
            .chain(subset.not_ready_addresses.iter().map(|address| (address, false)))
            .map(|(address, is_ready)| {
                let key = (address.address(), address.target_ref().map_or("", |target| target.uid));
                let number = *known.entry(key).or_insert(addresses.len());
                if number == addresses.len() {
                    addresses.push(address);
                }
                (number, is_ready)
            })
            .collect();
        if members.is_empty() {
            continue;
        }
        let ports = subset.ports.iter().map(Some).chain(subset.ports.is_empty().then_some(None));
        for port in ports {
            let (_, held) = by_port.entry(port.map(EndpointPort::sort_key)).or_insert((port, Vec::new()));
            held.extend(&members);
        }
    }
    let mut by_addresses: BTreeMap<Members, Vec<&EndpointPort>> = BTreeMap::new();
    for (port, mut held) in by_port.into_values() {
        // By number, and what is not ready first, which counts.
        if !held.is_sorted_by(|one, next| one.0 < next.0) {
            held.sort_unstable();
            held.dedup_by_key(|member| member.0);
        }
        let ports = by_addresses.entry(held).or_default();
        ports.extend(port.filter(|port| port.port.is_some_and(|number| number > 0)));
    }
    let mut packed = Vec::new();
    for (members, mut ports) in by_addresses {
        ports.sort_by_cached_key(|port| order::of_port(port));
        packed.push(EndpointSubset {
            addresses: sorted(&addresses, &members, true)?,
            not_ready_addresses: sorted(&addresses, &members, false)?,
            ports: ports.into_iter().cloned().collect(),
        });
    }
    packed.sort_by_cached_key(order::of_subset);
    Ok(packed)
}

/// `None` stands for addresses that have no ports.
type PortKey<'a> = Option<(&'a str, &'a str, Option<i32>, &'a str)>;

/// Addresses by number, and whether each is ready.
type Members = Vec<(usize, bool)>;

/// By the text of the address, then by the UID of the target (upstream `LessEndpointAddress`).
fn sorted(addresses: &[EndpointRef<'_>], members: &[(usize, bool)], ready: bool) -> Result<EndpointList, Error> {
    let of_readiness = members.iter().filter(|(_, is_ready)| *is_ready == ready);
    let mut chosen: Vec<EndpointRef<'_>> = of_readiness.map(|&(number, _)| addresses[number]).collect();
    chosen.sort_by_cached_key(|address| (address.address().to_string(), address.target_ref().map(|target| target.uid)));
    let mut list = EndpointList::default();
    chosen.into_iter().try_for_each(|address| list.push(address))?;
    Ok(list)
}
