//! The plan of a Service of which little changed, made from few of its slices.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashSet;

use crate::engine::packer::extract::Extract;
use crate::engine::packer::slices::ServiceSlices;
use crate::model::{Address, EndpointSlice};
use crate::pack::{Naming, Options, Plan, Policy, Verb, Write, WriteReason};

/// A Service whose slices held what was wanted before something changed.
pub(super) struct Part<'a> {
    pub(super) slices: &'a ServiceSlices,
    /// Addresses that changed.
    pub(super) addresses: HashSet<Address<'a>>,
    /// Names of those that hold an address that changed.
    pub(super) concerned: BTreeSet<String>,
    pub(super) managed_by: &'a str,
    pub(super) options: &'a Options,
}

impl Part<'_> {
    /// The plan of the whole Service, if few slices can tell it. `plan` makes one from those that it is given, and the endpoints that are in
    /// them or changed. `None` where the whole must be looked at, also for an error.
    ///
    /// Slices that must be written are concerned. Where they have room for what is new, no plan touches another one. Else those with the
    /// fewest endpoints come in question, no more of each group than there would be new ones; one at least, to show that the group is not
    /// gone.
    pub(super) fn plan(mut self, plan: impl Fn(&[Arc<EndpointSlice>]) -> Option<Plan>) -> Option<Plan> {
        let known = matches!(self.options.policy, Policy::Threshold(_) | Policy::Prices(_) | Policy::Upstream);
        // Whether slices of no endpoint are wanted Pods tell that are in none: any of those that changed may have been the last.
        let is_empty = self.slices.is_empty() || self.slices.have_empty_group();
        if !known || self.options.compaction.is_some() || is_empty || !self.slices.are_of(self.managed_by) {
            return None;
        }
        let concerned = self.slices.named(&self.concerned);
        if let Some(planned) = self.in_place(&concerned, &plan) {
            return Some(planned);
        }
        // The whole costs little more then, and is right in any case.
        if 2 * concerned.len() > self.slices.by_name().len() {
            return None;
        }
        let mut planned = plan(&concerned)?;
        // By prices, one that lost everything may better go, and what is new into one that nobody looked at.
        let counts = planned.counts;
        if matches!(self.options.policy, Policy::Prices(_)) && counts.endpoints_added.min(counts.endpoints_removed) > 0
        {
            return None;
        }
        if planned.writes.iter().any(asks_for_more) {
            let added = planned.counts.endpoints_added;
            // The other policies look at every slice.
            if added > 0 && !matches!(self.options.policy, Policy::Threshold(_)) {
                return None;
            }
            let company = added.div_ceil(self.options.max_endpoints).max(1);
            let company = self.slices.emptiest(company, &self.concerned);
            self.concerned.extend(company);
            let slices = self.slices.named(&self.concerned);
            planned = plan(&slices)?;
            // What one group gives up another one may take. Whether a group is still wanted Pods may tell that are in no slice.
            let counts = planned.counts;
            let is_given = self.slices.groups() > 1 && (counts.endpoints_removed > 0 || counts.deletes > 0);
            if is_given
                || slices.iter().any(|slice| slice.endpoints.is_empty())
                || planned.writes.iter().any(ends_a_group)
            {
                return None;
            }
        }
        self.is_exact(&planned).then(|| self.whole(planned))
    }

    /// The same from even less, where endpoints change or go and no other comes: nothing then depends on the others of their slices.
    fn in_place(
        &self,
        concerned: &[Arc<EndpointSlice>],
        plan: &impl Fn(&[Arc<EndpointSlice>]) -> Option<Plan>,
    ) -> Option<Plan> {
        // Kubernetes' rule looks at the hints of all of them.
        if self.options.policy == Policy::Upstream {
            return None;
        }
        let extract = Extract::of(concerned, &self.addresses)?;
        let mut planned = plan(extract.slices())?;
        if !planned.writes.iter().all(is_in_place) || !self.is_exact(&planned) {
            return None;
        }
        extract.complete(&mut planned)?;
        Some(self.whole(planned))
    }

    fn is_exact(&self, plan: &Plan) -> bool {
        let created = plan.writes.iter().filter(|write| write.verb == Verb::Create);
        let is_new = |write: &Write| !self.slices.by_name().has(&write.slice.metadata().name);
        plan.moves.is_empty()
            && (self.options.naming != Naming::Deterministic || created.into_iter().all(is_new))
            && self.slices.fit(
                plan.writes.iter().map(|write| &*write.slice),
                self.options.max_endpoints,
                self.options.max_bytes,
            )
    }

    fn whole(&self, mut plan: Plan) -> Plan {
        plan.counts.slices_ideal = self.slices.ideal(&plan.before, &plan.result(), self.options.max_endpoints);
        plan.put_among(self.slices.by_name());
        plan
    }
}

/// True if a write would not be there, or might be another one, if there were more slices.
fn asks_for_more(write: &Write) -> bool {
    write.verb != Verb::Update || ends_a_group(write) || write.reasons.is_only(&[WriteReason::EndpointsAdded])
}

/// True for an update that brings nothing new and is no part of a move.
fn is_in_place(write: &Write) -> bool {
    let in_place = [WriteReason::EndpointsUpdated, WriteReason::EndpointsRemoved, WriteReason::Hints];
    write.verb == Verb::Update && write.reasons.is_only(&in_place)
}

fn ends_a_group(write: &Write) -> bool {
    let ends = [WriteReason::Ports, WriteReason::Placeholder, WriteReason::Replaced];
    ends.into_iter().any(|reason| write.reasons.contains(reason))
}
