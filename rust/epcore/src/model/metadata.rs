//! `ObjectMeta`, as far as slices need it.

use std::collections::BTreeMap;

use crate::model::Members;

/// Label that names the Service of a slice.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";
/// Label that names the writer of a slice.
pub const MANAGED_BY_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
/// Annotation with the time of the change that led to the last write (RFC 3339).
pub const TRIGGER_TIME_ANNOTATION: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// Metadata of an object. An empty text is "not set".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Name of the object.
    pub name: String,
    /// Prefix from which the API server makes a name.
    pub generate_name: String,
    /// Namespace.
    pub namespace: String,
    /// UID.
    pub uid: String,
    /// Version for optimistic locking.
    pub resource_version: String,
    /// Creation time, RFC 3339.
    pub creation_timestamp: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// All other fields, known to the API or not: owner references, finalizers, managed fields ...
    pub unknown: Members,
}

impl ObjectMeta {
    /// The Service that the labels name, `""` if none.
    #[must_use]
    pub fn service(&self) -> &str {
        self.labels.get(SERVICE_NAME_LABEL).map_or("", String::as_str)
    }

    /// The trigger-time annotation, `""` if there is none.
    #[must_use]
    pub fn trigger_time(&self) -> &str {
        self.annotations.get(TRIGGER_TIME_ANNOTATION).map_or("", String::as_str)
    }
}
