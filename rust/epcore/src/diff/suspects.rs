//! The endpoints on which a change depends.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::DefaultHashBuilder;

use crate::diff::filter::Filter;
use crate::diff::key::{Key, Who, who};
use crate::diff::pairs::{Pair, Pairs, Sides};
use crate::diff::transition::Counts;
use crate::interrupt::point;
use crate::model::{Address, EndpointRef, EndpointSlice};

/// Where an endpoint stands, and a hash of whom it is about.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub(super) hash: u64,
    pub(super) slice: u32,
    pub(super) endpoint: u32,
}

/// Endpoints that are not the same on both sides, and wherever else the same ones are held; also those that may be held more than once.
/// All others are held once on each side, and the same.
pub(super) struct Suspects {
    pub(super) spots: [Vec<Spot>; 2],
    /// What all others are, for slices of the side after. None where nobody asked.
    pub(super) others: Vec<(u32, Counts)>,
}

impl Suspects {
    /// All endpoints.
    pub(super) fn all(sides: Sides<'_>, key: Key) -> Self {
        let hasher = Hasher { key, state: DefaultHashBuilder::default() };
        let spots = sides.map(|slices| {
            let mut spots = Vec::with_capacity(slices.iter().map(|slice| slice.endpoints.len()).sum());
            for (at, slice) in (0u32..).zip(slices) {
                point();
                spots.extend(hasher.spots(at, slice));
            }
            spots
        });
        Self { spots, others: Vec::new() }
    }

    /// Those of pairs of slices; with counts of the others, if they are asked for.
    pub(super) fn among(pairs: &Pairs<'_>, key: Key, with_others: bool) -> Self {
        if pairs.matched.is_empty() {
            return Self::all(pairs.sides, key);
        }
        let hasher = Hasher { key, state: DefaultHashBuilder::default() };
        let mut search = Search::new(pairs, hasher, with_others);
        for (side, alone) in pairs.alone.iter().enumerate() {
            for &at in alone {
                point();
                search.found.spots[side].extend(search.hasher.spots(at, &pairs.sides[side][at as usize]));
            }
        }
        for (pair, slices) in pairs.touched() {
            point();
            search.look_at(pair, slices);
        }
        search.find_again();
        search.found
    }
}

/// A search for them.
struct Search<'a, 'b> {
    pairs: &'b Pairs<'a>,
    hasher: Hasher,
    with_others: bool,
    /// Hashes of the settled endpoints of touched pairs.
    settled: Vec<u64>,
    /// The same, as far as it matters whether one comes twice.
    seen: Option<Filter>,
    /// Those that came twice.
    again: Vec<u64>,
    found: Suspects,
}

impl<'a, 'b> Search<'a, 'b> {
    fn new(pairs: &'b Pairs<'a>, hasher: Hasher, with_others: bool) -> Self {
        let settled = pairs.touched().map(|(pair, _)| Pairs::settled_count(pair)).sum();
        // One slice has one time.
        let is_of_several = pairs.sides[1].len() > 1;
        let seen = (with_others || is_of_several && pairs.has_other_times).then(|| Filter::with_room(settled));
        let found = Suspects { spots: Default::default(), others: Vec::new() };
        Self { pairs, hasher, with_others, settled: Vec::with_capacity(settled), seen, again: Vec::new(), found }
    }

    fn look_at(&mut self, pair: &Pair, [old, new]: [&'a Arc<EndpointSlice>; 2]) {
        for (side, slice) in [old, new].into_iter().enumerate() {
            let places = self.pairs.open(pair, slice);
            let spots = places.filter_map(|place| self.hasher.spot(pair.slices[side], slice, place));
            self.found.spots[side].extend(spots);
        }
        let mut counts = Counts::default();
        let start = self.settled.len();
        for endpoint in self.pairs.settled(pair).flat_map(|places| new.endpoints.range(places)) {
            self.settled.push(self.hasher.hash(endpoint));
            if self.with_others {
                counts.add(endpoint);
            }
        }
        // Apart from all else, so that the processor waits for many places of a large filter at once.
        if let Some(seen) = &mut self.seen {
            self.again.extend(self.settled[start..].iter().filter(|&&hash| seen.insert(hash)));
        }
        if self.with_others {
            self.found.others.push((pair.slices[1], counts));
        }
    }

    /// Add the settled endpoints that are also among the others.
    fn find_again(&mut self) {
        let spots = self.found.spots.iter().flatten().map(|spot| spot.hash);
        let hashes: Vec<u64> = spots.chain(self.again.iter().copied()).collect();
        if hashes.is_empty() {
            return;
        }
        let wanted: Filter = hashes.into_iter().collect();
        let mut settled = self.settled.iter();
        for (at, (pair, [_, new])) in self.pairs.touched().enumerate() {
            point();
            for (place, &hash) in self.pairs.settled(pair).flatten().zip(&mut settled) {
                if !wanted.contains(hash) {
                    continue;
                }
                let endpoint = u32::try_from(place).unwrap_or(u32::MAX);
                for (side, &slice) in pair.slices.iter().enumerate() {
                    self.found.spots[side].push(Spot { hash, slice, endpoint });
                }
                if let Some((_, counts)) = self.found.others.get_mut(at)
                    && let Some(endpoint) = new.endpoints.get(place)
                {
                    counts.remove(endpoint);
                }
            }
        }
    }
}

struct Hasher {
    key: Key,
    state: DefaultHashBuilder,
}

impl Hasher {
    #[inline]
    fn hash(&self, endpoint: EndpointRef<'_>) -> u64 {
        match endpoint.address() {
            Address::V4(address) if self.key != Key::Target => self.state.hash_one(u32::from(address)),
            _ => self.hash_of(who(endpoint, self.key)),
        }
    }

    #[inline(never)]
    fn hash_of(&self, who: Who<'_>) -> u64 {
        match who {
            Who::Address(Address::V4(address)) => self.state.hash_one(u32::from(address)),
            Who::Address(Address::V6(address)) => self.state.hash_one(u128::from(address)),
            Who::Address(Address::Name(text)) | Who::Uid(text) => self.state.hash_one(text),
            Who::Target(namespace, name) => self.state.hash_one((namespace, name)),
        }
    }

    fn spot(&self, at: u32, slice: &EndpointSlice, endpoint: u32) -> Option<Spot> {
        let hash = self.hash(slice.endpoints.get(endpoint as usize)?);
        Some(Spot { hash, slice: at, endpoint })
    }

    fn spots(&self, at: u32, slice: &EndpointSlice) -> impl Iterator<Item = Spot> {
        let numbered = (0u32..).zip(slice.endpoints.iter());
        numbered.map(move |(place, endpoint)| Spot { hash: self.hash(endpoint), slice: at, endpoint: place })
    }
}
