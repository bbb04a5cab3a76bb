//! What the optimiser asks about the wanted endpoints of a group.

use std::cmp::Ordering;

use crate::interrupt::point;
use crate::model::{ByIdentity, Identity};
use crate::pack::group::Group;
use crate::pack::problem::{CohortIds, Items};
use crate::pack::stage::{Role, Stage, Stages};
use crate::pack::{Cohort, IdleMoves, naming};

impl<'a> Group<'a> {
    /// Where each item is in its life, and whether some endpoint is ready after each write of any plan.
    fn stages(&self) -> &Stages {
        self.stages.get_or_init(|| {
            let conditions = |item: u32| self.endpoint(item).conditions();
            let stage = |item| match conditions(item) {
                now if now.is_terminating() => Stage::Leaving,
                now if now.is_ready() => Stage::Settled,
                _ => Stage::New,
            };
            let mut of: Vec<Stage> = (0u32..).take(self.items.len()).map(stage).collect();
            let mut some_stays_ready = false;
            for (slice, held) in self.existing.iter().zip(&self.held) {
                let is_restless = Role::of(slice) == Role::Restless;
                for (before, held) in slice.endpoints.iter().zip(held) {
                    let Some((item, _)) = *held else { continue };
                    let was_ready = before.conditions().is_ready();
                    some_stays_ready |= was_ready && conditions(item).is_ready();
                    if of[item as usize] == Stage::New && (was_ready || is_restless) {
                        of[item as usize] = Stage::Restless;
                    }
                }
            }
            Stages { of, some_stays_ready }
        })
    }

    /// Kubernetes takes new endpoints in the random order of a map. An order by address would keep batches together, which it does not.
    fn shuffled(&self) -> &[u128] {
        let hash = |item| {
            point();
            let (namespace, name) = self.endpoint(item).target_name();
            naming::hash(&[&self.endpoint(item).address().to_string(), namespace, name])
        };
        self.shuffled.get_or_init(|| (0u32..).take(self.items.len()).map(hash).collect())
    }

    fn cohort_id(&self, name: Option<&'a str>) -> u32 {
        let Some(name) = name else { return 0 };
        let mut cohorts = self.cohorts.borrow_mut();
        let next = u32::try_from(cohorts.len() + 1).unwrap_or(0);
        *cohorts.entry(name).or_insert(next)
    }
}

impl Items for Group<'_> {
    fn count(&self) -> usize {
        self.items.len()
    }

    fn compare(&self, left: u32, right: u32) -> Ordering {
        point();
        let key = |item| ByIdentity { endpoint: self.endpoint(item), identity: Identity::Kubernetes };
        let shuffled = |item: u32| self.is_upstream().then(|| self.shuffled()[item as usize]);
        shuffled(left).cmp(&shuffled(right)).then_with(|| key(left).cmp(&key(right)))
    }

    fn size(&self, item: u32) -> usize {
        self.sizes()[item as usize]
    }

    fn cohort(&self, item: u32) -> CohortIds {
        if self.is_upstream() {
            return (0, 0);
        }
        let (whole, finer) = self.options.cohort.of(self.endpoint(item));
        (self.cohort_id(whole), self.cohort_id(finer))
    }

    fn is_leaving(&self, item: u32) -> bool {
        !self.is_upstream() && self.options.cohort == Cohort::Auto && self.endpoint(item).conditions().is_terminating()
    }

    fn stage(&self, item: u32) -> Stage {
        self.stages().of[item as usize]
    }

    fn is_idle(&self, item: u32) -> bool {
        let conditions = self.endpoint(item).conditions();
        let Some(lifecycle) = self.options.policy.lifecycle() else { return false };
        // Some readers fall back to what still serves where nothing is ready.
        let is_needed =
            conditions.is_serving() && (lifecycle.moves == IdleMoves::NotServing || !self.stages().some_stays_ready);
        !conditions.is_ready() && !is_needed
    }

    fn leaves_from(&self, item: u32) -> &[usize] {
        if self.is_upstream() { &[] } else { self.sources_of(item) }
    }
}
