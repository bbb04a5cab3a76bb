//! The input in one order, whatever order it came in: slices by name, wanted endpoints by number.

use std::cmp::Ordering;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::interrupt::point;
use crate::model::{ByIdentity, EndpointList, EndpointSlice, Identity, Print, preferred, version_number};

/// The slices that are there to stay, by name; of two versions of one slice the newer. With the index in the input.
pub(crate) fn canonical_order(existing: &[Arc<EndpointSlice>]) -> Vec<(usize, &Arc<EndpointSlice>)> {
    let mut slices: Vec<(usize, &Arc<EndpointSlice>)> = existing.iter().enumerate().collect();
    let order = |one: &EndpointSlice, other: &EndpointSlice| name_order(one).cmp(&name_order(other));
    // Lists of an API server are in this order.
    let is_sorted = |slices: &[(usize, &Arc<EndpointSlice>)]| {
        slices.windows(2).all(|pair| order(pair[0].1, pair[1].1) == Ordering::Less)
    };
    if !is_sorted(&slices) {
        slices.sort_by(|one, other| order(one.1, other.1));
        if !is_sorted(&slices) {
            newest_of_each_name(&mut slices);
        }
    }
    slices.retain(|(_, slice)| !slice.metadata.is_being_deleted());
    slices
}

/// By name, nameless slices last.
fn name_order(slice: &EndpointSlice) -> (bool, &str) {
    (slice.metadata.name.is_empty(), &slice.metadata.name)
}

/// Equal names: by version, the newest first, and then by content, so that the order of the input does not show.
fn newest_of_each_name(slices: &mut Vec<(usize, &Arc<EndpointSlice>)>) {
    slices.sort_by_cached_key(|(_, slice)| {
        let version = std::cmp::Reverse(version_number(&slice.metadata.resource_version));
        (name_order(slice), version, crate::wire::json::write_slice(slice))
    });
    slices.dedup_by(|later, first| !first.1.metadata.name.is_empty() && first.1.metadata.name == later.1.metadata.name);
}

/// Wanted endpoints by identity.
pub(super) enum Numbers<'a> {
    /// No two have one identity: the item is the place.
    Index(&'a EndpointList),
    Items(HashMap<ByIdentity<'a>, u32>),
}

impl<'a> Numbers<'a> {
    /// Number the wanted endpoints, with the index of each; of two with one identity the preferred one is kept.
    pub(super) fn of(wanted: &'a EndpointList, identity: Identity, is_large: bool) -> (Vec<usize>, Self) {
        if is_large && wanted.has_no_twins() {
            return ((0..wanted.len()).collect(), Self::Index(wanted));
        }
        let mut items: Vec<usize> = Vec::with_capacity(wanted.len());
        let mut numbers: HashMap<ByIdentity<'_>, u32> = HashMap::with_capacity(wanted.len());
        for (index, endpoint) in wanted.iter().enumerate() {
            point();
            let next = u32::try_from(items.len()).unwrap_or(u32::MAX);
            let number = *numbers.entry(ByIdentity { endpoint, identity }).or_insert(next);
            if number == next {
                items.push(index);
                continue;
            }
            let kept = &mut items[number as usize];
            if wanted.get(*kept).is_some_and(|before| preferred(endpoint, before)) {
                *kept = index;
            }
        }
        (items, Self::Items(numbers))
    }

    /// The item that is the same as an endpoint.
    pub(super) fn find(&self, endpoint: ByIdentity<'a>, print: Print) -> Option<u32> {
        match self {
            Self::Index(wanted) => wanted.index()?.find(wanted, endpoint, print),
            Self::Items(numbers) => numbers.get(&endpoint).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_no_number_is_older_than_any() {
        let versions = ["", "junk", "9", "007", "10"].map(|version| {
            let mut slice = EndpointSlice::empty();
            slice.metadata.name = "web".to_owned();
            slice.metadata.resource_version = version.to_owned();
            Arc::new(slice)
        });
        for count in 3..=versions.len() {
            let (_, newest) = canonical_order(&versions[..count])[0];
            let expected = ["9", "9", "10"][count - 3];
            assert_eq!(newest.metadata.resource_version, expected);
        }
    }
}
