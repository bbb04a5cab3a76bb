//! The Pod: what its endpoint depends on.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::kube::service::{Service, ServicePort, TargetPort};

/// A `v1` Pod, as far as endpoints depend on it. There are many, so that short texts are kept in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Name.
    pub name: SmolStr,
    /// Namespace; shared as the labels are.
    pub namespace: Arc<str>,
    /// UID.
    pub uid: SmolStr,
    /// Version of the object.
    pub resource_version: SmolStr,
    /// Labels; Pods of one owner share them.
    pub labels: Arc<BTreeMap<String, String>>,
    /// When it began to go away, RFC 3339; `""` if it did not.
    pub deletion_timestamp: SmolStr,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: Arc<str>,
    /// Its addresses, one for each family.
    pub ips: Vec<SmolStr>,
    /// The condition `Ready` is true.
    pub is_ready: bool,
    /// When the condition `Ready` last changed, RFC 3339; `""` if there is none.
    pub ready_since: SmolStr,
    /// Name of its node.
    pub node_name: SmolStr,
    /// Host name.
    pub hostname: SmolStr,
    /// Subdomain.
    pub subdomain: SmolStr,
    /// Ports of its containers, then of its sidecars; shared as the labels are.
    pub ports: Arc<[ContainerPort]>,
}

/// One port of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPort {
    /// Name, `""` if unset.
    pub name: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Number.
    pub port: i32,
}

impl Pod {
    /// True if it may be among the endpoints (upstream `ShouldPodBeInEndpoints`).
    #[must_use]
    pub fn has_endpoint(&self) -> bool {
        !matches!(&*self.phase, "Failed" | "Succeeded") && !self.ips.is_empty()
    }

    /// True if it is going away.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        !self.deletion_timestamp.is_empty()
    }

    /// True if it has all of these labels.
    #[must_use]
    pub fn matches(&self, selector: &BTreeMap<String, String>) -> bool {
        selector.iter().all(|(key, value)| self.labels.get(key) == Some(value))
    }

    /// True if its host name is that of its endpoint (upstream `ShouldSetHostname`).
    pub(crate) fn has_hostname_for(&self, service: &Service) -> bool {
        self.subdomain == service.metadata.name && *self.namespace == *service.metadata.namespace
    }

    /// The number that a port of a Service means here (upstream `FindPort`).
    #[must_use]
    pub fn find_port(&self, port: &ServicePort) -> Option<i32> {
        match &port.target_port {
            TargetPort::Number(number) => Some(*number),
            TargetPort::Name(name) => {
                let is = |found: &&ContainerPort| found.name == *name && found.protocol == port.protocol;
                self.ports.iter().find(is).map(|found| found.port)
            }
        }
    }
}
