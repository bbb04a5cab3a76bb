//! The plan of a Service of which little changed, made from the slices that the changes concern.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::packer::outside::{self, Content, Key};
use crate::kube::{self, Service};
use crate::model::{EndpointSlice, MANAGED_BY_LABEL};
use crate::pack::{Combination, Options, Plan, Verb, WriteReason, WriteReasons};

/// A Service whose slices hold what was wanted before some endpoints changed.
pub(super) struct Part<'a> {
    pub(super) service: &'a Service,
    /// All its slices, by name.
    pub(super) slices: &'a [Arc<EndpointSlice>],
    /// Those that hold an address that changed, by place.
    pub(super) concerned: BTreeSet<usize>,
    pub(super) outside: &'a BTreeMap<Key, Content>,
    pub(super) changed: &'a BTreeSet<Key>,
}

impl Part<'_> {
    /// The plan of the whole Service, if what changed can tell it: all slices are of one group, and those that must be written have room for
    /// what is new. Then no plan of the fewest writes touches any other slice. `None` where the whole must be looked at, also for an error.
    pub(super) fn plan(&self, managed_by: &str, options: &Options) -> Option<Plan> {
        let first = self.slices.first()?;
        let is_plain = |slice: &Arc<EndpointSlice>| {
            slice.same_group(first)
                && slice.metadata.labels.get(MANAGED_BY_LABEL).is_some_and(|of| of == managed_by)
                && !slice.metadata.is_being_deleted()
        };
        if options.compaction.is_some() || !self.slices.iter().all(is_plain) {
            return None;
        }
        let slices: Vec<Arc<EndpointSlice>> = self.concerned.iter().map(|&at| self.slices[at].clone()).collect();
        // Where nothing is left to hold, only the whole tells whether the group is gone or one of its slices.
        let endpoints = outside::joined(self.wanted(&slices)).ok().filter(|endpoints| !endpoints.is_empty())?;
        let plan = kube::publish(self.service, &endpoints, &slices, managed_by, options).ok()?;
        let only_added = WriteReasons::default().with(WriteReason::EndpointsAdded, true);
        let needs_more = plan.writes.iter().any(|write| write.verb == Verb::Create || write.reasons == only_added);
        (!needs_more && plan.moves.is_empty()).then(|| self.whole(plan, options.max_endpoints))
    }

    /// The endpoints that some slices should hold: those with an address that changed or is in them.
    fn wanted<'s>(&'s self, slices: &[Arc<EndpointSlice>]) -> impl Iterator<Item = &'s Content> + use<'s> {
        let held = slices.iter().flat_map(|slice| slice.endpoints.iter()).map(|held| held.address().to_string());
        let changed = self.changed.iter().filter_map(|(addresses, _)| addresses.first().cloned());
        let addresses: BTreeSet<String> = held.chain(changed).collect();
        addresses.into_iter().flat_map(move |address| {
            let from = (vec![address.clone()], String::new());
            let with = self.outside.range(from..).take_while(move |((of, _), _)| of.first() == Some(&address));
            with.map(|(_, content)| content)
        })
    }

    fn whole(&self, plan: Plan, max_endpoints: usize) -> Plan {
        let before: usize = self.slices.iter().map(|slice| slice.endpoints.len()).sum();
        let after = before + plan.counts.endpoints_added - plan.counts.endpoints_removed;
        let slots: Vec<usize> = self.concerned.iter().copied().collect();
        let mut whole = Combination::new(self.slices.to_vec());
        whole.add(plan, &slots);
        whole.counts.slices_ideal = after.div_ceil(max_endpoints);
        whole.finish()
    }
}
