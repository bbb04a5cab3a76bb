//! The plan of a Service of which endpoints changed in place, made without any other one.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;

use crate::engine::packer::address::OwnedAddress;
use crate::engine::packer::cluster::Cluster;
use crate::engine::packer::entry::Changes;
use crate::engine::packer::slices::ServiceSlices;
use crate::engine::packer::{Entry, PackerOptions};
use crate::engine::versions::Name;
use crate::interrupt::point;
use crate::kube::{self, Pod, Ports, Service};
use crate::model::{
    Address, ByIdentity, EndpointList, EndpointPort, EndpointRef, EndpointSlice, Identity, ObjectMeta, Shared,
    SharedEndpoint, TRIGGER_TIME_ANNOTATION, keeps, same_ports,
};
use crate::pack::{LateSlice, Notes, Options, Plan, Policy, Replaced, Stats, Verb, Write, WriteReason, WriteReasons};

/// What an address should be: one endpoint, and its ports.
struct Wanted<'a> {
    endpoint: SharedEndpoint,
    ports: Cow<'a, [EndpointPort]>,
}

/// A slice, and what is wanted at a place of it.
type Change<'a> = (&'a Arc<EndpointSlice>, Replaced);

/// Pods by their only address.
type PodsByAddress<'a> = HashMap<Address<'a>, &'a Pod>;

/// A Service whose slices held what was wanted before something changed: each of this writer is right but for endpoints that changed.
pub(super) struct Direct<'a> {
    cluster: &'a Cluster,
    name: &'a Name,
    service: &'a Service,
    slices: &'a ServiceSlices,
    entry: &'a Entry,
    changes: &'a Changes,
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
        let changes = entry.changes.as_ref()?;
        let (service, slices) = cluster.service_and_slices(name)?;
        let (options, managed_by) = if service.selects_pods() {
            (&options.reconcile, &options.controller)
        } else {
            (&options.publish, &options.managed_by)
        };
        let is_simple = matches!(options.policy, Policy::Threshold(_) | Policy::Prices(_))
            && options.compaction.is_none()
            && !service.metadata.is_being_deleted()
            // Where endpoints are shared by CPU each depends on all others, and a plan without Events remembers that they are.
            && entry.hints.says_nothing()
            && slices.are_of(managed_by);
        is_simple.then_some(Self { cluster, name, service, slices, entry, changes, managed_by, options })
    }

    /// The plan, where each address that changed is that of one endpoint which stays in its slice, all of these slices are of one group, and
    /// each is right but for them. `None` where more is to be looked at: then, and for every doubt and error, the plan is made from more of the
    /// slices.
    ///
    /// It is the updates that these would come to. What a plan of all slices has seen to and no change could undo is not looked at again: labels,
    /// owners, address types and how many endpoints a slice has.
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
            let Some(replaced) = replaced else { return Some(self.plan_of(Vec::new(), Vec::new(), 0)) };
            let update = self.update(0, slice, (&[replaced].into(), 0..1), time)?;
            return Some(self.plan_of(vec![slice.clone()], vec![update], 1));
        }
        let mut changes: Vec<Change<'a>> = Vec::with_capacity(self.changes.addresses.len());
        changes.extend(replaced.map(|replaced| (slice, replaced)));
        for address in addresses {
            point();
            let (other, replaced) = self.change(address, &pods)?;
            if !slice.same_group(other) {
                return None;
            }
            changes.extend(replaced.map(|replaced| (other, replaced)));
        }
        changes.sort_unstable_by(|one, other| place_of(one).cmp(&place_of(other)));
        let (slices, replaced): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
        let replaced: Arc<[Replaced]> = replaced.into();
        let (mut before, mut writes, mut at) = (Vec::new(), Vec::new(), 0);
        for same in slices.chunk_by(|one, other| Arc::ptr_eq(one, other)) {
            writes.push(self.update(before.len(), same[0], (&replaced, at..at + same.len()), time)?);
            before.push(same[0].clone());
            at += same.len();
        }
        Some(self.plan_of(before, writes, replaced.len()))
    }

    /// The update of a slice that has other endpoints at some places.
    fn update(
        &self,
        slot: usize,
        slice: &Arc<EndpointSlice>,
        (replaced, ours): (&Arc<[Replaced]>, Range<usize>),
        time: Option<&str>,
    ) -> Option<Write> {
        let Self { service, options, .. } = *self;
        let metadata = match time {
            None if !service.selects_pods() => slice.metadata.clone(),
            time => with_trigger_time(&slice.metadata, time),
        };
        let endpoints = replaced[ours.clone()].iter().map(|(_, endpoint)| endpoint.get());
        if !self.slices.fit_with((slice, &metadata), endpoints, options.max_endpoints, options.max_bytes) {
            return None;
        }
        let reasons = WriteReasons::default().with(WriteReason::EndpointsUpdated, true);
        let slice = LateSlice::replacing(slice, metadata, replaced, ours)?;
        Some(Write { verb: Verb::Update, slice, reasons, slot })
    }

    /// The plan of some updates of slices, in which so many endpoints changed.
    fn plan_of(&self, before: Vec<Arc<EndpointSlice>>, writes: Vec<Write>, changed: usize) -> Plan {
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

    /// What changed at an address: nothing if what is wanted is there again.
    fn change(
        &self,
        address: &OwnedAddress,
        pods: &PodsByAddress<'_>,
    ) -> Option<(&'a Arc<EndpointSlice>, Option<Replaced>)> {
        let (slice, place) = self.cluster.only_holder(self.name, address.get())?;
        let before = slice.endpoints.get(place)?;
        let wanted = self.wanted(address, pods, (slice, before))?;
        if before.address_count() > 1 || !wanted.is_same_endpoint(slice, before) {
            return None;
        }
        let is_there = keeps(before, wanted.endpoint.get());
        let replaced = if is_there { None } else { Some((place, over(before, wanted.endpoint)?)) };
        Some((slice, replaced))
    }

    /// The Pods that changed, where each has one address, which is that of no other.
    fn changed_pods(&self) -> Option<PodsByAddress<'a>> {
        let changed = &self.changes.pods;
        let mut pods = PodsByAddress::with_capacity(changed.len());
        for pod in changed {
            let pod = self.cluster.selected_pod(self.name, pod)?;
            let [ip] = &*pod.ips else { return None };
            pods.insert(Address::parse(ip), pod);
        }
        (pods.len() == changed.len()).then_some(pods)
    }

    /// What a changed address should be, in the slice and in place of the endpoint that hold it.
    fn wanted(
        &self,
        address: &OwnedAddress,
        pods: &PodsByAddress<'_>,
        (slice, before): (&EndpointSlice, EndpointRef<'_>),
    ) -> Option<Wanted<'a>> {
        let Self { service, entry, .. } = *self;
        if !service.selects_pods() {
            let (endpoint, ports) = entry.outside.as_ref()?.only(address)?;
            let resolved = |ports| kube::published_ports(service, self.managed_by, ports).ok();
            let ports = match ports {
                Ports::OfService => {
                    Cow::Borrowed(entry.ports.get_or_init(|| resolved(ports).map(Arc::new)).as_deref()?.as_slice())
                }
                ports => Cow::Owned(resolved(ports)?),
            };
            return Some(Wanted { endpoint: endpoint.clone(), ports });
        }
        let pod = *pods.get(&address.get())?;
        let nodes: HashMap<_, _> =
            self.cluster.node(&pod.node_name).map(|node| (&*pod.node_name, &**node)).into_iter().collect();
        // A Pod that is left out with an error has no endpoint.
        let groups = kube::desired(service, &[pod], &nodes, slice.address_type, &mut Vec::new()).ok()?;
        let [group] = <[_; 1]>::try_from(groups).ok()?;
        let endpoints = kube::distributed(service, group.endpoints, before).ok()?;
        let endpoint = SharedEndpoint::each(endpoints.into()).next()?;
        Some(Wanted { endpoint, ports: Cow::Owned(group.ports) })
    }
}

impl Wanted<'_> {
    /// True if it is the same endpoint as one of a slice, with whatever content.
    fn is_same_endpoint(&self, slice: &EndpointSlice, before: EndpointRef<'_>) -> bool {
        let (wanted, identity) = (self.endpoint.get(), Identity::Stable);
        same_ports(&self.ports, &slice.ports)
            && ByIdentity { endpoint: before, identity } == (ByIdentity { endpoint: wanted, identity })
    }
}

/// An endpoint in the place of one whose fields of a newer API stay.
fn over(before: EndpointRef<'_>, endpoint: SharedEndpoint) -> Option<SharedEndpoint> {
    if before.rare().is_none() {
        return Some(endpoint);
    }
    let mut merged = EndpointList::default();
    merged.push_over(endpoint.get(), before).ok()?;
    SharedEndpoint::each(merged.into()).next()
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
        for zones in [["z", "y", "z", "z", "z"], ["y", "z", "z", "x", "y"], ["z"; 5]] {
            planned_as_from_all(&[zones]);
            // What changed first is undone in part, or as a whole.
            planned_as_from_all(&[["x", "x", "z", "z", "z"], zones]);
            planned_as_from_all(&[["x"; 5], zones]);
        }
    }

    fn planned_as_from_all(steps: &[[&str; 5]]) {
        let name: Name = ("shop".to_owned(), "db".to_owned());
        let mut packer = packer(&name, Policy::BALANCED);
        for zones in steps {
            packer.upsert(&name, &published(*zones)).expect("endpoints");
        }
        let wanted = &published(*steps.last().expect("a step"));
        let Some(plan) = direct(&packer, &name) else {
            assert_eq!(steps, [["z"; 5]], "there is a plan, but where nothing was told");
            return;
        };
        let options = Options { trigger_time: Some("2026-01-02T03:04:05Z".to_owned()), ..Options::default() };
        let service = packer.cluster.service(&name).expect("the Service");
        let whole = kube::publish(service, wanted, &packer.slices(&name).into(), "sync", &options).expect("a plan");
        assert_eq!((plan.writes(), plan.stats(), plan.result()), (whole.writes(), whole.stats(), whole.result()));
        assert_eq!(plan.notes(), whole.notes());
        let plan = packer.plan(&name, None).expect("a plan");
        assert_eq!(packer.dirty().is_empty(), plan.writes().is_empty());
    }

    #[test]
    fn what_changes_when_all_are_told_again_is_planned_as_from_all() {
        let name: Name = ("shop".to_owned(), "db".to_owned());
        let one = |number: usize, zone: &str| {
            format!(
                r#"{{"addresses":["10.0.0.{number}"],"targetRef":{{"kind":"VM","name":"v{}"}},"zone":"{zone}"}}"#,
                number - 1
            )
        };
        let list = |all: &[(usize, &str)]| {
            let all: Vec<String> = all.iter().map(|&(number, zone)| one(number, zone)).collect();
            json::read_published(format!("[{}]", all.join(",")).as_bytes()).expect("endpoints")
        };
        let all: Vec<(usize, &str)> = (1..=5).map(|number| (number, "z")).collect();
        let (mut changed, mut gone) = (all.clone(), all.clone());
        changed[1].1 = "y";
        gone.remove(3);
        let both: Vec<_> = changed.iter().copied().filter(|(number, _)| *number != 4).collect();
        let more = [&all[..], &[(6, "z")]].concat();
        let reverse: Vec<_> = all.iter().copied().rev().collect();
        for told in [&all, &changed, &gone, &both, &more, &reverse, &Vec::new()] {
            let mut packer = packer(&name, Policy::BALANCED);
            packer.publish(&name, &list(told)).expect("endpoints");
            assert_eq!(packer.dirty().is_empty(), *told == all || *told == reverse, "{told:?}");
            let plan = packer.plan(&name, None).expect("a plan");
            let service = packer.cluster.service(&name).expect("the Service");
            let slices = packer.slices(&name).into();
            let whole = kube::publish(service, &list(told), &slices, "sync", &Options::default()).expect("a plan");
            assert_eq!((plan.writes(), plan.result()), (whole.writes(), whole.result()), "{told:?}");
        }
    }

    #[test]
    fn what_more_depends_on_is_not_planned_from_one_endpoint() {
        let name: Name = ("shop".to_owned(), "db".to_owned());
        let changed = published(["z", "y", "z", "z", "z"]);
        let unchanged = packer(&name, Policy::BALANCED);
        assert!(direct(&unchanged, &name).is_none());
        let mut both = unchanged.clone();
        both.upsert(&name, &changed).expect("endpoints");
        both.remove(&name, &json::read_published(GONE).expect("an endpoint"));
        let mut gone = unchanged.clone();
        gone.remove(&name, &changed);
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
