//! The EndpointSlice object.

use std::hash::{Hash, Hasher};

use crate::model::{AddressType, EndpointList, EndpointPort, Members, ObjectMeta, Shared, same_ports};

/// Most endpoints that the API allows in a slice.
pub const MAX_ENDPOINTS: usize = 1000;
/// Most addresses that the API allows in an endpoint.
pub const MAX_ADDRESSES: usize = 100;
/// Most ports that the API allows in a slice (the API's text says 100, its validation 20,000).
pub const MAX_PORTS: usize = 20_000;

/// A `discovery.k8s.io/v1` EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSlice {
    /// Metadata.
    pub metadata: Shared<ObjectMeta>,
    /// Type of all addresses in the slice.
    pub address_type: AddressType,
    /// Ports of all endpoints in the slice.
    pub ports: Shared<Vec<EndpointPort>>,
    /// Endpoints, in order.
    pub endpoints: EndpointList,
    /// Fields of a newer API.
    pub unknown: Members,
}

/// What nearly always tells one from another.
impl Hash for EndpointSlice {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let metadata = &self.metadata;
        (&metadata.namespace, &metadata.name, &metadata.resource_version, self.endpoints.len()).hash(state);
    }
}

impl EndpointSlice {
    /// A slice of nothing, where there is neither an endpoint nor a slice to make it like.
    pub(crate) fn empty() -> Self {
        Self {
            metadata: Shared::default(),
            address_type: AddressType::IPv4,
            ports: Shared::default(),
            endpoints: EndpointList::default(),
            unknown: Members::default(),
        }
    }

    /// The same with other endpoints.
    pub(crate) fn with_endpoints(&self, endpoints: EndpointList) -> Self {
        Self {
            metadata: self.metadata.clone(),
            address_type: self.address_type,
            ports: self.ports.clone(),
            endpoints,
            unknown: self.unknown.clone(),
        }
    }

    /// True if both are equal but for their endpoints.
    pub(crate) fn same_around_endpoints(&self, other: &Self) -> bool {
        let Self { metadata, address_type, ports, endpoints: _, unknown } = self;
        (metadata.is_copy_of(&other.metadata) || *metadata == other.metadata)
            && *address_type == other.address_type
            && (ports.is_copy_of(&other.ports) || *ports == other.ports)
            && *unknown == other.unknown
    }

    /// No JSON form of the slice without its endpoints is longer than this.
    pub(crate) fn size_bound(&self) -> usize {
        let ports = self.ports.iter().map(EndpointPort::size_bound).sum::<usize>();
        self.metadata.size_bound() + ports + self.unknown.size_bound() + 256
    }

    /// True if both would be in the same group: the same ports and address type, of the same Service.
    pub(crate) fn same_group(&self, other: &Self) -> bool {
        let (labels, others) = (&self.metadata.labels, &other.metadata.labels);
        self.address_type == other.address_type
            && (labels.is_copy_of(others) || self.metadata.service() == other.metadata.service())
            && (self.ports.is_copy_of(&other.ports) || same_ports(&self.ports, &other.ports))
    }
}
