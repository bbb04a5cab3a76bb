//! The optimiser: items into containers. It knows no Kubernetes.

use crate::interrupt::point;
use crate::pack::Policy;
use crate::pack::choose::{Clean, choose};
use crate::pack::compact::compact;
use crate::pack::largest::Largest;
use crate::pack::lifecycle::renew;
use crate::pack::place::{FillOrder, Target, place};
use crate::pack::problem::{Assignment, Filled, Problem};
use crate::pack::settle::Bin;

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
    if let Some(lifecycle) = problem.moves_idle() {
        renew(problem, lifecycle, &mut solution, &pending);
    } else if problem.max_bytes.is_some() {
        problem.first_fit(&mut solution.bins, pending);
    } else {
        problem.fill(&mut solution.bins, &pending);
    }
    if let Some(compaction) = problem.compaction {
        compact(problem, compaction, &mut solution);
    }
    solution.bins.retain(|bin| !(bin.is_new && bin.is_deleted()));
    if problem.recycles {
        recycle(&mut solution.bins);
    }
    solution
}

impl Problem<'_> {
    /// Turn a settled container into one to be filled. If it holds too much, what does not fit behind those before it is evicted.
    fn take_in(&self, bin: Bin) -> (Filled, Vec<u32>) {
        let base_bytes = bin.base_bytes;
        let mut filled = Filled {
            expendable: bin.expendable,
            recyclable: bin.recyclable,
            role: bin.role,
            kept: bin.kept,
            dirty: bin.dirty,
            lost: bin.lost,
            closed: bin.closed,
            bytes: base_bytes,
            ..Filled::default()
        };
        if self.max_bytes.is_some() {
            let sizes = filled.kept.iter().map(|kept| self.size(kept.item));
            filled.bytes = sizes.fold(base_bytes, usize::saturating_add);
        }
        let mut evicted = Vec::new();
        // Kubernetes never shrinks a slice (upstream only ever fills up to the maximum).
        let max_items = if self.policy == Policy::Upstream { usize::MAX } else { self.max_items };
        let too_many = filled.kept.len() > max_items;
        // What a slice gets when it is written, such as a time, is nothing for one that need not be.
        let stays = bin.fits_as_it_is && !bin.dirty.any() && !bin.closed;
        if too_many || !stays && self.max_bytes.is_some_and(|most| filled.bytes > most) {
            filled.overfull = true;
            filled.bytes = base_bytes;
            for kept in std::mem::take(&mut filled.kept) {
                let bytes = filled.bytes + self.size(kept.item);
                if filled.kept.len() < max_items && self.max_bytes.is_none_or(|most| bytes <= most) {
                    filled.bytes = bytes;
                    filled.kept.push(kept);
                } else {
                    evicted.push(kept.item);
                }
            }
        }
        (filled, evicted)
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
        let policy = self.policy_for(bins.len());
        // By prices, or for the fewest slices, one that lost everything may better go.
        let may_go =
            |bin: &Filled| (matches!(policy, Policy::Prices(_)) || policy == Policy::DENSE) && bin.is_deleted();
        let filled = (0..bins.len()).filter(|&index| self.is_filled(&bins[index]));
        let (emptied, mut forced): (Vec<usize>, Vec<usize>) = filled.partition(|&index| may_go(&bins[index]));
        let room: usize = forced.iter().map(|&index| self.room(&bins[index])).sum();
        let clean: Vec<Clean> = (0..bins.len())
            .filter(|&index| !bins[index].must_be_written())
            .map(|bin| Clean { bin, count: bins[bin].count() })
            .collect();
        let overflow = pending.len().saturating_sub(room);
        let choice = choose(overflow, emptied.len(), &clean, self.max_items, policy, self.bytes);
        forced.extend(&emptied[..choice.refilled]);
        forced.sort_unstable();
        let first_new = bins.len();
        bins.extend((0..choice.new).map(|_| self.new_bin()));
        let mut others: Vec<usize> = choice.clean.into_iter().chain(first_new..first_new + choice.new).collect();
        if self.policy == Policy::Upstream {
            others.sort_by_key(|&bin| bin < first_new);
        }
        let target = |(bin, forced): (usize, bool)| Target { bin, room: self.room(&bins[bin]), forced };
        let mut targets: Vec<Target> = forced
            .into_iter()
            .map(|bin| (bin, true))
            .chain(others.into_iter().map(|bin| (bin, false)))
            .map(target)
            .collect();
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
        let mut left = Largest::new(order.iter().map(|&index| self.left(&bins[index])));
        for item in pending {
            point();
            let place = left.first(self.size(item) + 1).unwrap_or_else(|| {
                bins.push(self.new_bin());
                order.push(bins.len() - 1);
                left.push(0);
                order.len() - 1
            });
            let bin = &mut bins[order[place]];
            self.put(bin, item);
            left.set(place, self.left(bin));
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
