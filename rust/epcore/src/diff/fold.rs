//! From slices to one entry for each key.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use hashbrown::hash_map::Entry as Slot;
use hashbrown::{HashMap, HashSet};

use crate::diff::mask::Side;
use crate::interrupt::point;
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

impl Key {
    /// The words for keys.
    pub const WORDS: [(&'static str, Self); 3] =
        [("address", Self::Address), ("address-port", Self::AddressPort), ("target", Self::Target)];
}

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) slice: u32,
    pub(crate) endpoint: u32,
    /// Index among the ports of the slice, for [`Key::AddressPort`].
    pub(crate) port: Option<u32>,
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

/// Numbers for the Services and ports of both sides, so that a key is short.
#[derive(Default)]
pub(crate) struct Groups<'a>(HashMap<(Service<'a>, Option<Port<'a>>), u32>);

impl<'a> Groups<'a> {
    /// The numbers of each entry that an endpoint of the slice has: one for each port, or one without.
    fn of(&mut self, slice: &'a EndpointSlice, key: Key) -> Vec<(Option<u32>, u32)> {
        let count = if key == Key::AddressPort { slice.ports.len() } else { 0 };
        let ports = (0u32..).take(count).map(Some).chain((count == 0).then_some(None));
        let number = |port: Option<u32>| {
            let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
            (port, *self.0.entry((service_of(slice), port_of(slice, port))).or_insert(next))
        };
        ports.map(number).collect()
    }

    /// Each Service and port with its number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Service<'a>, &Option<Port<'a>>, u32)> {
        self.0.iter().map(|((service, port), number)| (service, port, *number))
    }
}

/// One side of a diff.
pub(crate) struct Fold<'a> {
    slices: &'a [Arc<EndpointSlice>],
    pub(crate) entries: HashMap<(u32, Who<'a>), Place>,
}

impl<'a> Fold<'a> {
    pub(crate) fn new(slices: &'a [Arc<EndpointSlice>], key: Key, groups: &mut Groups<'a>) -> Self {
        Self::of_some(slices, key, groups, None)
    }

    /// The same with nothing but `some`, if that is given.
    pub(crate) fn of_some(
        slices: &'a [Arc<EndpointSlice>],
        key: Key,
        groups: &mut Groups<'a>,
        some: Option<&HashSet<Who<'_>>>,
    ) -> Self {
        let count: usize = slices.iter().map(|slice| slice.endpoints.len()).sum();
        let capacity = some.map_or(count, HashSet::len);
        let mut fold = Self { slices, entries: HashMap::with_capacity(capacity) };
        for (at, slice) in (0u32..).zip(slices) {
            point();
            let numbers = groups.of(slice, key);
            for (index, endpoint) in (0u32..).zip(slice.endpoints.iter()) {
                let who = who(endpoint, key);
                if some.is_some_and(|some| !some.contains(&who)) {
                    continue;
                }
                for &(port, group) in &numbers {
                    fold.add((group, who), Place { slice: at, endpoint: index, port });
                }
            }
        }
        fold
    }

    fn add(&mut self, key: (u32, Who<'a>), place: Place) {
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
    let slice = &*slices[place.slice as usize];
    let endpoint = slice.endpoints.get(place.endpoint as usize);
    let endpoint = endpoint.unwrap_or_else(|| unreachable!("places are made from the slices they are used with"));
    Side { endpoint, slice, port: place.port.map(|port| port as usize) }
}

/// Whom a change of one slice can concern, if that can be told by a look at its endpoints one by one: no other slice plays a part, and nothing
/// changed but endpoints.
pub(crate) fn concerned<'a>(
    before: &'a [Arc<EndpointSlice>],
    after: &'a [Arc<EndpointSlice>],
    key: Key,
    by_metadata: bool,
) -> Option<HashSet<Who<'a>>> {
    let ([old], [new]) = (before, after) else { return None };
    let same = old.metadata.name == new.metadata.name
        && service_of(old) == service_of(new)
        && old.ports == new.ports
        && !(by_metadata && old.metadata != new.metadata);
    if !same {
        return None;
    }
    let common = old.endpoints.len().min(new.endpoints.len());
    let mut concerned = HashSet::new();
    for (left, right) in old.endpoints.iter().zip(new.endpoints.iter()).filter(|(left, right)| left != right) {
        concerned.extend([who(left, key), who(right, key)]);
    }
    let rest = old.endpoints.iter().skip(common).chain(new.endpoints.iter().skip(common));
    concerned.extend(rest.map(|endpoint| who(endpoint, key)));
    Some(concerned)
}

/// The key of an entry in words, for order and for people.
pub(crate) fn full_key(slices: &[Arc<EndpointSlice>], place: Place, key: Key) -> FullKey<'_> {
    let Side { endpoint, slice, .. } = side(slices, place);
    (service_of(slice), who(endpoint, key), port_of(slice, place.port))
}

fn service_of(slice: &EndpointSlice) -> Service<'_> {
    (&slice.metadata.namespace, slice.metadata.service(), slice.address_type)
}

fn port_of(slice: &EndpointSlice, port: Option<u32>) -> Option<Port<'_>> {
    let port = &slice.ports[port? as usize];
    Some((&port.name, &port.protocol, port.port))
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
pub(crate) fn precedence(left: Side<'_>, left_place: Place, right: Side<'_>, right_place: Place) -> Ordering {
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
