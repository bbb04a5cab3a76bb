//! The endpoints on which a change depends.

use crate::diff::filter::Filter;
use crate::diff::key::{Hasher, Sides};
use crate::diff::pairs::{Both, Pair, Pairs};
use crate::diff::settled::{InPlace, Settled};
use crate::diff::transition::Counts;
use crate::interrupt::point;
use crate::model::EndpointSlice;

/// Where an endpoint stands, and a hash of whom it is about.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub(super) hash: u64,
    pub(super) slice: u32,
    pub(super) endpoint: u32,
}

/// Endpoints that do not stand at the same place of both sides, and wherever else the same ones are held; also those that may be held more than
/// once. All others are held once on each side, so that their changes are those between the two.
pub(super) struct Suspects {
    pub(super) spots: [Vec<Spot>; 2],
    /// What all others are on each side, for slices of the side after. None where nobody asked.
    pub(super) others: Vec<(u32, [Counts; 2])>,
    /// The changes of all others.
    pub(super) changes: Vec<InPlace>,
}

impl Suspects {
    /// All endpoints.
    pub(super) fn all(sides: Sides<'_>, hasher: &Hasher) -> Self {
        let spots = sides.map(|slices| {
            let mut spots = Vec::with_capacity(slices.iter().map(|slice| slice.endpoints.len()).sum());
            for (at, slice) in (0u32..).zip(slices) {
                point();
                spots.extend(all_of(hasher, at, slice));
            }
            spots
        });
        Self { spots, others: Vec::new(), changes: Vec::new() }
    }

    /// Those of pairs of slices; with counts of the others, if they are asked for.
    pub(super) fn among<'a>(pairs: &Pairs<'a>, settled: &Settled<'a>, with_others: bool) -> Self {
        if pairs.matched.is_empty() {
            return Self::all(pairs.sides, &settled.hasher);
        }
        let mut search = Search::new(pairs, settled, with_others);
        for (side, alone) in pairs.alone.iter().enumerate() {
            for &at in alone {
                point();
                search.found.spots[side].extend(all_of(&settled.hasher, at, &pairs.sides[side][at as usize]));
            }
        }
        for (number, pair, slices) in pairs.touched() {
            point();
            search.look_at(number, pair, slices);
        }
        search.find_again();
        search.found
    }
}

/// A search for them.
struct Search<'a, 'b> {
    pairs: &'b Pairs<'a>,
    settled: &'b Settled<'a>,
    with_others: bool,
    /// Hashes of settled endpoints, as far as it matters whether one comes twice.
    seen: Option<Filter>,
    /// Those that came twice.
    again: Vec<u64>,
    found: Suspects,
}

impl<'a, 'b> Search<'a, 'b> {
    fn new(pairs: &'b Pairs<'a>, settled: &'b Settled<'a>, with_others: bool) -> Self {
        // One slice has one time.
        let may_be_other = pairs.sides[1].len() > 1 && pairs.has_other_times || settled.has_others;
        let seen = (with_others || may_be_other).then(|| Filter::with_room(settled.len()));
        let found = Suspects { spots: Default::default(), others: Vec::new(), changes: Vec::new() };
        Self { pairs, settled, with_others, seen, again: Vec::new(), found }
    }

    fn look_at(&mut self, number: usize, pair: &Pair, slices: Both<'a>) {
        for (side, slice) in slices.into_iter().enumerate() {
            let at = pair.slices[side];
            let spot = |endpoint: u32| {
                let hash = self.settled.hasher.hash(slice.endpoints.get(endpoint as usize)?);
                Some(Spot { hash, slice: at, endpoint })
            };
            self.found.spots[side].extend(self.settled.others(number, pair, side).filter_map(spot));
        }
        let (hashes, counts) = self.settled.of(number);
        if let Some(seen) = &mut self.seen {
            self.again.extend(hashes.iter().filter(|&&hash| seen.insert(hash)));
        }
        if self.with_others {
            self.found.others.push((pair.slices[1], counts));
        }
    }

    /// Add the settled endpoints that are also among the others, and the changes of all that are not.
    fn find_again(&mut self) {
        let spots = self.found.spots.iter().flatten().map(|spot| spot.hash);
        let hashes: Vec<u64> = spots.chain(self.again.iter().copied()).collect();
        let mut is_open = vec![false; self.settled.changes().len()];
        if !hashes.is_empty() {
            self.find(&hashes.into_iter().collect(), &mut is_open);
        }
        let changes = self.settled.changes().iter().zip(is_open);
        self.found.changes.extend(changes.filter(|(_, is_open)| !is_open).map(|(change, _)| change));
    }

    /// Add the settled endpoints with hashes that are wanted; what changed in place is open then.
    fn find(&mut self, wanted: &Filter, is_open: &mut [bool]) {
        for (at, (number, pair, slices)) in self.pairs.touched().enumerate() {
            point();
            for (endpoint, hash) in self.settled.find(number, wanted) {
                for (side, slice) in pair.slices.into_iter().enumerate() {
                    self.found.spots[side].push(Spot { hash, slice, endpoint });
                    if let Some((_, counts)) = self.found.others.get_mut(at)
                        && let Some(endpoint) = slices[side].endpoints.get(endpoint as usize)
                    {
                        counts[side].remove(endpoint);
                    }
                }
                if let Some(change) = self.settled.change_at(number, endpoint) {
                    is_open[change] = true;
                }
            }
        }
    }
}

fn all_of(hasher: &Hasher, at: u32, slice: &EndpointSlice) -> impl Iterator<Item = Spot> {
    let numbered = (0u32..).zip(slice.endpoints.iter());
    numbered.map(move |(place, endpoint)| Spot { hash: hasher.hash(endpoint), slice: at, endpoint: place })
}
