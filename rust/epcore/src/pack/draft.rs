//! From an assignment to a plan: the slices as they will be, one write for each, in safe order.

use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;

use crate::Error;
use crate::interrupt::point;
use crate::model::{EndpointList, EndpointRef, EndpointSlice, TRIGGER_TIME_ANNOTATION, timestamp};
use crate::pack::group::Group;
use crate::pack::naming;
use crate::pack::problem::{Assignment, Filled};
use crate::pack::settle::Kept;
use crate::pack::{Move, Naming, Notes, Options, Plan, Stats, Verb, Write, WriteReasons};

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
pub(super) struct DraftWrite {
    pub(super) bin: usize,
    pub(super) verb: Verb,
    pub(super) slice: Arc<EndpointSlice>,
    pub(super) reasons: WriteReasons,
}

/// A plan under construction.
pub(super) struct Draft<'a, 'g> {
    pub(super) group: &'a Group<'g>,
    pub(super) assignment: &'a Assignment,
    pub(super) options: &'a Options,
    /// Where each moved item was.
    pub(super) origin: HashMap<u32, usize>,
    /// The final state of each container.
    pub(super) slices: Vec<Option<Arc<EndpointSlice>>>,
    pub(super) writes: Vec<DraftWrite>,
    pub(super) counts: Stats,
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

    pub(super) fn existing(&self, bin: usize) -> Option<&'a Arc<EndpointSlice>> {
        self.group.existing.get(bin).copied()
    }

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
    pub(super) fn build_slice(
        &self,
        bin: usize,
        filled: &Filled,
        include: &dyn Fn(u32) -> bool,
    ) -> Result<EndpointSlice, Error> {
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
        let new = self.group.existing.len();
        let mut times = vec![0; self.slices.len()];
        self.writes.iter().for_each(|write| times[write.bin] += 1);
        let mut taken = None;
        for (last, _) in self.slices.iter_mut().zip(&times).skip(new).filter(|(_, times)| **times > 1) {
            if let Some(last) = last.as_mut().filter(|last| last.metadata.name.is_empty()) {
                naming::name(Arc::make_mut(last), taken.get_or_insert_with(|| self.group.names()))?;
            }
        }
        for write in self.writes.iter_mut().filter(|write| times[write.bin] > 1) {
            let is_nameless = write.slice.metadata.name.is_empty();
            if let Some(last) = self.slices[write.bin].as_ref().filter(|_| is_nameless) {
                Arc::make_mut(&mut write.slice).metadata.name.clone_from(&last.metadata.name);
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Plan {
        self.count();
        let moves = self.moves();
        let writes = self.writes.drain(..);
        let write = |DraftWrite { bin, verb, slice, reasons }| Write { verb, slice: slice.into(), reasons, slot: bin };
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

/// The trigger time of a slice that takes a moved endpoint is not older than that of the slice it comes from.
fn keep_newer_time(slice: &mut EndpointSlice, source: &EndpointSlice) {
    let theirs = source.metadata.trigger_time();
    if timestamp(theirs) > timestamp(slice.metadata.trigger_time()) {
        slice.metadata.annotations.insert(TRIGGER_TIME_ANNOTATION.to_owned(), theirs.to_owned());
    }
}
