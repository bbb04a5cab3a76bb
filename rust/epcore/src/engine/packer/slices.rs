//! The slices of one Service, kept so that a plan need not look at all of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{EndpointRef, EndpointSlice, MANAGED_BY_LABEL, ObjectMeta, Shared};
use crate::pack::Shelf;

/// The slices of one Service.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceSlices {
    by_name: Shelf,
    groups: Vec<Group>,
    largest: Largest,
}

/// Slices with the same ports and address type, of the same writer.
#[derive(Clone, Debug)]
struct Group {
    /// One that is or was among them.
    like: Arc<EndpointSlice>,
    /// Their counts of endpoints and their names.
    by_count: BTreeSet<(usize, String)>,
    endpoints: usize,
}

/// The largest that any slice ever had, in bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Largest {
    slice: usize,
    endpoint: usize,
    /// Of those endpoints that have fields which few have.
    rare: usize,
}

/// What is new of a slice.
pub(super) struct SliceChange {
    /// Where other endpoints are, if there are as many as before.
    places: Option<Vec<u32>>,
    /// True if something else is new.
    around: bool,
}

impl SliceChange {
    pub(super) fn is_none(&self) -> bool {
        !self.around && self.places.as_ref().is_some_and(Vec::is_empty)
    }

    /// True if the slices between which it is hold the same addresses at the same places.
    pub(super) fn keeps_addresses(&self, before: &EndpointSlice, after: &EndpointSlice) -> bool {
        let is_same = |&place: &u32| {
            let [was, is] = [before, after].map(|slice| slice.endpoints.get(place as usize));
            was.zip(is).is_some_and(|(was, is)| was.has_address_of(is))
        };
        self.places.as_ref().is_some_and(|places| places.iter().all(is_same))
    }
}

/// What changed from one slice to the next of its name.
pub(super) fn changed(before: &EndpointSlice, after: &EndpointSlice) -> SliceChange {
    let places = (before.endpoints.len() == after.endpoints.len()).then(|| {
        let mut places = Vec::new();
        before.endpoints.add_differences(&after.endpoints, &mut places);
        places
    });
    SliceChange { places, around: !before.same_around_endpoints(after) }
}

impl Group {
    fn holds(&self, slice: &EndpointSlice) -> bool {
        are_of_one_group(&self.like, slice)
    }

    fn is_of(&self, managed_by: &str) -> bool {
        self.like.metadata.labels.get(MANAGED_BY_LABEL).is_some_and(|found| found == managed_by)
            && !self.like.metadata.is_being_deleted()
    }
}

impl Largest {
    fn see(&mut self, slice: &EndpointSlice) {
        self.slice = self.slice.max(slice.size_bound());
        slice.endpoints.iter().for_each(|endpoint| self.see_endpoint(endpoint));
    }

    /// A slice of which only some endpoints are new, and what is around them.
    fn see_some(&mut self, slice: &EndpointSlice, places: &[u32], around: bool) {
        if around {
            self.slice = self.slice.max(slice.size_bound());
        }
        let new = places.iter().filter_map(|&place| slice.endpoints.get(place as usize));
        new.for_each(|endpoint| self.see_endpoint(endpoint));
    }

    fn see_endpoint(&mut self, endpoint: EndpointRef<'_>) {
        let bound = endpoint.size_bound().max(endpoint.text_bound());
        self.endpoint = self.endpoint.max(bound);
        if endpoint.rare().is_some() {
            self.rare = self.rare.max(bound);
        }
    }

    fn fit(self, max_endpoints: usize, max_bytes: usize) -> bool {
        const UNSEEN: usize = 4096;
        let endpoints = (self.endpoint + self.rare).saturating_mul(max_endpoints);
        endpoints.saturating_add(2 * self.slice + UNSEEN) <= max_bytes
    }
}

impl ServiceSlices {
    /// Make the slice of a name so, `None` if it is not there. `changed` tells what is new of it, if it was there before.
    pub(super) fn set(&mut self, name: &str, slice: Option<&Arc<EndpointSlice>>, changed: Option<&SliceChange>) {
        let before = self.by_name.set(name, slice);
        if let (Some(before), Some(slice)) = (&before, slice)
            && let Some(SliceChange { places: Some(places), around }) = changed
            && are_of_one_group(before, slice)
        {
            self.largest.see_some(slice, places, *around);
            // Its count is the same, and so its place among those of its group.
            if let Some(group) = self.groups.iter_mut().find(|group| Arc::ptr_eq(&group.like, before)) {
                group.like = slice.clone();
            }
            return;
        }
        if let Some(before) = before {
            self.leave(&before);
        }
        let Some(slice) = slice else { return };
        self.largest.see(slice);
        let at = self.groups.iter().position(|group| group.holds(slice)).unwrap_or_else(|| {
            self.groups.push(Group { like: slice.clone(), by_count: BTreeSet::new(), endpoints: 0 });
            self.groups.len() - 1
        });
        let group = &mut self.groups[at];
        group.by_count.insert(place(slice));
        group.endpoints += slice.endpoints.len();
    }

    fn leave(&mut self, slice: &EndpointSlice) {
        let Some(at) = self.groups.iter().position(|group| group.holds(slice)) else { return };
        let group = &mut self.groups[at];
        group.by_count.remove(&place(slice));
        group.endpoints -= slice.endpoints.len();
        if group.by_count.is_empty() {
            self.groups.remove(at);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_name.len() == 0
    }

    /// All of them, by name.
    pub(super) fn by_name(&self) -> &Shelf {
        &self.by_name
    }

    /// Those of some names, by name.
    pub(super) fn named(&self, names: &BTreeSet<String>) -> Vec<Arc<EndpointSlice>> {
        names.iter().filter_map(|name| self.by_name.get(name)).collect()
    }

    /// True if this writer writes all of them, and none is being deleted.
    pub(super) fn are_of(&self, managed_by: &str) -> bool {
        self.groups.iter().all(|group| group.is_of(managed_by))
    }

    /// True if all slices of some ports and address type are without endpoints.
    pub(super) fn have_empty_group(&self) -> bool {
        self.groups.iter().any(|group| group.endpoints == 0)
    }

    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Names of those with the fewest endpoints in each group, the first by name of equals, but for those in `without`.
    pub(super) fn emptiest(&self, count: usize, without: &BTreeSet<String>) -> BTreeSet<String> {
        let of_group = |group: &'_ Group| {
            let names = group.by_count.iter().map(|(_, name)| name).filter(|name| !without.contains(*name));
            names.take(count).cloned().collect::<Vec<_>>()
        };
        self.groups.iter().flat_map(of_group).collect()
    }

    /// The fewest slices that could hold what all of them hold.
    pub(super) fn fewest(&self, max_endpoints: usize) -> usize {
        self.groups.iter().map(|group| group.endpoints.div_ceil(max_endpoints)).sum()
    }

    /// The same after `before` became `after`.
    pub(super) fn ideal(
        &self,
        before: &[Arc<EndpointSlice>],
        after: &[Arc<EndpointSlice>],
        max_endpoints: usize,
    ) -> usize {
        let mut groups: Vec<(&EndpointSlice, usize)> =
            self.groups.iter().map(|group| (&*group.like, group.endpoints)).collect();
        for slice in after {
            match groups.iter_mut().find(|(like, _)| are_of_one_group(like, slice)) {
                Some((_, endpoints)) => *endpoints += slice.endpoints.len(),
                None => groups.push((slice, slice.endpoints.len())),
            }
        }
        for slice in before {
            if let Some((_, endpoints)) = groups.iter_mut().find(|(like, _)| are_of_one_group(like, slice)) {
                *endpoints -= slice.endpoints.len();
            }
        }
        groups.iter().map(|(_, endpoints)| endpoints.div_ceil(max_endpoints)).sum()
    }

    /// True if `max_endpoints` of the largest endpoints that any of them or of `written` has fit into `max_bytes` with all that a new slice
    /// of the Service could say beside them. It counts more than [`pack`](crate::pack::pack) does.
    pub(super) fn fit<'a>(
        &self,
        written: impl Iterator<Item = &'a EndpointSlice>,
        max_endpoints: usize,
        max_bytes: usize,
    ) -> bool {
        let mut largest = self.largest;
        written.for_each(|slice| largest.see(slice));
        largest.fit(max_endpoints, max_bytes)
    }

    /// The same for one of them with other metadata, and with some new endpoints.
    pub(super) fn fit_with<'a>(
        &self,
        (slice, metadata): (&EndpointSlice, &Shared<ObjectMeta>),
        endpoints: impl Iterator<Item = EndpointRef<'a>>,
        max_endpoints: usize,
        max_bytes: usize,
    ) -> bool {
        let mut largest = self.largest;
        if !metadata.is_copy_of(&slice.metadata) {
            largest.slice = largest.slice.max(slice.size_bound() + metadata.size_bound());
        }
        endpoints.for_each(|endpoint| largest.see_endpoint(endpoint));
        largest.fit(max_endpoints, max_bytes)
    }
}

fn are_of_one_group(one: &EndpointSlice, other: &EndpointSlice) -> bool {
    let labels = [one, other].map(|slice| &slice.metadata.labels);
    one.same_group(other)
        && (labels[0].is_copy_of(labels[1]) || labels[0].get(MANAGED_BY_LABEL) == labels[1].get(MANAGED_BY_LABEL))
        && one.metadata.is_being_deleted() == other.metadata.is_being_deleted()
}

fn place(slice: &EndpointSlice) -> (usize, String) {
    (slice.endpoints.len(), slice.metadata.name.clone())
}
