//! What makes two endpoints the same, and which of two counts.

use std::cmp::{Ordering, Reverse};
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::DefaultHashBuilder;

use crate::diff::mask::Side;
use crate::model::{Address, AddressType, EndpointRef, EndpointSlice, timestamp};

/// What makes two endpoints the same, always within one Service and address type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

/// The slices before and after.
pub(crate) type Sides<'a> = [&'a [Arc<EndpointSlice>]; 2];

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

/// What stands at a place.
pub(crate) fn side(slices: &[Arc<EndpointSlice>], place: Place) -> Side<'_> {
    let slice = &*slices[place.slice as usize];
    let endpoint = slice.endpoints.get(place.endpoint as usize);
    let endpoint = endpoint.unwrap_or_else(|| unreachable!("places are made from the slices they are used with"));
    Side { endpoint, slice, port: place.port.map(|port| port as usize) }
}

/// The key of an entry in words, for order and for people.
pub(crate) fn full_key(slices: &[Arc<EndpointSlice>], place: Place, key: Key) -> FullKey<'_> {
    let Side { endpoint, slice, .. } = side(slices, place);
    (service_of(slice), who(endpoint, key), port_of(slice, place.port))
}

/// A readable key.
pub(super) fn shown(key: FullKey<'_>) -> String {
    let ((namespace, service, _), who, port) = key;
    let who = match who {
        Who::Address(address) => address.to_string(),
        Who::Uid(uid) => uid.to_owned(),
        Who::Target(namespace, name) => format!("{namespace}/{name}"),
    };
    let number = |number: Option<i32>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
    let port = port.map(|(name, protocol, port)| format!(" {name} {protocol} {}", number(port)));
    format!("{namespace}/{service} {who}{}", port.unwrap_or_default())
}

/// What makes an entry the same one, the Service first.
pub(super) fn key_text(key: FullKey<'_>) -> String {
    let ((_, _, family), ..) = key;
    format!("{} {}", shown(key), family.as_str())
}

pub(super) fn service_of(slice: &EndpointSlice) -> Service<'_> {
    (&slice.metadata.namespace, slice.metadata.service(), slice.address_type)
}

pub(crate) fn port_of(slice: &EndpointSlice, port: Option<u32>) -> Option<Port<'_>> {
    let port = &slice.ports[port? as usize];
    Some((&port.name, &port.protocol, port.port))
}

#[inline]
pub(super) fn who(endpoint: EndpointRef<'_>, key: Key) -> Who<'_> {
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

/// Hashes of whom endpoints are about.
pub(super) struct Hasher {
    pub(super) key: Key,
    state: DefaultHashBuilder,
    /// For numbers.
    seed: u64,
}

impl Hasher {
    pub(super) fn new(key: Key) -> Self {
        let state = DefaultHashBuilder::default();
        let seed = state.hash_one(0);
        Self { key, state, seed }
    }

    #[inline]
    pub(super) fn hash(&self, endpoint: EndpointRef<'_>) -> u64 {
        match endpoint.address() {
            Address::V4(address) if self.key != Key::Target => self.hash_number(u32::from(address).into()),
            _ => self.hash_of(who(endpoint, self.key)),
        }
    }

    #[inline(never)]
    fn hash_of(&self, who: Who<'_>) -> u64 {
        self.hash_number(match who {
            Who::Address(Address::V4(address)) => u32::from(address).into(),
            Who::Address(Address::V6(address)) => self.state.hash_one(u128::from(address)),
            Who::Address(Address::Name(text)) | Who::Uid(text) => self.state.hash_one(text),
            Who::Target(namespace, name) => self.state.hash_one((namespace, name)),
        })
    }

    /// Addresses in a row have hashes all of whose bits differ. Those of the builder, which draws what it multiplies with too, differ in a few
    /// bits alone in one process of some forty, and filters take many of them for others there.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both halves count")]
    pub(super) fn hash_number(&self, number: u64) -> u64 {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let wide = u128::from(number ^ self.seed) * u128::from(ODD);
        wide as u64 ^ (wide >> 64) as u64
    }
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
