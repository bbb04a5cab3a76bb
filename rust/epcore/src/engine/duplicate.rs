//! Endpoints that several entries claim to be.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diff::{Place, precedence, side};
use crate::engine::port_endpoint::PortEndpoint;
use crate::model::{AddressType, EndpointSlice, timestamp};

/// Entries that claim to be one endpoint.
#[derive(Clone, Debug)]
pub struct Duplicate {
    /// The one that counts, then the others in order of precedence.
    pub entries: Vec<PortEndpoint>,
}

impl Duplicate {
    /// Those among the slices of a Service.
    pub(super) fn among(slices: &[Arc<EndpointSlice>]) -> Vec<Self> {
        let mut entries: BTreeMap<(String, AddressType), Vec<Place>> = BTreeMap::new();
        for (number, slice) in (0u32..).zip(slices) {
            for (endpoint, held) in (0u32..).zip(slice.endpoints.iter()) {
                let ports = if slice.ports.is_empty() {
                    vec![None]
                } else {
                    (0u32..).take(slice.ports.len()).map(Some).collect()
                };
                for port in ports {
                    let place = Place { slice: number, endpoint, port };
                    let entry = PortEndpoint::at(slices, place);
                    let text = format!("{} {}", held.address(), entry.port_text());
                    entries.entry((text, slice.address_type)).or_default().push(place);
                }
            }
        }
        let several = entries.into_values().filter(|places| places.len() > 1).map(|mut places| {
            places.sort_by(|&left, &right| precedence(side(slices, left), left, side(slices, right), right));
            Self { entries: places.into_iter().map(|place| PortEndpoint::at(slices, place)).collect() }
        });
        several.collect()
    }

    /// Why the first counts.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        let [first, second, ..] = &*self.entries else { return "the only one" };
        let is_terminating = |entry: &PortEndpoint| entry.endpoint().conditions().is_terminating();
        let [one, other] = [first, second].map(|entry| &entry.slice().metadata);
        if is_terminating(first) != is_terminating(second) {
            "the other is terminating"
        } else if timestamp(one.trigger_time()) != timestamp(other.trigger_time()) {
            "its slice has the newer trigger time"
        } else if timestamp(&one.creation_timestamp) != timestamp(&other.creation_timestamp) {
            "its slice is newer"
        } else if one.name != other.name {
            "the name of its slice comes first"
        } else {
            "it comes first in its slice"
        }
    }
}
