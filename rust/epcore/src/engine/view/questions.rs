//! What a view holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diff::{Fold, Held, Key, Place};
use crate::engine::duplicate::Duplicate;
use crate::engine::port_endpoint::PortEndpoint;
use crate::engine::versions::{Name, NameRef};
use crate::engine::view::{View, service_of};
use crate::model::{Address, EndpointSlice};

impl View {
    /// All slices, by namespace and name.
    #[must_use]
    pub fn slices(&self) -> Vec<Arc<EndpointSlice>> {
        self.slices.iter().collect::<BTreeMap<_, _>>().into_values().cloned().collect()
    }

    /// The slices of a Service, by name.
    #[must_use]
    pub fn slices_of(&self, namespace: &str, service: &str) -> Vec<Arc<EndpointSlice>> {
        let numbers = self.services.get(&NameRef(namespace, service));
        let mut slices: Vec<_> =
            numbers.into_iter().flatten().filter_map(|&number| self.slices.at(number).cloned()).collect();
        slices.sort_by(|left, right| left.metadata.name.cmp(&right.metadata.name));
        slices
    }

    /// Namespace and name of each Service that has slices, or endpoints whose removal is kept back, in order.
    #[must_use]
    pub fn services(&self) -> Vec<(&str, &str)> {
        let mut services: Vec<(&str, &str)> =
            self.services.keys().map(|(namespace, name)| (&**namespace, &**name)).collect();
        let held = self.kept_back().into_iter().flat_map(Held::entries);
        let kept = held.map(|(slice, _)| slice).chain(self.slices_that_were(self.pending_of.values().flatten()));
        services.extend(kept.map(|slice| (&*slice.metadata.namespace, slice.metadata.service())));
        services.sort_unstable();
        services.dedup();
        services
    }

    /// Namespace, Service, name and protocol of each port that slices have, in order, whether it has endpoints or not.
    #[must_use]
    pub fn ports(&self) -> Vec<[&str; 4]> {
        let all = self.slices.iter().flat_map(|(_, slice)| {
            slice
                .ports
                .iter()
                .map(move |port| [&*slice.metadata.namespace, slice.metadata.service(), &*port.name, &*port.protocol])
        });
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The endpoints of a Service, each once for each of its ports, by family, port and address; those too whose removal is kept back, or will be
    /// by the next checkout, as they were told last.
    #[must_use]
    pub fn endpoints(&self, namespace: &str, service: &str) -> Vec<PortEndpoint> {
        let mut entries = folded(&self.slices_of(namespace, service));
        let there = entries.len();
        for (slice, place) in self.kept_back().into_iter().flat_map(|held| held.of(namespace, service)) {
            entries.push(PortEndpoint::at(std::slice::from_ref(slice), Place { slice: 0, ..place }));
        }
        entries.extend(folded(&self.slices_told(namespace, service)));
        entries.sort_by(|left, right| left.order().cmp(&right.order()));
        if entries.len() > there {
            // Of one that is there, what is there counts.
            entries.dedup_by(|next, first| next.order() == first.order());
        }
        entries
    }

    /// Slices of a Service as they were at the last checkout, if the next one may keep back what they held.
    fn slices_told(&self, namespace: &str, service: &str) -> Vec<Arc<EndpointSlice>> {
        let names = self.pending_of.get(&NameRef(namespace, service));
        let mut told: Vec<_> = self.slices_that_were(names.into_iter().flatten()).cloned().collect();
        if !told.is_empty() {
            let name = |slice: &EndpointSlice| (slice.metadata.namespace.clone(), slice.metadata.name.clone());
            let same = self.slices_of(namespace, service).into_iter();
            told.extend(same.filter(|slice| !self.pending.contains_key(&name(slice))));
        }
        told
    }

    /// Slices that changed since the last checkout as they were then, if the next one may keep back what they held.
    fn slices_that_were<'a>(
        &'a self,
        names: impl Iterator<Item = &'a Name>,
    ) -> impl Iterator<Item = &'a Arc<EndpointSlice>> {
        let were = names.filter_map(|name| self.pending.get(name)?.as_ref());
        were.filter(|slice| !self.hold().is_zero() && !slice.endpoints.is_empty())
    }

    /// Services that have this namespace and this name, where they are given; of both given the one, whether it has slices or not.
    pub fn matching<'a>(
        &'a self,
        namespace: Option<&'a str>,
        service: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
        let services = match namespace.zip(service) {
            Some(named) => vec![named],
            None => self.services(),
        };
        services.into_iter().filter(move |(of, name)| is(namespace, of) && is(service, name))
    }

    /// Slices that hold an address, whatever their Service, by namespace and name.
    #[must_use]
    pub fn find(&self, address: &str) -> Vec<Arc<EndpointSlice>> {
        let numbers: BTreeSet<u32> = self.holders.of(Address::parse(address)).collect();
        let mut slices: Vec<_> = numbers.into_iter().filter_map(|number| self.slices.at(number).cloned()).collect();
        slices.sort_by(|left, right| {
            let key = |slice: &EndpointSlice| (slice.metadata.namespace.clone(), slice.metadata.name.clone());
            key(left).cmp(&key(right))
        });
        slices
    }

    /// Endpoints that several entries claim to be, with the one that counts first.
    #[must_use]
    pub fn duplicates(&self) -> Vec<Duplicate> {
        let shared: BTreeSet<u32> = self.holders.shared().collect();
        let holders = shared.into_iter().filter_map(|number| self.slices.at(number));
        let services: BTreeSet<NameRef<'_>> = holders.map(|slice| service_of(slice)).collect();
        services.iter().flat_map(|service| Duplicate::among(&self.slices_of(service.0, service.1))).collect()
    }
}

/// One entry for each endpoint and port, in no order.
fn folded(slices: &[Arc<EndpointSlice>]) -> Vec<PortEndpoint> {
    let entries = Fold::of_all(slices, Key::AddressPort).entries.into_iter();
    entries.filter_map(|entry| Some(PortEndpoint::at(slices, entry.places[1]?))).collect()
}
