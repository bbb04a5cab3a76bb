//! Endpoints that take no traffic move to others that will change when they do (`DESIGN.md`, "Lifecycle").

use crate::model::{EndpointSlice, ROLE_ANNOTATION};
use crate::pack::Lifecycle;
use crate::pack::place::{FillOrder, Target, place};
use crate::pack::problem::{Assignment, Filled, Problem};

/// Where an item is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It takes traffic, and nothing says that it will change.
    #[default]
    Settled,
    /// It takes no traffic yet.
    New,
    /// It took traffic and does not, but may again.
    Restless,
    /// It is about to go.
    Leaving,
}

/// Which items a container is meant for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    /// Any.
    #[default]
    Settled,
    Restless,
    Leaving,
}

impl Role {
    /// What the annotation of a slice says; a word that is not ours is none.
    pub(crate) fn of(slice: &EndpointSlice) -> Self {
        match slice.metadata.annotations.get(ROLE_ANNOTATION).map(String::as_str) {
            Some("restless") => Self::Restless,
            Some("leaving") => Self::Leaving,
            _ => Self::Settled,
        }
    }

    /// Say it on a slice that is written.
    pub(crate) fn mark(self, slice: &mut EndpointSlice) {
        let word = match self {
            Self::Settled => {
                slice.metadata.annotations.remove(ROLE_ANNOTATION);
                return;
            }
            Self::Restless => "restless",
            Self::Leaving => "leaving",
        };
        slice.metadata.annotations.insert(ROLE_ANNOTATION.to_owned(), word.to_owned());
    }
}

/// Prices, in endpoints sent again. Found by search over recorded and generated loads (`DESIGN.md`); the outcome changes little
/// within a factor of two of each.
const WRITE: f64 = 40.0;
/// One more slice, shared among those that there have to be: it weighs less where there are many.
const SLICE: f64 = 3000.0;
/// Of what is done only where nothing else can be.
const TOO_MUCH: f64 = 1e12;

/// What becomes of the idle items of a stage: how often their container will be sent again because of them, and how many writes that are.
#[derive(Clone, Copy)]
struct Outlook {
    resends: f64,
    writes: f64,
}

impl Stage {
    fn outlook(self) -> Outlook {
        match self {
            // One that flaps will do so again.
            Self::Restless => Outlook { resends: 4.0, writes: 1.0 },
            _ => Outlook { resends: 1.0, writes: 0.5 },
        }
    }

    fn role(self) -> Role {
        match self {
            Self::Leaving => Role::Leaving,
            Self::Restless => Role::Restless,
            Self::New | Self::Settled => Role::Settled,
        }
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
    let company = solution.bins.iter().map(|bin| company(problem, bin)).collect();
    let taken = vec![false; solution.bins.len()];
    let mut renewal = Renewal { problem, lifecycle, bins: &mut solution.bins, company, taken, moved: Vec::new() };
    for stage in [Stage::Leaving, Stage::Restless, Stage::New] {
        renewal.gather(stage);
    }
    renewal.fill(pending);
    renewal.settle_roles();
    let moved = renewal.moved;
    solution.idle = moved.iter().map(|(item, _)| *item).collect();
    solution.moved.extend(moved);
}

/// Items that take traffic: what is sent again for nothing when others of the container change.
fn company(problem: &Problem<'_>, bin: &Filled) -> usize {
    bin.items().filter(|&item| problem.items.is_settled(item)).count()
}

struct Renewal<'a, 'p> {
    problem: &'a Problem<'p>,
    lifecycle: Lifecycle,
    bins: &'a mut Vec<Filled>,
    /// Of each container.
    company: Vec<usize>,
    /// Containers that took moved items. They give none away any more, so that no two wait for each other's write.
    taken: Vec<bool>,
    moved: Vec<(u32, usize)>,
}

impl Renewal<'_, '_> {
    /// Move the idle items of a stage to the container where they cost least from now on, if that is less than where they are.
    fn gather(&mut self, stage: Stage) {
        let counts = self.count(stage);
        let mut sources: Vec<usize> = (0..counts.len()).filter(|&bin| counts[bin] > 0).collect();
        let total: usize = counts.iter().sum();
        let stay: f64 = sources.iter().map(|&bin| self.later(stage, bin)).sum();
        let keeping = self.keeping();
        let price = |bin: usize| {
            let (need, room) = (total - counts[bin], self.problem.room(&self.bins[bin]));
            if need > 0 && room == 0 {
                return f64::INFINITY;
            }
            let here = self.later(stage, bin);
            let others = if counts[bin] > 0 { stay - here } else { stay };
            self.now(bin, keeping) + here + (1.0 - share(room, need)) * others
        };
        let found = cheapest((0..self.bins.len()).map(|bin| (price(bin), bin)));
        let opened = keeping.map(|keeping| WRITE + keeping + stage.outlook().writes * WRITE);
        let Some(target) = self.best(found, opened, stay) else { return };
        self.assume_role(stage, target);
        sources.retain(|&bin| bin != target);
        sources.sort_by_key(|&bin| std::cmp::Reverse(self.company[bin]));
        for source in sources {
            self.take(stage, source, target);
        }
    }

    /// The cheaper of a container that is there and one more, if it costs less than `limit`.
    fn best(&mut self, found: Option<(f64, usize)>, opened: Option<f64>, limit: f64) -> Option<usize> {
        let opened = opened.unwrap_or(f64::INFINITY);
        match found {
            Some((price, bin)) if price <= opened => (price < limit).then_some(bin),
            _ => (opened < limit).then(|| self.open()),
        }
    }

    /// How many items of a stage each container may give away.
    fn count(&self, stage: Stage) -> Vec<usize> {
        let movable = |bin: &Filled| bin.kept.iter().filter(|kept| self.moves(stage, kept.item)).count();
        let gives = |bin: &Filled| bin.must_be_written() && !bin.closed && !bin.overfull;
        let count = |(bin, taken): (&Filled, &bool)| if !taken && gives(bin) { movable(bin) } else { 0 };
        self.bins.iter().zip(&self.taken).map(count).collect()
    }

    fn moves(&self, stage: Stage, item: u32) -> bool {
        self.problem.items.stage(item) == stage && self.problem.items.is_idle(item)
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

    /// Price of what items of a stage bring on the container that they are in.
    fn later(&self, stage: Stage, bin: usize) -> f64 {
        let outlook = stage.outlook();
        outlook.writes * WRITE + outlook.resends * self.company[bin] as f64
    }

    /// Price of having one more container, if there may be one.
    fn keeping(&self) -> Option<f64> {
        let containers = self.bins.iter().filter(|bin| !bin.is_deleted()).count() as f64 + 1.0;
        let least = self.problem.items.count().div_ceil(self.problem.max_items).max(1) as f64;
        let spare = (1.0 + self.lifecycle.spare) * least;
        let price = if containers <= spare { 0.0 } else { SLICE / least };
        (containers <= spare + 2.0).then_some(price)
    }

    fn open(&mut self) -> usize {
        self.bins.push(self.problem.new_bin());
        self.company.push(0);
        self.taken.push(false);
        self.bins.len() - 1
    }

    /// A container without company is meant for whom it takes in.
    fn assume_role(&mut self, stage: Stage, bin: usize) {
        let is_of_stage = |item| self.problem.items.stage(item) == stage;
        if self.company[bin] == 0 && stage.role() != Role::Settled && self.bins[bin].items().all(is_of_stage) {
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
            self.problem.put(&mut self.bins[target], kept.item);
        }
    }

    /// Choose containers for new items, as many as are needed, and then who goes where.
    fn fill(&mut self, pending: &[u32]) {
        let mut left = pending.len();
        let mut rooms: Vec<usize> = self.bins.iter().map(|bin| self.problem.room(bin)).collect();
        let mut targets: Vec<Target> = Vec::new();
        while left > 0 {
            let keeping = self.keeping();
            let price = |bin: usize| {
                let later = WRITE + 0.5 * self.company[bin] as f64;
                (self.now(bin, keeping) + later) / share(rooms[bin], left)
            };
            let open = (0..self.bins.len()).filter(|&bin| rooms[bin] > 0);
            let found = cheapest(open.map(|bin| (price(bin), bin)));
            let opened = keeping.map(|keeping| (2.0 * WRITE + keeping) / share(self.problem.max_items, left));
            let bin = self.best(found, opened, f64::INFINITY).unwrap_or_else(|| self.open());
            rooms.resize(self.bins.len(), self.problem.max_items);
            let room = std::mem::take(&mut rooms[bin]).min(left);
            left -= room;
            targets.push(Target { bin, room, forced: self.bins[bin].must_be_written() });
        }
        let bins = &*self.bins;
        let residents = |bin: usize| bins[bin].items().collect();
        for (item, target) in place(self.problem.items, pending, &mut targets, &residents, FillOrder::RoomiestFirst) {
            self.problem.put(&mut self.bins[targets[target].bin], item);
        }
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

/// The first of the cheapest.
fn cheapest(prices: impl Iterator<Item = (f64, usize)>) -> Option<(f64, usize)> {
    prices.min_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)))
}

/// The part of the items that there is room for.
fn share(room: usize, items: usize) -> f64 {
    if items <= room { 1.0 } else { room as f64 / items as f64 }
}
