//! The fields of Kubernetes' messages that mean something here, by number, and how its JSON has them.
//!
//! Numbers and types are those of the `generated.proto` files of `k8s.io/api` and `k8s.io/apimachinery`; what is left out of the JSON, and what
//! the protobuf has though it says nothing, is what the Go types' tags say.

use Kind::{Boolean, Json, Message as Inner, Number, NumberOrText, Quantity, Text, Time};
use Presence::{Always, Filled, Map, Optional, Repeated};

/// The fields of a message, in the order of our canonical JSON.
pub(super) struct Message(pub(super) &'static [Entry]);

/// One field.
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) presence: Presence,
}

/// What a field holds.
pub(super) enum Kind {
    Text,
    Boolean,
    Number,
    /// Seconds since 1970; RFC 3339 in JSON.
    Time,
    /// Bytes that are JSON.
    Json,
    /// `IntOrString`.
    NumberOrText,
    /// A message of one text; only the text in JSON.
    Quantity,
    Message(&'static Message),
}

/// When a field is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// In both formats if it is set.
    Optional,
    /// In JSON if it is not zero; always in protobuf.
    Filled,
    /// Always in both.
    Always,
    /// Once for each item.
    Repeated,
    /// Once for each member.
    Map,
}

impl Message {
    pub(super) fn numbered(&self, number: u32) -> Option<usize> {
        self.0.iter().position(|entry| entry.number == number)
    }

    /// True of what many objects of a list say in the same bytes: who owns them.
    pub(super) fn comes_again(&self) -> bool {
        std::ptr::eq(self, &raw const OWNER_REFERENCE)
    }

    pub(super) fn named(&self, name: &str) -> Option<&'static Entry> {
        self.0.iter().find(|entry| entry.name == name)
    }
}

const fn entry(number: u32, name: &'static str, kind: Kind, presence: Presence) -> Entry {
    Entry { number, name, kind, presence }
}

/// The message of a kind that is read by way of its JSON.
pub(super) fn message_of(kind: &str) -> Option<&'static Message> {
    Some(match kind {
        "EndpointSlice" => &ENDPOINT_SLICE,
        "Service" => &SERVICE,
        "Pod" => &POD,
        "Node" => &NODE,
        "Endpoints" => &ENDPOINTS,
        "Status" => &STATUS,
        _ => return None,
    })
}

pub(super) static ENDPOINT_SLICE: Message = Message(&[
    entry(1, "metadata", Inner(&OBJECT_META), Filled),
    entry(4, "addressType", Text, Always),
    entry(2, "endpoints", Inner(&ENDPOINT), Repeated),
    entry(3, "ports", Inner(&ENDPOINT_PORT), Repeated),
]);

pub(super) static ENDPOINT: Message = Message(&[
    entry(1, "addresses", Text, Repeated),
    entry(2, "conditions", Inner(&CONDITIONS), Filled),
    entry(3, "hostname", Text, Optional),
    entry(4, "targetRef", Inner(&OBJECT_REFERENCE), Optional),
    entry(6, "nodeName", Text, Optional),
    entry(7, "zone", Text, Optional),
    entry(8, "hints", Inner(&HINTS), Optional),
    entry(5, "deprecatedTopology", Text, Map),
]);

pub(super) static REST_OF_ENDPOINT: Message = Message(&[entry(5, "deprecatedTopology", Text, Map)]);

static CONDITIONS: Message = Message(&[
    entry(1, "ready", Boolean, Optional),
    entry(2, "serving", Boolean, Optional),
    entry(3, "terminating", Boolean, Optional),
]);

pub(super) static HINTS: Message =
    Message(&[entry(1, "forZones", Inner(&HINT), Repeated), entry(2, "forNodes", Inner(&HINT), Repeated)]);

static HINT: Message = Message(&[entry(1, "name", Text, Always)]);

static ENDPOINT_PORT: Message = Message(&[
    entry(1, "name", Text, Optional),
    entry(2, "protocol", Text, Optional),
    entry(3, "port", Number, Optional),
    entry(4, "appProtocol", Text, Optional),
]);

static OBJECT_REFERENCE: Message = Message(&[
    entry(1, "kind", Text, Filled),
    entry(2, "namespace", Text, Filled),
    entry(3, "name", Text, Filled),
    entry(4, "uid", Text, Filled),
    entry(5, "apiVersion", Text, Filled),
    entry(6, "resourceVersion", Text, Filled),
    entry(7, "fieldPath", Text, Filled),
]);

pub(super) static OBJECT_META: Message = Message(&[
    entry(1, "name", Text, Filled),
    entry(2, "generateName", Text, Filled),
    entry(3, "namespace", Text, Filled),
    entry(5, "uid", Text, Filled),
    entry(6, "resourceVersion", Text, Filled),
    entry(8, "creationTimestamp", Time, Filled),
    entry(11, "labels", Text, Map),
    entry(12, "annotations", Text, Map),
    entry(10, "deletionGracePeriodSeconds", Number, Optional),
    entry(9, "deletionTimestamp", Time, Optional),
    entry(14, "finalizers", Text, Repeated),
    entry(7, "generation", Number, Filled),
    entry(17, "managedFields", Inner(&MANAGED_FIELDS), Repeated),
    entry(13, "ownerReferences", Inner(&OWNER_REFERENCE), Repeated),
    entry(4, "selfLink", Text, Filled),
]);

/// What the model keeps as JSON.
pub(super) static REST_OF_METADATA: Message = Message(OBJECT_META.0.split_at(8).1);

/// In the order of their names, as all JSON that is kept.
static MANAGED_FIELDS: Message = Message(&[
    entry(3, "apiVersion", Text, Filled),
    entry(6, "fieldsType", Text, Filled),
    entry(7, "fieldsV1", Json, Optional),
    entry(1, "manager", Text, Filled),
    entry(2, "operation", Text, Filled),
    entry(8, "subresource", Text, Filled),
    entry(4, "time", Time, Optional),
]);

static OWNER_REFERENCE: Message = Message(&[
    entry(5, "apiVersion", Text, Always),
    entry(7, "blockOwnerDeletion", Boolean, Optional),
    entry(6, "controller", Boolean, Optional),
    entry(1, "kind", Text, Always),
    entry(3, "name", Text, Always),
    entry(4, "uid", Text, Always),
]);

static SERVICE: Message =
    Message(&[entry(1, "metadata", Inner(&OBJECT_META), Filled), entry(2, "spec", Inner(&SERVICE_SPEC), Filled)]);

static SERVICE_SPEC: Message = Message(&[
    entry(4, "type", Text, Filled),
    entry(2, "selector", Text, Map),
    entry(3, "clusterIP", Text, Filled),
    entry(19, "ipFamilies", Text, Repeated),
    entry(1, "ports", Inner(&SERVICE_PORT), Repeated),
    entry(13, "publishNotReadyAddresses", Boolean, Filled),
    entry(23, "trafficDistribution", Text, Optional),
]);

static SERVICE_PORT: Message = Message(&[
    entry(1, "name", Text, Filled),
    entry(2, "protocol", Text, Filled),
    entry(3, "port", Number, Always),
    entry(4, "targetPort", NumberOrText, Filled),
    entry(6, "appProtocol", Text, Optional),
]);

static POD: Message = Message(&[
    entry(1, "metadata", Inner(&OBJECT_META), Filled),
    entry(2, "spec", Inner(&POD_SPEC), Filled),
    entry(3, "status", Inner(&POD_STATUS), Filled),
]);

static POD_SPEC: Message = Message(&[
    entry(10, "nodeName", Text, Filled),
    entry(16, "hostname", Text, Filled),
    entry(17, "subdomain", Text, Filled),
    entry(2, "containers", Inner(&CONTAINER), Repeated),
    entry(20, "initContainers", Inner(&CONTAINER), Repeated),
]);

static CONTAINER: Message =
    Message(&[entry(6, "ports", Inner(&CONTAINER_PORT), Repeated), entry(24, "restartPolicy", Text, Optional)]);

static CONTAINER_PORT: Message = Message(&[
    entry(1, "name", Text, Filled),
    entry(4, "protocol", Text, Filled),
    entry(3, "containerPort", Number, Always),
]);

static POD_STATUS: Message = Message(&[
    entry(1, "phase", Text, Filled),
    entry(6, "podIP", Text, Filled),
    entry(12, "podIPs", Inner(&POD_IP), Repeated),
    entry(2, "conditions", Inner(&CONDITION), Repeated),
]);

static POD_IP: Message = Message(&[entry(1, "ip", Text, Always)]);

/// Of a Pod or a Node.
static CONDITION: Message = Message(&[
    entry(1, "type", Text, Always),
    entry(2, "status", Text, Always),
    entry(4, "lastTransitionTime", Time, Filled),
]);

static NODE: Message =
    Message(&[entry(1, "metadata", Inner(&OBJECT_META), Filled), entry(3, "status", Inner(&NODE_STATUS), Filled)]);

static NODE_STATUS: Message =
    Message(&[entry(4, "conditions", Inner(&CONDITION), Repeated), entry(2, "allocatable", Quantity, Map)]);

static ENDPOINTS: Message =
    Message(&[entry(1, "metadata", Inner(&OBJECT_META), Filled), entry(2, "subsets", Inner(&SUBSET), Repeated)]);

static SUBSET: Message = Message(&[
    entry(1, "addresses", Inner(&LEGACY_ADDRESS), Repeated),
    entry(2, "notReadyAddresses", Inner(&LEGACY_ADDRESS), Repeated),
    entry(3, "ports", Inner(&LEGACY_PORT), Repeated),
]);

static LEGACY_ADDRESS: Message = Message(&[
    entry(1, "ip", Text, Always),
    entry(3, "hostname", Text, Filled),
    entry(4, "nodeName", Text, Optional),
    entry(2, "targetRef", Inner(&OBJECT_REFERENCE), Optional),
]);

static LEGACY_PORT: Message = Message(&[
    entry(1, "name", Text, Filled),
    entry(2, "port", Number, Always),
    entry(3, "protocol", Text, Filled),
    entry(4, "appProtocol", Text, Optional),
]);

static STATUS: Message = Message(&[entry(3, "message", Text, Filled)]);
