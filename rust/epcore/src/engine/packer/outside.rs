//! Endpoints that are given from outside, one by one.

use std::collections::BTreeMap;

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

use crate::Error;
use crate::engine::packer::address::OwnedAddress;
use crate::interrupt::{point, points};
use crate::kube::{Ports, Published, check_published};
use crate::model::{EndpointList, EndpointRef, Shared, SharedEndpoint};

/// What makes an endpoint the same: its addresses, and its ports. Nearly all differ in the first address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    first: OwnedAddress,
    rest: Rest,
}

/// Of a key, all but the first address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Rest {
    more: Box<[String]>,
    /// None for those of the Service, so that nearly always no text is compared.
    ports: Option<Box<str>>,
}

/// What it says, which plans share, and its ports.
pub(super) type Content = (SharedEndpoint, Ports);

/// What is to be told.
pub(super) type News = Vec<(Key, Content)>;

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
        let more = if endpoint.rare().is_none() {
            Box::default()
        } else {
            endpoint.addresses().skip(1).map(|address| address.to_string()).collect()
        };
        let ports = (*ports != Ports::OfService).then(|| ports.key().into());
        Self { first: endpoint.address().into(), rest: Rest { more, ports } }
    }

    /// Its first address.
    pub(super) fn address(&self) -> &OwnedAddress {
        &self.first
    }

    pub(super) fn into_address(self) -> OwnedAddress {
        self.first
    }
}

/// True if both say the same, also about fields that are to be taken away.
fn is_same((one, ports): &Content, (other, its): &Content) -> bool {
    ports == its && one.get().wants_same_as(other.get())
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

    pub(super) fn len(&self) -> usize {
        self.size
    }

    fn get(&self, first: &OwnedAddress, rest: &Rest) -> Option<&Content> {
        self.by_first.get(first)?.get(rest)
    }

    fn iter(&self) -> impl Iterator<Item = (&OwnedAddress, &Rest, &Content)> {
        self.by_first.iter().flat_map(|(first, few)| few.iter().map(move |(rest, one)| (first, rest, one)))
    }

    /// What must be told, and what taken away, to know of these endpoints and of no others. `None` where more than a thousand and most of all would
    /// be: then it is not worth knowing which.
    pub(super) fn changes(&self, endpoints: &Published) -> Result<Option<(News, Vec<Key>)>, Error> {
        let most = self.size.max(2_000) / 2;
        let news = news(Some(self), endpoints)?;
        if news.len() > most {
            return Ok(None);
        }
        let gone = self.others(endpoints, &news);
        Ok((news.len() + gone.len() <= most).then_some((news, gone)))
    }

    /// The endpoints that some do not name, of which these are the news.
    fn others(&self, endpoints: &Published, news: &[(Key, Content)]) -> Vec<Key> {
        let changed = news.iter().filter(|(key, _)| self.get(&key.first, &key.rest).is_some()).count();
        if endpoints.len() - news.len() + changed == self.size && endpoints.endpoints.has_no_twins() {
            return Vec::new();
        }
        let named: HashSet<Key> = keys(endpoints).map(|(key, _)| key).collect();
        let all = self.iter().map(|(first, rest, _)| Key { first: first.clone(), rest: rest.clone() });
        all.filter(|key| !named.contains(key)).collect()
    }

    /// The one with a first address, if there is no other.
    pub(super) fn only(&self, address: &OwnedAddress) -> Option<&Content> {
        match self.by_first.get(address)? {
            Few::One(_, content) => Some(content),
            Few::Many(_) => None,
        }
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
        let is_there = |(first, rest, one)| other.get(first, rest).is_some_and(|other| is_same(one, other));
        self.size == other.size && self.iter().all(is_there)
    }
}

impl FromIterator<(Key, Content)> for Outside {
    fn from_iter<T: IntoIterator<Item = (Key, Content)>>(endpoints: T) -> Self {
        let endpoints = endpoints.into_iter();
        let mut outside = Self { by_first: HashMap::with_capacity(endpoints.size_hint().0), size: 0 };
        for (key, content) in endpoints {
            point();
            outside.tell(key, content);
        }
        outside
    }
}

/// The only endpoint of a list.
///
/// # Errors
///
/// The API refuses it.
pub(super) fn alone(endpoints: &Published) -> Result<Option<(Key, Content)>, Error> {
    let Some((key, ports)) = keys(endpoints).next().filter(|_| endpoints.len() == 1) else { return Ok(None) };
    check(endpoints, 0)?;
    let only = SharedEndpoint::each(tight(&endpoints.endpoints)).next();
    Ok(only.map(|only| (key, (only, ports.clone()))))
}

/// Check the endpoint at a place, which is there, as far as that does not depend on its Service.
fn check(endpoints: &Published, place: usize) -> Result<(), Error> {
    let endpoint = endpoints.endpoints.get(place);
    let checked = endpoint.map_or(Ok(()), check_published);
    checked.map_err(|error| error.in_index(place).in_field("endpoints"))
}

/// What must be told to know of all of some endpoints: each that is not known as it is, and perhaps others. Of the list, each keeps no more than a
/// few, all of which are told.
///
/// # Errors
///
/// The API refuses one of them, or some have more text than one list can hold.
pub(super) fn news(known: Option<&Outside>, endpoints: &Published) -> Result<News, Error> {
    const FEW: usize = 16;
    let list = &endpoints.endpoints;
    let is_known = |place: usize, key: &Key| {
        let (one, _) = known?.get(&key.first, &key.rest)?;
        // Of two with one key the last one counts, whatever is known.
        Some(one.get().wants_same_as(list.get(place)?) && list.has_no_twins())
    };
    let new = keys(endpoints).enumerate().filter(|(place, (key, _))| is_known(*place, key) != Some(true));
    let new: Vec<_> = new.collect();
    new.iter().try_for_each(|(place, _)| check(endpoints, *place))?;
    let mut lists = Vec::with_capacity(new.len().div_ceil(FEW));
    if new.len() == list.len() && list.len() <= FEW {
        lists.push(tight(list));
    } else {
        for some in new.chunks(FEW) {
            points(some.len());
            lists.push(list.part(some.iter().map(|(place, _)| *place))?.into());
        }
    }
    let contents = lists.into_iter().flat_map(SharedEndpoint::each);
    Ok(new.into_iter().zip(contents).map(|((_, (key, ports)), one)| (key, (one, ports.clone()))).collect())
}

/// The list, or a copy with no room for others.
fn tight(list: &Shared<EndpointList>) -> Shared<EndpointList> {
    if list.is_tight() { list.clone() } else { EndpointList::clone(list).into() }
}

/// Each endpoint of a list as it is told from the others, with its ports.
pub(super) fn keys(endpoints: &Published) -> impl Iterator<Item = (Key, &Ports)> {
    endpoints.endpoints.iter().zip(endpoints.ports.iter()).map(|(endpoint, ports)| {
        point();
        (Key::of(endpoint, ports), ports)
    })
}

/// Put a list together.
pub(super) fn joined<'a>(contents: impl Iterator<Item = &'a Content>) -> Result<Published, Error> {
    let mut joined = Published::default();
    for (endpoint, ports) in contents {
        point();
        joined.endpoints.push(endpoint.get())?;
        joined.ports.push(ports.clone(), 1);
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::json;

    fn told(text: &str) -> Vec<(Key, Content)> {
        news(None, &json::read_published(text.as_bytes()).expect("endpoints")).expect("room")
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
                let still = with_address - usize::from(was_there);
                assert_eq!(left.with_address(key.address()).count(), still);
                assert_eq!(left.only(key.address()).is_some(), still == 1);
            }
            assert!(left.by_first.is_empty());
            let told: Vec<bool> = all.iter().cloned().map(|(key, content)| left.tell(key, content)).collect();
            assert_eq!(told, [true, true, true, true, true, false]);
            assert!(left == outside);
        }
    }

    /// Endpoints of few addresses, ports, and contents.
    fn some() -> impl Strategy<Value = String> {
        let one = (0..24, prop::option::weighted(0.1, 8080..8082), prop::option::weighted(0.1, 0..3), 0..3usize)
            .prop_map(|(address, port, more, content)| {
                let more = more.map_or(String::new(), |more| format!(r#","10.0.1.{more}""#));
                let port = port.map_or(String::new(), |port| format!(r#","port":{port}"#));
                let content = ["", r#","zone":"a""#, r#","weight":null"#][content];
                format!(r#"{{"addresses":["10.0.0.{address}"{more}]{content}{port}}}"#)
            });
        prop::collection::vec(one, 0..24).prop_map(|all| format!("[{}]", all.join(",")))
    }

    proptest! {
        #[test]
        fn news_and_others_are_what_makes_the_known_ones_those_that_are_told(lists in prop::collection::vec(some(), 1..5)) {
            let mut known: Option<Outside> = None;
            for list in lists {
                let list = json::read_published(list.as_bytes()).expect("endpoints");
                let whole: Outside = news(None, &list).expect("room").into_iter().collect();
                let news = news(known.as_ref(), &list).expect("room");
                let mut now = known.unwrap_or_default();
                let others = now.others(&list, &news);
                prop_assert!(others.iter().all(|key| whole.get(&key.first, &key.rest).is_none()));
                let is_same = now == whole;
                let changed: Vec<bool> = news.into_iter().map(|(key, content)| now.tell(key, content)).collect();
                prop_assert!(is_same <= !changed.contains(&true) && is_same <= others.is_empty());
                prop_assert!(others.iter().all(|key| now.remove(key)));
                prop_assert!(now == whole);
                known = Some(now);
            }
        }
    }

    #[test]
    fn a_field_that_is_to_be_taken_away_is_news() {
        let list = |fields: &str| {
            let text = format!(r#"[{{"addresses":["10.0.0.1"]{fields}}},{{"addresses":["10.0.0.2"]}}]"#);
            json::read_published(text.as_bytes()).expect("endpoints")
        };
        let all = ["", r#","x":1"#, r#","x":null"#, r#","y":null"#, r#","x":1,"y":null"#];
        for (before, after) in all.iter().flat_map(|before| all.iter().map(move |after| (before, after))) {
            let known = news(None, &list(before)).expect("room").into_iter().collect();
            let new = news(Some(&known), &list(after)).expect("room");
            assert_eq!(new.len(), usize::from(before != after), "{before} {after}");
        }
    }

    #[test]
    fn an_endpoint_keeps_few_others_of_its_list() {
        let list = |zone: &str| {
            let one = |number| format!(r#"{{"addresses":["10.0.0.{number}"],"zone":"{zone}"}}"#);
            let all: Vec<String> = (0..100).map(one).collect();
            json::read_published(format!("[{}]", all.join(",")).as_bytes()).expect("endpoints")
        };
        let known = news(None, &list("a")).expect("room").into_iter().collect();
        assert!(news(Some(&known), &list("a")).expect("room").is_empty());
        let new = news(Some(&known), &list("b")).expect("room");
        assert_eq!(new.len(), 100);
        assert!(new.iter().all(|(_, (one, _))| one.list_len() <= 16));
    }
}
