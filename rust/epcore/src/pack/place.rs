//! Who goes where among the containers that are written anyway: cohorts together, addresses out before they come in.

use std::cmp::Reverse;
use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::interrupt::point;
use crate::pack::largest::Largest;
use crate::pack::problem::{CohortIds, Items};

/// A container that is written and has room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) bin: usize,
    pub(crate) room: usize,
    /// Must be written whatever is placed in it.
    pub(crate) forced: bool,
}

/// In which order targets take items that belong nowhere in particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FillOrder {
    /// Slices that have much room get a whole batch; a later change of that batch is one write.
    RoomiestFirst,
    /// As Kubernetes.
    FullestFirst,
}

struct Placement<'a> {
    targets: &'a mut [Target],
    /// Targets by cohort, and by cohort with the finer one, best first.
    by_cohort: HashMap<CohortIds, VecDeque<usize>>,
    /// All targets, best first for an item without company.
    fallback: VecDeque<usize>,
    placed: Vec<(u32, usize)>,
}

/// Give each of `pending` (in canonical order) a target with room; the targets together have room for all.
///
/// `residents` tells the items that stay in a container. Returns pairs of item and index among the targets.
pub(crate) fn place(
    items: &dyn Items,
    pending: &[u32],
    targets: &mut [Target],
    residents: &dyn Fn(usize) -> Vec<u32>,
    order: FillOrder,
) -> Vec<(u32, usize)> {
    let mut placement = Placement::new(items, targets, residents, order);
    let (reusing, rest): (Vec<u32>, Vec<u32>) = pending.iter().partition(|&&item| !items.leaves_from(item).is_empty());
    placement.put_reusing(items, &reusing);
    for (cohort, batch) in batches(items, &rest) {
        placement.put_batch(cohort, &batch);
    }
    placement.placed
}

/// The position of each target in the order of writes: those that an address leaves come first.
fn ranks(items: &dyn Items, reusing: &[u32], targets: &[Target]) -> Vec<usize> {
    let sources: std::collections::BTreeSet<usize> =
        reusing.iter().flat_map(|&item| items.leaves_from(item)).copied().collect();
    targets
        .iter()
        .enumerate()
        .map(|(index, target)| if sources.contains(&target.bin) { index } else { targets.len() })
        .collect()
}

/// Items of one cohort, the largest batch first, equal ones in canonical order.
fn batches(items: &dyn Items, pending: &[u32]) -> Vec<(CohortIds, Vec<u32>)> {
    let mut index: HashMap<CohortIds, usize> = HashMap::new();
    let mut batches: Vec<(CohortIds, Vec<u32>)> = Vec::new();
    for &item in pending {
        let cohort = items.cohort(item);
        let at = *index.entry(cohort).or_insert(batches.len());
        if at == batches.len() {
            batches.push((cohort, Vec::new()));
        }
        batches[at].1.push(item);
    }
    // A cohort stays together: by its whole size, then by its first item.
    let mut cohorts: HashMap<u32, (usize, usize)> = HashMap::new();
    for (index, (cohort, batch)) in batches.iter().enumerate() {
        cohorts.entry(cohort.0).or_insert((0, index)).0 += batch.len();
    }
    batches.sort_by_cached_key(|(cohort, batch)| {
        let (size, first) = cohorts[&cohort.0];
        (Reverse(size), first, Reverse(batch.len()))
    });
    batches
}

/// Targets, best first, of which the first that is written late enough is asked for.
struct Queue {
    targets: Vec<usize>,
    /// One more than the place of each in the order of writes, zero for one without room.
    ranks: Largest,
}

impl Queue {
    fn new(targets: &VecDeque<usize>, ranks: &[usize]) -> Self {
        let targets: Vec<usize> = targets.iter().copied().collect();
        let ranks = Largest::new(targets.iter().map(|&target| ranks[target] + 1));
        Self { targets, ranks }
    }

    /// The first with room and at least this rank.
    fn first(&mut self, least: usize, targets: &[Target]) -> Option<usize> {
        loop {
            let place = self.ranks.first(least + 1)?;
            let target = self.targets[place];
            if targets[target].room > 0 {
                return Some(target);
            }
            self.ranks.set(place, 0);
        }
    }
}

impl<'a> Placement<'a> {
    fn new(
        items: &dyn Items,
        targets: &'a mut [Target],
        residents: &dyn Fn(usize) -> Vec<u32>,
        order: FillOrder,
    ) -> Self {
        let mut by_cohort: HashMap<CohortIds, VecDeque<usize>> = HashMap::new();
        let mut leaving = vec![0usize; targets.len()];
        for (index, target) in targets.iter().enumerate() {
            for item in residents(target.bin) {
                if items.is_leaving(item) {
                    leaving[index] += 1;
                    continue;
                }
                let (whole, finer) = items.cohort(item);
                for cohort in [(whole, 0), (whole, finer)] {
                    let list = by_cohort.entry(cohort).or_default();
                    if whole != 0 && list.back() != Some(&index) {
                        list.push_back(index);
                    }
                }
            }
        }
        let rank = |index: usize| {
            let target = targets[index];
            let room = match order {
                FillOrder::RoomiestFirst => usize::MAX - target.room,
                // Those that need not be written are in order: full new ones, then the one that takes the rest.
                FillOrder::FullestFirst => usize::from(target.forced) * target.room,
            };
            (!target.forced, room, index)
        };
        let mut fallback: Vec<usize> = (0..targets.len()).collect();
        fallback.sort_by_key(|&index| (order == FillOrder::RoomiestFirst && leaving[index] > 0, rank(index)));
        for list in by_cohort.values_mut() {
            list.make_contiguous().sort_by_key(|&index| (leaving[index] > 0, rank(index)));
        }
        Self { targets, by_cohort, fallback: fallback.into(), placed: Vec::new() }
    }

    fn put(&mut self, item: u32, target: usize) {
        self.targets[target].room -= 1;
        self.placed.push((item, target));
    }

    /// Put each item whose address leaves other containers into one that can be written after all of them, if there is one with room.
    fn put_reusing(&mut self, items: &dyn Items, reusing: &[u32]) {
        if reusing.is_empty() {
            return;
        }
        let ranks = ranks(items, reusing, self.targets);
        let of_bin: HashMap<usize, usize> =
            self.targets.iter().zip(&ranks).map(|(target, rank)| (target.bin, *rank)).collect();
        let mut anywhere = Queue::new(&self.fallback, &ranks);
        let mut company: HashMap<CohortIds, Queue> = HashMap::new();
        for &item in reusing {
            point();
            let latest = items.leaves_from(item).iter().filter_map(|bin| of_bin.get(bin)).max();
            let least = latest.map_or(0, |latest| latest + 1);
            let wanted = items.cohort(item);
            let of_company = [wanted, (wanted.0, 0)].into_iter().filter(|cohort| cohort.0 != 0).find_map(|cohort| {
                let list = self.by_cohort.get(&cohort)?;
                company.entry(cohort).or_insert_with(|| Queue::new(list, &ranks)).first(least, self.targets)
            });
            let found =
                of_company.or_else(|| anywhere.first(least, self.targets)).or_else(|| anywhere.first(0, self.targets));
            if let Some(target) = found {
                self.put(item, target);
            }
        }
    }

    fn put_batch(&mut self, cohort: CohortIds, batch: &[u32]) {
        for &item in batch {
            point();
            if let Some(target) = self.next_for(cohort) {
                self.put(item, target);
            }
        }
    }

    /// The best target that still has room: with the finer cohort, with the cohort, anywhere.
    fn next_for(&mut self, cohort: CohortIds) -> Option<usize> {
        let (whole, finer) = cohort;
        let targets = &*self.targets;
        for key in [(whole, finer), (whole, 0)] {
            if whole == 0 {
                break;
            }
            if let Some(list) = self.by_cohort.get_mut(&key) {
                list.retain_front(|&index| targets[index].room > 0);
                if let Some(&index) = list.front() {
                    return Some(index);
                }
            }
        }
        self.fallback.retain_front(|&index| targets[index].room > 0);
        let found = *self.fallback.front()?;
        for key in [(whole, finer), (whole, 0)] {
            if whole != 0 {
                self.by_cohort.entry(key).or_default().push_back(found);
            }
        }
        Some(found)
    }
}

trait RetainFront<T> {
    /// Drop items from the front while they are of no more use.
    fn retain_front(&mut self, keep: impl Fn(&T) -> bool);
}

impl<T> RetainFront<T> for VecDeque<T> {
    fn retain_front(&mut self, keep: impl Fn(&T) -> bool) {
        while self.front().is_some_and(|item| !keep(item)) {
            self.pop_front();
        }
    }
}
