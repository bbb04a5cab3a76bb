//! Which slices hold an address or a target.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::iter::once;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::{RangeBounds, RangeInclusive};

use hashbrown::DefaultHashBuilder;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::diff::Key;
use crate::model::{Address, EndpointRef, EndpointSlice};

/// What slices are found by, whatever their Service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Name(Box<str>),
    Uid(Box<str>),
    Target(Box<str>, Box<str>),
}

impl Subject {
    fn of_address(address: Address<'_>) -> Self {
        match address {
            Address::V4(address) => Self::V4(address),
            Address::V6(address) => Self::V6(address),
            Address::Name(name) => Self::Name(name.into()),
        }
    }

    /// The target, where that is what makes two endpoints the same.
    fn of_target(endpoint: EndpointRef<'_>, key: Key) -> Option<Self> {
        if key != Key::Target {
            return None;
        }
        let target = endpoint.target_ref()?;
        if !target.uid.is_empty() {
            return Some(Self::Uid(target.uid.into()));
        }
        (!target.name.is_empty()).then(|| Self::Target(target.namespace.into(), target.name.into()))
    }

    fn all(endpoint: EndpointRef<'_>, key: Key) -> impl Iterator<Item = Self> {
        once(Self::of_address(endpoint.address())).chain(Self::of_target(endpoint, key))
    }
}

/// A slice that holds something, after others of its Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Holder {
    /// Stands for the Service. That of two may be the same: then more slices are looked at than need be, which changes nothing.
    service: u32,
    slice: u32,
}

impl Holder {
    fn all_of(service: u32) -> RangeInclusive<Self> {
        Self { service, slice: u32::MIN }..=Self { service, slice: u32::MAX }
    }
}

/// Numbers of slices by what they hold. What many Services hold costs each of them no more than what one does.
#[derive(Clone, Debug, Default)]
pub(super) struct Holders {
    held: HashMap<Subject, Held>,
    /// How many subjects are held more than once.
    shared: usize,
    hasher: DefaultHashBuilder,
}

/// Nearly always by one.
#[derive(Clone, Debug)]
enum Held {
    /// And at which place, where that is known.
    One(Holder, Option<u32>),
    /// Each with how often it holds the subject; two times at least in all.
    Many(BTreeMap<Holder, u32>),
}

impl Holders {
    fn holder(&self, slice: &EndpointSlice, number: u32) -> Holder {
        Holder { service: self.service(&slice.metadata.namespace, slice.metadata.service()), slice: number }
    }

    /// What stands for a Service, and perhaps for another one.
    pub(super) fn service(&self, namespace: &str, name: &str) -> u32 {
        (self.hasher.hash_one((namespace, name)) >> 32) as u32
    }

    /// Let `new` take the place of `old` under a number.
    pub(super) fn replace(&mut self, old: Option<&EndpointSlice>, new: Option<&EndpointSlice>, number: u32, key: Key) {
        let [was, is] = [old, new].map(|slice| slice.map(|slice| (slice, self.holder(slice, number))));
        if was.zip(is).is_some_and(|((old, was), (new, is))| was == is && same_subjects(old, new, key)) {
            return;
        }
        if let Some((slice, holder)) = was {
            slice.endpoints.iter().flat_map(|held| Subject::all(held, key)).for_each(|held| self.remove(held, holder));
        }
        if let Some((slice, holder)) = is {
            for (place, endpoint) in (0..).zip(slice.endpoints.iter()) {
                Subject::all(endpoint, key).for_each(|held| self.add(held, holder, place));
            }
        }
    }

    fn add(&mut self, subject: Subject, holder: Holder, place: u32) {
        match self.held.entry(subject) {
            Entry::Vacant(slot) => drop(slot.insert(Held::One(holder, Some(place)))),
            Entry::Occupied(mut slot) => match slot.get_mut() {
                Held::Many(many) => *many.entry(holder).or_default() += 1,
                Held::One(first, _) => {
                    let mut many = BTreeMap::from([(*first, 1)]);
                    *many.entry(holder).or_default() += 1;
                    slot.insert(Held::Many(many));
                    self.shared += 1;
                }
            },
        }
    }

    fn remove(&mut self, subject: Subject, holder: Holder) {
        let Entry::Occupied(mut slot) = self.held.entry(subject) else { return };
        let Held::Many(many) = slot.get_mut() else {
            slot.remove();
            return;
        };
        if let Some(times) = many.get_mut(&holder) {
            *times -= 1;
            if *times == 0 {
                many.remove(&holder);
            }
        }
        if many.len() == 1
            && let Some((&last, 1)) = many.first_key_value()
        {
            slot.insert(Held::One(last, None));
            self.shared -= 1;
        }
    }

    /// Slices of the same Service that hold something that `slice` holds.
    pub(super) fn sharing(&self, slice: &EndpointSlice, key: Key) -> impl Iterator<Item = u32> {
        let service = self.holder(slice, 0).service;
        // Mostly nobody shares anything.
        let endpoints = if self.shared == 0 { 0 } else { slice.endpoints.len() };
        let held = slice.endpoints.iter().take(endpoints).flat_map(move |endpoint| Subject::all(endpoint, key));
        held.filter_map(|subject| self.held.get(&subject)).flat_map(move |held| held.in_service(service))
    }

    /// Slices that hold an address.
    pub(super) fn of(&self, address: Address<'_>) -> impl Iterator<Item = u32> {
        self.held.get(&Subject::of_address(address)).into_iter().flat_map(Held::slices)
    }

    /// Slices of a Service that hold an address.
    pub(super) fn in_service(
        &self,
        address: Address<'_>,
        (namespace, name): (&str, &str),
    ) -> impl Iterator<Item = u32> {
        let service = self.service(namespace, name);
        self.held.get(&Subject::of_address(address)).into_iter().flat_map(move |held| held.in_service(service))
    }

    /// The slice that alone of a Service holds an address, and once, and at which place, where that is known. It may be one of another Service that
    /// the same stands for.
    pub(super) fn only(&self, address: Address<'_>, (namespace, name): (&str, &str)) -> Option<(u32, Option<u32>)> {
        let service = self.service(namespace, name);
        match self.held.get(&Subject::of_address(address))? {
            Held::One(holder, place) => (holder.service == service).then_some((holder.slice, *place)),
            Held::Many(many) => {
                let mut of_service = many.range(Holder::all_of(service));
                let (only, &times) = of_service.next()?;
                (times == 1 && of_service.next().is_none()).then_some((only.slice, None))
            }
        }
    }

    /// Slices that hold something that is held more than once.
    pub(super) fn shared(&self) -> impl Iterator<Item = u32> {
        self.held.values().filter(|held| matches!(held, Held::Many(_))).flat_map(Held::slices)
    }
}

/// True if two slices hold the same in the same order.
fn same_subjects(old: &EndpointSlice, new: &EndpointSlice, key: Key) -> bool {
    let is_same = |old: EndpointRef<'_>, new: EndpointRef<'_>| {
        key != Key::Target || Subject::of_target(old, key) == Subject::of_target(new, key)
    };
    let mut pairs = old.endpoints.iter().zip(new.endpoints.iter());
    old.endpoints.len() == new.endpoints.len() && pairs.all(|(old, new)| old.has_address_of(new) && is_same(old, new))
}

impl Held {
    fn slices(&self) -> impl Iterator<Item = u32> {
        self.within(..)
    }

    fn in_service(&self, service: u32) -> impl Iterator<Item = u32> {
        self.within(Holder::all_of(service))
    }

    fn within(&self, range: impl RangeBounds<Holder>) -> impl Iterator<Item = u32> {
        let (one, many) = match self {
            Self::One(holder, _) => (range.contains(holder).then_some(holder), None),
            Self::Many(many) => (None, Some(many.range(range).map(|(holder, _)| holder))),
        };
        one.into_iter().chain(many.into_iter().flatten()).map(|holder| holder.slice)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::wire::json;

    fn slices() -> Vec<Arc<EndpointSlice>> {
        let slice = |number: usize| {
            format!(
                r#"{{"metadata": {{"name": "s{number}", "labels": {{"kubernetes.io/service-name": "web-{}"}}}},
                    "addressType": "IPv4", "endpoints": [{{"addresses": ["10.0.0.1"]}}, {{"addresses": ["10.0.0.1"]}}]}}"#,
                number / 2
            )
        };
        let items: Vec<String> = (0..200).map(slice).collect();
        json::read_slices(format!("[{}]", items.join(",")).as_bytes()).expect("slices")
    }

    #[test]
    fn what_every_service_holds_is_shared_by_the_slices_of_one() {
        let slices = slices();
        let mut holders = Holders::default();
        for (number, slice) in (0..).zip(&slices) {
            holders.replace(None, Some(slice), number, Key::Address);
        }
        let address = Address::parse("10.0.0.1");
        assert_eq!(holders.of(address).count(), 200);
        assert_eq!(holders.in_service(address, ("", "web-7")).collect::<Vec<_>>(), [14, 15]);
        let sharing: Vec<u32> = holders.sharing(&slices[15], Key::Address).collect();
        assert_eq!(sharing, [14, 15, 14, 15]);
        for (number, slice) in (0..).zip(&slices) {
            holders.replace(Some(slice), None, number, Key::Address);
        }
        assert!(holders.held.is_empty());
        assert_eq!(holders.shared, 0);
    }
}
