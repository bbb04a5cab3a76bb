//! Endpoints that are given from outside, one by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::Error;
use crate::kube::{Ports, Published};
use crate::model::EndpointList;

/// What makes an endpoint the same: its addresses, and its ports.
pub(super) type Key = (Vec<String>, String);

/// What it says: a list of one, and its ports.
pub(super) type Content = (EndpointList, Ports);

/// Take a list apart.
pub(super) fn each(endpoints: &Published) -> Result<Vec<(Key, Content)>, Error> {
    let each = endpoints.endpoints.iter().zip(&endpoints.ports).map(|(endpoint, ports)| {
        let mut alone = EndpointList::default();
        alone.push(endpoint)?;
        alone.shrink();
        let addresses = endpoint.addresses().map(|address| address.to_string()).collect();
        Ok(((addresses, ports.key()), (alone, ports.clone())))
    });
    each.collect()
}

/// Those with some first addresses.
pub(super) fn with(outside: &BTreeMap<Key, Content>, addresses: BTreeSet<String>) -> impl Iterator<Item = &Content> {
    addresses.into_iter().flat_map(move |address| with_address(outside, &address).collect::<Vec<_>>())
}

/// Those with a first address.
pub(super) fn with_address<'a>(
    outside: &'a BTreeMap<Key, Content>,
    address: &str,
) -> impl Iterator<Item = &'a Content> + use<'a> {
    let address = vec![address.to_owned()];
    let from = (address.clone(), String::new());
    outside.range(from..).take_while(move |((of, _), _)| of.first() == address.first()).map(|(_, content)| content)
}

/// Put a list together.
pub(super) fn joined<'a>(contents: impl Iterator<Item = &'a Content>) -> Result<Published, Error> {
    let mut joined = Published::default();
    for (endpoint, ports) in contents {
        for one in endpoint.iter() {
            joined.endpoints.push(one)?;
        }
        joined.ports.push(ports.clone());
    }
    Ok(joined)
}
