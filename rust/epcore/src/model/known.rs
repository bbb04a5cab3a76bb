//! What was found out about a list of endpoints, so that the next who asks need not look at all of them again.

use std::hash::BuildHasher;
use std::sync::OnceLock;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::interrupt::point;
use crate::model::digest::Digest;
use crate::model::print::{NONE, Print, print};
use crate::model::{Address, AddressType, ByIdentity, EndpointList, EndpointRef};

/// Facts about a list, once somebody asked. A copy begins without; whoever changes a list must [`forget`](Self::forget).
#[derive(Default)]
pub(crate) struct Known(OnceLock<Box<Facts>>);

impl Clone for Known {
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[derive(Default)]
struct Facts {
    prints: OnceLock<Prints>,
    whole: OnceLock<Whole>,
}

struct Prints {
    of_each: Box<[Print]>,
    /// Of all of them, where none is missing.
    digest: Option<Digest>,
}

/// What is asked about wanted endpoints only.
struct Whole {
    family: Option<AddressType>,
    largest: usize,
    index: Option<Index>,
}

impl Known {
    /// The list changes.
    #[inline]
    pub(crate) fn forget(&mut self) {
        self.0.take();
    }

    fn prints(&self, list: &EndpointList) -> &Prints {
        self.0.get_or_init(Box::default).prints.get_or_init(|| {
            let of_each: Box<[Print]> = list.iter().map(print).collect();
            let digest = (!of_each.contains(&NONE)).then(|| Digest::of(&of_each));
            Prints { of_each, digest }
        })
    }

    /// True if the prints of two lists are the same, where both are known and none is missing.
    pub(crate) fn has_prints_of(&self, other: &Self) -> Option<bool> {
        self.both_prints(other).map(|(prints, others)| prints == others)
    }

    /// The prints of two lists, where both are known and none is missing.
    pub(crate) fn both_prints<'a>(&'a self, other: &'a Self) -> Option<(&'a [Print], &'a [Print])> {
        Some((self.complete_prints()?, other.complete_prints()?))
    }

    fn complete_prints(&self) -> Option<&[Print]> {
        let prints = self.0.get()?.prints.get()?;
        prints.digest.is_some().then_some(&prints.of_each)
    }

    fn whole(&self, list: &EndpointList) -> &Whole {
        self.0.get_or_init(Box::default).whole.get_or_init(|| Whole {
            family: family(list),
            largest: list.iter().map(EndpointRef::size_bound).max().unwrap_or(0),
            index: Index::of(list),
        })
    }
}

impl EndpointList {
    /// The print of each endpoint, [`NONE`] for one that is compared field by field.
    pub(crate) fn prints(&self) -> &[Print] {
        &self.known().prints(self).of_each
    }

    /// What all of them say, in whatever order; `None` where one must be compared field by field.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.known().prints(self).digest
    }

    /// The type of all addresses, where they are IP addresses of one type.
    pub(crate) fn family(&self) -> Option<AddressType> {
        self.known().whole(self).family
    }

    /// No JSON form of any endpoint is longer than this.
    pub(crate) fn largest(&self) -> usize {
        self.known().whole(self).largest
    }

    /// Where each endpoint is, if no two can be the same one.
    pub(crate) fn index(&self) -> Option<&Index> {
        self.known().whole(self).index.as_ref()
    }
}

fn family(list: &EndpointList) -> Option<AddressType> {
    let family = list.get(0)?.address().address_type();
    let is_of = |endpoint: EndpointRef<'_>| endpoint.addresses().all(|address| address.address_type() == family);
    (family != AddressType::Fqdn && list.iter().all(is_of)).then_some(family)
}

/// Endpoints by the smallest of their addresses, which no two share, and by their prints.
pub(crate) struct Index {
    by_address: HashTable<u32>,
    hasher: DefaultHashBuilder,
    by_print: OnceLock<Box<[u32]>>,
}

impl Index {
    fn of(list: &EndpointList) -> Option<Self> {
        let mut index = Self {
            by_address: HashTable::with_capacity(list.len()),
            hasher: DefaultHashBuilder::default(),
            by_print: OnceLock::new(),
        };
        for (place, endpoint) in (0u32..).zip(list.iter()) {
            point();
            let address = smallest(endpoint)?;
            let is_same = |&other: &u32| list.get(other as usize).and_then(smallest) == Some(address);
            let hash = index.hash(address);
            if index.by_address.find(hash, is_same).is_some() {
                return None;
            }
            // There is room for all of them.
            index.by_address.insert_unique(hash, place, |_| hash);
        }
        Some(index)
    }

    /// Where the endpoint of `list`, of which this is the index, is that is the same as one of another list.
    pub(crate) fn find(&self, list: &EndpointList, other: ByIdentity<'_>, print: Print) -> Option<u32> {
        self.find_print(list.prints(), print).or_else(|| {
            let is_same = |&place: &u32| {
                list.get(place as usize).is_some_and(|endpoint| other == ByIdentity { endpoint, ..other })
            };
            self.by_address.find(self.hash(smallest(other.endpoint)?), is_same).copied()
        })
    }

    /// Where the print of an endpoint is among those of the list, of which this is the index.
    #[inline]
    pub(crate) fn find_print(&self, prints: &[Print], print: Print) -> Option<u32> {
        let slots = self.by_print.get_or_init(|| by_print(prints));
        let mask = slots.len() - 1;
        let mut at = start(print);
        loop {
            let place = slots[at & mask].checked_sub(1)?;
            if prints[place as usize] == print {
                return Some(place);
            }
            at += 1;
        }
    }

    #[inline]
    fn hash(&self, address: Address<'_>) -> u64 {
        match address {
            Address::V4(address) => self.hasher.hash_one(u32::from(address)),
            Address::V6(address) => self.hasher.hash_one(u128::from(address)),
            Address::Name(name) => self.hasher.hash_one(name),
        }
    }
}

/// What stands for the set of addresses of an endpoint.
#[inline]
fn smallest(endpoint: EndpointRef<'_>) -> Option<Address<'_>> {
    if endpoint.rare().is_none() { Some(endpoint.address()) } else { endpoint.addresses().min() }
}

/// Places, each plus one, where the low bits of the prints say, or in the next slots that are free; a quarter is used, or up to half.
fn by_print(prints: &[Print]) -> Box<[u32]> {
    let count = (2 * prints.len() + 2).next_power_of_two();
    let mut slots = vec![0; count].into_boxed_slice();
    for (place, &print) in (1u32..).zip(prints).filter(|(_, print)| **print != NONE) {
        let mut at = start(print) & (count - 1);
        while slots[at] != 0 {
            at = (at + 1) & (count - 1);
        }
        slots[at] = place;
    }
    slots
}

#[inline]
fn start(print: Print) -> usize {
    print as usize
}
