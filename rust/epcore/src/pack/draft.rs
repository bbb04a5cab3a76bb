//! From an assignment to a plan: the slices as they will be, one write for each, in safe order.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;

use crate::Error;
use crate::interrupt::point;
use crate::model::{EndpointList, EndpointRef, EndpointSlice, MOVING_ANNOTATION, TRIGGER_TIME_ANNOTATION, timestamp};
use crate::pack::group::Group;
use crate::pack::naming;
use crate::pack::order::{Before, order};
use crate::pack::problem::{Assignment, Filled};
use crate::pack::settle::Kept;
use crate::pack::{
    AddressReuse, CompactionOrder, Move, Naming, Notes, Options, Plan, Stats, Verb, Write, WriteReason, WriteReasons,
};

/// Build the plan that carries out an assignment.
pub(crate) fn draft(group: &Group<'_>, assignment: &Assignment, options: &Options) -> Result<Plan, Error> {
    let mut draft = Draft::new(group, assignment, options);
    draft.build_slices()?;
    if options.naming == Naming::Deterministic {
        draft.name_new_slices()?;
    }
    draft.order_writes();
    draft.name_slices_written_twice()?;
    Ok(draft.finish())
}

/// A write before its place in the order is known.
struct Draught {
    bin: usize,
    verb: Verb,
    slice: Arc<EndpointSlice>,
    reasons: WriteReasons,
}

/// A plan under construction.
struct Draft<'a, 'g> {
    group: &'a Group<'g>,
    assignment: &'a Assignment,
    options: &'a Options,
    /// Where each moved item was.
    origin: HashMap<u32, usize>,
    /// The final state of each container.
    slices: Vec<Option<Arc<EndpointSlice>>>,
    writes: Vec<Draught>,
    counts: Stats,
}

impl<'a, 'g> Draft<'a, 'g> {
    fn new(group: &'a Group<'g>, assignment: &'a Assignment, options: &'a Options) -> Self {
        Self {
            group,
            assignment,
            options,
            origin: assignment.moved.iter().copied().collect(),
            slices: Vec::new(),
            writes: Vec::new(),
            counts: Stats { write_floor: assignment.write_floor, ..Stats::default() },
        }
    }

    fn existing(&self, bin: usize) -> Option<&'a Arc<EndpointSlice>> {
        self.group.existing.get(bin).copied()
    }

    /// The final state of each container.
    fn build_slices(&mut self) -> Result<(), Error> {
        for (bin, filled) in self.assignment.bins.iter().enumerate() {
            let slice = if filled.is_deleted() {
                None
            } else if filled.is_written() {
                Some(Arc::new(self.build_slice(bin, filled, &|_| true)?))
            } else {
                self.existing(bin).cloned()
            };
            self.slices.push(slice);
        }
        Ok(())
    }

    /// A written slice with those of its added items that `include` lets in.
    fn build_slice(&self, bin: usize, filled: &Filled, include: &dyn Fn(u32) -> bool) -> Result<EndpointSlice, Error> {
        point();
        let mut slice = match self.existing(bin) {
            Some(before) => self.group.rewritten(before),
            None => self.new_slice()?,
        };
        let mut endpoints = match self.existing(bin) {
            Some(before) => self.staying(&before.endpoints, filled)?,
            None => EndpointList::default(),
        };
        for &item in filled.added.iter().filter(|item| include(**item)) {
            let endpoint = self.group.endpoint(item);
            let origin = self.origin.get(&item).and_then(|&origin| Some((origin, self.existing(origin)?)));
            let Some((origin, source)) = origin else {
                endpoints.push(endpoint)?;
                continue;
            };
            let place = self.group.held(origin).iter().position(|held| held.is_some_and(|held| held.0 == item));
            match place.and_then(|place| source.endpoints.get(place)) {
                Some(before) => endpoints.push_over(endpoint, before)?,
                None => endpoints.push(endpoint)?,
            }
            keep_newer_time(&mut slice, source);
        }
        slice.endpoints = endpoints;
        if self.options.policy.lifecycle().is_some() {
            filled.role.mark(&mut slice);
        }
        Ok(slice)
    }

    /// The endpoints that stay in a slice. Where nearly all do, the list is copied as a whole.
    fn staying(&self, before: &EndpointList, filled: &Filled) -> Result<EndpointList, Error> {
        if let Some(edits) = self.few_edits(before, &filled.kept) {
            return before.with_replaced(&edits);
        }
        let mut endpoints = EndpointList::default();
        endpoints.reserve((filled.count(), 0));
        for kept in &filled.kept {
            match before.get(kept.place as usize) {
                Some(before) if !kept.changed => endpoints.push(before)?,
                Some(before) => endpoints.push_over(self.group.endpoint(kept.item), before)?,
                None => {}
            }
        }
        Ok(endpoints)
    }

    /// What a list must be copied with, by place: an endpoint in the place of another, or none. `None` if that is much, or if one keeps fields
    /// of the other.
    fn few_edits(&self, before: &EndpointList, kept: &[Kept]) -> Option<Vec<(usize, Option<EndpointRef<'g>>)>> {
        const FEW: usize = 8;
        let is_few = |count: usize| count <= before.len() / FEW;
        if !is_few(before.len().checked_sub(kept.len())?) {
            return None;
        }
        let (mut edits, mut next) = (Vec::new(), 0);
        for kept in kept {
            let place = kept.place as usize;
            if place < next || !is_few(edits.len()) {
                return None;
            }
            edits.extend((next..place).map(|gone| (gone, None)));
            if kept.changed {
                before.get(place).filter(|before| before.rare().is_none())?;
                edits.push((place, Some(self.group.endpoint(kept.item))));
            }
            next = place + 1;
        }
        edits.extend((next..before.len()).map(|gone| (gone, None)));
        Some(edits)
    }

    fn new_slice(&self) -> Result<EndpointSlice, Error> {
        let mut slice = self.group.template.clone();
        slice.metadata.generate_name = naming::prefix(&slice.metadata)?;
        slice.metadata.name = String::new();
        Ok(slice)
    }

    fn name_new_slices(&mut self) -> Result<(), Error> {
        let mut taken = self.group.names();
        for slice in self.slices.iter_mut().skip(self.group.existing.len()).flatten() {
            naming::name(Arc::make_mut(slice), &mut taken)?;
        }
        Ok(())
    }

    /// A slice that is created and then written again is known by its name in between.
    fn name_slices_written_twice(&mut self) -> Result<(), Error> {
        let mut taken = None;
        for (bin, last) in self.slices.iter_mut().enumerate().skip(self.group.existing.len()) {
            let Some(last) = last.as_mut().filter(|last| last.metadata.name.is_empty()) else { continue };
            let mut writes: Vec<&mut Draught> = self.writes.iter_mut().filter(|write| write.bin == bin).collect();
            if writes.len() > 1 {
                naming::name(Arc::make_mut(last), taken.get_or_insert_with(|| self.group.names()))?;
                for write in &mut writes {
                    Arc::make_mut(&mut write.slice).metadata.name.clone_from(&last.metadata.name);
                }
            }
        }
        Ok(())
    }

    /// One write for each container that needs one, in safe order; the further writes that were asked for.
    fn order_writes(&mut self) {
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
            self.writes.push(Draught { bin, verb, slice, reasons });
        }
        let mut edges = self.edges_of_moves(&write_of);
        edges.extend(self.edges_of_reuse(&write_of));
        self.add_touches(&write_of, &mut edges);
        let mut ordered = self.sorted(&edges);
        let unordered = self.unordered(&ordered, &write_of);
        if self.options.address_reuse == AddressReuse::Strict && !unordered.is_empty() {
            self.add_second_writes(&unordered, &write_of, &mut edges);
            ordered = self.sorted(&edges);
        } else {
            self.counts.address_reuse_unordered = unordered.len();
        }
        let mut by_place: Vec<Option<Draught>> = std::mem::take(&mut self.writes).into_iter().map(Some).collect();
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
            Some(Before { first, second, must: true })
        };
        self.arrivals().filter_map(edge).collect()
    }

    fn move_order(&self) -> CompactionOrder {
        self.options.compaction.map_or(CompactionOrder::MakeBeforeBreak, |compaction| compaction.order)
    }

    fn edges_of_reuse(&self, write_of: &HashMap<usize, usize>) -> Vec<Before> {
        let mut edges = Vec::new();
        for (item, target) in self.arrivals() {
            for source in self.group.sources_of(item).iter().filter(|&&source| source != target) {
                if let (Some(&first), Some(&second)) = (write_of.get(source), write_of.get(&target)) {
                    edges.push(Before { first, second, must: false });
                }
            }
        }
        edges
    }

    /// Added items whose address has not left when they come in.
    fn unordered(&self, ordered: &[usize], write_of: &HashMap<usize, usize>) -> BTreeSet<u32> {
        let mut place = vec![0; ordered.len()];
        for (at, &write) in ordered.iter().enumerate() {
            place[write] = at;
        }
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
        let is_late = |write: usize| bins.iter().any(|bin| write_of.get(bin) == Some(&write));
        // What held for the late items holds for their second write instead.
        edges.retain(|edge| edge.must || !is_late(edge.second));
        for bin in bins {
            let filled = &self.assignment.bins[bin];
            let Some(&first) = write_of.get(&bin) else { continue };
            let Some(second) = self.second_write(bin, first, late, edges) else { continue };
            for &item in &filled.added {
                let target = if late.contains(&item) { second } else { first };
                for source in self.group.sources_of(item).iter().filter_map(|source| write_of.get(source)) {
                    if *source != target {
                        edges.push(Before { first: *source, second: target, must: false });
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
        self.writes.push(Draught { bin, verb: Verb::Update, slice: last, reasons });
        let second = self.writes.len() - 1;
        edges.push(Before { first, second, must: true });
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
            self.writes.push(Draught { bin, verb: Verb::Update, slice: last, reasons });
            edges.push(Before { first: made, second: touch, must: true });
            for item in &self.assignment.bins[bin].added {
                if let Some(&source) = self.origin.get(item).and_then(|origin| write_of.get(origin)) {
                    edges.push(Before { first: source, second: touch, must: true });
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

    fn finish(mut self) -> Plan {
        self.count();
        let moves = self.moves();
        let writes = self.writes.drain(..);
        let write = |Draught { bin, verb, slice, reasons }| Write { verb, slice: slice.into(), reasons, slot: bin };
        Plan {
            writes: writes.map(write).collect(),
            moves,
            counts: self.counts,
            bytes: OnceLock::new(),
            before: Arc::new(self.group.existing.iter().map(|&slice| slice.clone()).collect()),
            among: None,
            notes: Notes::default(),
        }
    }

    fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for (bin, filled) in self.assignment.bins.iter().enumerate() {
            for (at, item) in filled.added.iter().enumerate() {
                let source = self.origin.get(item).and_then(|&origin| self.existing(origin));
                if let (Some(source), Some(target)) = (source, &self.slices[bin]) {
                    let index = filled.kept.len() + at;
                    moves.push(Move { target: target.clone(), index, source: source.clone() });
                }
            }
        }
        moves
    }

    fn count(&mut self) {
        let counts = &mut self.counts;
        for write in &self.writes {
            match write.verb {
                Verb::Create => counts.creates += 1,
                Verb::Update => counts.updates += 1,
                Verb::Delete => counts.deletes += 1,
            }
        }
        let mut added = 0;
        let mut staying = 0;
        for filled in &self.assignment.bins {
            added += filled.added.len();
            staying += filled.kept.len();
            let changed = filled.kept.iter().filter(|kept| kept.changed).count();
            counts.endpoints_updated += changed;
            if filled.is_written() {
                counts.endpoints_resent += filled.kept.len() - changed;
            }
        }
        counts.endpoints_moved = self.origin.len();
        counts.endpoints_added = added - self.origin.len();
        // What was there and is neither staying nor moved nor a second copy.
        let bins = 0..self.group.existing.len();
        counts.endpoints_removed =
            bins.map(|bin| self.group.held(bin).iter().filter(|held| held.is_none()).count()).sum();
        counts.slices_before = self.group.existing.len();
        counts.slices_after = self.slices.iter().flatten().count();
        counts.slices_ideal = (added + staying).div_ceil(self.options.max_endpoints);
    }
}

fn mark_as_moving(slice: &mut EndpointSlice) {
    slice.metadata.annotations.insert(MOVING_ANNOTATION.to_owned(), "true".to_owned());
}

/// The trigger time of a slice that takes a moved endpoint is not older than that of the slice it comes from.
fn keep_newer_time(slice: &mut EndpointSlice, source: &EndpointSlice) {
    let theirs = source.metadata.trigger_time();
    if timestamp(theirs) > timestamp(slice.metadata.trigger_time()) {
        slice.metadata.annotations.insert(TRIGGER_TIME_ANNOTATION.to_owned(), theirs.to_owned());
    }
}
