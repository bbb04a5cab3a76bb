//! Endpoints that are given from outside, one by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::Error;
use crate::engine::packer::address::OwnedAddress;
use crate::interrupt::point;
use crate::kube::{Ports, Published};
use crate::model::{EndpointList, EndpointRef, Shared};

/// What makes an endpoint the same: its addresses, and its ports. Nearly all differ in the first address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    first: OwnedAddress,
    more: Box<[String]>,
    /// None for those of the Service, so that nearly always no text is compared.
    ports: Option<Box<str>>,
}

/// What it says: a list of one, which plans share, and its ports.
pub(super) type Content = (Shared<EndpointList>, Ports);

impl Key {
    fn of(endpoint: EndpointRef<'_>, ports: &Ports) -> Self {
        let more = endpoint.addresses().skip(1).map(|address| address.to_string()).collect();
        let ports = (*ports != Ports::OfService).then(|| ports.key().into());
        Self { first: endpoint.address().into(), more, ports }
    }

    /// Its first address.
    pub(super) fn address(&self) -> &OwnedAddress {
        &self.first
    }
}

/// True if both say the same, also about fields that are to be taken away.
pub(super) fn is_same((one, ports): &Content, (other, its): &Content) -> bool {
    ports == its && one.wants_same_as(other)
}

/// True if all are the same.
pub(super) fn are_same(some: &BTreeMap<Key, Content>, others: &BTreeMap<Key, Content>) -> bool {
    let mut pairs = some.iter().zip(others);
    some.len() == others.len() && pairs.all(|((key, one), (its, other))| key == its && is_same(one, other))
}

/// Take a list apart.
pub(super) fn each(endpoints: &Published) -> Result<impl Iterator<Item = (Key, Content)>, Error> {
    let (list, ports) = (&endpoints.endpoints, &endpoints.ports);
    if let (Some(ports), Some(only), 1) = (ports.only(), list.get(0), list.len()) {
        let alone = if list.is_tight() { list.clone() } else { EndpointList::clone(list).into() };
        let alone = (Key::of(only, ports), (alone, ports.clone()));
        return Ok(Some(alone).into_iter().chain(Vec::new()));
    }
    let each = list.iter().zip(ports.iter()).map(|(endpoint, ports)| {
        point();
        let mut alone = EndpointList::default();
        alone.push(endpoint)?;
        alone.shrink();
        Ok((Key::of(endpoint, ports), (alone.into(), ports.clone())))
    });
    Ok(None.into_iter().chain(each.collect::<Result<Vec<_>, Error>>()?))
}

/// Those with some first addresses.
pub(super) fn with(
    outside: &BTreeMap<Key, Content>,
    addresses: BTreeSet<OwnedAddress>,
) -> impl Iterator<Item = &Content> {
    addresses.into_iter().flat_map(move |address| with_address(outside, &address).collect::<Vec<_>>())
}

/// Those with a first address.
pub(super) fn with_address<'a>(
    outside: &'a BTreeMap<Key, Content>,
    address: &OwnedAddress,
) -> impl Iterator<Item = &'a Content> + use<'a> {
    let from = Key { first: address.clone(), more: Box::default(), ports: None };
    let first = address.clone();
    outside.range(from..).take_while(move |(key, _)| key.first == first).map(|(_, content)| content)
}

/// Put a list together.
pub(super) fn joined<'a>(contents: impl Iterator<Item = &'a Content>) -> Result<Published, Error> {
    let mut joined = Published::default();
    for (endpoint, ports) in contents {
        point();
        for one in endpoint.iter() {
            joined.endpoints.push(one)?;
        }
        joined.ports.push(ports.clone(), endpoint.len());
    }
    Ok(joined)
}
