//! Endpoints at the same place of two slices that stand for each other: what one that is there on both sides says decides its change, unless
//! it is held elsewhere too.

use std::iter;
use std::ops::Range;

use crate::diff::Options;
use crate::diff::filter::Filter;
use crate::diff::groups::Groups;
use crate::diff::key::{Hasher, Sides, who};
use crate::diff::mask::{Fields, Reasons, Side};
use crate::diff::pairs::{Both, Pair, Pairs};
use crate::diff::transition::Counts;
use crate::interrupt::point;

/// What is known of them. A pair in which anything changed is looked at as soon as it is found, while the processor has its endpoints at hand.
pub(super) struct Settled<'a> {
    pub(super) hasher: Hasher,
    pub(super) groups: Groups<'a>,
    fields: Fields,
    hashes: Vec<u64>,
    /// Places that do not hold the same one on both sides.
    open: Vec<u32>,
    changes: Vec<InPlace>,
    /// True if one says another thing than before, whether that is a change or not, so that of two of the same another one may count.
    pub(super) has_others: bool,
    /// Of pairs by number.
    of_pair: Vec<Option<Known>>,
}

/// A change of an endpoint that stays where it is.
#[derive(Clone, Copy)]
pub(super) struct InPlace {
    pub(super) slices: [u32; 2],
    pub(super) endpoint: u32,
    pub(super) reasons: Reasons,
}

/// What is known of a pair: which parts of the lists are its own, and what its endpoints are on each side.
#[derive(Clone, Default)]
struct Known {
    hashes: Range<usize>,
    open: Range<usize>,
    changes: Range<usize>,
    counts: [Counts; 2],
}

impl<'a> Settled<'a> {
    /// Nothing yet of any pair.
    pub(super) fn new(sides: Sides<'a>, Options { key, fields }: Options) -> Self {
        Self {
            hasher: Hasher::new(key),
            groups: Groups::new(sides, key),
            fields,
            hashes: Vec::new(),
            open: Vec::new(),
            changes: Vec::new(),
            has_others: false,
            of_pair: Vec::new(),
        }
    }

    /// The pairs of both sides, and what is known of those in which anything changed.
    pub(super) fn with_pairs(sides: Sides<'a>, options: Options) -> (Pairs<'a>, Self) {
        let mut settled = Self::new(sides, options);
        let pairs = Pairs::of(sides, options.fields >= Fields::All, |number, pair, slices, differing| {
            settled.look_at(number, pair, slices, differing);
        });
        (pairs, settled)
    }

    /// Look at a pair, of whose endpoints those at some places differ.
    fn look_at(&mut self, number: usize, pair: &Pair, slices: Both<'a>, differing: &[u32]) {
        let starts = self.ends();
        self.hashes.reserve(pair.common as usize);
        // What the slice says of itself is at hand, too.
        self.groups.of(1, pair.slices[1]);
        let (mut same, mut counts) = (Counts::default(), [Counts::default(); 2]);
        let bounds = iter::once(0).chain(differing.iter().map(|place| place + 1));
        for (start, end) in bounds.zip(differing.iter().copied().chain([pair.common])) {
            for endpoint in slices[1].endpoints.range(start as usize..end as usize) {
                self.hashes.push(self.hasher.hash(endpoint));
                same.add(endpoint);
            }
            if end < pair.common {
                self.look_at_other(pair, slices, end, &mut counts);
            }
        }
        for sum in &mut counts {
            sum.join(same);
        }
        let ends = self.ends();
        let [hashes, open, changes] = [0, 1, 2].map(|list| starts[list]..ends[list]);
        if self.of_pair.len() <= number {
            self.of_pair.resize(number + 1, None);
        }
        self.of_pair[number] = Some(Known { hashes, open, changes, counts });
    }

    /// Look at a place where what stands there differs.
    fn look_at_other(&mut self, pair: &Pair, slices: Both<'a>, place: u32, counts: &mut [Counts; 2]) {
        let [Some(before), Some(after)] = slices.map(|slice| slice.endpoints.get(place as usize)) else { return };
        if who(before, self.hasher.key) != who(after, self.hasher.key) {
            self.open.push(place);
            return;
        }
        self.has_others = true;
        self.hashes.push(self.hasher.hash(after));
        counts[0].add(before);
        counts[1].add(after);
        let side = |endpoint, slice| Side { endpoint, slice, port: None };
        let reasons = self.fields.compare(side(before, slices[0]), side(after, slices[1]));
        if !reasons.is_empty() {
            self.changes.push(InPlace { slices: pair.slices, endpoint: place, reasons });
        }
    }

    fn ends(&self) -> [usize; 3] {
        [self.hashes.len(), self.open.len(), self.changes.len()]
    }

    /// Look at those pairs in which nothing changed but in others of their Service.
    pub(super) fn complete(mut self, pairs: &Pairs<'a>) -> Self {
        for (number, pair, slices) in pairs.touched() {
            point();
            if !matches!(self.of_pair.get(number), Some(Some(_))) {
                self.look_at(number, pair, slices, pairs.differing(pair));
            }
        }
        self
    }

    /// Hashes of the endpoints of a pair in order, and what they are on each side.
    pub(super) fn of(&self, number: usize) -> (&[u64], [Counts; 2]) {
        let known = self.known(number);
        (&self.hashes[known.hashes], known.counts)
    }

    /// Those of them with hashes that are wanted: place and hash.
    pub(super) fn find(&self, number: usize, wanted: &Filter) -> impl Iterator<Item = (u32, u64)> {
        let Known { hashes, open, .. } = self.known(number);
        let mut open = self.open[open].iter().peekable();
        let mut passed = 0;
        let found = (0u32..).zip(&self.hashes[hashes]).filter(|&(_, &hash)| wanted.contains(hash));
        found.map(move |(which, &hash)| {
            while open.next_if(|&&place| place <= which + passed).is_some() {
                passed += 1;
            }
            (which + passed, hash)
        })
    }

    /// All places of one side but these.
    pub(super) fn others(&self, number: usize, pair: &Pair, side: usize) -> impl Iterator<Item = u32> {
        self.open[self.known(number).open].iter().copied().chain(pair.common..pair.lengths[side])
    }

    /// Their changes by number, if none is held elsewhere too.
    pub(super) fn changes(&self) -> &[InPlace] {
        &self.changes
    }

    /// The number of the change at a place of a pair.
    pub(super) fn change_at(&self, number: usize, place: u32) -> Option<usize> {
        let Range { start, end } = self.known(number).changes;
        let at = self.changes[start..end].binary_search_by_key(&place, |change| change.endpoint).ok()?;
        Some(start + at)
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    fn known(&self, number: usize) -> Known {
        self.of_pair.get(number).cloned().flatten().unwrap_or_default()
    }
}
