//! The Service: what it asks of its slices.

use std::collections::BTreeMap;

use crate::model::{AddressType, ObjectMeta};

/// A `v1` Service, as far as its endpoints depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// `ExternalName` Services have no endpoints.
    pub is_external_name: bool,
    /// Labels that its Pods have; empty for a Service without selector.
    pub selector: BTreeMap<String, String>,
    /// `None`, an address, or `""`.
    pub cluster_ip: String,
    /// Families asked for, in order.
    pub ip_families: Vec<AddressType>,
    /// Ports.
    pub ports: Vec<ServicePort>,
    /// Endpoints are ready whatever their Pods say.
    pub publish_not_ready_addresses: bool,
    /// `PreferClose`, `PreferSameZone`, `PreferSameNode` or `""`.
    pub traffic_distribution: String,
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Name, `""` if unset.
    pub name: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Port of the Service.
    pub port: i32,
    /// Port of the Pods.
    pub target_port: TargetPort,
    /// Application protocol, `""` if unset.
    pub app_protocol: String,
}

/// Where the Pods listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// A number.
    Number(i32),
    /// The name of a port of a container.
    Name(String),
}

impl Service {
    /// True if there is no address of the cluster for it.
    #[must_use]
    pub fn is_headless(&self) -> bool {
        matches!(&*self.cluster_ip, "" | "None")
    }

    /// True if its Pods are chosen by labels and have slices made for them.
    #[must_use]
    pub fn selects_pods(&self) -> bool {
        !self.is_external_name && !self.selector.is_empty()
    }

    /// Address types of its slices (upstream `getAddressTypesForService`).
    #[must_use]
    pub fn address_types(&self) -> Vec<AddressType> {
        let both = [AddressType::IPv4, AddressType::IPv6];
        let asked: Vec<_> = both.into_iter().filter(|family| self.ip_families.contains(family)).collect();
        if !asked.is_empty() {
            return asked;
        }
        // Of an API server that knows no families.
        match &*self.cluster_ip {
            "" | "None" => both.to_vec(),
            address => vec![if address.contains(':') { AddressType::IPv6 } else { AddressType::IPv4 }],
        }
    }

    /// The annotation that asks for zone hints by the share of CPU (upstream `hintsEnabled`).
    pub(crate) fn asks_for_topology_hints(&self) -> bool {
        let names = ["service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"];
        let value = names.iter().find_map(|name| self.metadata.annotations.get(*name));
        value.is_some_and(|value| value == "Auto" || value == "auto")
    }
}
