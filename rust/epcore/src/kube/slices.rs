//! What belongs to a Service, or to legacy Endpoints: labels, owners, new slices.

use std::collections::BTreeMap;

use crate::kube::Service;
use crate::model::{
    AddressType, EndpointPort, EndpointSlice, HEADLESS_LABEL, MANAGED_BY_LABEL, ObjectMeta, SERVICE_NAME_LABEL,
};
use crate::wire::json;

/// Labels of the slices of a Service: its own, but for three that are the controller's (upstream `setEndpointSliceLabels`).
pub(crate) fn labels(service: &Service, manager: &str) -> BTreeMap<String, String> {
    let mut labels = (*service.metadata.labels).clone();
    labels.insert(SERVICE_NAME_LABEL.to_owned(), service.metadata.name.clone());
    labels.insert(MANAGED_BY_LABEL.to_owned(), manager.to_owned());
    tell_headless(&mut labels, service);
    labels
}

/// Let labels say whether the Service is headless, whatever they said.
pub(crate) fn tell_headless(labels: &mut BTreeMap<String, String>, service: &Service) {
    labels.remove(HEADLESS_LABEL);
    if service.is_headless() {
        labels.insert(HEADLESS_LABEL.to_owned(), String::new());
    }
}

/// The object that slices are made for: a Service, or legacy Endpoints.
#[derive(Debug)]
pub(crate) struct Origin {
    kind: &'static str,
    uid: String,
    pub(crate) is_being_deleted: bool,
    /// A slice without endpoints and ports, as a new one begins.
    prototype: EndpointSlice,
}

impl Origin {
    /// Upstream `newEndpointSlice` of either controller.
    pub(crate) fn new(
        kind: &'static str,
        owner: &ObjectMeta,
        labels: BTreeMap<String, String>,
        annotations: BTreeMap<String, String>,
    ) -> Self {
        let mut prototype = EndpointSlice::empty();
        prototype.metadata.generate_name = format!("{}-", owner.name);
        prototype.metadata.namespace.clone_from(&owner.namespace);
        prototype.metadata.labels = labels.into();
        prototype.metadata.annotations = annotations;
        // Without a UID, as in a manifest that no API server has seen, nothing can be owned.
        if !owner.uid.is_empty() {
            let owners = json::owner_reference("v1", kind, owner);
            prototype.metadata.unknown.insert("ownerReferences", owners);
        }
        Self { kind, uid: owner.uid.clone(), is_being_deleted: owner.is_being_deleted(), prototype }
    }

    pub(crate) fn of_service(service: &Service, manager: &str) -> Self {
        Self::new("Service", &service.metadata, labels(service, manager), BTreeMap::new())
    }

    pub(crate) fn new_slice(&self, family: AddressType, ports: Vec<EndpointPort>) -> EndpointSlice {
        EndpointSlice { address_type: family, ports: ports.into(), ..self.prototype.clone() }
    }

    /// True if a slice is of the same Service, and written by the same controller.
    pub(crate) fn is_of(&self, slice: &EndpointSlice) -> bool {
        let (ours, theirs) = (&self.prototype.metadata, &slice.metadata);
        theirs.namespace == ours.namespace
            && theirs.service() == ours.service()
            && theirs.labels.get(MANAGED_BY_LABEL) == ours.labels.get(MANAGED_BY_LABEL)
    }

    /// True if the object owns the slice (upstream `ownedBy`); without a UID, if nothing does.
    pub(crate) fn owns(&self, slice: &EndpointSlice) -> bool {
        if self.uid.is_empty() {
            return !has_owner(slice);
        }
        let is_ours =
            |owner: &json::Owner| owner.uid == self.uid && owner.kind == self.kind && owner.api_version == "v1";
        json::owners(&slice.metadata).iter().any(is_ours)
    }
}

/// True if anything owns the slice.
pub(crate) fn has_owner(slice: &EndpointSlice) -> bool {
    !json::owners(&slice.metadata).is_empty()
}

/// True if a slice is just what a placeholder would be; a label `""` is none (upstream `placeholderSliceCompare`).
pub(crate) fn is_placeholder(slice: &EndpointSlice, placeholder: &EndpointSlice) -> bool {
    let set = |slice: &EndpointSlice| -> BTreeMap<String, String> {
        let labels = slice.metadata.labels.iter().filter(|(_, value)| !value.is_empty());
        labels.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    slice.metadata.namespace == placeholder.metadata.namespace
        && set(slice) == set(placeholder)
        && slice.address_type == placeholder.address_type
        && slice.ports.is_empty()
        && slice.endpoints.is_empty()
}
