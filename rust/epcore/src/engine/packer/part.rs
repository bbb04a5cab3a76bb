//! The plan of a Service of which little changed, made from few of its slices.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::packer::slices::ServiceSlices;
use crate::model::EndpointSlice;
use crate::pack::{Naming, Options, Plan, Policy, Verb, Write, WriteReason, WriteReasons};

/// A Service whose slices held what was wanted before something changed.
pub(super) struct Part<'a> {
    pub(super) slices: &'a ServiceSlices,
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
        if !known || self.options.compaction.is_some() || self.slices.is_empty() || !self.slices.are_of(self.managed_by)
        {
            return None;
        }
        let mut planned = plan(&self.slices.named(&self.concerned))?;
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

    fn is_exact(&self, plan: &Plan) -> bool {
        let created = plan.writes.iter().filter(|write| write.verb == Verb::Create);
        let is_new = |write: &Write| !self.slices.by_name().contains_key(&write.slice.metadata.name);
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
        plan.put_among(self.slices.by_name().clone());
        plan
    }
}

/// True if a write would not be there, or might be another one, if there were more slices.
fn asks_for_more(write: &Write) -> bool {
    write.verb != Verb::Update
        || ends_a_group(write)
        || write.reasons == WriteReasons::default().with(WriteReason::EndpointsAdded, true)
}

fn ends_a_group(write: &Write) -> bool {
    let ends = [WriteReason::Ports, WriteReason::Placeholder, WriteReason::Replaced];
    ends.into_iter().any(|reason| write.reasons.contains(reason))
}
