//! The plan of a Service of which endpoints changed in place, made without any other one.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;

use crate::engine::packer::address::OwnedAddress;
use crate::engine::packer::common::Common;
use crate::engine::packer::entry::Changes;
use crate::engine::packer::outside;
use crate::engine::packer::slices::ServiceSlices;
use crate::engine::packer::{Entry, Packer};
use crate::engine::versions::Name;
use crate::interrupt::point;
use crate::kube::{self, Pod, Ports, Service};
use crate::model::{
    Address, ByIdentity, EndpointList, EndpointPort, EndpointSlice, Identity, ObjectMeta, Shared,
    TRIGGER_TIME_ANNOTATION, keeps, same_ports,
};
use crate::pack::{
    HintState, LateSlice, Notes, Options, Plan, Policy, Replaced, Stats, Verb, Write, WriteReason, WriteReasons,
};

/// What an address should be: one endpoint, and its ports.
struct Wanted<'a> {
    endpoint: Shared<EndpointList>,
    ports: Cow<'a, [EndpointPort]>,
}

/// A place of a slice, and what is wanted there.
struct Change<'a> {
    slice: &'a Arc<EndpointSlice>,
    replaced: Replaced,
}

/// Pods by their only address.
type PodsByAddress<'a> = HashMap<Address<'a>, &'a Pod>;

/// A Service, what is known of it, and what its slices have in common.
struct Known<'a> {
    name: &'a Name,
    service: &'a Service,
    entry: &'a Entry,
    common: &'a Common,
}

impl Packer {
    /// The plan, where each address that changed is that of one endpoint which stays in its slice, all of these slices are of one group, and
    /// each is right but for them. `None` where more is to be looked at: then, and for every doubt and error, the plan is made from more of the
    /// slices.
    ///
    /// It is the updates that these would come to: all rules about a slice that is clean but for changed endpoints are here once more.
    pub(super) fn direct(
        &self,
        name: &Name,
        service: &Service,
        entry: &Entry,
        trigger_time: Option<&str>,
    ) -> Option<Plan> {
        let options = if service.selects_pods() { &self.options.reconcile } else { &self.options.publish };
        let changes = entry.changes.as_ref().filter(|changes| !changes.addresses.is_empty())?;
        let is_simple = matches!(options.policy, Policy::Threshold(_) | Policy::Prices(_))
            && options.compaction.is_none()
            && trigger_time.is_none_or(|time| crate::model::timestamp(time).is_some())
            && !service.asks_for_topology_hints()
            && !service.metadata.is_being_deleted()
            && entry.hints == HintState::default();
        if !is_simple {
            return None;
        }
        let slices = self.cluster.service_slices(name)?;
        let managed_by = if service.selects_pods() { &self.options.controller } else { &self.options.managed_by };
        let common = entry.common.get_or_init(|| Arc::new(Common::of(service, managed_by)));
        if !slices.are_of(managed_by) {
            return None;
        }
        let mut places = self.changed(&Known { name, service, entry, common }, changes)?;
        places.sort_unstable_by(|one, other| place_of(one).cmp(&place_of(other)));
        let mut updates = Vec::with_capacity(1);
        for of_slice in places.chunk_by(|one, other| Arc::ptr_eq(one.slice, other.slice)) {
            let slice = of_slice[0].slice;
            if slice.endpoints.len() > options.max_endpoints || !common.is_of(service, slice) {
                return None;
            }
            let metadata = match trigger_time.or(options.trigger_time.as_deref()) {
                None if !service.selects_pods() => slice.metadata.clone(),
                time => with_trigger_time(&slice.metadata, time),
            };
            let endpoints = of_slice.iter().filter_map(|change| change.replaced.1.get(0));
            if !slices.fit_with((slice, &metadata), endpoints, options.max_endpoints, options.max_bytes) {
                return None;
            }
            let replaced = of_slice.iter().map(|change| change.replaced.clone()).collect();
            updates.push((slice, LateSlice::replacing(slice, metadata, replaced)?));
        }
        Some(plan(slices, updates, changes.addresses.len(), options))
    }

    /// What changed, all in slices of one group.
    fn changed<'a>(&'a self, known: &Known<'a>, changes: &'a Changes) -> Option<Vec<Change<'a>>> {
        let pods = self.changed_pods(known.name, changes)?;
        let mut places: Vec<Change<'a>> = Vec::with_capacity(changes.addresses.len());
        for address in &changes.addresses {
            point();
            let (slice, place) = self.cluster.only_holder(known.name, address.get())?;
            if slice.endpoints.get(place)?.address_count() != 1
                || places.first().is_some_and(|first| !first.slice.same_group(slice))
            {
                return None;
            }
            let wanted = self.wanted(known, address, &pods, (slice, place))?;
            places.push(Change { slice, replaced: (place, content(slice, place, wanted)?) });
        }
        Some(places)
    }

    /// The Pods that changed, where each has one address and no other address changed; none where no Pod did.
    fn changed_pods<'a>(&'a self, name: &Name, changes: &'a Changes) -> Option<PodsByAddress<'a>> {
        if changes.pods.is_empty() {
            return Some(PodsByAddress::new());
        }
        let mut pods = PodsByAddress::with_capacity(changes.pods.len());
        for pod in &changes.pods {
            let pod = self.cluster.selected_pod(name, pod)?;
            let [ip] = &*pod.ips else { return None };
            pods.insert(Address::parse(ip), pod);
        }
        (pods.len() == changes.addresses.len() && changes.pods.len() == pods.len()).then_some(pods)
    }

    /// What a changed address should be, in the slice and at the place that hold it.
    fn wanted<'a>(
        &self,
        known: &Known<'a>,
        address: &OwnedAddress,
        pods: &PodsByAddress<'_>,
        (slice, place): (&EndpointSlice, usize),
    ) -> Option<Wanted<'a>> {
        let Known { service, entry, common, .. } = *known;
        if !service.selects_pods() {
            let mut contents = outside::with_address(entry.outside.as_ref()?, address);
            let (endpoint, ports) = contents.next().filter(|_| pods.is_empty())?;
            kube::check_published(endpoint.get(0)?).ok()?;
            let ports = match ports {
                Ports::OfService => Cow::Borrowed(common.ports.as_deref()?),
                ports => Cow::Owned(kube::published_ports(service, &self.options.managed_by, ports).ok()?),
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

fn place_of<'a>(change: &Change<'a>) -> (&'a str, usize) {
    (&change.slice.metadata.name, change.replaced.0)
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

/// Updates of slices of a Service, in which so many endpoints changed.
fn plan(
    slices: &ServiceSlices,
    updates: Vec<(&Arc<EndpointSlice>, LateSlice)>,
    changed: usize,
    options: &Options,
) -> Plan {
    let reasons = WriteReasons::default().with(WriteReason::EndpointsUpdated, true);
    let written: usize = updates.iter().map(|(before, _)| before.endpoints.len()).sum();
    let counts = Stats {
        updates: updates.len(),
        write_floor: updates.len(),
        endpoints_updated: changed,
        endpoints_resent: written - changed,
        slices_before: updates.len(),
        slices_after: updates.len(),
        slices_ideal: slices.fewest(options.max_endpoints),
        ..Stats::default()
    };
    let before = Arc::new(updates.iter().map(|&(before, _)| before.clone()).collect());
    let writes = updates.into_iter().enumerate();
    let writes = writes.map(|(slot, (_, slice))| Write { verb: Verb::Update, slice, reasons, slot });
    let mut plan = Plan {
        writes: writes.collect(),
        moves: Vec::new(),
        counts,
        bytes: OnceLock::new(),
        before,
        among: None,
        notes: Notes::default(),
    };
    plan.put_among(slices.by_name().clone());
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Answer, Object, ObjectEvent, PackerOptions};
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
        packer.direct(name, packer.cluster.service(name)?, packer.entries.get(name)?, Some("2026-01-02T03:04:05Z"))
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
        let whole = kube::publish(service, wanted, &packer.slices(&name), "sync", &options).expect("a plan");
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
