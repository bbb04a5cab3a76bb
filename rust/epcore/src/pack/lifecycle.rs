//! Endpoints that take no traffic move to others that will change when they do (`DESIGN.md`, "Lifecycle").

use crate::interrupt::point;
use crate::pack::Lifecycle;
use crate::pack::offers::{Offer, Offers, share};
use crate::pack::pace::{Counts, Pace, counts};
use crate::pack::place::{FillOrder, Target, place};
use crate::pack::problem::{Assignment, Filled, Problem};
use crate::pack::stage::{Role, Stage};

/// Prices, in endpoints sent again. Found by search over recorded and generated loads (`DESIGN.md`); the outcome changes little
/// within a factor of two of each.
const WRITE: f64 = 40.0;
/// One more slice, shared among those that there have to be: it weighs less where there are many.
const SLICE: f64 = 1500.0;
/// One that goes away by itself: it takes what is leaving, and nothing new is there that would come in.
const SLICE_FOR_A_WHILE: f64 = 900.0;
/// How often what flaps will do so again.
const AGAIN: f64 = 7.0;
/// What leaves does so once, and often in a step that would touch its container anyway.
const LEAVES: f64 = 0.6;
/// Weight of what the next step is expected to send beside what is sent until each idle item has changed.
const NEXT: f64 = 0.2;
/// Containers that take moved items of one stage in one step.
const ROUNDS: usize = 3;
/// Of what is done only where nothing else can be.
const TOO_MUCH: f64 = 1e12;

/// How often an item of a stage will touch its container from now on.
fn times(stage: Stage) -> f64 {
    match stage {
        Stage::Restless => AGAIN,
        Stage::Leaving => LEAVES,
        Stage::New | Stage::Settled => 1.0,
    }
}

impl Problem<'_> {
    /// The policy if it may move items in this step.
    pub(crate) fn moves_idle(&self) -> Option<Lifecycle> {
        // Where bytes are short or live items may move, one kind of move at a time is enough.
        self.policy.lifecycle().filter(|_| self.max_bytes.is_none() && self.compaction.is_none())
    }
}

/// Bring together idle items of all containers that are written anyway, stage by stage, and then place what is new.
pub(crate) fn renew(problem: &Problem<'_>, lifecycle: Lifecycle, solution: &mut Assignment, pending: &[u32]) {
    let counts: Vec<Counts> = solution.bins.iter().map(|bin| counts(problem.items, bin)).collect();
    let pace = Pace::of(problem.items, &solution.bins, &counts, pending.len());
    let taken = vec![false; solution.bins.len()];
    let mut renewal = Renewal { problem, lifecycle, bins: &mut solution.bins, counts, pace, taken, moved: Vec::new() };
    // Where one item changes at a time no move can save a write.
    if !renewal.pace.is_single() {
        for stage in [Stage::Leaving, Stage::Restless] {
            let _rounds = (0..ROUNDS).take_while(|_| renewal.gather(stage)).count();
        }
    }
    renewal.fill(pending);
    renewal.settle_roles();
    let moved = renewal.moved;
    solution.idle = moved.iter().map(|(item, _)| *item).collect();
    solution.moved.extend(moved);
}

struct Renewal<'a, 'p> {
    problem: &'a Problem<'p>,
    lifecycle: Lifecycle,
    bins: &'a mut Vec<Filled>,
    /// Of each container.
    counts: Vec<Counts>,
    pace: Pace,
    /// Containers that took moved items. They give none away any more, so that no two wait for each other's write.
    taken: Vec<bool>,
    moved: Vec<(u32, usize)>,
}

/// A container that could give idle items of a stage away.
struct Source {
    bin: usize,
    /// Those that may move.
    movable: usize,
    /// What is saved if it gives them all.
    saved: f64,
}

impl Renewal<'_, '_> {
    /// Move idle items of a stage to the container where that saves most, if it saves anything.
    fn gather(&mut self, stage: Stage) -> bool {
        let sources = self.sources(stage);
        if sources.is_empty() {
            return false;
        }
        let keeping = if stage == Stage::Leaving { self.keeping_for_a_while() } else { self.keeping() };
        let here = (0..self.bins.len()).map(|bin| (self.gain(stage, &sources, bin, keeping), Some(bin)));
        let opened = keeping.map_or(f64::NEG_INFINITY, |keeping| self.gain_of_one_more(stage, &sources, keeping));
        let best =
            here.chain([(opened, None)]).fold((0.0, None), |best, next| if next.0 > best.0 { next } else { best });
        if best.0 <= 0.0 {
            return false;
        }
        let target = best.1.unwrap_or_else(|| self.open());
        self.assume_role(stage, target);
        for source in sources.iter().filter(|source| source.bin != target) {
            self.take(stage, source.bin, target);
        }
        true
    }

    /// Containers that are written anyway and have items to give, those first that save most with each.
    fn sources(&self, stage: Stage) -> Vec<Source> {
        let gives = |bin: usize| {
            let filled = &self.bins[bin];
            !self.taken[bin] && filled.must_be_written() && !filled.closed && !filled.overfull
        };
        let source = |bin: usize| {
            let movable = self.bins[bin].kept.iter().filter(|kept| self.moves(stage, kept.item)).count();
            Source { bin, movable, saved: self.saved_by(stage, bin, movable) }
        };
        let mut sources: Vec<Source> =
            (0..self.bins.len()).filter(|&bin| gives(bin)).map(source).filter(|source| source.movable > 0).collect();
        let each = |source: &Source| source.saved / source.movable as f64;
        sources.sort_by(|left, right| each(right).total_cmp(&each(left)));
        sources
    }

    /// What is saved where a container gives so many items of a stage away.
    fn saved_by(&self, stage: Stage, bin: usize, items: usize) -> f64 {
        let mut after = self.counts[bin];
        after[stage as usize] -= items;
        self.later(&self.counts[bin]) - self.later(&after)
    }

    /// What is saved where the sources give as much as there is room for, and how many items that is.
    fn saved(&self, stage: Stage, sources: &[Source], target: Option<usize>, room: usize) -> (f64, usize) {
        let (mut saved, mut left) = (0.0, room);
        for source in sources.iter().filter(|source| Some(source.bin) != target) {
            if source.movable > left {
                saved += self.saved_by(stage, source.bin, left);
                left = 0;
                break;
            }
            saved += source.saved;
            left -= source.movable;
        }
        (saved, room - left)
    }

    /// What is gained by bringing items to a container: below zero if nothing is.
    fn gain(&self, stage: Stage, sources: &[Source], bin: usize, keeping: Option<f64>) -> f64 {
        let (saved, got) = self.saved(stage, sources, Some(bin), self.problem.room(&self.bins[bin]));
        let mut after = self.counts[bin];
        after[stage as usize] += got;
        let net = saved - (self.later(&after) - self.later(&self.counts[bin]));
        if got == 0 { f64::NEG_INFINITY } else { net - self.now(bin, keeping) }
    }

    /// The same for a container that is not there yet.
    fn gain_of_one_more(&self, stage: Stage, sources: &[Source], keeping: f64) -> f64 {
        let (saved, got) = self.saved(stage, sources, None, self.problem.max_items);
        let mut counts = Counts::default();
        counts[stage as usize] = got;
        saved - self.later(&counts) - WRITE - keeping
    }

    fn moves(&self, stage: Stage, item: u32) -> bool {
        self.problem.items.stage(item) == stage && self.problem.items.is_idle(item)
    }

    /// What idle items bring on a container with these items: of those that take traffic each is sent again for nothing when others of the
    /// container change.
    fn later(&self, counts: &Counts) -> f64 {
        let settled = counts[Stage::Settled as usize];
        let touches = |stage: Stage| times(stage) * self.pace.touches(stage, counts[stage as usize]);
        let idle = touches(Stage::Leaving) + touches(Stage::Restless) + touches(Stage::New);
        idle * self.pace.quiet(settled) * (WRITE + settled as f64) + NEXT * self.next(counts)
    }

    /// What the next step is expected to send of a container.
    fn next(&self, counts: &Counts) -> f64 {
        self.pace.next(counts) * (WRITE + counts.iter().sum::<usize>() as f64)
    }

    /// Price of writing a container now, and of keeping one that has lost everything.
    fn now(&self, bin: usize, keeping: Option<f64>) -> f64 {
        let filled = &self.bins[bin];
        if filled.is_deleted() {
            keeping.unwrap_or(TOO_MUCH)
        } else if filled.is_written() {
            0.0
        } else {
            WRITE + filled.count() as f64
        }
    }

    /// Price of having one more container, if there may be one. Those that are needed for items that stay cost nothing.
    fn keeping(&self) -> Option<f64> {
        let passing = self.pace.total(Stage::Leaving) + self.pace.total(Stage::New);
        let staying = self.problem.items.count().saturating_sub(passing);
        let containers = self.containers() + 1.0;
        let price =
            if containers <= (1.0 + self.lifecycle.spare) * self.least(staying) { 0.0 } else { self.shared(SLICE) };
        (containers <= self.most()).then_some(price)
    }

    /// The same for what is leaving. Where nothing is new nothing else will come in, so that the container goes away by itself. A group that
    /// shrank is beyond the limit, and there too there may be one.
    fn keeping_for_a_while(&self) -> Option<f64> {
        let keeping = self.keeping();
        if self.pace.total(Stage::New) > 0 {
            return keeping;
        }
        let price = self.shared(SLICE_FOR_A_WHILE);
        let is_there = || self.bins.iter().any(|bin| bin.role == Role::Leaving && !bin.is_deleted());
        match keeping {
            Some(keeping) => Some(keeping.min(price)),
            None => (self.is_beyond() && !is_there()).then_some(price),
        }
    }

    fn containers(&self) -> f64 {
        self.bins.iter().filter(|bin| !bin.is_deleted()).count() as f64
    }

    /// How many containers so many items need.
    fn least(&self, items: usize) -> f64 {
        items.div_ceil(self.problem.max_items).max(1) as f64
    }

    /// How many containers there may be.
    fn most(&self) -> f64 {
        (1.0 + self.lifecycle.spare) * self.least(self.problem.items.count()) + 1.0
    }

    fn is_beyond(&self) -> bool {
        self.containers() > self.most()
    }

    /// A price that weighs less where there are many containers.
    fn shared(&self, price: f64) -> f64 {
        price / self.least(self.problem.items.count())
    }

    fn open(&mut self) -> usize {
        self.bins.push(self.problem.new_bin());
        self.counts.push(Counts::default());
        self.taken.push(false);
        self.bins.len() - 1
    }

    /// A container without company is meant for whom it takes in.
    fn assume_role(&mut self, stage: Stage, bin: usize) {
        let count = self.bins[bin].count();
        if stage.role() != Role::Settled && self.counts[bin][stage as usize] == count {
            self.bins[bin].role = stage.role();
        }
    }

    /// Move the idle items of a stage from a container to another, as far as there is room.
    fn take(&mut self, stage: Stage, source: usize, target: usize) {
        let mut room = self.problem.room(&self.bins[target]);
        for kept in std::mem::take(&mut self.bins[source].kept) {
            if room == 0 || !self.moves(stage, kept.item) {
                self.bins[source].kept.push(kept);
                continue;
            }
            room -= 1;
            self.moved.push((kept.item, source));
            self.bins[source].drained = true;
            self.taken[target] = true;
            self.counts[source][stage as usize] -= 1;
            self.counts[target][stage as usize] += 1;
            self.problem.put(&mut self.bins[target], kept.item);
        }
    }

    /// Choose containers for new items, as many as are needed, and then who goes where.
    fn fill(&mut self, pending: &[u32]) {
        let mut left = pending.len();
        // Nothing comes in before all are chosen, so that a price depends on how much is left and on nothing else.
        let keeping = self.keeping();
        let mut offers = self.offers(keeping);
        let mut targets: Vec<Target> = Vec::new();
        while left > 0 {
            point();
            let opened = keeping.map(|keeping| self.price_of_one_more(left, keeping));
            let taken = offers
                .cheapest(left, &|counts, new| self.later_with(counts, new))
                .filter(|(price, _)| opened.is_none_or(|opened| *price <= opened))
                .and_then(|(_, at)| offers.take(at));
            let (bin, room) = taken.unwrap_or_else(|| (self.open(), self.problem.max_items));
            let room = room.min(left);
            left -= room;
            targets.push(Target { bin, room, forced: self.bins[bin].must_be_written() });
        }
        let bins = &*self.bins;
        let residents = |bin: usize| bins[bin].items().collect();
        for (item, target) in place(self.problem.items, pending, &mut targets, &residents, FillOrder::RoomiestFirst) {
            self.problem.put(&mut self.bins[targets[target].bin], item);
        }
    }

    fn offers(&self, keeping: Option<f64>) -> Offers {
        let is_beyond = self.is_beyond();
        let offer = |(bin, filled): (usize, &Filled)| {
            // Beyond the limit a container of what is leaving has to go away.
            let is_last = is_beyond && filled.role == Role::Leaving;
            let room = self.problem.room(filled);
            debug_assert_eq!(self.counts[bin], counts(self.problem.items, filled), "moves count what they move");
            (bin, Offer { is_last, room, counts: self.counts[bin], now: self.now(bin, keeping) })
        };
        Offers::new(self.bins.iter().enumerate().map(offer), &|counts, new| self.later_with(counts, new))
    }

    /// What so many new items bring later on a container with these items.
    fn later_with(&self, counts: &Counts, new: usize) -> f64 {
        let mut after = *counts;
        after[Stage::New as usize] += new;
        self.later(&after) - self.later(counts)
    }

    /// The price of a container that is not there yet, for each item that it takes.
    fn price_of_one_more(&self, items: usize, keeping: f64) -> f64 {
        let mut counts = Counts::default();
        counts[Stage::New as usize] = self.problem.max_items.min(items);
        (WRITE + self.later(&counts) + keeping) / share(self.problem.max_items, items)
    }

    /// A container is meant for what is leaving as long as it holds nothing else.
    fn settle_roles(&mut self) {
        let is_leaving = |item| self.problem.items.stage(item) == Stage::Leaving;
        for bin in self.bins.iter_mut().filter(|bin| bin.role == Role::Leaving && bin.is_written()) {
            if !bin.items().all(is_leaving) {
                bin.role = Role::Settled;
            }
        }
    }
}
