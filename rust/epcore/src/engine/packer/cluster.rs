//! What is known of a cluster, and which Services a change of it concerns.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::sync::Arc;

use hashbrown::HashMap;
use smol_str::SmolStr;

use crate::diff::Key;
use crate::engine::holders::Holders;
use crate::engine::numbered::Numbered;
use crate::engine::packer::object::{Kind, Object};
use crate::engine::packer::slices::{self, ServiceSlices, SliceChange};
use crate::engine::versions::{Name, NameRef, Versions};
use crate::kube::{Node, Pod, Service, ServiceIndex};
use crate::model::{Address, EndpointSlice};

/// Objects by kind and name, with the indexes that tell what belongs together.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    slices: Numbered,
    services: HashMap<Name, OfService>,
    /// By namespace.
    pods: HashMap<String, BTreeMap<String, Arc<Pod>>>,
    nodes: BTreeMap<String, Arc<Node>>,
    /// By kind.
    versions: [Versions; Kind::WORDS.len()],
    index: ServiceIndex,
    /// Names of the Pods that a Service selects.
    pods_of: HashMap<Name, BTreeSet<String>>,
    /// Services that share endpoints by the CPU of Nodes.
    topology: BTreeSet<Name>,
    pods_on: HashMap<String, BTreeSet<Name>>,
    /// Which slices hold an address, by number.
    holders: Holders,
}

/// A Service, and the slices that name it; either may be there without the other.
#[derive(Clone, Debug, Default)]
struct OfService {
    service: Option<Arc<Service>>,
    slices: ServiceSlices,
}

/// Services, by namespace and name.
pub(super) type Names = BTreeSet<Name>;

impl Cluster {
    pub(super) fn service(&self, name: &Name) -> Option<&Arc<Service>> {
        self.services.get(name)?.service.as_ref()
    }

    /// True if a Service is there, or slices that name it.
    pub(super) fn knows(&self, service: &Name) -> bool {
        self.services.contains_key(service)
    }

    /// A Service and its slices.
    pub(super) fn service_and_slices(&self, name: &Name) -> Option<(&Service, &ServiceSlices)> {
        let of = self.services.get(name)?;
        Some((of.service.as_ref()?, &of.slices))
    }

    pub(super) fn slice(&self, name: &Name) -> Option<&Arc<EndpointSlice>> {
        self.slices.get(name)
    }

    pub(super) fn versions(&mut self, kind: Kind) -> &mut Versions {
        &mut self.versions[kind as usize]
    }

    pub(super) fn newest(&self, kind: Kind) -> &str {
        &self.versions[kind as usize].newest
    }

    /// The slices of a Service, by name.
    pub(super) fn slices_of(&self, service: &Name) -> Vec<Arc<EndpointSlice>> {
        self.service_slices(service).map_or_else(Vec::new, |slices| slices.by_name().now().slices())
    }

    pub(super) fn service_slices(&self, service: &Name) -> Option<&ServiceSlices> {
        self.services.get(service).map(|of| &of.slices).filter(|slices| !slices.is_empty())
    }

    /// The slices of a Service that hold an address.
    pub(super) fn holding(
        &self,
        (namespace, name): &Name,
        address: Address<'_>,
    ) -> impl Iterator<Item = &Arc<EndpointSlice>> {
        self.holders.in_service(address, (namespace, name)).filter_map(|number| self.slices.at(number))
    }

    /// The slice that alone of a Service holds an address, and the one place in it.
    pub(super) fn only_holder(
        &self,
        (namespace, name): &Name,
        address: Address<'_>,
    ) -> Option<(&Arc<EndpointSlice>, usize)> {
        let (number, place) = self.holders.only(address, (namespace, name))?;
        // What stands for another Service may be the same.
        let is_of_service =
            |slice: &&Arc<EndpointSlice>| slice.metadata.service() == name && slice.metadata.namespace == *namespace;
        let slice = self.slices.at(number).filter(is_of_service)?;
        let place = place.and_then(|place| usize::try_from(place).ok());
        let is_it = |&place: &usize| slice.endpoints.get(place).is_some_and(|endpoint| endpoint.address() == address);
        Some((slice, place.filter(is_it).or_else(|| slice.endpoints.place_of(address, 0))?))
    }

    /// The Pods that a Service selects, by name.
    pub(super) fn pods_of(&self, service: &Name) -> Vec<Arc<Pod>> {
        let Some(pods) = self.pods.get(&service.0) else { return Vec::new() };
        self.pods_of.get(service).into_iter().flatten().filter_map(|name| pods.get(name).cloned()).collect()
    }

    pub(super) fn pod(&self, name: &Name) -> Option<&Arc<Pod>> {
        self.pods.get(&name.0)?.get(&name.1)
    }

    /// Those of some names that a Service selects.
    pub(super) fn selected(&self, service: &Name, names: &BTreeSet<&str>) -> Vec<Arc<Pod>> {
        names.iter().filter_map(|name| self.selected_pod(service, name).cloned()).collect()
    }

    pub(super) fn selected_pod(&self, service: &Name, name: &str) -> Option<&Arc<Pod>> {
        let pods = self.pods.get(&service.0).filter(|_| self.pods_of.get(service).is_some_and(|of| of.contains(name)));
        pods?.get(name)
    }

    /// A Pod that a Service selects, as if it had no other addresses than some.
    pub(super) fn part_of(&self, service: &Name, pod: &str, ips: &[Address<'_>]) -> Option<Arc<Pod>> {
        let pod = self.selected_pod(service, pod)?;
        let is_held = |ip: &SmolStr| ips.contains(&Address::parse(ip));
        if pod.ips.iter().all(is_held) {
            return Some(pod.clone());
        }
        let ips = pod.ips.iter().filter(|ip| is_held(ip)).cloned().collect();
        Some(Arc::new(Pod { ips, ..Pod::clone(pod) }))
    }

    pub(super) fn node(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes.get(name)
    }

    /// The Nodes that the slices of a Service depend on.
    pub(super) fn nodes_of(&self, service: &Name, pods: &[Arc<Pod>]) -> Vec<Arc<Node>> {
        if self.topology.contains(service) {
            return self.nodes.values().cloned().collect();
        }
        let names: BTreeSet<&str> = pods.iter().map(|pod| &*pod.node_name).collect();
        names.into_iter().filter_map(|name| self.nodes.get(name).cloned()).collect()
    }

    /// Names of all objects of a kind.
    pub(super) fn names(&self, kind: Kind) -> Names {
        match kind {
            Kind::EndpointSlice => self.slices.names().cloned().collect(),
            Kind::Service => {
                let there = self.services.iter().filter(|(_, of)| of.service.is_some());
                there.map(|(name, _)| name.clone()).collect()
            }
            Kind::Node => self.nodes.keys().map(|name| (String::new(), name.clone())).collect(),
            Kind::Pod => {
                let of = |(namespace, pods): (&String, &BTreeMap<String, Arc<Pod>>)| {
                    pods.keys().map(|name| (namespace.clone(), name.clone())).collect::<Vec<_>>()
                };
                self.pods.iter().flat_map(of).collect()
            }
        }
    }

    /// True if an object is older than what is known of it.
    pub(super) fn is_stale(&self, name: &Name, object: &Object) -> bool {
        let held = match object.kind() {
            Kind::EndpointSlice => self.slice(name).map(|slice| &*slice.metadata.resource_version),
            Kind::Service => self.service(name).map(|service| &*service.metadata.resource_version),
            Kind::Pod => self.pod(name).map(|pod| &*pod.resource_version),
            Kind::Node => self.nodes.get(&name.1).map(|node| &*node.resource_version),
        };
        self.versions[object.kind() as usize].is_stale(name, object.resource_version(), held)
    }

    /// Make a slice so, `None` if it is not there; tells one slice of each Service that it concerns, before or after.
    pub(super) fn set_slice(
        &mut self,
        name: &Name,
        slice: Option<&Arc<EndpointSlice>>,
    ) -> [Option<Arc<EndpointSlice>>; 2] {
        let Some((number, before)) = self.slices.set(name, slice) else { return [None, None] };
        let pair = before.as_ref().zip(slice);
        let changed = pair.map(|(before, after)| slices::changed(before, after));
        if changed.as_ref().is_some_and(SliceChange::is_none) {
            return [None, None];
        }
        let stays = pair.is_some_and(|(before, after)| before.metadata.service() == after.metadata.service());
        let keeps = |changed: &SliceChange| pair.is_some_and(|(before, after)| changed.keeps_addresses(before, after));
        if !stays || !changed.as_ref().is_some_and(keeps) {
            self.holders.replace(before.as_deref(), slice.map(|slice| &**slice), number, Key::Address);
        }
        let left = before.filter(|_| !stays);
        if let Some(left) = &left {
            self.shelve(NameRef(&name.0, left.metadata.service()), &name.1, None, None);
        }
        if let Some(slice) = slice {
            self.shelve(NameRef(&name.0, slice.metadata.service()), &name.1, Some(slice), changed.as_ref());
        }
        [left, slice.cloned()]
    }

    fn shelve(
        &mut self,
        service: NameRef<'_>,
        name: &str,
        slice: Option<&Arc<EndpointSlice>>,
        changed: Option<&SliceChange>,
    ) {
        if let Some(of) = self.services.get_mut(&service) {
            of.slices.set(name, slice, changed);
            if of.slices.is_empty() && of.service.is_none() {
                self.services.remove(&service);
            }
        } else if slice.is_some() {
            let mut of = OfService::default();
            of.slices.set(name, slice, changed);
            self.services.insert(service.owned(), of);
        }
    }

    /// Make a Service so, `None` if it is not there; tells the Services that this concerns.
    pub(super) fn set_service(&mut self, name: &Name, service: Option<&Arc<Service>>) -> Names {
        let before = self.hold_service(name, service);
        if before.as_ref() == service {
            return Names::new();
        }
        let selector = |service: Option<&Arc<Service>>| {
            service.filter(|service| service.selects_pods()).map(|service| service.selector.clone())
        };
        let wanted = selector(service);
        if selector(before.as_ref()) != wanted {
            match service {
                Some(service) => self.index.set(service),
                None => self.index.remove(&name.0, &name.1),
            }
            let pods = self.pods.get(&name.0).into_iter().flat_map(BTreeMap::values);
            let selected = wanted.map(|wanted| {
                pods.filter(|pod| pod.matches(&wanted)).map(|pod| pod.name.to_string()).collect::<BTreeSet<_>>()
            });
            match selected.filter(|selected| !selected.is_empty()) {
                Some(selected) => drop(self.pods_of.insert(name.clone(), selected)),
                None => drop(self.pods_of.remove(name)),
            }
        }
        if service.is_some_and(|service| service.asks_for_topology_hints()) {
            self.topology.insert(name.clone());
        } else {
            self.topology.remove(name);
        }
        Names::from([name.clone()])
    }

    /// What was there of the Service.
    fn hold_service(&mut self, name: &Name, service: Option<&Arc<Service>>) -> Option<Arc<Service>> {
        if let Some(service) = service {
            return self.services.entry(name.clone()).or_default().service.replace(service.clone());
        }
        let of = self.services.get_mut(name)?;
        let before = of.service.take();
        if of.slices.is_empty() {
            self.services.remove(name);
        }
        before
    }

    /// The same for a Pod.
    pub(super) fn set_pod(&mut self, name: &Name, pod: Option<&Arc<Pod>>) -> Names {
        let pods = self.pods.entry(name.0.clone()).or_default();
        let before = match pod {
            Some(pod) => pods.insert(name.1.clone(), pod.clone()),
            None => pods.remove(&name.1),
        };
        if pods.is_empty() {
            self.pods.remove(&name.0);
        }
        let concerns = |pod: Option<&Arc<Pod>>| -> BTreeSet<String> {
            pod.map(|pod| self.index.services_of(pod).into_iter().collect()).unwrap_or_default()
        };
        let (old, new) = (concerns(before.as_ref()), concerns(pod));
        for service in old.difference(&new) {
            remove_from(&mut self.pods_of, &(name.0.clone(), service.clone()), &*name.1);
        }
        for service in new.difference(&old) {
            self.pods_of.entry((name.0.clone(), service.clone())).or_default().insert(name.1.clone());
        }
        if let Some(before) = before.as_ref().filter(|before| pod.is_none_or(|pod| pod.node_name != before.node_name)) {
            remove_from(&mut self.pods_on, &before.node_name.to_string(), name);
        }
        if let Some(pod) = pod {
            self.pods_on.entry(pod.node_name.to_string()).or_default().insert(name.clone());
        }
        let in_namespace = |service: &String| (name.0.clone(), service.clone());
        if matters(before.as_deref()) == matters(pod.map(|pod| &**pod)) {
            old.symmetric_difference(&new).map(in_namespace).collect()
        } else {
            old.union(&new).map(in_namespace).collect()
        }
    }

    /// The same for a Node.
    pub(super) fn set_node(&mut self, name: &str, node: Option<&Arc<Node>>) -> Names {
        let before = match node {
            Some(node) => self.nodes.insert(name.to_owned(), node.clone()),
            None => self.nodes.remove(name),
        };
        let part =
            |node: Option<&Arc<Node>>| node.map(|node| Node { resource_version: String::new(), ..Node::clone(node) });
        if part(before.as_ref()) == part(node) {
            return Names::new();
        }
        let mut concerned = self.topology.clone();
        for (namespace, pod) in self.pods_on.get(name).into_iter().flatten() {
            let pod = self.pods.get(namespace).and_then(|pods| pods.get(pod));
            let services = pod.map(|pod| self.index.services_of(pod)).unwrap_or_default();
            concerned.extend(services.into_iter().map(|service| (namespace.clone(), service)));
        }
        concerned
    }
}

/// What endpoints depend on of a Pod.
fn matters(pod: Option<&Pod>) -> Option<Pod> {
    pod.map(|pod| Pod {
        resource_version: SmolStr::default(),
        ready_since: SmolStr::default(),
        labels: Arc::default(),
        ..pod.clone()
    })
}

fn remove_from<K, V, Q>(index: &mut HashMap<K, BTreeSet<V>>, key: &K, name: &Q)
where
    K: Eq + Hash,
    V: Ord + Borrow<Q>,
    Q: Ord + ?Sized,
{
    if let Some(names) = index.get_mut(key) {
        names.remove(name);
        if names.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    #[test]
    fn a_slice_of_another_service_that_looks_like_one_of_this_is_none_of_it() {
        let mut cluster = Cluster::default();
        let mut seen = HashMap::new();
        // Of so many names two stand for the same, whatever the seed.
        let same = (0u32..).find_map(|number| {
            let earlier = seen.insert(cluster.holders.service("shop", &format!("web-{number}")), number)?;
            Some([earlier, number].map(|number| ("shop".to_owned(), format!("web-{number}"))))
        });
        let [one, other] = same.expect("there are more names than numbers");
        let text = format!(
            r#"{{"metadata":{{"name":"web","namespace":"shop","labels":{{"kubernetes.io/service-name":"{}"}}}},"addressType":"IPv4","endpoints":[{{"addresses":["10.0.0.1"]}}]}}"#,
            one.1
        );
        let slices = json::read_slices(text.as_bytes()).expect("a slice");
        cluster.set_slice(&("shop".to_owned(), "web".to_owned()), slices.first());
        let address = Address::parse("10.0.0.1");
        assert!(cluster.only_holder(&one, address).is_some());
        assert!(cluster.only_holder(&other, address).is_none());
    }
}
