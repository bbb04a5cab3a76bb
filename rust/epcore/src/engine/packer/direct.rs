//! The plan of a Service of which endpoints changed in place, made without any other one.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;

use crate::engine::packer::address::OwnedAddress;
use crate::engine::packer::cluster::Cluster;
use crate::engine::packer::common::Common;
use crate::engine::packer::entry::Changes;
use crate::engine::packer::slices::ServiceSlices;
use crate::engine::packer::{Entry, PackerOptions};
use crate::engine::versions::Name;
use crate::interrupt::point;
use crate::kube::{self, Pod, Ports, Service};
use crate::model::{
    Address, ByIdentity, EndpointList, EndpointPort, EndpointSlice, Identity, ObjectMeta, Shared,
    TRIGGER_TIME_ANNOTATION, keeps, same_ports,
};
use crate::pack::{LateSlice, Notes, Options, Plan, Policy, Replaced, Stats, Verb, Write, WriteReason, WriteReasons};

/// What an address should be: one endpoint, and its ports.
struct Wanted<'a> {
    endpoint: Shared<EndpointList>,
    ports: Cow<'a, [EndpointPort]>,
}

/// A slice, and what is wanted at a place of it.
type Change<'a> = (&'a Arc<EndpointSlice>, Replaced);

/// Pods by their only address.
type PodsByAddress<'a> = HashMap<Address<'a>, &'a Pod>;

/// A Service, what is known of it, and what its slices have in common.
pub(super) struct Direct<'a> {
    cluster: &'a Cluster,
    name: &'a Name,
    service: &'a Service,
    slices: &'a ServiceSlices,
    entry: &'a Entry,
    changes: &'a Changes,
    common: &'a Common,
    managed_by: &'a str,
    options: &'a Options,
}

impl<'a> Direct<'a> {
    /// `None` where no plan could be made from the endpoints that changed.
    pub(super) fn of(
        cluster: &'a Cluster,
        options: &'a PackerOptions,
        name: &'a Name,
        entry: &'a Entry,
    ) -> Option<Self> {
        let changes = entry.changes.as_ref().filter(|changes| !changes.addresses.is_empty())?;
        let (service, slices) = cluster.service_and_slices(name)?;
        let (options, managed_by) = if service.selects_pods() {
            (&options.reconcile, &options.controller)
        } else {
            (&options.publish, &options.managed_by)
        };
        let is_simple = matches!(options.policy, Policy::Threshold(_) | Policy::Prices(_))
            && options.compaction.is_none()
            && !service.asks_for_topology_hints()
            && !service.metadata.is_being_deleted()
            && entry.hints.says_nothing()
            && slices.are_of(managed_by);
        let common = entry.common.get_or_init(|| Arc::new(Common::of(service, managed_by)));
        is_simple.then_some(Self { cluster, name, service, slices, entry, changes, common, managed_by, options })
    }

    /// The plan, where each address that changed is that of one endpoint which stays in its slice, all of these slices are of one group, and
    /// each is right but for them. `None` where more is to be looked at: then, and for every doubt and error, the plan is made from more of the
    /// slices.
    ///
    /// It is the updates that these would come to: all rules about a slice that is clean but for changed endpoints are here once more.
    pub(super) fn plan(&self, trigger_time: Option<&str>) -> Option<Plan> {
        if trigger_time.is_some_and(|time| crate::model::timestamp(time).is_none()) {
            return None;
        }
        let time = trigger_time.or(self.options.trigger_time.as_deref());
        let pods = self.changed_pods()?;
        let mut addresses = self.changes.addresses.iter();
        let (slice, replaced) = self.change(addresses.next()?, &pods)?;
        if addresses.len() == 0 {
            // Nearly always it is one.
            return Some(self.plan_of(vec![slice.clone()], vec![self.update(0, slice, vec![replaced], time)?]));
        }
        let mut changes: Vec<Change<'a>> = Vec::with_capacity(self.changes.addresses.len());
        changes.push((slice, replaced));
        for address in addresses {
            point();
            let change = self.change(address, &pods)?;
            if !slice.same_group(change.0) {
                return None;
            }
            changes.push(change);
        }
        changes.sort_unstable_by(|one, other| place_of(one).cmp(&place_of(other)));
        let (mut before, mut writes) = (Vec::new(), Vec::new());
        for of_slice in changes.chunk_by(|one, other| Arc::ptr_eq(one.0, other.0)) {
            let slice = of_slice[0].0;
            let replaced = of_slice.iter().map(|(_, replaced)| replaced.clone()).collect();
            writes.push(self.update(before.len(), slice, replaced, time)?);
            before.push(slice.clone());
        }
        Some(self.plan_of(before, writes))
    }

    /// The update of a slice that has other endpoints at some places.
    fn update(
        &self,
        slot: usize,
        slice: &Arc<EndpointSlice>,
        replaced: Vec<Replaced>,
        time: Option<&str>,
    ) -> Option<Write> {
        let Self { service, options, .. } = *self;
        if slice.endpoints.len() > options.max_endpoints || !self.common.is_of(service, slice) {
            return None;
        }
        let metadata = match time {
            None if !service.selects_pods() => slice.metadata.clone(),
            time => with_trigger_time(&slice.metadata, time),
        };
        let endpoints = replaced.iter().filter_map(|(_, endpoint)| endpoint.get(0));
        if !self.slices.fit_with((slice, &metadata), endpoints, options.max_endpoints, options.max_bytes) {
            return None;
        }
        let reasons = WriteReasons::default().with(WriteReason::EndpointsUpdated, true);
        let slice = LateSlice::replacing(slice, metadata, replaced)?;
        Some(Write { verb: Verb::Update, slice, reasons, slot })
    }

    /// The plan of some updates of slices.
    fn plan_of(&self, before: Vec<Arc<EndpointSlice>>, writes: Vec<Write>) -> Plan {
        let changed = self.changes.addresses.len();
        let written: usize = before.iter().map(|slice| slice.endpoints.len()).sum();
        let counts = Stats {
            updates: writes.len(),
            write_floor: writes.len(),
            endpoints_updated: changed,
            endpoints_resent: written - changed,
            slices_before: writes.len(),
            slices_after: writes.len(),
            slices_ideal: self.slices.fewest(self.options.max_endpoints),
            ..Stats::default()
        };
        let mut plan = Plan {
            writes,
            moves: Vec::new(),
            counts,
            bytes: OnceLock::new(),
            before: Arc::new(before),
            among: None,
            notes: Notes::default(),
        };
        plan.put_among(self.slices.by_name());
        plan
    }

    /// What changed at an address.
    fn change(&self, address: &OwnedAddress, pods: &PodsByAddress<'_>) -> Option<Change<'a>> {
        let (slice, place) = self.cluster.only_holder(self.name, address.get())?;
        if slice.endpoints.get(place)?.address_count() != 1 {
            return None;
        }
        let wanted = self.wanted(address, pods, (slice, place))?;
        Some((slice, (place, content(slice, place, wanted)?)))
    }

    /// The Pods that changed, where each has one address and no other address changed; none where no Pod did.
    fn changed_pods(&self) -> Option<PodsByAddress<'a>> {
        let changes = self.changes;
        if changes.pods.is_empty() {
            return Some(PodsByAddress::new());
        }
        let mut pods = PodsByAddress::with_capacity(changes.pods.len());
        for pod in &changes.pods {
            let pod = self.cluster.selected_pod(self.name, pod)?;
            let [ip] = &*pod.ips else { return None };
            pods.insert(Address::parse(ip), pod);
        }
        (pods.len() == changes.addresses.len() && changes.pods.len() == pods.len()).then_some(pods)
    }

    /// What a changed address should be, in the slice and at the place that hold it.
    fn wanted(
        &self,
        address: &OwnedAddress,
        pods: &PodsByAddress<'_>,
        (slice, place): (&EndpointSlice, usize),
    ) -> Option<Wanted<'a>> {
        let Self { service, entry, common, .. } = *self;
        if !service.selects_pods() {
            let mut contents = entry.outside.as_ref()?.with_address(address);
            let (endpoint, ports) = contents.next().filter(|_| pods.is_empty())?;
            kube::check_published(endpoint.get(0)?).ok()?;
            let ports = match ports {
                Ports::OfService => Cow::Borrowed(common.ports.as_deref()?),
                ports => Cow::Owned(kube::published_ports(service, self.managed_by, ports).ok()?),
            };
            return contents.next().is_none().then(|| Wanted { endpoint: endpoint.clone(), ports });
        }
        let pod = *pods.get(&address.get())?;
        let nodes: HashMap<_, _> =
            self.cluster.node(&pod.node_name).map(|node| (&*pod.node_name, &**node)).into_iter().collect();
        let mut errors = Vec::new();
        let groups = kube::desired(service, &[pod], &nodes, slice.address_type, &mut errors).ok()?;
        let [group] = <[_; 1]>::try_from(groups).ok().filter(|_| errors.is_empty())?;
        let endpoints = kube::distributed(service, group.endpoints, slice.endpoints.get(place)?).ok()?;
        Some(Wanted { endpoint: endpoints.into(), ports: Cow::Owned(group.ports) })
    }
}

/// What is wanted at a place, a list of one, where that is the same endpoint with another content.
fn content(slice: &EndpointSlice, place: usize, wanted: Wanted<'_>) -> Option<Shared<EndpointList>> {
    let before = slice.endpoints.get(place)?;
    let only = (wanted.endpoint.len() == 1).then(|| wanted.endpoint.get(0))??;
    let identity = Identity::Stable;
    let is_same = only.address_count() == 1
        && only.address().address_type() == slice.address_type
        && same_ports(&wanted.ports, &slice.ports)
        && ByIdentity { endpoint: before, identity } == (ByIdentity { endpoint: only, identity });
    if !is_same || keeps(before, only) {
        return None;
    }
    if before.rare().is_none() {
        return Some(wanted.endpoint);
    }
    let mut merged = EndpointList::default();
    merged.push_over(only, before).ok()?;
    Some(merged.into())
}

fn place_of<'a>((slice, (place, _)): &Change<'a>) -> (&'a str, usize) {
    (&slice.metadata.name, *place)
}

/// The same metadata with another trigger time, or without.
fn with_trigger_time(metadata: &Shared<ObjectMeta>, time: Option<&str>) -> Shared<ObjectMeta> {
    let mut metadata = metadata.clone();
    if metadata.annotations.get(TRIGGER_TIME_ANNOTATION).map(String::as_str) != time {
        let annotations = &mut metadata.annotations;
        match time {
            Some(time) => drop(annotations.insert(TRIGGER_TIME_ANNOTATION.to_owned(), time.to_owned())),
            None => drop(annotations.remove(TRIGGER_TIME_ANNOTATION)),
        }
    }
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Answer, Object, ObjectEvent, Packer, PackerOptions};
    use crate::kube::Published;
    use crate::wire::json;

    const SERVICE: &str = r#"{"metadata":{"name":"db","namespace":"shop","uid":"u","labels":{"a":"b"}},"spec":{"ports":[{"name":"sql","port":5432}]}}"#;

    const GONE: &[u8] = br#"[{"addresses":["10.0.0.3"],"targetRef":{"kind":"VM","name":"v2"},"zone":"z"}]"#;

    fn published(zones: [&str; 5]) -> Published {
        let one = |(number, zone): (usize, &&str)| {
            format!(
                r#"{{"addresses":["10.0.0.{}"],"targetRef":{{"kind":"VM","name":"v{number}"}},"zone":"{zone}"}}"#,
                number + 1
            )
        };
        let all: Vec<String> = zones.iter().enumerate().map(one).collect();
        json::read_published(format!("[{}]", all.join(",")).as_bytes()).expect("endpoints")
    }

    /// A packer whose slice holds five endpoints.
    fn packer(name: &Name, policy: Policy) -> Packer {
        let publish = Options { policy, ..Options::default() };
        let options = PackerOptions {
            controller: kube::CONTROLLER.to_owned(),
            managed_by: "sync".to_owned(),
            reconcile: kube::Options::default().pack,
            publish,
        };
        let mut packer = Packer::new(options).expect("options");
        let service = json::read_service(SERVICE.as_bytes()).expect("a Service");
        packer.feed(ObjectEvent::Present(Object::Service(Arc::new(service))));
        packer.publish(name, &published(["z"; 5])).expect("endpoints");
        for write in packer.plan(name, None).expect("a plan").writes() {
            let mut made = EndpointSlice::clone(&write.slice);
            made.metadata.name = "db-1".to_owned();
            packer.answer(write, Answer::Accepted(Some(Arc::new(made)))).expect("its slice");
        }
        packer
    }

    fn direct(packer: &Packer, name: &Name) -> Option<Plan> {
        let direct = Direct::of(&packer.cluster, &packer.options, name, packer.entries.get(name)?)?;
        direct.plan(Some("2026-01-02T03:04:05Z"))
    }

    #[test]
    fn changes_in_place_are_planned_from_their_endpoints_alone_and_as_from_all() {
        for zones in [["z", "y", "z", "z", "z"], ["y", "z", "z", "x", "y"]] {
            planned_as_from_all(&published(zones));
        }
    }

    fn planned_as_from_all(wanted: &Published) {
        let name: Name = ("shop".to_owned(), "db".to_owned());
        let mut packer = packer(&name, Policy::BALANCED);
        packer.upsert(&name, wanted).expect("endpoints");
        let plan = direct(&packer, &name).expect("a plan");
        let options = Options { trigger_time: Some("2026-01-02T03:04:05Z".to_owned()), ..Options::default() };
        let service = packer.cluster.service(&name).expect("the Service");
        let whole = kube::publish(service, wanted, &packer.slices(&name).into(), "sync", &options).expect("a plan");
        assert_eq!((plan.writes(), plan.stats(), plan.result()), (whole.writes(), whole.stats(), whole.result()));
        assert_eq!(plan.notes(), whole.notes());
    }

    #[test]
    fn what_more_depends_on_is_not_planned_from_one_endpoint() {
        let name: Name = ("shop".to_owned(), "db".to_owned());
        let changed = published(["z", "y", "z", "z", "z"]);
        let unchanged = packer(&name, Policy::BALANCED);
        assert!(direct(&unchanged, &name).is_none());
        let mut both = unchanged.clone();
        both.upsert(&name, &changed).expect("endpoints");
        both.remove(&name, &json::read_published(GONE).expect("an endpoint")).expect("room");
        let mut gone = unchanged.clone();
        gone.remove(&name, &changed).expect("endpoints");
        let mut other = unchanged;
        let target = br#"[{"addresses":["10.0.0.2"],"targetRef":{"kind":"VM","name":"another"}}]"#;
        other.upsert(&name, &json::read_published(target).expect("an endpoint")).expect("room");
        let mut moving = packer(&name, Policy::LIFECYCLE);
        moving.upsert(&name, &changed).expect("endpoints");
        for packer in [both, gone, other, moving] {
            assert!(direct(&packer, &name).is_none());
        }
    }
}
