//! Hints by `trafficDistribution`, which needs nothing but the endpoint itself, and their removal.

mod choose;

use std::sync::Arc;

use hashbrown::HashMap;

use crate::Error;
use crate::kube::Service;
use crate::model::{EndpointList, EndpointRef, EndpointSlice};
use crate::wire::json;

/// Where hints come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// There are none.
    Nothing,
    /// `PreferSameZone`, formerly `PreferClose`.
    Zone,
    /// `PreferSameNode`.
    Node,
    /// The annotation `Auto`: zones by their share of CPU.
    Topology,
}

impl Source {
    /// What the Service asks for; the annotation wins.
    pub(crate) fn of(service: &Service) -> Self {
        if service.asks_for_topology_hints() {
            return Self::Topology;
        }
        match &*service.traffic_distribution {
            "PreferClose" | "PreferSameZone" => Self::Zone,
            "PreferSameNode" => Self::Node,
            _ => Self::Nothing,
        }
    }

    /// The hints that a ready endpoint should have, `""` for none.
    pub(crate) fn hints(self, endpoint: EndpointRef<'_>) -> String {
        let node = endpoint.node_name().filter(|_| self == Self::Node);
        match self {
            Self::Nothing | Self::Topology => String::new(),
            Self::Zone | Self::Node => json::write_hints(endpoint.zone(), node),
        }
    }

    /// The same for any endpoint: nobody looks at the hints of what is not ready, which may stay as they are.
    fn hints_or(self, endpoint: EndpointRef<'_>, current: impl FnOnce() -> String) -> String {
        if is_ready(endpoint) { self.hints(endpoint) } else { current() }
    }
}

/// Only an endpoint that says so is ready for hints.
pub(crate) fn is_ready(endpoint: EndpointRef<'_>) -> bool {
    endpoint.conditions().ready() == Some(true)
}

/// The endpoints with other hints: `choose` tells them, `None` leaves them as they are.
pub(crate) fn with_hints(
    endpoints: &EndpointList,
    mut choose: impl FnMut(usize, EndpointRef<'_>) -> Option<String>,
) -> Result<EndpointList, Error> {
    let mut list = EndpointList::default();
    for (index, endpoint) in endpoints.iter().enumerate() {
        match choose(index, endpoint) {
            Some(hints) => list.push_with_hints(endpoint, &hints)?,
            None => list.push(endpoint)?,
        }
    }
    Ok(list)
}

/// Endpoints with the hints of `trafficDistribution`, where `before` is what each is now.
pub(crate) fn distributed(
    service: &Service,
    endpoints: EndpointList,
    before: EndpointRef<'_>,
) -> Result<EndpointList, Error> {
    match Source::of(service) {
        Source::Nothing => Ok(endpoints),
        source => with_hints(&endpoints, |_, endpoint| {
            Some(source.hints_or(endpoint, || before.hints().unwrap_or_default().to_owned()))
        }),
    }
}

/// The slice without any hints; itself if it has none.
pub(crate) fn without_hints(slice: &Arc<EndpointSlice>) -> Result<Arc<EndpointSlice>, Error> {
    if !has_hints(slice) {
        return Ok(slice.clone());
    }
    let mut bare = EndpointSlice::clone(slice);
    bare.endpoints = with_hints(&slice.endpoints, |_, _| Some(String::new()))?;
    Ok(Arc::new(bare))
}

pub(crate) fn has_hints(slice: &EndpointSlice) -> bool {
    slice.endpoints.iter().any(|endpoint| endpoint.hints().is_some())
}

/// Address, namespace and name of the target: enough to find an endpoint again.
pub(crate) type Key = (String, String, String);

/// The hints that endpoints have.
pub(crate) type Current = HashMap<Key, String>;

pub(crate) fn key(endpoint: EndpointRef<'_>) -> Key {
    let (namespace, name) = endpoint.target_name();
    (endpoint.address().to_string(), namespace.to_owned(), name.to_owned())
}

/// The hints of all endpoints that have some.
pub(crate) fn current<'a>(slices: impl Iterator<Item = &'a EndpointSlice>) -> Current {
    let endpoints = slices.flat_map(|slice| slice.endpoints.iter());
    endpoints.filter_map(|endpoint| Some((key(endpoint), endpoint.hints()?.to_owned()))).collect()
}
