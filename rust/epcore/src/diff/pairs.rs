//! Slices that stand for each other on both sides, and the places where their endpoints differ.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::diff::key::{Sides, service_of};
use crate::diff::mask::metadata_differs;
use crate::interrupt::point;
use crate::model::{EndpointSlice, same_text};

/// Both slices of one name, each the only one of it on its side, that differ in nothing but endpoints and what makes no difference to them.
pub(super) struct Pair {
    pub(super) slices: [u32; 2],
    /// How many endpoints there are.
    pub(super) lengths: [u32; 2],
    /// As many endpoints stand on both sides.
    pub(super) common: u32,
    /// Places of those of them that differ, among [`Pairs::differing`].
    differing: Range<usize>,
    /// The number of their Service.
    service: u32,
}

/// A slice before and the one after that stands for it.
pub(super) type Both<'a> = [&'a Arc<EndpointSlice>; 2];

/// The slices of both sides, in pairs or alone.
pub(super) struct Pairs<'a> {
    pub(super) sides: Sides<'a>,
    pub(super) matched: Vec<Pair>,
    /// Slices of each side without a partner.
    pub(super) alone: [Vec<u32>; 2],
    differing: Vec<u32>,
    services: Services<'a>,
    /// True if a slice says another time than before, so that of two that hold the same another one may count.
    pub(super) has_other_times: bool,
}

impl<'a> Pairs<'a> {
    /// The pairs of both sides. Those in which anything changed are shown to `look`, by number and with [`differing`](Self::differing).
    pub(super) fn of(
        sides: Sides<'a>,
        by_metadata: bool,
        mut look: impl FnMut(usize, &Pair, Both<'a>, &[u32]),
    ) -> Self {
        let alone = Default::default();
        let (matched, differing, services) = (Vec::new(), Vec::new(), Services::default());
        let mut found = Self { sides, matched, alone, differing, services, has_other_times: false };
        let mut is_paired = vec![false; sides[0].len()];
        for ((at, new), partner) in (0u32..).zip(sides[1]).zip(partners(sides)) {
            point();
            let is_like = |&partner: &u32| has_context_of(&sides[0][partner as usize], new, by_metadata);
            if let Some(partner) = partner.filter(is_like) {
                is_paired[partner as usize] = true;
                found.add_pair([partner, at], &mut look);
            } else {
                found.add_alone(1, at);
            }
        }
        for at in (0u32..).zip(is_paired).filter_map(|(at, is_paired)| (!is_paired).then_some(at)) {
            found.add_alone(0, at);
        }
        found
    }

    /// As if no slice had a partner.
    #[cfg(test)]
    pub(super) fn none(sides: Sides<'a>) -> Self {
        let mut found = Self::of([&[], &[]], false, |_, _, _, _| ());
        found.sides = sides;
        for (side, slices) in sides.iter().enumerate() {
            (0u32..).zip(*slices).for_each(|(at, _)| found.add_alone(side, at));
        }
        found
    }

    fn add_alone(&mut self, side: usize, at: u32) {
        self.alone[side].push(at);
        let service = self.services.number(&self.sides[side][at as usize]);
        self.services.touch(service);
    }

    fn add_pair(&mut self, slices: [u32; 2], look: &mut impl FnMut(usize, &Pair, Both<'a>, &[u32])) {
        let [old, new] = self.slices(slices);
        let lengths = [old, new].map(|slice| u32::try_from(slice.endpoints.len()).unwrap_or(u32::MAX));
        let start = self.differing.len();
        let mut is_touched = lengths[0] != lengths[1];
        if !Arc::ptr_eq(old, new) {
            old.endpoints.add_differences(&new.endpoints, &mut self.differing);
            let has_other_time = !have_same_times(old, new);
            self.has_other_times |= has_other_time;
            is_touched |= has_other_time || self.differing.len() > start;
        }
        let service = self.services.number(new);
        if is_touched {
            self.services.touch(service);
        }
        let common = lengths[0].min(lengths[1]);
        let pair = Pair { slices, lengths, common, differing: start..self.differing.len(), service };
        if is_touched {
            look(self.matched.len(), &pair, [old, new], self.differing(&pair));
        }
        self.matched.push(pair);
    }

    fn slices(&self, slices: [u32; 2]) -> Both<'a> {
        [0, 1].map(|side| &self.sides[side][slices[side] as usize])
    }

    /// True if both sides say the same.
    pub(super) fn are_same(&self) -> bool {
        !self.services.is_touched.contains(&true)
    }

    /// Pairs of Services in which anything changed, by number.
    pub(super) fn touched(&self) -> impl Iterator<Item = (usize, &Pair, Both<'a>)> {
        let numbered = self.matched.iter().enumerate();
        let touched = numbered.filter(|(_, pair)| self.services.is_touched[pair.service as usize]);
        touched.map(|(number, pair)| (number, pair, self.slices(pair.slices)))
    }

    /// Places where both have an endpoint, but another one.
    pub(super) fn differing(&self, pair: &Pair) -> &[u32] {
        &self.differing[pair.differing.clone()]
    }
}

fn name_of(slice: &EndpointSlice) -> (&str, &str) {
    (&slice.metadata.namespace, &slice.metadata.name)
}

/// Services by number, which is looked up while their slices are at hand.
#[derive(Default)]
struct Services<'a> {
    numbers: HashMap<[&'a str; 2], u32>,
    /// True of those of which anything is not the same on both sides. No other has a change.
    is_touched: Vec<bool>,
    /// Nearly always slices of one follow each other.
    last: Option<([&'a str; 2], u32)>,
}

impl<'a> Services<'a> {
    fn number(&mut self, slice: &'a EndpointSlice) -> u32 {
        let name = name_of_service(slice);
        if let Some((_, number)) = self.last.filter(|(last, _)| *last == name) {
            return number;
        }
        let next = u32::try_from(self.is_touched.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(name).or_insert(next);
        if number == next {
            self.is_touched.push(false);
        }
        self.last = Some((name, number));
        number
    }

    fn touch(&mut self, service: u32) {
        self.is_touched[service as usize] = true;
    }
}

/// Its families have transitions together.
fn name_of_service(slice: &EndpointSlice) -> [&str; 2] {
    [&slice.metadata.namespace, slice.metadata.service()]
}

/// Where the slice of each name is; `None` if there are several.
fn by_name(slices: &[Arc<EndpointSlice>]) -> HashMap<(&str, &str), Option<u32>> {
    let mut found = HashMap::with_capacity(slices.len());
    for (at, slice) in (0u32..).zip(slices) {
        match found.entry(name_of(slice)) {
            Entry::Vacant(slot) => drop(slot.insert(Some(at))),
            Entry::Occupied(mut slot) => drop(slot.insert(None)),
        }
    }
    found
}

/// For each slice after, the one before of its name, where each is the only one of it on its side.
fn partners(sides: Sides<'_>) -> Vec<Option<u32>> {
    in_order(sides).unwrap_or_else(|| in_any_order(sides))
}

fn in_any_order(sides: Sides<'_>) -> Vec<Option<u32>> {
    let [before, after] = sides.map(by_name);
    let partner = |new| before.get(&name_of(new)).copied().flatten().filter(|_| after[&name_of(new)].is_some());
    sides[1].iter().map(|new| partner(new)).collect()
}

/// The same if the names of both sides rise, as in lists of an API server: then none comes twice, and no table is needed.
fn in_order([before, after]: Sides<'_>) -> Option<Vec<Option<u32>>> {
    let mut partners = Vec::with_capacity(after.len());
    let mut olds = (0u32..).zip(rising(before)).peekable();
    for new in rising(after) {
        let new = new?;
        while let Some((_, old)) = olds.next_if(|(_, old)| old.is_none_or(|old| old < new)) {
            old?;
        }
        partners.push(olds.next_if(|(_, old)| *old == Some(new)).map(|(at, _)| at));
    }
    olds.all(|(_, old)| old.is_some()).then_some(partners)
}

/// The name of each slice; `None` for one that is not after that of the slice before it.
fn rising(slices: &[Arc<EndpointSlice>]) -> impl Iterator<Item = Option<(&str, &str)>> {
    let mut last = None;
    slices.iter().map(move |slice| {
        let name = name_of(slice);
        last.replace(name).is_none_or(|last| last < name).then_some(name)
    })
}

/// True if an endpoint that both hold is the same entry in both, and no change of it is one of the slice.
fn has_context_of(old: &EndpointSlice, new: &EndpointSlice, by_metadata: bool) -> bool {
    service_of(old) == service_of(new) && old.ports == new.ports && !(by_metadata && metadata_differs(old, new))
}

/// True if what decides which of two slices counts is the same, beside their names.
fn have_same_times(old: &EndpointSlice, new: &EndpointSlice) -> bool {
    let (old, new) = (&old.metadata, &new.metadata);
    same_text(old.trigger_time(), new.trigger_time()) && same_text(&old.creation_timestamp, &new.creation_timestamp)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::json;

    fn named(mut names: Vec<(u8, u8)>, is_sorted: bool) -> Vec<Arc<EndpointSlice>> {
        if is_sorted {
            names.sort_unstable();
        }
        let slice = |(namespace, name): (u8, u8)| {
            format!(r#"{{"metadata":{{"namespace":"{namespace}","name":"{name}"}},"addressType":"IPv4"}}"#)
        };
        let slices: Vec<String> = names.into_iter().map(slice).collect();
        json::read_slices(format!("[{}]", slices.join(",")).as_bytes()).unwrap()
    }

    proptest! {
        #[test]
        fn slices_whose_names_rise_have_the_partners_of_any_order(
            sides in [prop::collection::vec((0u8..2, 0u8..6), 0..5), prop::collection::vec((0u8..2, 0u8..6), 0..5)], are_sorted in any::<[bool; 2]>(),
        ) {
            let [before, after] = sides;
            let (before, after) = (named(before, are_sorted[0]), named(after, are_sorted[1]));
            let sides = [&*before, &*after];
            let rises = |slices: &[Arc<EndpointSlice>]| slices.is_sorted_by(|one, next| name_of(one) < name_of(next));
            let wanted = (rises(&before) && rises(&after)).then(|| in_any_order(sides));
            prop_assert_eq!(in_order(sides), wanted);
        }
    }
}
