//! What a plan is made from.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::Error;
use crate::engine::packer::address::OwnedAddress;
use crate::engine::packer::entry::Changes;
use crate::engine::packer::outside::{self, Content, Outside};
use crate::engine::packer::part::Part;
use crate::engine::packer::{Entry, Packer};
use crate::engine::versions::Name;
use crate::kube::{self, Pod, Ports, Service};
use crate::model::{Address, ByIdentity, EndpointPort, EndpointRef, EndpointSlice, Identity, same_ports};
use crate::pack::{self, Options, Plan, Verb};

impl Packer {
    /// The plan, which gives no slice the name of another one, of whatever Service that is.
    pub(super) fn planned(&self, name: &Name, trigger_time: Option<&str>) -> Result<Plan, Error> {
        let mut names_taken = Arc::default();
        loop {
            let plan = self.planned_beside(name, trigger_time, &names_taken)?;
            let created = plan.writes.iter().filter(|write| write.verb == Verb::Create);
            let named = created.map(|write| &write.slice.metadata().name).filter(|name| !name.is_empty());
            let taken: Vec<String> = named
                .filter(|slice| self.cluster.slice(&(name.0.clone(), (*slice).clone())).is_some())
                .cloned()
                .collect();
            if taken.is_empty() {
                return Ok(plan);
            }
            Arc::<BTreeSet<String>>::make_mut(&mut names_taken).extend(taken);
        }
    }

    fn planned_beside(
        &self,
        name: &Name,
        trigger_time: Option<&str>,
        names_taken: &Arc<BTreeSet<String>>,
    ) -> Result<Plan, Error> {
        let (Some(service), Some(entry)) = (self.cluster.service(name), self.entries.get(name)) else {
            return Ok(pack::Combination::default().finish());
        };
        let timed = |options: &Options| {
            let trigger_time = trigger_time.map(str::to_owned).or_else(|| options.trigger_time.clone());
            Options { trigger_time, names_taken: names_taken.clone(), ..options.clone() }
        };
        if service.selects_pods() {
            return self.reconciled(name, service, entry, timed(&self.options.reconcile));
        }
        match &entry.outside {
            Some(outside) => self.published(name, service, entry, outside, &timed(&self.options.publish)),
            None => Ok(pack::Combination::default().finish()),
        }
    }

    fn published(
        &self,
        name: &Name,
        service: &Service,
        entry: &Entry,
        outside: &Outside,
        options: &Options,
    ) -> Result<Plan, Error> {
        let managed_by = &self.options.managed_by;
        let few = self.part(name, service, entry, managed_by, options).and_then(|(part, changes)| {
            part.plan(|slices| {
                let some = wanted(slices, changes, outside, |ports| kube::published_ports(service, managed_by, ports))?;
                let endpoints = outside::joined(some.into_iter()).ok()?;
                kube::publish(service, &endpoints, &slices.into(), managed_by, options).ok()
            })
        });
        if let Some(plan) = few {
            return Ok(plan);
        }
        let endpoints = outside::joined(outside.in_order().into_iter())?;
        kube::publish(service, &endpoints, &self.cluster.slices_of(name).into(), managed_by, options)
    }

    fn reconciled(&self, name: &Name, service: &Service, entry: &Entry, options: Options) -> Result<Plan, Error> {
        let controller = self.options.controller.clone();
        let options = kube::Options { controller, hints: entry.hints.clone(), pack: options };
        let plan = |pods: &[Arc<Pod>], slices: &[Arc<EndpointSlice>]| {
            kube::reconcile(service, pods, &self.cluster.nodes_of(name, pods), &slices.into(), &options)
        };
        let few = self.part(name, service, entry, &options.controller, &options.pack).and_then(|(part, changes)| {
            part.plan(|slices| {
                let changed: BTreeSet<&str> = changes.pods.iter().map(Borrow::borrow).collect();
                let held = held_by_pod(slices).into_iter().filter(|(pod, _)| !changed.contains(pod));
                let mut pods: Vec<_> = held.filter_map(|(pod, ips)| self.cluster.part_of(name, pod, &ips)).collect();
                pods.extend(self.cluster.selected(name, &changed));
                plan(&pods, slices).ok()
            })
        });
        match few {
            Some(plan) => Ok(plan),
            None => plan(&self.cluster.pods_of(name), &self.cluster.slices_of(name)),
        }
    }

    /// Where it is known what changed, and the plan of one endpoint does not depend on all others.
    fn part<'a>(
        &'a self,
        name: &Name,
        service: &Service,
        entry: &'a Entry,
        managed_by: &'a str,
        options: &'a Options,
    ) -> Option<(Part<'a>, &'a Changes)> {
        let changes = entry.changes.as_ref()?;
        // Of a Service that is being deleted nothing is created: its slices need not hold what is wanted.
        if service.asks_for_topology_hints() || service.metadata.is_being_deleted() {
            return None;
        }
        let holding = changes.addresses.iter().flat_map(|address| self.cluster.holding(name, address.get()));
        let slices = self.cluster.service_slices(name)?;
        let names = holding.filter(|slice| slice.metadata.namespace == name.0).map(|slice| &slice.metadata.name);
        let concerned = names.filter(|name| slices.by_name().has(name)).cloned().collect();
        let addresses = changes.addresses.iter().map(OwnedAddress::get).collect();
        Some((Part { slices, addresses, concerned, managed_by, options }, changes))
    }
}

/// The Pods that some slices name, with the addresses that these hold of them.
fn held_by_pod(slices: &[Arc<EndpointSlice>]) -> BTreeMap<&str, Vec<Address<'_>>> {
    let mut pods: BTreeMap<&str, Vec<Address<'_>>> = BTreeMap::new();
    for endpoint in slices.iter().flat_map(|slice| slice.endpoints.iter()) {
        pods.entry(endpoint.target_name().1).or_default().extend(endpoint.addresses());
    }
    pods
}

/// Endpoints from outside that changed, or that some slices hold: all of an address that changed; of any other those that one of the slices holds,
/// at its ports, since the others are in other slices. In the order of their keys. `None` for ports that the Service does not have.
fn wanted<'a>(
    slices: &[Arc<EndpointSlice>],
    changes: &Changes,
    outside: &'a Outside,
    ports_of: impl Fn(&Ports) -> Result<Vec<EndpointPort>, Error>,
) -> Option<Vec<&'a Content>> {
    let mut held: BTreeMap<OwnedAddress, Vec<(&EndpointSlice, EndpointRef<'_>)>> = BTreeMap::new();
    for slice in slices {
        slice.endpoints.iter().for_each(|one| held.entry(one.address().into()).or_default().push((slice, one)));
    }
    for address in &changes.addresses {
        held.entry(address.clone()).or_default();
    }
    let mut wanted = Vec::with_capacity(held.len());
    for (address, held) in &held {
        if outside.only(address).is_some() || changes.addresses.contains(address) {
            wanted.extend(outside.with_address(address));
            continue;
        }
        for content in outside.with_address(address) {
            let (endpoint, identity, ports) = (content.0.get(), Identity::Stable, ports_of(&content.1).ok()?);
            let is_it = |(slice, held): &(&EndpointSlice, EndpointRef<'_>)| {
                let (held, endpoint) = (ByIdentity { endpoint: *held, identity }, ByIdentity { endpoint, identity });
                held == endpoint && same_ports(&ports, &slice.ports)
            };
            wanted.extend(held.iter().any(is_it).then_some(content));
        }
    }
    Some(wanted)
}
