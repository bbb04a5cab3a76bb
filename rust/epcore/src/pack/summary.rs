//! What many slices have in common, and what they hold together.

use std::borrow::Borrow;
use std::sync::{Arc, OnceLock};

use crate::model::{
    Digest, EndpointRef, EndpointSlice, MOVING_ANNOTATION, ObjectMeta, ROLE_ANNOTATION, TRIGGER_TIME_ANNOTATION,
};

/// Slices of one group, writer and namespace, so that what the first one is they all are.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    pub(super) endpoints: usize,
    /// Of the slice that holds most.
    pub(super) most_endpoints: usize,
    pub(super) bounds: Bounds,
    pub(super) have_one_set_of_labels: bool,
    /// True if owners are the same too.
    pub(super) have_one_set_of_annotations: bool,
    /// True if a move was left half done in one of them.
    pub(super) is_one_moving: bool,
    /// Known once it was asked for.
    digest: OnceLock<Option<Digest>>,
}

/// No slice and no endpoint takes more bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bounds {
    /// A slice without endpoints.
    pub(super) slice: usize,
    /// An endpoint with fields that few have.
    pub(super) rare: usize,
    /// A trigger time.
    pub(super) time: usize,
}

impl Summary {
    /// `None` where they are not of one group, or there is none.
    pub(super) fn of(given: &[impl Borrow<Arc<EndpointSlice>>]) -> Option<Self> {
        let slices: Vec<&Arc<EndpointSlice>> = given.iter().map(Borrow::borrow).collect();
        let first = *slices.first()?;
        let (metadata, managed_by) = (&first.metadata, first.metadata.managed_by());
        let is_like_first = |slice: &EndpointSlice| {
            slice.metadata.namespace == metadata.namespace
                && slice.metadata.managed_by() == managed_by
                && slice.same_group(first)
        };
        let lengths = || slices.iter().map(|slice| slice.endpoints.len());
        slices.iter().all(|slice| is_like_first(slice)).then(|| Self {
            endpoints: lengths().sum(),
            most_endpoints: lengths().max().unwrap_or(0),
            bounds: Bounds::of(&slices),
            have_one_set_of_labels: slices.iter().all(|slice| slice.metadata.labels == metadata.labels),
            have_one_set_of_annotations: slices.iter().all(|slice| {
                same_annotations(&slice.metadata, metadata)
                    && slice.metadata.unknown.get("ownerReferences") == metadata.unknown.get("ownerReferences")
            }),
            is_one_moving: slices.iter().any(|slice| slice.metadata.annotations.contains_key(MOVING_ANNOTATION)),
            digest: OnceLock::new(),
        })
    }

    /// What all of the slices that this is about hold; `None` where an endpoint must be compared field by field.
    pub(super) fn digest(&self, slices: &[impl Borrow<Arc<EndpointSlice>>]) -> Option<Digest> {
        let all = || slices.iter().try_fold(Digest::EMPTY, |all, slice| Some(all * slice.borrow().endpoints.digest()?));
        *self.digest.get_or_init(all)
    }
}

impl Bounds {
    pub(super) fn of(slices: &[&Arc<EndpointSlice>]) -> Self {
        slices.iter().fold(Self::default(), |all, slice| Self {
            slice: all.slice.max(slice.size_bound()),
            rare: slice.endpoints.with_rare_fields().map(EndpointRef::size_bound).max().unwrap_or(0).max(all.rare),
            time: all.time.max(slice.metadata.trigger_time().len()),
        })
    }
}

/// Annotations that are ours to set.
const OWN_ANNOTATIONS: [&str; 3] = [TRIGGER_TIME_ANNOTATION, MOVING_ANNOTATION, ROLE_ANNOTATION];

/// The same annotations but for our own.
pub(super) fn same_annotations(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    let counts = |(key, _): &(&String, &String)| !OWN_ANNOTATIONS.contains(&key.as_str());
    one.annotations.iter().filter(counts).eq(other.annotations.iter().filter(counts))
}
