//! What was found out about a list of endpoints, so that the next who asks need not look at all of them again.

use std::hash::BuildHasher;
use std::sync::OnceLock;

use hashbrown::DefaultHashBuilder;

use crate::interrupt::{point, points};
use crate::model::digest::Digest;
use crate::model::print::{NONE, Print, prints};
use crate::model::{Address, AddressType, ByIdentity, Conditions, EndpointList, EndpointRef, Shared, are_valid};

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
    index: OnceLock<Option<Index>>,
    valid_family: OnceLock<Option<AddressType>>,
    all_ready: OnceLock<Shared<EndpointList>>,
    /// Somebody has walked along all of it.
    is_walked: OnceLock<()>,
}

struct Prints {
    of_each: Box<[Print]>,
    /// Of all of them, where none is missing.
    digest: Option<Digest>,
}

/// What is asked about wanted endpoints only.
#[derive(Default)]
struct Whole {
    /// The types of all addresses, a bit for each.
    families: u8,
    largest: usize,
    /// The least and the greatest address, as numbers, where all have one IPv4 address.
    range: Option<(u32, u32)>,
    /// True if each of these is greater than that of the endpoint before.
    rises: bool,
}

impl Known {
    /// The list changes.
    #[inline]
    pub(crate) fn forget(&mut self) {
        self.0.take();
    }

    fn prints(&self, list: &EndpointList) -> &Prints {
        self.0.get_or_init(Box::default).prints.get_or_init(|| {
            let of_each = prints(list.iter());
            // One at each would be much of the work.
            points(list.len());
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
        self.0.get_or_init(Box::default).whole.get_or_init(|| Whole::of(list))
    }

    fn index(&self, list: &EndpointList) -> Option<&Index> {
        self.0.get_or_init(Box::default).index.get_or_init(|| Index::of(list, self.whole(list))).as_ref()
    }
}

impl Whole {
    fn of(list: &EndpointList) -> Self {
        let mut whole = Self { rises: true, ..Self::default() };
        let (mut least, mut most, mut before, mut is_plain) = (u32::MAX, 0, None, true);
        for endpoint in list.iter() {
            whole.largest = whole.largest.max(endpoint.size_bound());
            let families = match endpoint.address() {
                Address::V4(address) if endpoint.rare().is_none() => {
                    let number = u32::from(address);
                    (least, most) = (least.min(number), most.max(number));
                    whole.rises &= Some(number) > before;
                    before = Some(number);
                    1 << AddressType::IPv4 as u8
                }
                _ => {
                    is_plain = false;
                    endpoint.addresses().fold(0, |all, address| all | 1 << address.address_type() as u8)
                }
            };
            whole.families |= families;
        }
        points(list.len());
        whole.range = (is_plain && least <= most).then_some((least, most));
        whole.rises &= is_plain;
        whole
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

    /// True if prints are known without a look at any endpoint.
    pub(crate) fn has_prints(&self) -> bool {
        self.known().0.get().is_some_and(|facts| facts.prints.get().is_some())
    }

    /// True once, and only where no prints are known: who asks again had better know them.
    pub(crate) fn is_new(&self) -> bool {
        !self.has_prints() && self.known().0.get_or_init(Box::default).is_walked.set(()).is_ok()
    }

    /// The type of all addresses, where they are IP addresses of one type.
    pub(crate) fn family(&self) -> Option<AddressType> {
        let families = self.known().whole(self).families;
        [AddressType::IPv4, AddressType::IPv6].into_iter().find(|family| families == 1 << *family as u8)
    }

    /// The same, where the API refuses none of the endpoints in a slice of this type.
    pub(crate) fn valid_family(&self) -> Option<AddressType> {
        let facts = self.known().0.get_or_init(Box::default);
        *facts.valid_family.get_or_init(|| self.family().filter(|family| are_valid(self, *family)))
    }

    /// The same endpoints, of which it is said that they are ready and no more.
    pub(crate) fn all_ready(&self) -> Shared<Self> {
        let ready = || self.with_conditions(Conditions::new(Some(true), None, None)).into();
        self.known().0.get_or_init(Box::default).all_ready.get_or_init(ready).clone()
    }

    /// No JSON form of any endpoint is longer than this.
    pub(crate) fn largest(&self) -> usize {
        self.known().whole(self).largest
    }

    /// Where each endpoint is, if no two can be the same one.
    pub(crate) fn index(&self) -> Option<&Index> {
        self.known().index(self)
    }

    /// True if no two endpoints can be the same one.
    pub(crate) fn has_no_twins(&self) -> bool {
        self.known().whole(self).rises || self.index().is_some()
    }
}

/// Endpoints by the smallest of their addresses, which no two share: each place plus one.
pub(crate) enum Index {
    /// By how much an IPv4 address is more than the least one, where they lie close.
    Close {
        least: u32,
        places: Box<[u32]>,
    },
    Far(Table),
}

impl Index {
    /// No more numbers for each endpoint than a table has on average.
    const CLOSE: usize = 4;

    fn of(list: &EndpointList, whole: &Whole) -> Option<Self> {
        match whole.range {
            Some((least, most)) if (most - least) as usize / Self::CLOSE < list.len() => {
                let mut places = vec![0; (most - least) as usize + 1].into_boxed_slice();
                for (place, endpoint) in (1u32..).zip(list.iter()) {
                    let Address::V4(address) = endpoint.address() else { return None };
                    let slot = &mut places[(u32::from(address) - least) as usize];
                    if *slot != 0 {
                        return None;
                    }
                    *slot = place;
                }
                Some(Self::Close { least, places })
            }
            _ => Table::of(list).map(Self::Far),
        }
    }

    /// Where the endpoint of `list`, of which this is the index, is that is the same as one of another list with a print.
    pub(crate) fn find(&self, list: &EndpointList, other: ByIdentity<'_>, print: Print) -> Option<u32> {
        let prints = if print == NONE { &[] } else { list.prints() };
        let is_same = |place: u32| {
            let has_print = print != NONE && prints.get(place as usize) == Some(&print);
            has_print || list.get(place as usize).is_some_and(|endpoint| other == ByIdentity { endpoint, ..other })
        };
        let address = smallest(other.endpoint)?;
        match (self, address) {
            (Self::Close { least, places }, Address::V4(address)) => {
                let place = places.get(u32::from(address).checked_sub(*least)? as usize)?.checked_sub(1)?;
                is_same(place).then_some(place)
            }
            (Self::Close { .. }, _) => None,
            (Self::Far(table), _) => table.search(table.tag(address), is_same).ok(),
        }
    }
}

/// The same for any addresses.
pub(crate) struct Table {
    /// A tag, and the place plus one, where the tag's hash says or in the next slot that is free; a quarter is used, or up to half.
    slots: Box<[(u32, u32)]>,
    hasher: DefaultHashBuilder,
}

impl Table {
    fn of(list: &EndpointList) -> Option<Self> {
        let count = (2 * list.len() + 2).next_power_of_two();
        let mut table = Self { slots: vec![(0, 0); count].into(), hasher: DefaultHashBuilder::default() };
        for (place, endpoint) in (1u32..).zip(list.iter()) {
            point();
            let address = smallest(endpoint)?;
            let is_same = |other: u32| list.get(other as usize).and_then(smallest) == Some(address);
            let tag = table.tag(address);
            let free = table.search(tag, is_same).err()?;
            table.slots[free] = (tag, place);
        }
        Some(table)
    }

    /// The place with this tag that is the right one, or the slot where it would be.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a part of a hash is one too")]
    fn search(&self, tag: u32, is_right: impl Fn(u32) -> bool) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut at = self.hasher.hash_one(tag) as usize & mask;
        loop {
            match self.slots[at] {
                (_, 0) => return Err(at),
                (other, place) if other == tag && is_right(place - 1) => return Ok(place - 1),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// An IPv4 address, or a number that another address may have too.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a part of a hash is one too")]
    fn tag(&self, address: Address<'_>) -> u32 {
        match address {
            Address::V4(address) => u32::from(address),
            Address::V6(address) => self.hasher.hash_one(u128::from(address)) as u32,
            Address::Name(name) => self.hasher.hash_one(name) as u32,
        }
    }
}

/// What stands for the set of addresses of an endpoint.
#[inline]
fn smallest(endpoint: EndpointRef<'_>) -> Option<Address<'_>> {
    if endpoint.rare().is_none() { Some(endpoint.address()) } else { endpoint.addresses().min() }
}
