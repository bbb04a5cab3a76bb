//! The writes of a plan, in an order that is safe for readers at each step.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::model::{EndpointSlice, MOVING_ANNOTATION};
use crate::pack::draft::{Draft, DraftWrite};
use crate::pack::order::{Before, Need, order};
use crate::pack::problem::Filled;
use crate::pack::{AddressReuse, CompactionOrder, Verb, WriteReason, WriteReasons};

impl Draft<'_, '_> {
    /// One write for each container that needs one, in safe order; the further writes that were asked for.
    pub(super) fn order_writes(&mut self) {
        let mut write_of: HashMap<usize, usize> = HashMap::new();
        for (bin, filled) in self.assignment.bins.iter().enumerate().filter(|(_, filled)| filled.is_written()) {
            write_of.insert(bin, self.writes.len());
            let (verb, slice) = match (&self.slices[bin], self.existing(bin)) {
                (Some(slice), Some(_)) => (Verb::Update, slice.clone()),
                (Some(slice), None) => (Verb::Create, slice.clone()),
                (None, Some(before)) => (Verb::Delete, before.clone()),
                (None, None) => continue,
            };
            let reasons = self.reasons(bin, filled, verb);
            self.writes.push(DraftWrite { bin, verb, slice, reasons });
        }
        let mut edges = self.edges_of_moves(&write_of);
        edges.extend(self.edges_of_reuse(&write_of));
        edges.extend(self.edges_of_copies(&write_of));
        self.add_touches(&write_of, &mut edges);
        let mut ordered = self.sorted(&edges);
        let place = places(&ordered);
        let unordered = self.unordered(&place, &write_of);
        if self.options.address_reuse == AddressReuse::Strict && !unordered.is_empty() {
            // What is in order stays so: of a circle another edge might give way where the late items have left it.
            for edge in edges.iter_mut().filter(|edge| place[edge.first] < place[edge.second]) {
                edge.need = Need::Must;
            }
            self.add_second_writes(&unordered, &write_of, &mut edges);
            ordered = self.sorted(&edges);
        } else {
            self.counts.address_reuse_unordered = unordered.len();
        }
        let mut by_place: Vec<Option<DraftWrite>> = std::mem::take(&mut self.writes).into_iter().map(Some).collect();
        self.writes = ordered.into_iter().filter_map(|write| by_place[write].take()).collect();
    }

    fn sorted(&self, edges: &[Before]) -> Vec<usize> {
        let phases: Vec<u8> = self.writes.iter().map(|write| write.verb as u8).collect();
        let mut ordered = order(&phases, edges);
        // Nothing waits for a slice that gives way to new ones; it goes when all of them are there, also those that had to wait.
        ordered.sort_by_key(|&write| self.writes[write].reasons.contains(WriteReason::Replaced));
        ordered
    }

    /// The container and write that each added item comes in by.
    fn arrivals(&self) -> impl Iterator<Item = (u32, usize)> {
        let bins = self.assignment.bins.iter().enumerate();
        bins.flat_map(|(bin, filled)| filled.added.iter().map(move |&item| (item, bin)))
    }

    fn edges_of_moves(&self, write_of: &HashMap<usize, usize>) -> Vec<Before> {
        if self.origin.is_empty() {
            return Vec::new();
        }
        let order = self.move_order();
        let edge = |(item, target): (u32, usize)| {
            // An idle endpoint is to be gone from readers anyway; two copies that differ would make some of them drop it at a wrong moment.
            let make_first = order != CompactionOrder::BreakBeforeMake && !self.assignment.idle.contains(&item);
            let source = *write_of.get(self.origin.get(&item)?)?;
            let target = *write_of.get(&target)?;
            let (first, second) = if make_first { (target, source) } else { (source, target) };
            Some(Before { need: Need::Must, first, second })
        };
        self.arrivals().filter_map(edge).collect()
    }

    fn move_order(&self) -> CompactionOrder {
        self.options.compaction.map_or(CompactionOrder::MakeBeforeBreak, |compaction| compaction.order)
    }

    fn edges_of_reuse(&self, write_of: &HashMap<usize, usize>) -> Vec<Before> {
        let mut edges = HashSet::new();
        for (item, target) in self.arrivals() {
            for source in self.group.sources_of(item).iter().filter(|&&source| source != target) {
                if let (Some(&first), Some(&second)) = (write_of.get(source), write_of.get(&target)) {
                    edges.insert(Before { need: Need::Rest, first, second });
                }
            }
        }
        edges.into_iter().collect()
    }

    /// Before a copy goes that takes traffic or is as it should be, the one that stays is so too.
    fn edges_of_copies(&self, write_of: &HashMap<usize, usize>) -> Vec<Before> {
        let bins = self.assignment.bins.iter().enumerate();
        let losing: Vec<usize> = bins.filter(|(_, filled)| filled.dirty.duplicates).map(|(bin, _)| bin).collect();
        if losing.is_empty() {
            return Vec::new();
        }
        let keepers = self.changing_keepers();
        let edge = |bin: usize, place: usize, (item, is_changed): (u32, bool)| {
            let &(keeper, was_ready) = keepers.get(&item).filter(|(keeper, _)| *keeper != bin)?;
            if self.origin.get(&item) == Some(&bin) {
                return None;
            }
            let takes_traffic = self.group.endpoint(item).conditions().is_ready() && self.is_ready(bin, place);
            let need = if takes_traffic && !was_ready { Need::Traffic } else { Need::Rest };
            let (first, second) = (*write_of.get(&keeper)?, *write_of.get(&bin)?);
            (need == Need::Traffic || !is_changed).then_some(Before { need, first, second })
        };
        let edges = |bin: usize| {
            let held = self.group.held(bin).iter().enumerate();
            held.filter_map(move |(place, held)| edge(bin, place, (*held)?))
        };
        losing.into_iter().flat_map(edges).collect()
    }

    /// The container of each survivor that changes or moves, and whether it was ready there.
    fn changing_keepers(&self) -> HashMap<u32, (usize, bool)> {
        let changed = self.assignment.bins.iter().enumerate().flat_map(|(bin, filled)| {
            let changed = filled.kept.iter().filter(|kept| kept.changed);
            changed.map(move |kept| (kept.item, (bin, self.is_ready(bin, kept.place as usize))))
        });
        let moved = self.arrivals().filter(|(item, _)| self.origin.contains_key(item));
        changed.chain(moved.map(|(item, bin)| (item, (bin, false)))).collect()
    }

    fn is_ready(&self, bin: usize, place: usize) -> bool {
        let endpoint = self.existing(bin).and_then(|slice| slice.endpoints.get(place));
        endpoint.is_some_and(|endpoint| endpoint.conditions().is_ready())
    }

    /// Added items whose address has not left when they come in.
    fn unordered(&self, place: &[usize], write_of: &HashMap<usize, usize>) -> BTreeSet<u32> {
        let when = |bin: &usize| write_of.get(bin).map(|&write| place[write]);
        self.arrivals()
            .filter(|(item, target)| self.group.sources_of(*item).iter().any(|source| when(source) >= when(target)))
            .map(|(item, _)| item)
            .collect()
    }

    /// Send items whose address would not have left in time by a second write of their slice.
    fn add_second_writes(&mut self, late: &BTreeSet<u32>, write_of: &HashMap<usize, usize>, edges: &mut Vec<Before>) {
        let bins: BTreeSet<usize> =
            self.arrivals().filter(|(item, _)| late.contains(item)).map(|(_, bin)| bin).collect();
        let late_writes: HashSet<usize> = bins.iter().filter_map(|bin| write_of.get(bin)).copied().collect();
        // What held for the late items holds for their second write instead.
        edges.retain(|edge| edge.need != Need::Rest || !late_writes.contains(&edge.second));
        for bin in bins {
            let filled = &self.assignment.bins[bin];
            let Some(&first) = write_of.get(&bin) else { continue };
            let Some(second) = self.second_write(bin, first, late, edges) else { continue };
            for &item in &filled.added {
                let target = if late.contains(&item) { second } else { first };
                for source in self.group.sources_of(item).iter().filter_map(|source| write_of.get(source)) {
                    if *source != target {
                        edges.push(Before { need: Need::Rest, first: *source, second: target });
                    }
                }
            }
        }
    }

    /// Take the late items out of the first write of a container, and give the write that brings them in.
    fn second_write(
        &mut self,
        bin: usize,
        first: usize,
        late: &BTreeSet<u32>,
        edges: &mut Vec<Before>,
    ) -> Option<usize> {
        let filled = &self.assignment.bins[bin];
        let is_early = |item: u32| !late.contains(&item);
        // With nothing but late items the one write waits for them; no other waits for it.
        if !filled.must_be_written() && !filled.drained && !filled.added.iter().copied().any(is_early) {
            return Some(first);
        }
        let last = self.slices[bin].clone()?;
        let mut early = self.build_slice(bin, filled, &is_early).ok()?;
        early.metadata.name.clone_from(&last.metadata.name);
        let touch = self.writes.iter().position(|write| write.bin == bin && write.reasons.contains(WriteReason::Touch));
        if let Some(touch) = touch {
            mark_as_moving(&mut early);
            self.writes[first].slice = Arc::new(early);
            let reasons = &mut self.writes[touch].reasons;
            *reasons = reasons.with(WriteReason::AddressReuse, true);
            return Some(touch);
        }
        self.writes[first].slice = Arc::new(early);
        let reasons = WriteReasons::default().with(WriteReason::AddressReuse, true);
        self.writes.push(DraftWrite { bin, verb: Verb::Update, slice: last, reasons });
        let second = self.writes.len() - 1;
        edges.push(Before { need: Need::Must, first, second });
        Some(second)
    }

    /// The third write of `make-break-touch`.
    fn add_touches(&mut self, write_of: &HashMap<usize, usize>, edges: &mut Vec<Before>) {
        if self.move_order() != CompactionOrder::MakeBreakTouch {
            return;
        }
        let targets: BTreeSet<usize> =
            self.arrivals().filter(|(item, _)| self.origin.contains_key(item)).map(|(_, bin)| bin).collect();
        for bin in targets {
            let (Some(&made), Some(last)) = (write_of.get(&bin), self.slices[bin].clone()) else {
                continue;
            };
            let mut moving = EndpointSlice::clone(&last);
            mark_as_moving(&mut moving);
            self.writes[made].slice = Arc::new(moving);
            let touch = self.writes.len();
            let reasons = WriteReasons::default().with(WriteReason::Touch, true);
            self.writes.push(DraftWrite { bin, verb: Verb::Update, slice: last, reasons });
            edges.push(Before { need: Need::Must, first: made, second: touch });
            for item in &self.assignment.bins[bin].added {
                if let Some(&source) = self.origin.get(item).and_then(|origin| write_of.get(origin)) {
                    edges.push(Before { need: Need::Must, first: source, second: touch });
                }
            }
        }
    }

    fn reasons(&self, bin: usize, filled: &Filled, verb: Verb) -> WriteReasons {
        let arrives = |moved: bool| filled.added.iter().any(|item| self.origin.contains_key(item) == moved);
        let leaves = filled.overfull || filled.drained;
        let foreign = self.existing(bin).is_some_and(|slice| self.group.is_foreign(slice));
        WriteReasons::default()
            .with(WriteReason::EndpointsAdded, arrives(false))
            .with(WriteReason::EndpointsUpdated, filled.dirty.changed)
            .with(WriteReason::EndpointsRemoved, filled.dirty.removed)
            .with(WriteReason::EndpointsMoved, arrives(true) || leaves)
            .with(WriteReason::Duplicates, filled.dirty.duplicates)
            .with(WriteReason::Overfull, filled.overfull)
            .with(WriteReason::Metadata, filled.dirty.metadata && !foreign)
            .with(WriteReason::Ports, foreign && verb == Verb::Update)
            .with(WriteReason::Replaced, foreign && verb == Verb::Delete)
            .with(WriteReason::Emptied, verb == Verb::Delete && !foreign)
    }
}

/// Where each write is in an order.
fn places(ordered: &[usize]) -> Vec<usize> {
    let mut places = vec![0; ordered.len()];
    for (at, &write) in ordered.iter().enumerate() {
        places[write] = at;
    }
    places
}

fn mark_as_moving(slice: &mut EndpointSlice) {
    slice.metadata.annotations.insert(MOVING_ANNOTATION.to_owned(), "true".to_owned());
}
