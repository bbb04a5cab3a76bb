//! What the slices of one Service have in common.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::kube::{self, Origin, Ports, Service};
use crate::model::{EndpointPort, EndpointSlice, MOVING_ANNOTATION, ObjectMeta, Shared};

/// What a new slice of a Service would be, but for its endpoints; looked up once for many plans.
#[derive(Debug)]
pub(super) struct Common {
    origin: Origin,
    /// Labels of a slice that are those of a new one; others of the Service mostly share them.
    labels: OnceLock<Shared<BTreeMap<String, String>>>,
    /// Ports of endpoints from outside that say none of their own; none if there is something to be told about them.
    pub(super) ports: Option<Vec<EndpointPort>>,
}

impl Common {
    pub(super) fn of(service: &Service, managed_by: &str) -> Self {
        let ports = kube::published_ports(service, managed_by, &Ports::OfService).ok();
        Self { origin: Origin::of_service(service, managed_by), labels: OnceLock::new(), ports }
    }

    /// True if a slice is what a new one of its address type would be, but for its endpoints and ports.
    pub(super) fn is_of(&self, service: &Service, slice: &EndpointSlice) -> bool {
        let (ours, theirs, is_of_pods) = (self.origin.metadata(), &slice.metadata, service.selects_pods());
        let owners = theirs.unknown.get("ownerReferences");
        theirs.namespace == ours.namespace
            && self.has_labels_of(theirs)
            && !theirs.annotations.contains_key(MOVING_ANNOTATION)
            && (owners == ours.unknown.get("ownerReferences") || (owners.is_none() && !is_of_pods))
            && (!is_of_pods || service.address_types().contains(&slice.address_type))
    }

    fn has_labels_of(&self, slice: &ObjectMeta) -> bool {
        if self.labels.get().is_some_and(|labels| labels.is_copy_of(&slice.labels)) {
            return true;
        }
        let are_same = slice.labels == self.origin.metadata().labels;
        if are_same {
            self.labels.get_or_init(|| slice.labels.clone());
        }
        are_same
    }
}
