//! Which endpoints a node sends traffic to, as kube-proxy computes it.

use crate::engine::{PortEndpoint, View};
use crate::model::{AddressType, PORT_NUMBERS};
use crate::wire::json;

/// `internalTrafficPolicy` or `externalTrafficPolicy` of a Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrafficPolicy {
    /// All endpoints, by their hints.
    #[default]
    Cluster,
    /// Those of the node itself.
    Local,
}

/// What a node may send traffic to.
#[derive(Clone, Debug, Default)]
pub struct Reachable {
    /// The endpoints, by family, number of the port and address.
    pub endpoints: Vec<PortEndpoint>,
    /// They are terminating, and only serve on because nothing else is ready.
    pub is_fallback: bool,
    /// Some node has an endpoint for the port.
    pub exists: bool,
}

impl View {
    /// Endpoints that a node sends traffic for a service port to (upstream kube-proxy's `CategorizeEndpoints`): the ready ones, by node or
    /// zone where every ready endpoint has such hints and one is for us; those on the node with [`TrafficPolicy::Local`]; if there are none,
    /// those that still serve while they terminate. Ports without a number from 1 to 65535 are passed over. Each family is looked at by itself.
    #[must_use]
    pub fn reachable(
        &self,
        namespace: &str,
        service: &str,
        port: (&str, &str),
        (node, zone): (&str, &str),
        policy: TrafficPolicy,
    ) -> Reachable {
        let mut found = Reachable::default();
        let is_port = |entry: &PortEndpoint| entry.port().is_some_and(|(name, protocol, _)| (name, protocol) == port);
        let mut entries = self.numbered(namespace, service);
        entries.retain(is_port);
        for family in [AddressType::IPv4, AddressType::IPv6] {
            let of_family: Vec<&PortEndpoint> =
                entries.iter().filter(|entry| entry.slice().address_type == family).collect();
            add(&mut found, &of_family, node, zone, policy);
        }
        found
    }

    /// The endpoints that something can be sent to. As in kube-proxy not those of ports without number; and unlike it not those of numbers that
    /// the API takes and no packet can have, as one of them makes a proxy refuse all that it is told.
    fn numbered(&self, namespace: &str, service: &str) -> Vec<PortEndpoint> {
        let mut entries = self.endpoints(namespace, service);
        entries.retain(|entry| {
            entry.port().is_some_and(|(_, _, number)| number.is_some_and(|number| PORT_NUMBERS.contains(&number)))
        });
        entries
    }

    /// Ready endpoints of a Service on a node, each address once: what a health check of a load balancer asks (upstream
    /// `LocalReadyEndpoints`).
    #[must_use]
    pub fn local_ready(&self, namespace: &str, service: &str, node: &str) -> usize {
        let entries = self.numbered(namespace, service);
        let local = entries
            .iter()
            .map(PortEndpoint::endpoint)
            .filter(|endpoint| endpoint.conditions().is_ready() && endpoint.node_name() == Some(node));
        local.map(|endpoint| endpoint.address()).collect::<std::collections::BTreeSet<_>>().len()
    }
}

fn add(found: &mut Reachable, entries: &[&PortEndpoint], node: &str, zone: &str, policy: TrafficPolicy) {
    let is_ready = |entry: &PortEndpoint| entry.endpoint().conditions().is_ready();
    let is_last_resort = |entry: &PortEndpoint| {
        let conditions = entry.endpoint().conditions();
        conditions.is_serving() && conditions.is_terminating()
    };
    let is_local = |entry: &PortEndpoint| entry.endpoint().node_name() == Some(node);
    let hints = Hints::of(entries, node, zone);
    let is_near = |entry: &PortEndpoint| match policy {
        TrafficPolicy::Cluster => hints.allow(entry, node, zone),
        TrafficPolicy::Local => is_local(entry),
    };
    found.exists |= entries.iter().any(|entry| is_ready(entry) || is_last_resort(entry));
    let ready: Vec<PortEndpoint> =
        entries.iter().filter(|entry| is_ready(entry) && is_near(entry)).map(|entry| (*entry).clone()).collect();
    if !ready.is_empty() {
        found.endpoints.extend(ready);
        return;
    }
    let last = entries.iter().filter(|entry| is_last_resort(entry) && !is_ready(entry));
    let last: Vec<PortEndpoint> = last
        .filter(|entry| policy == TrafficPolicy::Cluster || is_local(entry))
        .map(|entry| (*entry).clone())
        .collect();
    found.is_fallback |= !last.is_empty();
    found.endpoints.extend(last);
}

/// Which hints count (upstream `topologyModeFromHints`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hints {
    Ignored,
    Zone,
    Node,
}

impl Hints {
    fn of(entries: &[&PortEndpoint], node: &str, zone: &str) -> Self {
        let ready: Vec<(Vec<String>, Vec<String>)> = entries
            .iter()
            .filter(|entry| entry.endpoint().conditions().is_ready())
            .map(|entry| hints_of(entry))
            .collect();
        let mode = |lists: Vec<&Vec<String>>, own: &str| {
            !lists.is_empty()
                && lists.iter().all(|list| !list.is_empty())
                && lists.iter().any(|list| list.iter().any(|name| name == own))
        };
        if mode(ready.iter().map(|(_, nodes)| nodes).collect(), node) {
            Self::Node
        } else if mode(ready.iter().map(|(zones, _)| zones).collect(), zone) {
            Self::Zone
        } else {
            Self::Ignored
        }
    }

    fn allow(self, entry: &PortEndpoint, node: &str, zone: &str) -> bool {
        let (zones, nodes) = match self {
            Self::Ignored => return true,
            Self::Zone | Self::Node => hints_of(entry),
        };
        if self == Self::Node { nodes.iter().any(|name| name == node) } else { zones.iter().any(|name| name == zone) }
    }
}

fn hints_of(entry: &PortEndpoint) -> (Vec<String>, Vec<String>) {
    entry.endpoint().hints().and_then(|hints| json::read_hints(hints).ok()).unwrap_or_default()
}
