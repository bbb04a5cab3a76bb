//! Endpoints that are the same at the same place of two slices that stand for each other.

use std::ops::Range;

use crate::diff::key::Hasher;
use crate::diff::pairs::Pairs;
use crate::diff::transition::Counts;
use crate::interrupt::point;
use crate::model::EndpointList;

/// What is known of them. A pair in which anything changed is looked at as soon as it is found, while the processor has its endpoints at hand.
pub(super) struct Settled {
    pub(super) hasher: Hasher,
    hashes: Vec<u64>,
    /// Of pairs by number: where their hashes are, and what their endpoints are.
    of_pair: Vec<Option<(Range<usize>, Counts)>>,
}

impl Settled {
    /// Nothing yet of any pair.
    pub(super) fn new(hasher: Hasher) -> Self {
        Self { hasher, hashes: Vec::new(), of_pair: Vec::new() }
    }

    /// Look at a pair, of which a list has such endpoints in these ranges.
    pub(super) fn look_at(&mut self, pair: usize, ranges: impl Iterator<Item = Range<usize>>, list: &EndpointList) {
        let (start, mut counts) = (self.hashes.len(), Counts::default());
        self.hashes.reserve(list.len());
        for endpoint in ranges.flat_map(|places| list.range(places)) {
            self.hashes.push(self.hasher.hash(endpoint));
            counts.add(endpoint);
        }
        if self.of_pair.len() <= pair {
            self.of_pair.resize(pair + 1, None);
        }
        self.of_pair[pair] = Some((start..self.hashes.len(), counts));
    }

    /// Look at those pairs in which nothing changed but in others of their Service.
    pub(super) fn complete(mut self, pairs: &Pairs<'_>) -> Self {
        for (number, pair, [_, new]) in pairs.touched() {
            point();
            if !matches!(self.of_pair.get(number), Some(Some(_))) {
                self.look_at(number, pairs.settled(pair), &new.endpoints);
            }
        }
        self
    }

    /// Hashes of the endpoints of a pair in order, and what they are.
    pub(super) fn of(&self, pair: usize) -> (&[u64], Counts) {
        let known = self.of_pair.get(pair).and_then(Option::as_ref);
        known.map_or_else(Default::default, |(places, counts)| (&self.hashes[places.clone()], *counts))
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }
}
