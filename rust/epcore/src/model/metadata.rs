//! `ObjectMeta`, as far as slices need it.

use std::collections::BTreeMap;

use crate::model::{Members, Shared, same_text};

/// Label that names the Service of a slice.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";
/// Label that names the writer of a slice.
pub const MANAGED_BY_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
/// Label of slices, and of legacy Endpoints, of headless Services.
pub(crate) const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";
/// Annotation with the time of the change that led to the last write (RFC 3339).
pub const TRIGGER_TIME_ANNOTATION: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// Annotation on a slice that took moved endpoints, until the further write of `make-break-touch` has taken it away.
pub(crate) const MOVING_ANNOTATION: &str = "epcore/moving";

/// Annotation that says for which endpoints a slice is meant: those that are `leaving` or those that are `restless`.
pub(crate) const ROLE_ANNOTATION: &str = "epcore/role";

/// Metadata of an object. An empty text is "not set".
#[derive(Clone, Debug, Default)]
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
    /// Labels. The slices of a list mostly have the same.
    pub labels: Shared<BTreeMap<String, String>>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// All other fields, known to the API or not: owner references, finalizers, managed fields ...
    pub unknown: Members,
}

/// Nearly every object leaves something out.
impl PartialEq for ObjectMeta {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            name,
            generate_name,
            namespace,
            uid,
            resource_version,
            creation_timestamp,
            labels,
            annotations,
            unknown,
        } = self;
        let texts = [
            (resource_version, &other.resource_version),
            (name, &other.name),
            (generate_name, &other.generate_name),
            (namespace, &other.namespace),
            (uid, &other.uid),
            (creation_timestamp, &other.creation_timestamp),
        ];
        texts.into_iter().all(|(one, other)| same_text(one, other))
            && *labels == other.labels
            && *annotations == other.annotations
            && *unknown == other.unknown
    }
}

impl Eq for ObjectMeta {}

/// A `resourceVersion` as a whole number of any length, to compare it (enhancement proposal 5504); anything else is no number.
pub(crate) fn version_number(version: &str) -> Option<(usize, &str)> {
    let digits = version.trim_start_matches('0');
    (!version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())).then_some((digits.len(), digits))
}

impl ObjectMeta {
    /// The Service that the labels name, `""` if none.
    #[must_use]
    pub fn service(&self) -> &str {
        self.labels.get(SERVICE_NAME_LABEL).map_or("", String::as_str)
    }

    /// The writer that the labels name, `""` if none.
    pub(crate) fn managed_by(&self) -> &str {
        self.labels.get(MANAGED_BY_LABEL).map_or("", String::as_str)
    }

    /// True if the object is going away and takes no more writes.
    pub(crate) fn is_being_deleted(&self) -> bool {
        self.unknown.get("deletionTimestamp").is_some_and(|time| time != "null")
    }

    /// How often the object was changed (but for its metadata), zero if it does not say.
    pub(crate) fn generation(&self) -> i64 {
        self.unknown.get("generation").and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// Become that of an object which is there, and is written over.
    pub(crate) fn take_identity(&mut self, of: &Self) {
        self.name.clone_from(&of.name);
        self.uid.clone_from(&of.uid);
        self.resource_version.clone_from(&of.resource_version);
        self.creation_timestamp.clone_from(&of.creation_timestamp);
    }

    /// Metadata of a new object made like this one. What belongs to one object alone is left out; of an existing object (as opposed to a
    /// `template` of the caller's) also what somebody else may have put there.
    pub(crate) fn for_new_slice(&self, template: bool) -> Self {
        const OF_ONE_OBJECT: [&str; 5] =
            ["deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "selfLink"];
        let wanted = |name: &str| {
            if template { !OF_ONE_OBJECT.contains(&name) } else { name == "ownerReferences" }
        };
        let mut unknown = Members::default();
        for (name, json) in self.unknown.iter().filter(|(name, _)| wanted(name)) {
            unknown.insert(name, json.to_owned());
        }
        let mut annotations = if template { self.annotations.clone() } else { BTreeMap::new() };
        annotations.remove(MOVING_ANNOTATION);
        annotations.remove(ROLE_ANNOTATION);
        Self {
            // A prefix is all that is needed of either; an existing slice's own name is the worst of the three.
            name: if template || self.service().is_empty() { self.name.clone() } else { String::new() },
            generate_name: self.generate_name.clone(),
            namespace: self.namespace.clone(),
            labels: self.labels.clone(),
            annotations,
            unknown,
            ..Self::default()
        }
    }

    /// No JSON form of the metadata is longer than this.
    pub(crate) fn size_bound(&self) -> usize {
        let maps = self.labels.iter().chain(&self.annotations).map(|(key, value)| key.len() + value.len() + 2);
        let texts = [&self.name, &self.generate_name, &self.namespace, &self.uid, &self.resource_version];
        let texts: usize = texts.iter().map(|text| text.len()).sum();
        6 * (maps.sum::<usize>() + texts + self.creation_timestamp.len()) + self.unknown.size_bound() + 256
    }

    /// The trigger-time annotation, `""` if there is none.
    #[must_use]
    pub fn trigger_time(&self) -> &str {
        self.annotations.get(TRIGGER_TIME_ANNOTATION).map_or("", String::as_str)
    }
}
