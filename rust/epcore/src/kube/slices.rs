//! What belongs to a Service: labels, owners, new slices.

use std::collections::BTreeMap;

use crate::kube::Service;
use crate::model::{
    AddressType, EndpointList, EndpointPort, EndpointSlice, MANAGED_BY_LABEL, Members, ObjectMeta, SERVICE_NAME_LABEL,
};
use crate::wire::json;

/// Label of slices of headless Services.
pub(crate) const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// Labels of the slices of a Service: its own, but for three that are the controller's (upstream `setEndpointSliceLabels`).
pub(crate) fn labels(service: &Service, manager: &str) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone();
    labels.insert(SERVICE_NAME_LABEL.to_owned(), service.metadata.name.clone());
    labels.insert(MANAGED_BY_LABEL.to_owned(), manager.to_owned());
    labels.remove(HEADLESS_LABEL);
    if service.is_headless() {
        labels.insert(HEADLESS_LABEL.to_owned(), String::new());
    }
    labels
}

/// A slice without endpoints, as a new one of the Service begins (upstream `newEndpointSlice`).
pub(crate) fn new_slice(
    service: &Service,
    manager: &str,
    family: AddressType,
    ports: Vec<EndpointPort>,
) -> EndpointSlice {
    let mut unknown = Members::default();
    // Without a UID, as in a manifest that no API server has seen, nothing can be owned.
    if !service.metadata.uid.is_empty() {
        unknown.insert("ownerReferences", json::owner_reference("v1", "Service", &service.metadata));
    }
    EndpointSlice {
        metadata: ObjectMeta {
            generate_name: format!("{}-", service.metadata.name),
            namespace: service.metadata.namespace.clone(),
            labels: labels(service, manager),
            unknown,
            ..ObjectMeta::default()
        },
        address_type: family,
        ports,
        endpoints: EndpointList::default(),
        unknown: Members::default(),
    }
}

/// True if the Service owns the slice (upstream `ownedBy`).
pub(crate) fn is_owned(slice: &EndpointSlice, service: &Service) -> bool {
    owners(slice)
        .iter()
        .any(|owner| owner.uid == service.metadata.uid && owner.kind == "Service" && owner.api_version == "v1")
}

/// True if anything owns the slice.
pub(crate) fn has_owner(slice: &EndpointSlice) -> bool {
    !owners(slice).is_empty()
}

/// The owners of a slice. What is no list of them has none.
pub(crate) fn owners(slice: &EndpointSlice) -> Vec<json::Owner> {
    json::read_owners(slice.metadata.unknown.get("ownerReferences").unwrap_or("[]")).unwrap_or_default()
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
