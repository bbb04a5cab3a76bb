//! From slices to one entry for each key.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry as Slot;

use crate::diff::mask::Side;
use crate::model::{Address, AddressType, EndpointRef, EndpointSlice, timestamp};

/// What makes two endpoints the same, always within one Service and address type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Key {
    /// The first address, the only one with a meaning.
    Address,
    /// The first address and each port of the slice: name, protocol, number.
    #[default]
    AddressPort,
    /// The UID of the target, else its namespace and name, else the first address.
    Target,
}

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) slice: usize,
    pub(crate) endpoint: usize,
    /// Index among the ports of the slice, for [`Key::AddressPort`].
    pub(crate) port: Option<usize>,
}

/// The subject of an entry within its Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Who<'a> {
    Address(Address<'a>),
    Uid(&'a str),
    Target(&'a str, &'a str),
}

/// Name, protocol, number.
pub(crate) type Port<'a> = (&'a str, &'a str, Option<i32>);

/// Namespace and name of a Service, and the address type.
pub(crate) type Service<'a> = (&'a str, &'a str, AddressType);

/// A key in full.
pub(crate) type FullKey<'a> = (Service<'a>, Who<'a>, Option<Port<'a>>);

/// One side of a diff.
pub(crate) struct Fold<'a> {
    slices: &'a [Arc<EndpointSlice>],
    pub(crate) entries: HashMap<FullKey<'a>, Place>,
}

impl<'a> Fold<'a> {
    pub(crate) fn new(slices: &'a [Arc<EndpointSlice>], key: Key) -> Self {
        let count: usize = slices.iter().map(|slice| slice.endpoints.len()).sum();
        let mut fold = Self { slices, entries: HashMap::with_capacity(count) };
        for (at, slice) in slices.iter().enumerate() {
            let ports = if key == Key::AddressPort { slice.ports.len() } else { 0 };
            for (index, endpoint) in slice.endpoints.iter().enumerate() {
                let place = Place { slice: at, endpoint: index, port: None };
                if ports == 0 {
                    fold.add(full_key(slice, endpoint, None, key), place);
                }
                for port in 0..ports {
                    fold.add(full_key(slice, endpoint, Some(port), key), Place { port: Some(port), ..place });
                }
            }
        }
        fold
    }

    fn add(&mut self, key: FullKey<'a>, place: Place) {
        let slices = self.slices;
        match self.entries.entry(key) {
            Slot::Vacant(slot) => drop(slot.insert(place)),
            Slot::Occupied(mut slot) => {
                if precedence(side(slices, place), place, side(slices, *slot.get()), *slot.get()) == Ordering::Less {
                    slot.insert(place);
                }
            }
        }
    }

    pub(crate) fn side(&self, place: Place) -> Side<'a> {
        side(self.slices, place)
    }
}

/// What stands at a place.
pub(crate) fn side(slices: &[Arc<EndpointSlice>], place: Place) -> Side<'_> {
    let slice = &*slices[place.slice];
    let endpoint = slice.endpoints.get(place.endpoint);
    let endpoint = endpoint.unwrap_or_else(|| unreachable!("places are made from the slices they are used with"));
    Side { endpoint, slice, port: place.port }
}

pub(crate) fn full_key<'a>(
    slice: &'a EndpointSlice,
    endpoint: EndpointRef<'a>,
    port: Option<usize>,
    key: Key,
) -> FullKey<'a> {
    let service = (&*slice.metadata.namespace, slice.metadata.service(), slice.address_type);
    let port = port.map(|port| {
        let port = &slice.ports[port];
        (&*port.name, &*port.protocol, port.port)
    });
    (service, who(endpoint, key), port)
}

fn who(endpoint: EndpointRef<'_>, key: Key) -> Who<'_> {
    if key == Key::Target {
        let target = endpoint.target_ref().unwrap_or_default();
        if !target.uid.is_empty() {
            return Who::Uid(target.uid);
        }
        if !target.name.is_empty() {
            return Who::Target(target.namespace, target.name);
        }
    }
    Who::Address(endpoint.address())
}

/// Which of two entries with one key counts; `Less` is the first.
///
/// Not terminating before terminating, so that a running Pod beats the ghost of one that had its address (kube-proxy since its
/// pull request 135593); then the newer trigger time, which says whose conditions are newer; then the newer slice; then by name, place and content,
/// so that the order of the input does not show.
fn precedence(left: Side<'_>, left_place: Place, right: Side<'_>, right_place: Place) -> Ordering {
    let rank = |side: Side<'_>| {
        let metadata = &side.slice.metadata;
        (
            side.endpoint.conditions().is_terminating(),
            Reverse(timestamp(metadata.trigger_time())),
            Reverse(timestamp(&metadata.creation_timestamp)),
        )
    };
    let name = |side: Side<'_>| side.slice.metadata.name.clone();
    rank(left)
        .cmp(&rank(right))
        .then_with(|| name(left).cmp(&name(right)))
        .then_with(|| left_place.endpoint.cmp(&right_place.endpoint))
        .then_with(|| {
            let text = |side: Side<'_>| crate::wire::json::write_endpoint(side.endpoint);
            text(left).cmp(&text(right))
        })
}
