//! What should be there and what is there -> ordered writes.
//!
//! [`pack`] is for EndpointSlices; [`assign`] is the optimiser beneath it, for anything that keeps keyed items in containers:
//! it works on positions, sizes and cohorts and knows no Kubernetes. Read in this order: `settle` (who stays), `choose` (how many
//! slices), `place` (who goes where), `compact` (asked-for moves), `order` (which write comes first), `draft` (the plan).

mod assign;
mod canonical;
mod chance;
mod choose;
mod cohort;
mod combine;
mod compact;
mod draft;
mod group;
mod items;
mod largest;
mod late;
mod lifecycle;
mod naming;
mod notes;
mod offers;
mod options;
mod order;
mod pace;
mod place;
mod plan;
mod problem;
mod sequence;
mod settle;
mod settled;
mod shelf;
mod sizes;
mod solve;
mod stage;
mod summary;
mod walk;
mod write;

pub use assign::{Assigned, Item, assign};
pub(crate) use canonical::canonical_order;
pub use chance::{Alike, most_untouched};
pub use cohort::{Cohort, Field};
pub(crate) use combine::Combination;
pub(crate) use group::{same_annotations_and_owners, stamp};
pub use late::LateSlice;
pub(crate) use late::Replaced;
pub(crate) use naming::{Taken, fnv1a, longest_named, name as name_slice};
pub use notes::{Event, HintState, Notes};
pub use options::{
    AddressReuse, Compaction, CompactionOrder, IdleMoves, Lifecycle, Naming, Options, Policy, Prices, Replace,
};
pub use plan::{Move, Plan, Stats};
pub use settled::Existing;
pub(crate) use shelf::{Moment, Shelf};
pub(crate) use sizes::as_created;
pub use write::{Verb, Write, WriteReason, WriteReasons};

use std::sync::Arc;

use crate::Error;
use crate::model::{EndpointList, EndpointSlice};
use crate::pack::group::Group;
use crate::pack::problem::Problem;

/// Plan the writes that make the slices of one group hold `wanted`, with the least churn.
///
/// A group is the slices of one Service with one address type and one set of ports (see [`Options::template`]). Endpoints that are
/// still wanted keep their slice and their order in it; a changed one is replaced where it stands; slices that must be written anyway are
/// filled first; the rest goes where [`Options::policy`] finds it cheapest, exactly. The plan depends on the content of the input, never
/// on its order. Slices that are being deleted (`deletionTimestamp`) are left alone and do not count.
///
/// Cost: one hash look-up for each endpoint, plus the text of the slices that are written. [`Existing`] is for slices that are planned with
/// again.
///
/// # Errors
///
/// `InvalidInput` for an address that does not fit the group, a slice of another namespace or another writer, a missing template, or numbers
/// that [`Policy::check`] or [`Compaction::check`] refuses;
/// `Limit` for `max_endpoints` outside 1 to 1000, or an endpoint too big for `max_bytes`. Nothing is changed by a call, also on an error.
///
/// # Examples
///
/// An endpoint leaves, another comes: the slice is written once, in place.
///
/// ```
/// use epcore::{pack, wire::json};
///
/// let existing = json::read_slices(br#"{"metadata": {"name": "db-1"}, "addressType": "IPv4", "ports": [],
///     "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}]}"#)?;
/// let wanted = json::read_endpoints(br#"[{"addresses": ["10.0.0.3"]}, {"addresses": ["10.0.0.2"]}]"#)?;
/// let plan = pack::pack(&wanted, &existing, &pack::Options::default())?;
/// let slice = &plan.result()[0];
/// let addresses: Vec<String> = slice.endpoints.iter().map(|endpoint| endpoint.address().to_string()).collect();
/// assert_eq!(addresses, ["10.0.0.2", "10.0.0.3"]);
/// assert_eq!(plan.writes().len(), 1);
/// # Ok::<(), epcore::Error>(())
/// ```
pub fn pack(wanted: &EndpointList, existing: &[Arc<EndpointSlice>], options: &Options) -> Result<Plan, Error> {
    pack_group(wanted, existing, options, options.policy == Policy::Upstream)
}

/// [`pack`], where recycling of deleted slices may be left to the caller.
pub(crate) fn pack_group(
    wanted: &EndpointList,
    existing: &[Arc<EndpointSlice>],
    options: &Options,
    recycles: bool,
) -> Result<Plan, Error> {
    let group = Group::read(wanted, existing, options)?;
    match group.settled_plan() {
        Some(plan) => Ok(plan),
        None => solved(group, options, recycles),
    }
}

fn solved(mut group: Group<'_>, options: &Options, recycles: bool) -> Result<Plan, Error> {
    group.find_all();
    let mut bins = std::mem::take(&mut group.bins);
    let problem = group.problem(&mut bins)?;
    let assignment = solve::solve(&Problem { recycles, ..problem }, bins);
    draft::draft(&group, &assignment, options)
}
