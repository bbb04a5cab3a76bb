//! What the slices of one Service have in common.

use crate::kube::{self, Origin, Ports, Service};
use crate::model::{EndpointPort, EndpointSlice, MOVING_ANNOTATION};

/// What a new slice of a Service would be, but for its endpoints; looked up once for many plans.
#[derive(Debug)]
pub(super) struct Common {
    origin: Origin,
    /// Ports of endpoints from outside that say none of their own; none if there is something to be told about them.
    pub(super) ports: Option<Vec<EndpointPort>>,
}

impl Common {
    pub(super) fn of(service: &Service, managed_by: &str) -> Self {
        let ports = kube::published_ports(service, managed_by, &Ports::OfService).ok();
        Self { origin: Origin::of_service(service, managed_by), ports }
    }

    /// True if a slice is what a new one of its address type would be, but for its endpoints and ports.
    pub(super) fn is_of(&self, service: &Service, slice: &EndpointSlice) -> bool {
        let (ours, theirs, is_of_pods) = (self.origin.metadata(), &slice.metadata, service.selects_pods());
        let owners = theirs.unknown.get("ownerReferences");
        theirs.namespace == ours.namespace
            && theirs.labels == ours.labels
            && !theirs.annotations.contains_key(MOVING_ANNOTATION)
            && (owners == ours.unknown.get("ownerReferences") || (owners.is_none() && !is_of_pods))
            && (!is_of_pods || service.address_types().contains(&slice.address_type))
    }
}
