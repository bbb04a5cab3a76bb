//! The groups of one address type: each is packed, and slices that must be written anyway change hands.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};

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
    /// Nothing can be released, which is known once it was tried.
    keeps_all: bool,
}

impl Planned {
    /// The slots that the group may be packed in again.
    fn own(&self) -> impl Iterator<Item = usize> {
        self.slots.iter().copied().filter(|slot| !self.given.contains(slot))
    }

    /// Leave a slot to another group, with what was to be written to it.
    fn give(&mut self, taken: usize) {
        self.plan.writes.retain(|write| self.slots.get(write.slot) != Some(&taken));
        self.given.push(taken);
        self.keeps_all = false;
    }
}

/// What groups leave to others.
#[derive(Default)]
struct Offer {
    /// Slots of no group, in order.
    stale: Vec<usize>,
    /// Groups that would delete a slice.
    deleting: BTreeSet<usize>,
    /// Groups and slots that they left, which do not come back to them: else they could go to and fro for ever.
    released: HashSet<(usize, usize)>,
    /// Whether a slot may be given other content without anybody missing an endpoint.
    is_usable: HashMap<usize, bool>,
}

impl Offer {
    /// A group has another plan.
    fn note(&mut self, group: usize, planned: &Planned) {
        if planned.plan.writes.iter().any(|write| write.verb == Verb::Delete) {
            self.deleting.insert(group);
        } else {
            self.deleting.remove(&group);
        }
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
        // What changes hands would be counted by who had it and by who takes it.
        let removed: Vec<usize> = plans.iter().map(|planned| planned.plan.counts.endpoints_removed).collect();
        let of_none = stale.clone();
        // Kubernetes' rule never fills what another group has emptied; it only recycles its name.
        if self.options.policy != Policy::Upstream {
            self.offer(family, groups, &mut plans, stale)?;
        }
        for (Planned { mut plan, slots, .. }, removed) in plans.into_iter().zip(removed) {
            plan.counts.endpoints_removed = removed;
            self.plan.add(plan, &slots);
        }
        let left: HashSet<usize> = stale.iter().copied().collect();
        for &slot in of_none.iter().filter(|slot| !left.contains(*slot)) {
            self.plan.counts.endpoints_removed += self.plan.before[slot].endpoints.len();
        }
        let of_none: HashSet<usize> = of_none.into_iter().collect();
        self.counted.extend(left.difference(&of_none));
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
        let mut offer = Offer { stale: std::mem::take(stale), ..Offer::default() };
        plans.iter().enumerate().for_each(|(group, planned)| offer.note(group, planned));
        loop {
            for (index, group) in groups.iter().enumerate() {
                if offer.stale.is_empty() && offer.deleting.is_empty() {
                    break;
                }
                let free = self.free(index, needed(&plans[index]), plans, &mut offer);
                if free.is_empty() {
                    continue;
                }
                let taken = free.iter().map(|(_, slot)| *slot);
                let mut slots: Vec<usize> = plans[index].own().chain(taken.clone()).collect();
                slots.sort_unstable();
                plans[index] = self.pack_slots(family, group, slots, Replace::Recycle)?;
                offer.note(index, &plans[index]);
                let taken: HashSet<usize> = taken.collect();
                offer.stale.retain(|slot| !taken.contains(slot));
                for (owner, slot) in free {
                    if let Some(owner) = owner {
                        plans[owner].give(slot);
                        offer.note(owner, &plans[owner]);
                    }
                }
            }
            if !self.release(family, groups, plans, &mut offer)? {
                *stale = offer.stale;
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
        Ok(Planned { plan, slots, given: Vec::new(), keeps_all: false })
    }

    /// Take an emptied slice from a group that can do without, if another group could use it. False if there is none.
    fn release(
        &self,
        family: AddressType,
        groups: &[Group],
        plans: &mut [Planned],
        offer: &mut Offer,
    ) -> Result<bool, Error> {
        let in_need: Vec<usize> = (0..plans.len()).filter(|&index| needed(&plans[index]) > 0).take(2).collect();
        for (index, group) in groups.iter().enumerate() {
            if plans[index].keeps_all || in_need.iter().all(|&other| other == index) {
                continue;
            }
            for slot in self.refilled(&plans[index]) {
                // Nobody could take it.
                if !self.is_usable(slot, &mut offer.is_usable) {
                    continue;
                }
                let slots = plans[index].own().filter(|&other| other != slot).collect();
                let without = self.pack_slots(family, group, slots, Replace::Recycle)?;
                if without.plan.writes.len() < plans[index].plan.writes.len() {
                    plans[index] = without;
                    offer.note(index, &plans[index]);
                    offer.stale.push(slot);
                    offer.released.insert((index, slot));
                    return Ok(true);
                }
            }
            plans[index].keeps_all = true;
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
                && !self.gave_away(write)
                && !write.slice.endpoints.iter().any(|endpoint| held.contains(&by_identity(endpoint)))
        };
        planned.plan.writes.iter().filter(refilled).map(|write| planned.slots[write.slot]).collect()
    }

    /// Up to so many slices that no group wants any more and that may be given other content without anybody missing an endpoint; with the group
    /// that would delete each.
    fn free(&self, group: usize, most: usize, plans: &[Planned], offer: &mut Offer) -> Vec<(Option<usize>, usize)> {
        let Offer { stale, deleting, released, is_usable } = offer;
        let deleted = deleting.iter().filter(|&&other| other != group).flat_map(|&other| {
            let Planned { plan, slots, .. } = &plans[other];
            let deleted = plan.writes.iter().filter(|write| write.verb == Verb::Delete && !self.gave_away(write));
            deleted.filter_map(move |write| Some((Some(other), *slots.get(write.slot)?)))
        });
        let free = stale.iter().map(|&slot| (None, slot)).chain(deleted);
        let mut may_be_given = |slot| !released.contains(&(group, slot)) && self.is_usable(slot, is_usable);
        free.filter(|&(_, slot)| may_be_given(slot)).take(most).collect()
    }

    /// True if a slot may be given other content without anybody missing an endpoint. What is known of slots is remembered.
    fn is_usable(&self, slot: usize, known: &mut HashMap<usize, bool>) -> bool {
        let is_usable = || self.options.recycles() || self.holds_nothing_wanted(&self.plan.before[slot]);
        *known.entry(slot).or_insert_with(is_usable)
    }

    /// True if idle endpoints have left a slice for another of its group: they leave before they come in, which a slice that takes over
    /// other endpoints cannot promise.
    pub(super) fn gave_away(&self, write: &Write) -> bool {
        self.options.policy.lifecycle().is_some() && write.reasons.contains(WriteReason::EndpointsMoved)
    }
}
