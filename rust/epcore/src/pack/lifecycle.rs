//! Endpoints that take no traffic move to others that will change when they do (`DESIGN.md`, "Lifecycle").

use crate::model::{EndpointSlice, ROLE_ANNOTATION};
use crate::pack::Lifecycle;
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

/// So many slices give something away before a write of a clean slice, or a new one, is spent on taking it.
const PAYING_SOURCES: usize = 3;

impl Problem<'_> {
    /// The policy if it may move items in this step.
    pub(crate) fn moves_idle(&self) -> Option<Lifecycle> {
        // Where bytes are short or live items may move, one kind of move at a time is enough.
        self.policy.lifecycle().filter(|_| self.max_bytes.is_none() && self.compaction.is_none())
    }

    /// True if one more container may be opened though others have room.
    pub(crate) fn may_open(&self, lifecycle: Lifecycle, containers: usize) -> bool {
        let least = self.items.count().div_ceil(self.max_items) as f64;
        (containers + 1) as f64 <= (1.0 + lifecycle.spare) * least + 1.0
    }
}

/// Bring together what is leaving, and what is restless, from all containers that are written anyway.
pub(crate) fn regroup(problem: &Problem<'_>, lifecycle: Lifecycle, solution: &mut Assignment) {
    let mut gathering = Gathering { problem, lifecycle, solution, taken: None };
    gathering.gather(Role::Leaving);
    gathering.gather(Role::Restless);
}

/// A container is meant for what is leaving, or for what is restless, as long as it holds little else.
pub(crate) fn settle_roles(problem: &Problem<'_>, solution: &mut Assignment) {
    let is_leaving = |item| problem.items.stage(item) == Stage::Leaving;
    for bin in solution.bins.iter_mut().filter(|bin| bin.role == Role::Leaving && bin.is_written()) {
        if !bin.items().all(is_leaving) {
            bin.role = Role::Settled;
        }
    }
}

struct Gathering<'a, 'p> {
    problem: &'a Problem<'p>,
    lifecycle: Lifecycle,
    solution: &'a mut Assignment,
    /// Container that has just taken items. It gives none away, so that no two wait for each other's write.
    taken: Option<usize>,
}

impl Gathering<'_, '_> {
    fn gather(&mut self, role: Role) {
        let gives = |at: &usize| {
            let bin = &self.solution.bins[*at];
            Some(*at) != self.taken && bin.is_open() && bin.kept.iter().any(|kept| self.moves(role, kept.item))
        };
        let sources: Vec<usize> = (0..self.solution.bins.len()).filter(gives).collect();
        let Some(target) = self.target(role, &sources) else { return };
        for source in sources.into_iter().filter(|&source| source != target) {
            self.take(role, source, target);
        }
        let bin = &mut self.solution.bins[target];
        if bin.kept.is_empty() {
            bin.role = role;
        }
    }

    fn moves(&self, role: Role, item: u32) -> bool {
        role.is_for(self.problem.items.stage(item)) && self.problem.items.is_idle(item)
    }

    /// The container that takes the idle items of all sources, if that pays.
    fn target(&mut self, role: Role, sources: &[usize]) -> Option<usize> {
        let bins = &self.solution.bins;
        let has_room = |at: &usize| self.problem.room(&bins[*at]) > 0;
        let free = |at: &usize| bins[*at].is_open() && has_room(at);
        let meant = |at: &usize| bins[*at].role == role;
        // What is sent again with each later change of the items.
        let company = |at: &usize| (bins[*at].items().filter(|&item| !self.problem.items.is_idle(item)).count(), *at);
        let all = || 0..bins.len();
        if sources.is_empty() {
            return None;
        }
        if let Some(at) = all().filter(meant).filter(free).min_by_key(company) {
            return Some(at);
        }
        let cheapest = sources.iter().copied().filter(free).min_by_key(company).filter(|_| sources.len() > 1);
        if let Some(at) = cheapest.filter(|at| company(at).0 * 4 <= self.problem.max_items) {
            return Some(at);
        }
        if sources.len() >= PAYING_SOURCES {
            if let Some(at) = all().filter(meant).filter(has_room).min_by_key(company) {
                return Some(at);
            }
            if self.problem.may_open(self.lifecycle, bins.iter().filter(|bin| !bin.is_deleted()).count()) {
                self.solution.bins.push(self.problem.new_bin());
                return Some(self.solution.bins.len() - 1);
            }
        }
        cheapest
    }

    /// Move the idle items of a container to another, as far as there is room.
    fn take(&mut self, role: Role, source: usize, target: usize) {
        let mut room = self.problem.room(&self.solution.bins[target]);
        let kept = std::mem::take(&mut self.solution.bins[source].kept);
        for kept in kept {
            if room == 0 || !self.moves(role, kept.item) {
                self.solution.bins[source].kept.push(kept);
                continue;
            }
            room -= 1;
            self.solution.moved.push((kept.item, source));
            self.solution.idle.insert(kept.item);
            self.solution.bins[source].drained = true;
            self.problem.put(&mut self.solution.bins[target], kept.item);
            self.taken = Some(target);
        }
    }
}

impl Role {
    fn is_for(self, stage: Stage) -> bool {
        matches!((self, stage), (Self::Leaving, Stage::Leaving) | (Self::Restless, Stage::Restless))
    }
}

impl Filled {
    /// It is written whatever is chosen, and may give and take.
    fn is_open(&self) -> bool {
        self.must_be_written() && !self.closed && !self.overfull
    }
}
