//! The groups of one address type: each is packed, and slices that must be written anyway change hands.

use hashbrown::HashSet;

use crate::Error;
use crate::kube::run::{Group, Run};
use crate::model::{AddressType, ByIdentity, Identity};
use crate::pack::{self, Plan, Policy, Replace, Verb, Write, WriteReason, WriteReasons, pack_group};

/// The plan of a group, and the slots of the slices that it was made with.
struct Planned {
    plan: Plan,
    slots: Vec<usize>,
    /// Those of them that another group has taken since.
    given: Vec<usize>,
}

impl Planned {
    /// The slots that the group may be packed in again.
    fn own(&self) -> impl Iterator<Item = usize> {
        self.slots.iter().copied().filter(|slot| !self.given.contains(slot))
    }

    /// Leave slots to another group, with what was to be written to them.
    fn give(&mut self, taken: &[usize]) {
        let is_taken = |slot: &usize| taken.contains(slot);
        self.plan.writes.retain(|write| !self.slots.get(write.slot).is_some_and(is_taken));
        self.given.extend(self.slots.iter().filter(|slot| is_taken(slot)));
    }
}

/// Writes that a group would not need if it were given slices that are written anyway.
fn needed(planned: &Planned) -> usize {
    let added = WriteReasons::default().with(WriteReason::EndpointsAdded, true);
    planned.plan.writes.iter().filter(|write| write.reasons == added).count()
}

impl Run<'_> {
    /// Pack each group. Slices that must be written or deleted anyway are offered to groups that need more.
    pub(super) fn pack_groups(
        &mut self,
        family: AddressType,
        groups: &[Group],
        stale: &mut Vec<usize>,
    ) -> Result<(), Error> {
        let mut plans = Vec::new();
        for group in groups {
            plans.push(self.pack_slots(family, group, group.slots.clone(), self.options.replace)?);
        }
        // Kubernetes' rule never fills what another group has emptied; it only recycles its name.
        if self.options.policy != Policy::Upstream {
            self.offer(family, groups, &mut plans, stale)?;
        }
        for Planned { plan, slots, .. } in plans {
            self.plan.add(plan, &slots);
        }
        Ok(())
    }

    /// Give slices that must be written anyway to groups that need more.
    fn offer(
        &self,
        family: AddressType,
        groups: &[Group],
        plans: &mut [Planned],
        stale: &mut Vec<usize>,
    ) -> Result<(), Error> {
        loop {
            let has_deletes = |planned: &Planned| planned.plan.writes.iter().any(|write| write.verb == Verb::Delete);
            let nothing_is_free = stale.is_empty() && !plans.iter().any(has_deletes);
            for (index, group) in groups.iter().enumerate().filter(|_| !nothing_is_free) {
                let needed = needed(&plans[index]);
                if needed == 0 {
                    continue;
                }
                let mut free = self.free(index, plans, stale);
                free.truncate(needed);
                if free.is_empty() {
                    continue;
                }
                let mut slots: Vec<usize> = plans[index].own().chain(free.iter().copied()).collect();
                slots.sort_unstable();
                plans[index] = self.pack_slots(family, group, slots, Replace::Recycle)?;
                stale.retain(|slot| !free.contains(slot));
                for (_, planned) in plans.iter_mut().enumerate().filter(|(other, _)| *other != index) {
                    planned.give(&free);
                }
            }
            if !self.release(family, groups, plans, stale)? {
                return Ok(());
            }
        }
    }

    fn pack_slots(
        &self,
        family: AddressType,
        group: &Group,
        slots: Vec<usize>,
        replace: Replace,
    ) -> Result<Planned, Error> {
        let names_taken = self.names_taken().clone();
        let options = pack::Options { replace, names_taken, ..self.options_for(family, group) };
        let plan = pack_group(&group.endpoints, &self.slices(&slots), &options, false)?;
        Ok(Planned { plan, slots, given: Vec::new() })
    }

    /// Take an emptied slice from a group that can do without, if another group could use it. False if there is none.
    fn release(
        &self,
        family: AddressType,
        groups: &[Group],
        plans: &mut [Planned],
        stale: &mut Vec<usize>,
    ) -> Result<bool, Error> {
        let in_need: Vec<usize> = (0..plans.len()).filter(|&index| needed(&plans[index]) > 0).collect();
        for (index, group) in groups.iter().enumerate() {
            if in_need.iter().all(|&other| other == index) {
                continue;
            }
            for slot in self.refilled(&plans[index]) {
                let slots = plans[index].own().filter(|&other| other != slot).collect();
                let without = self.pack_slots(family, group, slots, Replace::Recycle)?;
                if without.plan.writes.len() < plans[index].plan.writes.len() {
                    plans[index] = without;
                    stale.push(slot);
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Slices that keep nothing that they held.
    fn refilled(&self, planned: &Planned) -> Vec<usize> {
        let refilled = |write: &&Write| {
            let Some(&slot) = planned.slots.get(write.slot) else { return false };
            let before = &self.plan.before[slot].endpoints;
            let by_identity = |endpoint| ByIdentity { endpoint, identity: Identity::Stable };
            let held: HashSet<ByIdentity<'_>> = before.iter().map(by_identity).collect();
            write.verb == Verb::Update
                && !write.slice.endpoints.iter().any(|endpoint| held.contains(&by_identity(endpoint)))
        };
        planned.plan.writes.iter().filter(refilled).map(|write| planned.slots[write.slot]).collect()
    }

    /// Slices that no group wants any more and that may be given other content without anybody missing an endpoint.
    fn free(&self, group: usize, plans: &[Planned], stale: &[usize]) -> Vec<usize> {
        let recycles = self.options.recycles();
        let mut free = stale.to_vec();
        for (_, Planned { plan, slots, .. }) in plans.iter().enumerate().filter(|(other, _)| *other != group) {
            let deleted = plan.writes.iter().filter(|write| write.verb == Verb::Delete && !self.gave_away(write));
            free.extend(deleted.filter_map(|write| slots.get(write.slot)));
        }
        free.retain(|&slot| !plans[group].own().any(|own| own == slot));
        free.retain(|&slot| recycles || self.holds_nothing_wanted(&self.plan.before[slot]));
        free
    }

    /// True if idle endpoints have left a slice for another of its group: they leave before they come in, which a slice that takes over
    /// other endpoints cannot promise.
    pub(super) fn gave_away(&self, write: &Write) -> bool {
        self.options.policy.lifecycle().is_some() && write.reasons.contains(WriteReason::EndpointsMoved)
    }
}
