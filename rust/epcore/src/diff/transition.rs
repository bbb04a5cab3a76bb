//! Service ports that lose their last endpoint or get their first.

use crate::model::EndpointRef;

/// A service port that went from no endpoint, or none that is ready, to some, or back; or whose hints became complete, or no longer are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Namespace.
    pub namespace: String,
    /// Service.
    pub service: String,
    /// Name of the port.
    pub port_name: String,
    /// Protocol.
    pub protocol: String,
    /// Endpoints before.
    pub endpoints_before: usize,
    /// Endpoints after.
    pub endpoints_after: usize,
    /// Ready endpoints before.
    pub ready_before: usize,
    /// Ready endpoints after.
    pub ready_after: usize,
    /// Every ready endpoint had hints before, and there was one: only then do proxies follow them.
    pub hints_complete_before: bool,
    /// The same after.
    pub hints_complete_after: bool,
}

/// What a service port has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    endpoints: usize,
    ready: usize,
    /// Ready endpoints that have hints.
    hinted: usize,
}

impl Counts {
    pub(crate) fn add(&mut self, endpoint: EndpointRef<'_>) {
        let is_ready = endpoint.conditions().is_ready();
        self.endpoints += 1;
        self.ready += usize::from(is_ready);
        self.hinted += usize::from(is_ready && endpoint.hints().is_some());
    }

    pub(crate) fn remove(&mut self, endpoint: EndpointRef<'_>) {
        let is_ready = endpoint.conditions().is_ready();
        self.endpoints = self.endpoints.saturating_sub(1);
        self.ready = self.ready.saturating_sub(usize::from(is_ready));
        self.hinted = self.hinted.saturating_sub(usize::from(is_ready && endpoint.hints().is_some()));
    }

    pub(super) fn join(&mut self, other: Self) {
        self.endpoints += other.endpoints;
        self.ready += other.ready;
        self.hinted += other.hinted;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.endpoints == 0
    }

    fn has_complete_hints(self) -> bool {
        self.ready > 0 && self.hinted == self.ready
    }
}

/// Namespace, Service, name and protocol of a port, whatever its number and the family of the addresses.
pub(crate) type ServicePort<'a> = [&'a str; 4];

impl Transition {
    /// The transition from one count to another, if it is one.
    pub(crate) fn between(port: ServicePort<'_>, before: Counts, after: Counts) -> Option<Self> {
        let crosses = |before: usize, after: usize| (before == 0) != (after == 0);
        let hints = (before.has_complete_hints(), after.has_complete_hints());
        if !crosses(before.endpoints, after.endpoints) && !crosses(before.ready, after.ready) && hints.0 == hints.1 {
            return None;
        }
        let [namespace, service, port_name, protocol] = port.map(str::to_owned);
        Some(Self {
            namespace,
            service,
            port_name,
            protocol,
            endpoints_before: before.endpoints,
            endpoints_after: after.endpoints,
            ready_before: before.ready,
            ready_after: after.ready,
            hints_complete_before: hints.0,
            hints_complete_after: hints.1,
        })
    }
}
