//! One call for one Service: the plans of all its groups and families, and what belongs to them together.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::Error;
use crate::kube::Node;
use crate::kube::desired::{Desired, PortsKey, ports_key};
use crate::kube::hints::{self, Source, without_hints};
use crate::kube::slices::{Origin, has_owner, is_placeholder};
use crate::model::{AddressType, EndpointList, EndpointPort, EndpointSlice, Shared, TRIGGER_TIME_ANNOTATION};
use crate::pack::{
    self, AddressReuse, Combination, Existing, Naming, Notes, Plan, Policy, Taken, Verb, Write, WriteReason,
    WriteReasons, canonical_order, pack_group,
};

/// Whose rules a call follows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// Those of the EndpointSlice controller.
    Pods,
    /// Our own: no placeholder, and hints are as given.
    Published,
    /// Those of the mirroring controller, for legacy Endpoints.
    Mirrored,
}

/// One call.
pub(super) struct Run<'a> {
    pub(super) origin: Origin,
    pub(super) options: &'a pack::Options,
    rules: Rules,
    pub(super) source: Source,
    pub(super) nodes: Vec<&'a Node>,
    existing: &'a Existing,
    /// One of the slices, where they are all of its Service, writer, owners, address type and ports, and none was left out.
    model: Option<&'a EndpointSlice>,
    /// Names of all slices given, also of other groups and other writers: a name that follows from the content may be one of them.
    names_taken: OnceCell<Arc<BTreeSet<String>>>,
    pub(super) plan: Combination,
    pub(super) notes: Notes,
    /// Slots that a group has left, and whose endpoints it has counted.
    pub(super) counted: HashSet<usize>,
    wanted: Wanted,
}

/// A group and the slots of the slices that it has.
pub(super) struct Group {
    pub(super) ports: Vec<EndpointPort>,
    pub(super) endpoints: Shared<EndpointList>,
    pub(super) slots: Vec<usize>,
}

impl Group {
    pub(super) fn new(ports: Vec<EndpointPort>, endpoints: Shared<EndpointList>) -> Self {
        Self { ports, endpoints, slots: Vec::new() }
    }
}

impl From<Desired> for Group {
    fn from(desired: Desired) -> Self {
        Self::new(desired.ports, desired.endpoints.into())
    }
}

/// The endpoints of the family at hand, for who asks whether one is missing for a moment.
#[derive(Default)]
struct Wanted {
    lists: Vec<Shared<EndpointList>>,
    keys: OnceCell<HashSet<hints::Key>>,
}

impl Wanted {
    fn of(groups: &[Group]) -> Self {
        Self { lists: groups.iter().map(|group| group.endpoints.clone()).collect(), keys: OnceCell::new() }
    }

    /// True if one of a slice's endpoints is wanted.
    fn has_any_of(&self, slice: &EndpointSlice) -> bool {
        let all = || self.lists.iter().flat_map(|list| list.iter()).map(hints::key).collect();
        slice.endpoints.iter().any(|endpoint| self.keys.get_or_init(all).contains(&hints::key(endpoint)))
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(origin: Origin, options: &'a pack::Options, rules: Rules, existing: &'a Existing) -> Self {
        let model = existing.model().filter(|model| origin.is_of(model));
        let ours =
            if model.is_some() { existing.in_order().clone() } else { Arc::new(ours(&origin, existing.slices())) };
        Self {
            origin,
            options,
            rules,
            source: Source::Nothing,
            nodes: Vec::new(),
            existing,
            model,
            names_taken: OnceCell::new(),
            plan: Combination::new(ours),
            notes: Notes::default(),
            counted: HashSet::new(),
            wanted: Wanted::default(),
        }
    }

    /// Kubernetes' own way to pack, with hints that are cared for afterwards.
    fn is_upstream(&self) -> bool {
        self.options.policy == Policy::Upstream && self.rules == Rules::Pods
    }

    fn is_owned(&self, slice: &EndpointSlice) -> bool {
        match self.rules {
            Rules::Pods => self.origin.owns(slice),
            // A slice that was made by hand may have no owner; that of an earlier Service of the name is being collected.
            Rules::Published => self.origin.owns(slice) || !has_owner(slice),
            // Those of earlier Endpoints of the name are given to the new ones.
            Rules::Mirrored => true,
        }
    }

    /// Upstream `reconcileByAddressType`.
    pub(super) fn family(&mut self, family: AddressType, mut groups: Vec<Group>) -> Result<(), Error> {
        if let Some(plan) = self.settled_plan(family, &groups) {
            if self.rules == Rules::Pods {
                self.end_topology(family);
            }
            self.plan.add(plan, &[]);
            return Ok(());
        }
        // Without endpoints and slices of a family only Pods leave a placeholder.
        let has_slices = self.model.is_none_or(|model| model.address_type == family);
        if groups.is_empty() && !has_slices && self.rules != Rules::Pods {
            return Ok(());
        }
        let first_write = self.plan.writes.len();
        let slots: Vec<usize> =
            (0..self.plan.before.len()).filter(|&slot| self.plan.before[slot].address_type == family).collect();
        let (owned, foreign): (Vec<usize>, Vec<usize>) =
            slots.iter().partition(|&&slot| self.is_owned(&self.plan.before[slot]));
        self.wanted = Wanted::of(&groups);
        let by_ports: HashMap<PortsKey, usize> =
            groups.iter().enumerate().map(|(at, group)| (ports_key(&group.ports), at)).collect();
        let mut stale = Vec::new();
        for slot in owned {
            match by_ports.get(&ports_key(&self.plan.before[slot].ports)) {
                Some(&group) => groups[group].slots.push(slot),
                None => stale.push(slot),
            }
        }
        if self.is_upstream() {
            for group in &groups {
                self.pack_as_upstream(family, group)?;
            }
        } else if self.rules == Rules::Mirrored && self.options.policy == Policy::Upstream {
            for group in &groups {
                self.rewrite_one(family, group, &mut stale)?;
            }
        } else {
            if self.rules == Rules::Pods {
                self.choose_hints(family, &mut groups)?;
            }
            self.pack_groups(family, &groups, &mut stale)?;
        }
        for slot in foreign.into_iter().chain(stale) {
            self.delete(slot);
        }
        if self.rules == Rules::Pods {
            self.add_placeholder(family, &slots, first_write)?;
        }
        if self.is_upstream() {
            self.add_hints(family, &slots, first_write)?;
        }
        self.recycle(first_write);
        Ok(())
    }

    /// The plan of a family of one group that has all slices there are, where these hold what it wants, which is seen without a look at each.
    fn settled_plan(&self, family: AddressType, groups: &[Group]) -> Option<Plan> {
        let ([group], Some(model)) = (groups, self.model) else { return None };
        // Kubernetes' ways to pack, and hints, look at each slice and each endpoint.
        let is_packed = self.source == Source::Nothing
            && (self.options.policy != Policy::Upstream || self.rules == Rules::Published);
        if !is_packed || model.address_type != family || !self.is_owned(model) {
            return None;
        }
        self.existing.settled_plan(&group.endpoints, &self.options_for(family, group))
    }

    /// How a group is packed, but for names that are taken.
    pub(super) fn options_for(&self, family: AddressType, group: &Group) -> pack::Options {
        let template = self.origin.new_slice(family, group.ports.clone());
        let whole_metadata = self.rules == Rules::Mirrored;
        pack::Options { template: Some(Arc::new(template)), whole_metadata, ..self.options.clone() }
    }

    pub(super) fn names_taken(&self) -> &Arc<BTreeSet<String>> {
        let given = self.existing.slices().iter().map(|slice| &slice.metadata.name);
        self.names_taken.get_or_init(|| Arc::new(given.chain(&*self.options.names_taken).cloned().collect()))
    }

    pub(super) fn slices(&self, slots: &[usize]) -> Vec<Arc<EndpointSlice>> {
        slots.iter().map(|&slot| self.plan.before[slot].clone()).collect()
    }

    /// Kubernetes packs without a look at hints, and cares for them afterwards.
    fn pack_as_upstream(&mut self, family: AddressType, group: &Group) -> Result<(), Error> {
        let bare = self.slices(&group.slots).iter().map(without_hints).collect::<Result<Vec<_>, _>>()?;
        let options = pack::Options {
            compaction: None,
            address_reuse: AddressReuse::Ordered,
            names_taken: self.names_taken().clone(),
            ..self.options_for(family, group)
        };
        let mut plan = pack_group(&group.endpoints, &bare, &options, false)?;
        for write in &mut plan.writes {
            let lost = [WriteReason::EndpointsRemoved, WriteReason::EndpointsUpdated, WriteReason::Duplicates];
            let Some(&slot) = group.slots.get(write.slot) else { continue };
            if write.verb == Verb::Update && !lost.iter().any(|&reason| write.reasons.contains(reason)) {
                // Endpoints of a slice that only takes some keep the hints that they have.
                let before = &self.plan.before[slot].endpoints;
                let mut endpoints = EndpointList::default();
                for (index, endpoint) in write.slice.endpoints.iter().enumerate() {
                    endpoints.push(before.get(index).unwrap_or(endpoint))?;
                }
                write.slice.endpoints = endpoints;
            }
        }
        self.plan.add(plan, &group.slots);
        Ok(())
    }

    /// True if no group of the family wants an endpoint of the slice, so that nobody misses one while it changes.
    pub(super) fn holds_nothing_wanted(&self, slice: &EndpointSlice) -> bool {
        !self.wanted.has_any_of(slice)
    }

    pub(super) fn delete(&mut self, slot: usize) {
        let slice = self.plan.before[slot].clone();
        if !self.counted.contains(&slot) {
            self.plan.counts.endpoints_removed += slice.endpoints.len();
        }
        self.plan.counts.write_floor += 1;
        self.plan.push(Verb::Delete, slot, slice, WriteReasons::default().with(WriteReason::Replaced, true));
    }

    /// Where no slice would be left there is one without endpoints (upstream: the placeholder).
    fn add_placeholder(&mut self, family: AddressType, slots: &[usize], first_write: usize) -> Result<(), Error> {
        let writes = &self.plan.writes[first_write..];
        let deletes: Vec<usize> = (first_write..self.plan.writes.len())
            .filter(|&at| self.plan.writes[at].write.verb == Verb::Delete)
            .collect();
        if writes.len() > deletes.len() || deletes.len() != slots.len() {
            return Ok(());
        }
        let mut slice = self.origin.new_slice(family, Vec::new());
        if let [delete] = *deletes
            && is_placeholder(&self.plan.writes[delete].write.slice, &slice)
        {
            self.plan.writes.remove(delete);
            self.plan.counts.write_floor -= 1;
            return Ok(());
        }
        if self.options.naming == Naming::Deterministic {
            pack::name_slice(&mut slice, &mut Taken::new(self.names_taken()))?;
        }
        let slot = self.plan.new_slot();
        self.plan.counts.write_floor += 1;
        let reasons = WriteReasons::default().with(WriteReason::Placeholder, true);
        self.plan.push(Verb::Create, slot, Arc::new(slice), reasons);
        Ok(())
    }

    /// A create and a delete become one update (upstream `finalize`): the last new slice gets the first name.
    fn recycle(&mut self, first_write: usize) {
        let mut writes_of: HashMap<usize, usize> = HashMap::new();
        for part in &self.plan.writes {
            *writes_of.entry(part.write.slot).or_default() += 1;
        }
        let of = |verb: Verb| {
            let all = self.plan.writes.iter().enumerate().skip(first_write);
            all.filter(move |(_, part)| part.write.verb == verb).map(|(at, part)| (at, &part.write))
        };
        let created = of(Verb::Create).filter(|(_, write)| writes_of[&write.slot] == 1).map(|(at, _)| at);
        let mut created: Vec<usize> = created.collect();
        let mut pairs = Vec::new();
        for (at, _) in of(Verb::Delete).filter(|(_, write)| self.may_be_recycled(write)) {
            let Some(create) = created.pop() else { break };
            pairs.push((create, at));
        }
        self.plan.recycle(&pairs);
    }

    /// True if the slice of a delete may be given other content instead.
    fn may_be_recycled(&self, write: &Write) -> bool {
        let is_emptied = write.reasons.contains(WriteReason::Emptied) || write.slice.endpoints.is_empty();
        !self.gave_away(write)
            && self.is_owned(&write.slice)
            && (self.options.recycles() || (is_emptied && self.holds_nothing_wanted(&write.slice)))
    }

    pub(super) fn finish(mut self) -> Plan {
        if self.origin.is_being_deleted {
            // Its slices are being collected; new ones would race with that.
            self.plan.writes.retain(|part| part.write.verb != Verb::Create);
        }
        for part in self.plan.writes.iter_mut().filter(|part| part.write.verb != Verb::Delete) {
            let annotations = &mut part.write.slice.metadata.annotations;
            match &self.options.trigger_time {
                Some(time) => drop(annotations.insert(TRIGGER_TIME_ANNOTATION.to_owned(), time.clone())),
                None if self.rules == Rules::Pods => drop(annotations.remove(TRIGGER_TIME_ANNOTATION)),
                None => {}
            }
        }
        self.plan.counts.write_floor = self.plan.counts.write_floor.min(self.plan.writes.len());
        let mut plan = self.plan.finish();
        plan.notes = self.notes;
        plan
    }
}

/// Slices of the same Service and writer, by name.
fn ours(origin: &Origin, existing: &[Arc<EndpointSlice>]) -> Vec<Arc<EndpointSlice>> {
    let ours: Vec<_> = existing.iter().filter(|slice| origin.is_of(slice)).cloned().collect();
    canonical_order(&ours).into_iter().map(|(_, slice)| slice.clone()).collect()
}
