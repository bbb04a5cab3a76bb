//! Endpoints that are given from outside, one by one.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::Error;
use crate::engine::packer::address::OwnedAddress;
use crate::interrupt::point;
use crate::kube::{Ports, Published};
use crate::model::{EndpointList, EndpointRef, Shared};

/// What makes an endpoint the same: its addresses, and its ports. Nearly all differ in the first address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    first: OwnedAddress,
    rest: Rest,
}

/// Of a key, all but the first address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rest {
    more: Box<[String]>,
    /// None for those of the Service, so that nearly always no text is compared.
    ports: Option<Box<str>>,
}

/// What it says: a list of one, which plans share, and its ports.
pub(super) type Content = (Shared<EndpointList>, Ports);

/// Endpoints from outside by their keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Outside {
    /// In the order of their keys; nearly always one.
    by_first: HashMap<OwnedAddress, Few>,
    size: usize,
}

#[derive(Clone, Debug)]
enum Few {
    One(Rest, Content),
    /// Two at least.
    Many(BTreeMap<Rest, Content>),
}

impl Key {
    fn of(endpoint: EndpointRef<'_>, ports: &Ports) -> Self {
        let more = endpoint.addresses().skip(1).map(|address| address.to_string()).collect();
        let ports = (*ports != Ports::OfService).then(|| ports.key().into());
        Self { first: endpoint.address().into(), rest: Rest { more, ports } }
    }

    /// Its first address.
    pub(super) fn address(&self) -> &OwnedAddress {
        &self.first
    }
}

/// True if both say the same, also about fields that are to be taken away.
fn is_same((one, ports): &Content, (other, its): &Content) -> bool {
    ports == its && one.wants_same_as(other)
}

impl Few {
    fn iter(&self) -> impl Iterator<Item = (&Rest, &Content)> {
        let (one, many) = match self {
            Self::One(rest, content) => (Some((rest, content)), None),
            Self::Many(many) => (None, Some(many)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    fn get(&self, key: &Rest) -> Option<&Content> {
        match self {
            Self::One(rest, content) => (rest == key).then_some(content),
            Self::Many(many) => many.get(key),
        }
    }

    /// Put one in, in the place of one with the same key; tells that one.
    fn put(&mut self, rest: Rest, content: Content) -> Option<Content> {
        match self {
            Self::One(its, other) if *its == rest => Some(std::mem::replace(other, content)),
            Self::One(..) => {
                let other = std::mem::replace(self, Self::Many(BTreeMap::from([(rest, content)])));
                if let (Self::One(its, other), Self::Many(many)) = (other, self) {
                    many.insert(its, other);
                }
                None
            }
            Self::Many(many) => many.insert(rest, content),
        }
    }
}

impl Outside {
    /// Put an endpoint in. True if that is new.
    pub(super) fn tell(&mut self, key: Key, content: Content) -> bool {
        match self.by_first.entry(key.first) {
            Entry::Vacant(new) => drop(new.insert(Few::One(key.rest, content))),
            Entry::Occupied(few) => {
                let few = few.into_mut();
                if few.get(&key.rest).is_some_and(|other| is_same(other, &content)) {
                    return false;
                }
                if few.put(key.rest, content).is_some() {
                    return true;
                }
            }
        }
        self.size += 1;
        true
    }

    /// Take an endpoint away. True if it was there.
    pub(super) fn remove(&mut self, key: &Key) -> bool {
        let Entry::Occupied(mut few) = self.by_first.entry(key.first.clone()) else { return false };
        if few.get().get(&key.rest).is_none() {
            return false;
        }
        self.size -= 1;
        let Few::Many(many) = few.get_mut() else {
            few.remove();
            return true;
        };
        many.remove(&key.rest);
        if many.len() == 1
            && let Some((rest, last)) = many.pop_first()
        {
            few.insert(Few::One(rest, last));
        }
        true
    }

    fn get(&self, first: &OwnedAddress, rest: &Rest) -> Option<&Content> {
        self.by_first.get(first)?.get(rest)
    }

    /// Those with a first address, in the order of their keys.
    pub(super) fn with_address(&self, address: &OwnedAddress) -> impl Iterator<Item = &Content> {
        self.by_first.get(address).into_iter().flat_map(Few::iter).map(|(_, content)| content)
    }

    /// All of them, in the order of their keys.
    pub(super) fn in_order(&self) -> Vec<&Content> {
        let mut addresses: Vec<_> = self.by_first.iter().collect();
        addresses.sort_unstable_by_key(|(address, _)| *address);
        addresses.into_iter().flat_map(|(_, few)| few.iter()).map(|(_, content)| content).collect()
    }
}

/// Two are the same if they say the same, also about fields that are to be taken away.
impl PartialEq for Outside {
    fn eq(&self, other: &Self) -> bool {
        let mut all =
            self.by_first.iter().flat_map(|(first, few)| few.iter().map(move |(rest, one)| (first, rest, one)));
        self.size == other.size
            && all.all(|(first, rest, one)| other.get(first, rest).is_some_and(|other| is_same(one, other)))
    }
}

impl FromIterator<(Key, Content)> for Outside {
    fn from_iter<T: IntoIterator<Item = (Key, Content)>>(endpoints: T) -> Self {
        let endpoints = endpoints.into_iter();
        let by_first = HashMap::with_capacity(endpoints.size_hint().0);
        let mut outside = Self { by_first, size: 0 };
        for (key, content) in endpoints {
            outside.tell(key, content);
        }
        outside
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    fn told(text: &str) -> Vec<(Key, Content)> {
        each(&json::read_published(text.as_bytes()).expect("endpoints")).expect("room").collect()
    }

    #[test]
    fn endpoints_of_one_address_are_told_apart_by_their_ports_and_other_addresses() {
        let all = told(
            r#"["10.0.0.2", "10.0.0.1:80", "10.0.0.1", "10.0.0.1:8", {"addresses": ["10.0.0.1", "10.0.0.9"]}, "10.0.0.1"]"#,
        );
        let outside: Outside = all.iter().cloned().collect();
        let model: BTreeMap<(String, Rest), Content> = all
            .iter()
            .map(|(key, content)| ((key.first.get().to_string(), key.rest.clone()), content.clone()))
            .collect();
        assert_eq!((outside.size, model.len()), (5, 5));
        assert!(outside.in_order().into_iter().zip(model.values()).all(|(one, other)| is_same(one, other)));
        for first in 0..all.len() {
            let mut left = outside.clone();
            for (key, _) in all.iter().cycle().skip(first).take(all.len()) {
                let was_there = left.get(&key.first, &key.rest).is_some();
                let (size, with_address) = (left.size, left.with_address(key.address()).count());
                assert_eq!((left.remove(key), left.remove(key)), (was_there, false));
                assert!(left != outside);
                assert_eq!((left.size, left.in_order().len()), (size - usize::from(was_there), left.size));
                assert_eq!(left.with_address(key.address()).count(), with_address - usize::from(was_there));
            }
            assert!(left.by_first.is_empty());
            let told: Vec<bool> = all.iter().cloned().map(|(key, content)| left.tell(key, content)).collect();
            assert_eq!(told, [true, true, true, true, true, false]);
            assert!(left == outside);
        }
    }
}
