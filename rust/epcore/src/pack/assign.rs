//! The optimiser: items into containers. It knows no Kubernetes.

use std::cmp::Ordering;

use crate::pack::choose::{Bytes, Clean, choose};
use crate::pack::compact::compact;
use crate::pack::place::{CohortIds, FillOrder, Target, place};
use crate::pack::settle::{Bin, Dirty, Kept};
use crate::pack::{Compaction, Policy};

/// What the optimiser asks about wanted items, which it knows by number.
pub(crate) trait Items {
    /// How many there are.
    fn count(&self) -> usize;
    /// A total order that does not depend on the numbers.
    fn compare(&self, left: u32, right: u32) -> Ordering;
    /// Bytes that an item takes.
    fn size(&self, item: u32) -> usize;
    /// The cohort of an item.
    fn cohort(&self, item: u32) -> CohortIds;
    /// True if an item is about to go.
    fn is_leaving(&self, item: u32) -> bool;
    /// Containers that this item must not come into before they are written, as its address leaves them for another item.
    fn leaves_from(&self, item: u32) -> &[usize];
}

/// The limits and prices of one call.
pub(crate) struct Problem<'a> {
    pub(crate) items: &'a dyn Items,
    pub(crate) max_items: usize,
    /// `None` where no container can come near its limit of bytes.
    pub(crate) max_bytes: Option<usize>,
    /// Bytes of a new container without items.
    pub(crate) new_bytes: usize,
    pub(crate) policy: Policy,
    pub(crate) compaction: Option<Compaction>,
    pub(crate) bytes: Bytes,
}

/// A container afterwards.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filled {
    pub(crate) kept: Vec<Kept>,
    pub(crate) added: Vec<u32>,
    pub(crate) dirty: Dirty,
    /// Items had to leave because there were too many.
    pub(crate) overfull: bool,
    /// Items left because they were moved elsewhere.
    pub(crate) drained: bool,
    /// Takes nothing.
    pub(crate) closed: bool,
    /// Goes away rather than stay without items.
    pub(crate) expendable: bool,
    /// May be given the content of a new container instead of being deleted.
    pub(crate) recyclable: bool,
    pub(crate) is_new: bool,
    /// Bytes of the container with its items, kept where there is a limit.
    pub(crate) bytes: usize,
}

impl Filled {
    pub(crate) fn count(&self) -> usize {
        self.kept.len() + self.added.len()
    }

    pub(crate) fn must_be_written(&self) -> bool {
        self.dirty.any() || self.overfull || self.closed
    }

    pub(crate) fn is_written(&self) -> bool {
        self.must_be_written() || self.drained || !self.added.is_empty()
    }

    /// Written, and nothing is left in it: an existing one is deleted, a new one never made.
    pub(crate) fn is_deleted(&self) -> bool {
        let lost = self.dirty.removed || self.dirty.duplicates || self.overfull || self.drained;
        self.count() == 0 && (self.is_new || self.closed || self.expendable || lost)
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = u32> {
        self.kept.iter().map(|kept| kept.item).chain(self.added.iter().copied())
    }
}

/// The solution: every container afterwards, existing ones first and in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assignment {
    pub(crate) bins: Vec<Filled>,
    /// Item and the container it was in before, for items that had to or were allowed to move.
    pub(crate) moved: Vec<(u32, usize)>,
    /// Fewest writes of any plan that moves nothing it need not.
    pub(crate) write_floor: usize,
}

/// Solve one step: fill what must be written, then what is cheapest.
pub(crate) fn solve(problem: &Problem<'_>, bins: Vec<Bin>) -> Assignment {
    let mut solution = Assignment::default();
    let mut waiting = vec![true; problem.items.count()];
    for (index, bin) in bins.into_iter().enumerate() {
        let (filled, evicted) = problem.take_in(bin);
        for kept in &filled.kept {
            waiting[kept.item as usize] = false;
        }
        solution.moved.extend(evicted.into_iter().map(|item| (item, index)));
        solution.bins.push(filled);
    }
    let mut pending: Vec<u32> = (0u32..).zip(&waiting).filter(|(_, waiting)| **waiting).map(|(item, _)| item).collect();
    pending.sort_by(|&left, &right| problem.items.compare(left, right));
    solution.write_floor = problem.write_floor(&solution.bins, pending.len());
    if problem.max_bytes.is_some() {
        problem.first_fit(&mut solution.bins, pending);
    } else {
        problem.fill(&mut solution.bins, &pending);
    }
    if let Some(compaction) = problem.compaction {
        compact(problem, compaction, &mut solution);
    }
    solution.bins.retain(|bin| !(bin.is_new && bin.is_deleted()));
    if problem.policy == Policy::Upstream {
        recycle(&mut solution.bins);
    }
    solution
}

impl Problem<'_> {
    /// Turn a settled container into one to be filled; what is too much for it is evicted, from the end.
    fn take_in(&self, bin: Bin) -> (Filled, Vec<u32>) {
        let mut filled = Filled {
            expendable: bin.expendable,
            recyclable: bin.recyclable,
            kept: bin.kept,
            dirty: bin.dirty,
            closed: bin.closed,
            bytes: bin.base_bytes,
            ..Filled::default()
        };
        if self.max_bytes.is_some() {
            filled.bytes += filled.kept.iter().map(|kept| self.size(kept.item)).sum::<usize>();
        }
        let mut evicted = Vec::new();
        // Kubernetes never shrinks a slice (upstream only ever fills up to the maximum).
        let max_items = if self.policy == Policy::Upstream { usize::MAX } else { self.max_items };
        while filled.kept.len() > max_items || self.max_bytes.is_some_and(|most| filled.bytes > most) {
            let Some(last) = filled.kept.pop() else { break };
            filled.bytes = filled.bytes.saturating_sub(self.size(last.item));
            evicted.push(last.item);
            filled.overfull = true;
        }
        (filled, evicted)
    }

    /// Bytes count only where they can run short.
    pub(crate) fn size(&self, item: u32) -> usize {
        if self.max_bytes.is_some() { self.items.size(item) } else { 0 }
    }

    pub(crate) fn room(&self, bin: &Filled) -> usize {
        if bin.closed { 0 } else { self.max_items.saturating_sub(bin.count()) }
    }

    pub(crate) fn fits(&self, bin: &Filled, item: u32) -> bool {
        self.room(bin) > 0 && self.max_bytes.is_none_or(|most| bin.bytes + self.size(item) <= most)
    }

    pub(crate) fn put(&self, bin: &mut Filled, item: u32) {
        bin.bytes += self.size(item);
        bin.added.push(item);
    }

    pub(crate) fn new_bin(&self) -> Filled {
        Filled { is_new: true, bytes: self.new_bytes, ..Filled::default() }
    }

    fn write_floor(&self, bins: &[Filled], pending: usize) -> usize {
        let dirty = bins.iter().filter(|bin| bin.must_be_written());
        let room = |bin: &Filled| {
            if bin.closed && bin.recyclable { self.max_items } else { self.room(bin) }
        };
        let (count, room) = dirty.fold((0, 0), |(count, total), bin| (count + 1, total + room(bin)));
        count + pending.saturating_sub(room).div_ceil(self.max_items)
    }

    /// True if a container that must be written takes part in the filling. Kubernetes leaves those out that lost everything.
    fn is_filled(&self, bin: &Filled) -> bool {
        let emptied = bin.kept.is_empty() && bin.is_deleted();
        bin.must_be_written() && self.room(bin) > 0 && !(emptied && self.policy == Policy::Upstream)
    }

    /// The optimum where no container is short of bytes.
    fn fill(&self, bins: &mut Vec<Filled>, pending: &[u32]) {
        let forced: Vec<usize> = (0..bins.len()).filter(|&index| self.is_filled(&bins[index])).collect();
        let room: usize = forced.iter().map(|&index| self.room(&bins[index])).sum();
        let clean: Vec<Clean> = (0..bins.len())
            .filter(|&index| !bins[index].must_be_written())
            .map(|bin| Clean { bin, count: bins[bin].count() })
            .collect();
        let choice =
            choose(pending.len().saturating_sub(room), &clean, self.max_items, self.policy_for(bins.len()), self.bytes);
        let first_new = bins.len();
        bins.extend((0..choice.new).map(|_| self.new_bin()));
        let others = choice.clean.into_iter().chain(first_new..first_new + choice.new);
        let target = |(bin, forced): (usize, bool)| Target { bin, room: self.room(&bins[bin]), forced };
        let mut targets: Vec<Target> =
            forced.into_iter().map(|bin| (bin, true)).chain(others.map(|bin| (bin, false))).map(target).collect();
        let order = if self.policy == Policy::Upstream { FillOrder::FullestFirst } else { FillOrder::RoomiestFirst };
        let residents = |bin: usize| bins[bin].kept.iter().map(|kept| kept.item).collect();
        let placed = place(self.items, pending, &mut targets, &residents, order);
        for (item, target) in placed {
            bins[targets[target].bin].added.push(item);
        }
    }

    /// While slices are too many for a bound that was asked for, room is used before a new slice is opened.
    fn policy_for(&self, containers: usize) -> Policy {
        match self.compaction {
            Some(compaction) if containers + 1 > compaction.limit(self.items.count(), self.max_items) => Policy::DENSE,
            _ => self.policy,
        }
    }

    /// Where bytes are short: the largest item first, into the first container that has room for it. Not an optimum: that is bin packing.
    fn first_fit(&self, bins: &mut Vec<Filled>, mut pending: Vec<u32>) {
        pending.sort_by_key(|&item| std::cmp::Reverse(self.items.size(item)));
        let mut order: Vec<usize> = (0..bins.len()).filter(|&index| self.room(&bins[index]) > 0).collect();
        order.sort_by_key(|&index| (!bins[index].must_be_written(), bins[index].bytes));
        let mut first_with_room = 0;
        for item in pending {
            while order.get(first_with_room).is_some_and(|&index| self.room(&bins[index]) == 0) {
                first_with_room += 1;
            }
            let found = order[first_with_room..].iter().copied().find(|&index| self.fits(&bins[index], item));
            let index = found.unwrap_or_else(|| {
                bins.push(self.new_bin());
                order.push(bins.len() - 1);
                bins.len() - 1
            });
            self.put(&mut bins[index], item);
        }
    }
}

/// Kubernetes makes one update of a delete and a create (upstream `finalize`): the last new one gets the first deleted name.
fn recycle(bins: &mut Vec<Filled>) {
    let deleted: Vec<usize> =
        (0..bins.len()).filter(|&index| bins[index].is_deleted() && bins[index].recyclable).collect();
    for index in deleted {
        match bins.pop() {
            Some(last) if last.is_new => {
                let bin = &mut bins[index];
                bin.added = last.added;
                bin.dirty.metadata |= bin.closed;
                bin.closed = false;
            }
            Some(last) => {
                bins.push(last);
                return;
            }
            None => return,
        }
    }
}
