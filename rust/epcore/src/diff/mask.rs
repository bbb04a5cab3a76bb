//! Which fields are a change, and the words for them.

use crate::model::{EndpointPort, EndpointRef, EndpointSlice, TRIGGER_TIME_ANNOTATION, same_text};

/// Which fields of an endpoint a reader looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fields {
    /// Addresses, host name, ports, `ready`.
    Dns,
    /// Those and `serving`, `terminating`, node, zone, hints, `appProtocol`.
    #[default]
    Proxy,
    /// Those and the target and the fields of the endpoint that the API does not know.
    Envoy,
    /// Those and labels and annotations of the slice, but for the trigger time, which every write changes.
    All,
}

/// Which part of an endpoint changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// An address after the first (the first is part of the key, unless that is the target).
    Addresses,
    /// Conditions.
    Conditions,
    /// Hints.
    Hints,
    /// Node or zone.
    Topology,
    /// Ports of the slice.
    Ports,
    /// Target.
    TargetRef,
    /// Host name.
    Hostname,
    /// Fields that the API does not know, or no longer lets anyone write.
    UnknownFields,
    /// Labels or annotations of the slice.
    Metadata,
}

const NAMES: [(Reason, &str); 9] = [
    (Reason::Addresses, "addresses"),
    (Reason::Conditions, "conditions"),
    (Reason::Hints, "hints"),
    (Reason::Topology, "topology"),
    (Reason::Ports, "ports"),
    (Reason::TargetRef, "target-ref"),
    (Reason::Hostname, "hostname"),
    (Reason::UnknownFields, "unknown-fields"),
    (Reason::Metadata, "metadata"),
];

/// A set of reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reasons(u16);

impl Reasons {
    /// True if there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True if the reason is one of the set.
    #[must_use]
    pub fn contains(self, reason: Reason) -> bool {
        self.0 >> reason as u16 & 1 == 1
    }

    /// The words for the reasons, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().filter(move |(reason, _)| self.contains(*reason)).map(|(_, name)| name)
    }

    fn add(&mut self, reason: Reason, holds: bool) {
        self.0 |= u16::from(holds) << reason as u16;
    }
}

/// One side of a comparison: an endpoint, its slice, and the one port that the entry is about, if it is about one.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) endpoint: EndpointRef<'a>,
    pub(crate) slice: &'a EndpointSlice,
    pub(crate) port: Option<usize>,
}

impl Fields {
    /// The words for masks.
    pub const WORDS: [(&'static str, Self); 4] =
        [("dns", Self::Dns), ("proxy", Self::Proxy), ("envoy", Self::Envoy), ("all", Self::All)];

    /// Which of the fields differ.
    pub(crate) fn compare(self, before: Side<'_>, after: Side<'_>) -> Reasons {
        let mut reasons = Reasons::default();
        let (old, new) = (before.endpoint, after.endpoint);
        reasons.add(Reason::Addresses, !old.has_addresses_of(new));
        reasons.add(Reason::Hostname, old.hostname() != new.hostname());
        reasons.add(Reason::Conditions, self.conditions(old) != self.conditions(new));
        reasons.add(Reason::Ports, self.ports_differ(before, after));
        if self >= Self::Proxy {
            reasons.add(Reason::Topology, (old.node_name(), old.zone()) != (new.node_name(), new.zone()));
            reasons.add(Reason::Hints, old.hints() != new.hints());
        }
        if self >= Self::Envoy {
            reasons.add(Reason::TargetRef, target(old) != target(new));
            reasons.add(Reason::UnknownFields, !old.has_unknown_of(new));
        }
        if self >= Self::All {
            reasons.add(Reason::Metadata, metadata_differs(before.slice, after.slice));
        }
        reasons
    }

    fn conditions(self, endpoint: EndpointRef<'_>) -> (bool, bool, bool) {
        let conditions = endpoint.conditions();
        let proxy = self >= Self::Proxy;
        (conditions.is_ready(), proxy && conditions.is_serving(), proxy && conditions.is_terminating())
    }

    /// The ports of both sides; of an entry about one port, what its key does not say.
    fn ports_differ<'a>(self, before: Side<'a>, after: Side<'a>) -> bool {
        let protocol = self >= Self::Proxy;
        if let (Some(old), Some(new)) = (before.port, after.port) {
            let [old, new] = [&before.slice.ports[old], &after.slice.ports[new]];
            return protocol && !same_text(&old.app_protocol, &new.app_protocol);
        }
        let set = |side: Side<'a>| {
            let key = |port: &'a EndpointPort| {
                let (name, transport, number, app) = port.sort_key();
                (name, transport, number, if protocol { app } else { "" })
            };
            let mut ports: Vec<_> = side.slice.ports.iter().map(key).collect();
            ports.sort_unstable();
            ports
        };
        before.slice.ports != after.slice.ports && set(before) != set(after)
    }
}

/// The target without its version, which is not compared, as in Kubernetes.
fn target(endpoint: EndpointRef<'_>) -> [&str; 6] {
    let target = endpoint.target_ref().unwrap_or_default();
    [target.kind, target.namespace, target.name, target.uid, target.api_version, target.field_path]
}

/// True if slices have other labels or annotations, but for the trigger time.
pub(super) fn metadata_differs(before: &EndpointSlice, after: &EndpointSlice) -> bool {
    before.metadata.labels != after.metadata.labels || !annotations(before).eq(annotations(after))
}

fn annotations(slice: &EndpointSlice) -> impl Iterator<Item = (&String, &String)> {
    slice.metadata.annotations.iter().filter(|(name, _)| *name != TRIGGER_TIME_ANNOTATION)
}
