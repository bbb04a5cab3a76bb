//! Bounded fragmentation: the emptiest containers are drained until there are few enough.

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

/// Drain the emptiest container into the emptiest others, those that are written anyway first, while there are too many.
pub(crate) fn compact(problem: &Problem<'_>, compaction: Compaction, solution: &mut Assignment) {
    let limit = compaction.limit(problem.items.count(), problem.max_items);
    let mut budget = compaction.max_moves.unwrap_or(usize::MAX);
    let mut live: Vec<usize> = (0..solution.bins.len()).filter(|&index| !solution.bins[index].is_deleted()).collect();
    while live.len() > limit {
        live.sort_by_key(|&index| (solution.bins[index].count(), !solution.bins[index].is_written(), index));
        let source = live[0];
        let Some(targets) = targets(problem, &solution.bins, source, &live[1..]) else {
            return;
        };
        let moves = solution.bins[source].kept.len();
        if moves > budget {
            return;
        }
        budget -= moves;
        drain(problem, solution, source, &targets);
        live.remove(0);
    }
}

/// A container for each item of `source`, or `None` if there is not enough room.
fn targets(problem: &Problem<'_>, bins: &[Filled], source: usize, others: &[usize]) -> Option<Vec<usize>> {
    let mut others: Vec<usize> = others.iter().copied().filter(|&index| problem.room(&bins[index]) > 0).collect();
    others.sort_by_key(|&index| (!bins[index].is_written(), bins[index].count(), index));
    let mut used = vec![(0usize, 0usize); others.len()];
    let mut first = 0;
    let mut chosen = Vec::new();
    for item in bins[source].items() {
        let fits = |at: usize| {
            let bin = &bins[others[at]];
            let (count, bytes) = used[at];
            problem.room(bin) > count && problem.has_bytes(bin, bytes + problem.size(item))
        };
        while others.get(first).is_some_and(|&index| problem.room(&bins[index]) <= used[first].0) {
            first += 1;
        }
        let at = (first..others.len()).find(|&at| fits(at))?;
        used[at].0 += 1;
        used[at].1 += problem.size(item);
        chosen.push(others[at]);
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
