//! Slices with no more of their endpoints than a plan needs, and the way back.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::model::{Address, EndpointList, EndpointSlice};
use crate::pack::Plan;

/// Slices that hold some addresses, with the endpoints of these and one other, so that none is left without.
pub(super) struct Extract<'a> {
    whole: &'a [Arc<EndpointSlice>],
    slices: Vec<Arc<EndpointSlice>>,
    /// For each slice, the places of the endpoints that the extract has of it.
    places: Vec<Vec<usize>>,
}

impl<'a> Extract<'a> {
    /// `None` where little is gained, or an address is there twice.
    pub(super) fn of(whole: &'a [Arc<EndpointSlice>], addresses: &HashSet<Address<'_>>) -> Option<Self> {
        let mut extract = Self { whole, slices: Vec::new(), places: Vec::new() };
        let mut seen = HashSet::new();
        for slice in whole {
            let mut places = Vec::new();
            let mut other = None;
            for (place, endpoint) in slice.endpoints.iter().enumerate() {
                if !endpoint.addresses().any(|address| addresses.contains(&address)) {
                    other.get_or_insert(place);
                } else if seen.insert(endpoint.address()) {
                    places.push(place);
                } else {
                    return None;
                }
            }
            if 2 * places.len() >= slice.endpoints.len() {
                return None;
            }
            places.extend(other);
            places.sort_unstable();
            let mut endpoints = EndpointList::default();
            for endpoint in places.iter().filter_map(|&place| slice.endpoints.get(place)) {
                endpoints.push(endpoint).ok()?;
            }
            extract.slices.push(Arc::new(slice.with_endpoints(endpoints)));
            extract.places.push(places);
        }
        Some(extract)
    }

    pub(super) fn slices(&self) -> &[Arc<EndpointSlice>] {
        &self.slices
    }

    /// Let a plan of updates that was made with the extract be one of the slices as they are.
    pub(super) fn complete(&self, plan: &mut Plan) -> Option<()> {
        for write in &mut plan.writes {
            let before = &plan.before[write.slot];
            let at = self.slices.iter().position(|slice| Arc::ptr_eq(slice, before))?;
            let (whole, places) = (&self.whole[at], &self.places[at]);
            let part = write.slice.clone();
            let mut after = part.endpoints.iter().peekable();
            let replaced: Vec<_> = places
                .iter()
                .map(|&place| {
                    let address = whole.endpoints.get(place).map(|endpoint| endpoint.address());
                    (place, after.next_if(|endpoint| Some(endpoint.address()) == address))
                })
                .collect();
            if after.next().is_some() {
                return None;
            }
            let endpoints = whole.endpoints.with_replaced(&replaced).ok()?;
            plan.counts.endpoints_resent += whole.endpoints.len() - places.len();
            write.slice = Arc::new(part.with_endpoints(endpoints)).into();
        }
        for before in Arc::make_mut(&mut plan.before) {
            let at = self.slices.iter().position(|slice| Arc::ptr_eq(slice, before))?;
            *before = self.whole[at].clone();
        }
        Some(())
    }
}
