//! Endpoints behind ports, where proxies send.

use std::sync::Arc;

use crate::diff::{Place, Port};
use crate::model::{Address, AddressType, EndpointRef, EndpointSlice};

/// One endpoint behind one port.
#[derive(Clone, Debug)]
pub struct PortEndpoint {
    slice: Arc<EndpointSlice>,
    endpoint: usize,
    port: Option<usize>,
}

impl PortEndpoint {
    pub(super) fn at(slices: &[Arc<EndpointSlice>], place: Place) -> Self {
        Self {
            slice: slices[place.slice as usize].clone(),
            endpoint: place.endpoint as usize,
            port: place.port.map(|port| port as usize),
        }
    }

    /// The slice that holds it.
    #[must_use]
    pub fn slice(&self) -> &Arc<EndpointSlice> {
        &self.slice
    }

    /// Its place among the endpoints of the slice.
    #[must_use]
    pub fn index(&self) -> usize {
        self.endpoint
    }

    /// The endpoint.
    #[must_use]
    pub fn endpoint(&self) -> EndpointRef<'_> {
        let endpoint = self.slice.endpoints.get(self.endpoint);
        endpoint.unwrap_or_else(|| unreachable!("the index was taken from the slice"))
    }

    /// Name, protocol and number of the port; `None` for a slice without ports.
    #[must_use]
    pub fn port(&self) -> Option<(&str, &str, Option<i32>)> {
        let port = &self.slice.ports[self.port?];
        Some((&port.name, &port.protocol, port.port))
    }

    /// Application protocol of the port, `""` if unset.
    #[must_use]
    pub fn app_protocol(&self) -> &str {
        self.port.map_or("", |port| &self.slice.ports[port].app_protocol)
    }

    pub(super) fn port_text(&self) -> String {
        self.port().map_or_else(String::new, |(name, protocol, number)| format!("{name} {protocol} {number:?}"))
    }

    pub(super) fn order(&self) -> (AddressType, Option<Port<'_>>, Address<'_>) {
        (self.slice.address_type, self.port(), self.endpoint().address())
    }
}
