//! Which slices hold an address or a target.

use std::net::{Ipv4Addr, Ipv6Addr};

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
        let target = endpoint.target_ref().filter(|_| key == Key::Target)?;
        if !target.uid.is_empty() {
            return Some(Self::Uid(target.uid.into()));
        }
        (!target.name.is_empty()).then(|| Self::Target(target.namespace.into(), target.name.into()))
    }

    fn all(endpoint: EndpointRef<'_>, key: Key) -> impl Iterator<Item = Self> {
        [Some(Self::of_address(endpoint.address())), Self::of_target(endpoint, key)].into_iter().flatten()
    }
}

/// Numbers of slices by what they hold; a slice that holds an address twice is there twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Holders {
    numbers: HashMap<Subject, Numbers>,
    /// How many subjects are held more than once.
    shared: usize,
}

/// Nearly always one.
#[derive(Clone, Debug)]
enum Numbers {
    One(u32),
    Many(Vec<u32>),
}

impl Holders {
    /// Let `new` take the place of `old` under a number.
    pub(super) fn replace(&mut self, old: Option<&EndpointSlice>, new: Option<&EndpointSlice>, number: u32, key: Key) {
        if old.zip(new).is_some_and(|(old, new)| same_subjects(old, new, key)) {
            return;
        }
        for subject in old.iter().flat_map(|slice| slice.endpoints.iter()).flat_map(|held| Subject::all(held, key)) {
            self.remove(subject, number);
        }
        for subject in new.iter().flat_map(|slice| slice.endpoints.iter()).flat_map(|held| Subject::all(held, key)) {
            self.add(subject, number);
        }
    }

    fn add(&mut self, subject: Subject, number: u32) {
        match self.numbers.entry(subject) {
            Entry::Vacant(slot) => drop(slot.insert(Numbers::One(number))),
            Entry::Occupied(mut slot) => match slot.get_mut() {
                Numbers::Many(many) => many.push(number),
                Numbers::One(first) => {
                    let first = *first;
                    slot.insert(Numbers::Many(vec![first, number]));
                    self.shared += 1;
                }
            },
        }
    }

    fn remove(&mut self, subject: Subject, number: u32) {
        let Entry::Occupied(mut slot) = self.numbers.entry(subject) else { return };
        let left = match slot.get_mut() {
            Numbers::One(_) => {
                slot.remove();
                return;
            }
            Numbers::Many(many) => {
                if let Some(at) = many.iter().position(|&other| other == number) {
                    many.swap_remove(at);
                }
                many
            }
        };
        if let [last] = **left {
            slot.insert(Numbers::One(last));
            self.shared -= 1;
        }
    }

    /// Slices that hold something that `slice` holds.
    pub(super) fn sharing(&self, slice: &EndpointSlice, key: Key) -> impl Iterator<Item = u32> {
        // Mostly nobody shares anything.
        let endpoints = if self.shared == 0 { 0 } else { slice.endpoints.len() };
        slice
            .endpoints
            .iter()
            .take(endpoints)
            .flat_map(move |endpoint| Subject::all(endpoint, key))
            .filter_map(|subject| self.numbers.get(&subject))
            .flat_map(Numbers::as_slice)
            .copied()
    }

    /// Slices that hold an address.
    pub(super) fn of(&self, address: Address<'_>) -> &[u32] {
        self.numbers.get(&Subject::of_address(address)).map_or(&[], Numbers::as_slice)
    }

    /// Slices that hold something that is held more than once.
    pub(super) fn shared(&self) -> impl Iterator<Item = u32> {
        self.numbers.values().filter(|numbers| matches!(numbers, Numbers::Many(_))).flat_map(Numbers::as_slice).copied()
    }
}

/// True if two slices hold the same in the same order.
fn same_subjects(old: &EndpointSlice, new: &EndpointSlice, key: Key) -> bool {
    let target = |endpoint: EndpointRef<'_>| Subject::of_target(endpoint, key);
    let mut pairs = old.endpoints.iter().zip(new.endpoints.iter());
    old.endpoints.len() == new.endpoints.len()
        && pairs.all(|(old, new)| old.address() == new.address() && target(old) == target(new))
}

impl Numbers {
    fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(number) => std::slice::from_ref(number),
            Self::Many(many) => many,
        }
    }
}
