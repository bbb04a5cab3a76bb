//! Slices and wanted endpoints side by side, as far as they are in one order.

use std::borrow::Borrow;
use std::sync::Arc;

use crate::interrupt::point;
use crate::model::{ByIdentity, EndpointRef, EndpointSlice, keeps};
use crate::pack::group::Group;

/// How the endpoints of some slices are, beside those that are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Each is what is wanted at its place.
    Same,
    /// Not all are, and the first one that is not was changed, or those beside it are.
    Changed,
    Other,
}

/// So many endpoints that are in the order of the wanted ones are no chance.
const MANY: usize = 32;

impl Group<'_> {
    /// Compare each endpoint with the wanted one at its place, up to the first one that is another.
    pub(super) fn compared(&self, slices: &[impl Borrow<Arc<EndpointSlice>>]) -> Order {
        let slices = slices.iter().map(Borrow::borrow).inspect(|_| point());
        let mut pairs = slices.flat_map(|slice| slice.endpoints.iter()).zip(self.wanted.iter()).enumerate();
        let Some((place, (existing, wanted))) =
            pairs.find(|(_, (existing, wanted))| !self.is_wanted(*existing, *wanted))
        else {
            return Order::Same;
        };
        let is = |one: EndpointRef<'_>, other: EndpointRef<'_>| self.is_same(one, other);
        let came = || self.wanted.get(place + 1).is_some_and(|next| is(existing, next));
        let mut went = || pairs.next().is_some_and(|(_, (next, beside))| is(next, wanted) || is(next, beside));
        if place >= MANY || is(existing, wanted) || came() || went() { Order::Changed } else { Order::Other }
    }

    /// True if an endpoint may stay as it is where this one is wanted.
    fn is_wanted(&self, existing: EndpointRef<'_>, wanted: EndpointRef<'_>) -> bool {
        let has_rare = existing.rare().is_some() || wanted.rare().is_some();
        if has_rare { self.is_same(existing, wanted) && keeps(existing, wanted) } else { existing == wanted }
    }

    fn is_same(&self, existing: EndpointRef<'_>, wanted: EndpointRef<'_>) -> bool {
        let by_identity = |endpoint| ByIdentity { endpoint, identity: self.identity };
        by_identity(existing) == by_identity(wanted)
    }
}
