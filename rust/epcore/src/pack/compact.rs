//! Bounded fragmentation: the emptiest containers are drained until there are few enough.

use std::collections::BTreeSet;

use crate::interrupt::point;
use crate::pack::Compaction;
use crate::pack::problem::{Assignment, Filled, Problem};

impl Compaction {
    /// Most containers for so many items.
    pub(crate) fn limit(&self, items: usize, max: usize) -> usize {
        let bound = (1.0 + self.epsilon) * items as f64 / max as f64 + 2.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative; a huge epsilon saturates"
        )]
        let limit = bound.floor() as usize;
        limit
    }
}

/// Containers that stay, in the two orders that are asked for.
#[derive(Default)]
struct Live {
    /// The emptiest first, of equals those that are written anyway.
    emptiest: BTreeSet<(usize, bool, usize)>,
    /// Those with room: first those that are written anyway, of equals the emptiest.
    open: BTreeSet<(bool, usize, usize)>,
}

impl Live {
    fn insert(&mut self, problem: &Problem<'_>, bins: &[Filled], index: usize) {
        let bin = &bins[index];
        self.emptiest.insert((bin.count(), !bin.is_written(), index));
        if problem.room(bin) > 0 {
            self.open.insert((!bin.is_written(), bin.count(), index));
        }
    }

    fn remove(&mut self, bins: &[Filled], index: usize) {
        let bin = &bins[index];
        self.emptiest.remove(&(bin.count(), !bin.is_written(), index));
        self.open.remove(&(!bin.is_written(), bin.count(), index));
    }
}

/// Drain the emptiest container into the emptiest others, those that are written anyway first, while there are too many.
pub(crate) fn compact(problem: &Problem<'_>, compaction: Compaction, solution: &mut Assignment) {
    let limit = compaction.limit(problem.items.count(), problem.max_items);
    let mut budget = compaction.max_moves.unwrap_or(usize::MAX);
    let mut live = Live::default();
    for index in (0..solution.bins.len()).filter(|&index| !solution.bins[index].is_deleted()) {
        live.insert(problem, &solution.bins, index);
    }
    while live.emptiest.len() > limit {
        point();
        let Some(&(_, _, source)) = live.emptiest.first() else { return };
        live.remove(&solution.bins, source);
        let moves = solution.bins[source].kept.len();
        let Some(targets) = targets(problem, &solution.bins, source, &live).filter(|_| moves <= budget) else {
            return;
        };
        budget -= moves;
        let mut changed = targets.clone();
        changed.dedup();
        for &index in &changed {
            live.remove(&solution.bins, index);
        }
        drain(problem, solution, source, &targets);
        for index in changed {
            live.insert(problem, &solution.bins, index);
        }
    }
}

/// A container for each item of `source`, or `None` if there is not enough room.
fn targets(problem: &Problem<'_>, bins: &[Filled], source: usize, live: &Live) -> Option<Vec<usize>> {
    let mut others = live.open.iter().map(|&(_, _, index)| index);
    // Containers that were looked at, with the items and bytes that they would get.
    let mut used: Vec<(usize, usize, usize)> = Vec::new();
    let mut first = 0;
    let mut chosen = Vec::new();
    for item in bins[source].items() {
        let size = problem.size(item);
        let has_room = |&(index, count, _): &(usize, usize, usize)| problem.room(&bins[index]) > count;
        let fits = |one: &(usize, usize, usize)| has_room(one) && problem.has_bytes(&bins[one.0], one.2 + size);
        while used.get(first).is_some_and(|one| !has_room(one)) {
            first += 1;
        }
        let mut at = first;
        while !used.get(at).is_some_and(&fits) {
            at += 1;
            if at >= used.len() {
                used.push((others.next()?, 0, 0));
                at = used.len() - 1;
            }
        }
        used[at].1 += 1;
        used[at].2 += size;
        chosen.push(used[at].0);
    }
    Some(chosen)
}

fn drain(problem: &Problem<'_>, solution: &mut Assignment, source: usize, targets: &[usize]) {
    let bin = &mut solution.bins[source];
    let kept = std::mem::take(&mut bin.kept);
    let added = std::mem::take(&mut bin.added);
    bin.drained = true;
    bin.expendable = true;
    solution.moved.extend(kept.iter().map(|kept| (kept.item, source)));
    let items = kept.into_iter().map(|kept| kept.item).chain(added);
    for (item, &target) in items.zip(targets) {
        problem.put(&mut solution.bins[target], item);
    }
}
