//! Endpoints, the API before EndpointSlices: one object for all addresses of a Service, as Kubernetes still writes it.
//!
//! [`build`] makes the object of a Service with selector, [`merge`] that of slices, [`mirror`] makes slices of an object that somebody wrote,
//! and [`change_cost`] tells what one change costs under each API. Read in this order: `repack` (the canonical form), `build`, `mirror`.

mod build;
mod cost;
mod merge;
mod mirror;
mod order;
mod repack;

pub use build::{EndpointsPlan, build};
pub use cost::{ChangeCost, change_cost};
pub use merge::merge;
pub(crate) use mirror::MIRRORING_CONTROLLER;
pub use mirror::{MirrorOptions, mirror};
pub use repack::repack;

use crate::model::{EndpointList, EndpointPort, Members, ObjectMeta};

/// A `v1` Endpoints object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Metadata; the name is that of the Service.
    pub metadata: ObjectMeta,
    /// Addresses by their ports.
    pub subsets: Vec<EndpointSubset>,
    /// Fields that this crate does not know.
    pub unknown: Members,
}

/// Addresses that have the same ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointSubset {
    /// Ready addresses: each an endpoint with one address, and host name, node and target as they are.
    pub addresses: EndpointList,
    /// The others.
    pub not_ready_addresses: EndpointList,
    /// Ports.
    pub ports: Vec<EndpointPort>,
}

impl Endpoints {
    /// The number of addresses that are ready, and of those that are not, over all subsets.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        self.subsets.iter().fold((0, 0), |(ready, others), subset| {
            (ready + subset.addresses.len(), others + subset.not_ready_addresses.len())
        })
    }

    /// True if addresses were left out because there were too many.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.metadata.annotations.contains_key(OVER_CAPACITY_ANNOTATION)
    }
}

/// Most addresses that Kubernetes writes into one object.
pub const MAX_ADDRESSES: usize = 1000;

/// Annotation of an object of which addresses were left out.
const OVER_CAPACITY_ANNOTATION: &str = "endpoints.kubernetes.io/over-capacity";

/// Leave out what is over [`MAX_ADDRESSES`], ready addresses last, from each subset by its share (upstream `truncateEndpoints`).
fn truncate(endpoints: &mut Endpoints) {
    let (ready, others) = endpoints.counts();
    let annotations = &mut endpoints.metadata.annotations;
    if ready + others <= MAX_ADDRESSES {
        annotations.remove(OVER_CAPACITY_ANNOTATION);
        return;
    }
    annotations.insert(OVER_CAPACITY_ANNOTATION.to_owned(), "truncated".to_owned());
    let too_many_ready = ready > MAX_ADDRESSES;
    let (room, total) = if too_many_ready { (MAX_ADDRESSES, ready) } else { (MAX_ADDRESSES - ready, others) };
    let mut left = room;
    for subset in &mut endpoints.subsets {
        if too_many_ready {
            subset.not_ready_addresses = EndpointList::default();
        }
        let list = if too_many_ready { &mut subset.addresses } else { &mut subset.not_ready_addresses };
        // The share as upstream computes it, rounding of floating point included.
        let share = (list.len() as f64 / total as f64 * room as f64).ceil();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
        let share = (share as usize).min(left).min(list.len());
        list.truncate(share);
        left -= share;
    }
}
