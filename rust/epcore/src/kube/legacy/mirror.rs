//! Slices of Endpoints that somebody wrote, for a Service without selector.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;

use super::merge::SKIP_MIRROR_LABEL;
use super::{EndpointSubset, Endpoints, repack};
use crate::Error;
use crate::kube::Service;
use crate::kube::desired::Groups;
use crate::kube::run::{Group, Rules, Run};
use crate::kube::slices::Origin;
use crate::model::{
    Address, AddressType, ByIdentity, Conditions, EndpointList, EndpointPort, EndpointRef, EndpointSlice, Identity,
    MANAGED_BY_LABEL, ObjectMeta, SERVICE_NAME_LABEL, TRIGGER_TIME_ANNOTATION, check_each_port, check_endpoint,
    check_metadata, keeps, shorten,
};
use crate::pack::{self, Event, Existing, Naming, Plan, Policy, Replace, Taken, Verb, WriteReason, WriteReasons};
use crate::wire::json;

/// Value of the label `managed-by` on slices that Kubernetes mirrors from Endpoints.
pub(crate) const MIRRORING_CONTROLLER: &str = "endpointslicemirroring-controller.k8s.io";

/// Annotation of Endpoints that only hold a leader's lock.
const LEADER_ANNOTATION: &str = "control-plane.alpha.kubernetes.io/leader";
/// Annotation that `kubectl apply` leaves.
const LAST_APPLIED_ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Options of [`mirror`].
#[derive(Clone, Debug, PartialEq)]
pub struct MirrorOptions {
    /// Value of the label `endpointslice.kubernetes.io/managed-by`; slices with another one are left alone.
    pub controller: String,
    /// How to pack. With [`Policy::Upstream`] `max_endpoints` is the most addresses of a subset that are mirrored, 1000 in Kubernetes.
    pub pack: pack::Options,
}

impl Default for MirrorOptions {
    fn default() -> Self {
        let pack = pack::Options { replace: Replace::Recycle, ..pack::Options::default() };
        Self { controller: MIRRORING_CONTROLLER.to_owned(), pack }
    }
}

/// Plan the slices that mirror Endpoints which somebody wrote for a Service without selector.
///
/// With [`Policy::Upstream`] it does what the mirroring controller does: one slice for each family and set of ports, rewritten
/// whole, with at most `max_endpoints` addresses of each subset. Any other policy mirrors all addresses, in slices of `max_endpoints`, and
/// endpoints keep their slices. Labels and annotations are those of the Endpoints, which own the slices.
///
/// Mirrored slices go if the Service or the Endpoints are not there, the Service has a selector, or the Endpoints bear the label
/// `endpointslice.kubernetes.io/skip-mirror: "true"` or a leader's lock. Addresses that the API refuses are told in the plan's Events.
///
/// # Errors
///
/// `InvalidInput` if there is neither Service nor Endpoints, they are not of one name, or the Endpoints have a host name, node, port, label or
/// annotation that the API refuses; else as [`pack`](crate::pack::pack).
///
/// # Examples
///
/// ```
/// use epcore::kube::legacy::{MirrorOptions, mirror};
/// use epcore::pack::Existing;
/// use epcore::wire::json;
///
/// let service = json::read_service(br#"{"metadata": {"name": "db", "namespace": "shop"}}"#)?;
/// let endpoints = json::read_legacy_endpoints(br#"{"metadata": {"name": "db", "namespace": "shop"},
///     "subsets": [{"addresses": [{"ip": "10.0.0.5"}, {"ip": "2001:db8::5"}], "ports": [{"port": 5432}]}]}"#)?;
/// let plan = mirror(Some(&service), Some(&endpoints), &Existing::default(), &MirrorOptions::default())?;
/// assert_eq!(plan.stats().creates, 2);
/// # Ok::<(), epcore::Error>(())
/// ```
pub fn mirror(
    service: Option<&Service>,
    endpoints: Option<&Endpoints>,
    existing: &Existing,
    options: &MirrorOptions,
) -> Result<Plan, Error> {
    options.pack.check()?;
    let owner = owner(service, endpoints)?;
    endpoints.map_or(Ok(()), check)?;
    let (labels, annotations) = (labels(owner, options), annotations(owner));
    let mut run =
        Run::new(Origin::new("Endpoints", owner, labels, annotations), &options.pack, Rules::Mirrored, existing);
    let mirrored = endpoints.filter(|endpoints| {
        service.is_some_and(|service| service.selector.is_empty())
            && endpoints.metadata.labels.get(SKIP_MIRROR_LABEL).is_none_or(|skip| skip != "true")
            && !endpoints.metadata.annotations.contains_key(LEADER_ANNOTATION)
    });
    let mut families: [Vec<Group>; 2] = Default::default();
    if let Some(endpoints) = mirrored {
        let is_upstream = options.pack.policy == Policy::Upstream;
        if let Some((family, group)) = only_group(endpoints).filter(|_| !is_upstream) {
            families[family as usize].push(group);
        } else {
            let limit = if is_upstream { options.pack.max_endpoints } else { usize::MAX };
            let (sorted, tally) = sorted(endpoints, limit)?;
            families = sorted.map(|groups| groups.in_order().into_iter().map(Group::from).collect());
            run.notes.events = tally.events(limit);
        }
    }
    for (family, groups) in [AddressType::IPv4, AddressType::IPv6].into_iter().zip(families) {
        run.family(family, groups)?;
    }
    Ok(run.finish())
}

/// The group that all addresses are of, if it is known that there is one, and that none is wrong, there twice or not ready. The order in which
/// they stand is of no account but to Kubernetes' rule.
fn only_group(endpoints: &Endpoints) -> Option<(AddressType, Group)> {
    let [EndpointSubset { addresses, not_ready_addresses, ports }] = &*endpoints.subsets else { return None };
    if !not_ready_addresses.is_empty() || !addresses.has_no_twins() {
        return None;
    }
    let family = addresses.valid_family()?;
    // One of them has the ports of all.
    let mut first = EndpointList::default();
    first.push(addresses.get(0)?).ok()?;
    let alone = EndpointSubset { addresses: first, ports: ports.clone(), ..EndpointSubset::default() };
    let [packed] = &*repack(&[alone]).ok()? else { return None };
    let [ports] = &*by_name(&packed.ports) else { return None };
    Some((family, Group::new(ports.clone(), addresses.all_ready())))
}

/// Each address put into its group, but for those that are not mirrored.
fn sorted(endpoints: &Endpoints, limit: usize) -> Result<([Groups; 2], Tally), Error> {
    let (mut families, mut tally): ([Groups; 2], _) = (Default::default(), Tally::default());
    for subset in repack(&endpoints.subsets)? {
        add(&mut families, &subset, limit, &mut tally)?;
    }
    Ok((families, tally))
}

/// Metadata of the object that owns the slices.
fn owner<'a>(service: Option<&'a Service>, endpoints: Option<&'a Endpoints>) -> Result<&'a ObjectMeta, Error> {
    let name = |metadata: &'_ ObjectMeta| (metadata.namespace.clone(), metadata.name.clone());
    match (service, endpoints) {
        (Some(service), Some(endpoints)) if name(&service.metadata) != name(&endpoints.metadata) => {
            let message = format!("not of the Service {}/{}", service.metadata.namespace, service.metadata.name);
            Err(Error::invalid(message).in_field("metadata").in_field("endpoints"))
        }
        (_, Some(endpoints)) => Ok(&endpoints.metadata),
        (Some(service), None) => Ok(&service.metadata),
        (None, None) => Err(Error::invalid("a Service or Endpoints is needed, to tell whose slices they are")),
    }
}

fn labels(owner: &ObjectMeta, options: &MirrorOptions) -> BTreeMap<String, String> {
    let mut labels = (*owner.labels).clone();
    labels.insert(SERVICE_NAME_LABEL.to_owned(), owner.name.clone());
    labels.insert(MANAGED_BY_LABEL.to_owned(), options.controller.clone());
    labels
}

fn annotations(owner: &ObjectMeta) -> BTreeMap<String, String> {
    let own = [TRIGGER_TIME_ANNOTATION, LAST_APPLIED_ANNOTATION];
    let copied = owner.annotations.iter().filter(|(key, _)| !own.contains(&key.as_str()));
    copied.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Addresses that are not mirrored.
#[derive(Default)]
struct Tally {
    invalid: BTreeSet<String>,
    too_many: usize,
}

impl Tally {
    fn events(&self, limit: usize) -> Vec<Event> {
        let mut events = Vec::new();
        let mut warn = |reason, message| events.push(Event { is_warning: true, reason, message });
        if !self.invalid.is_empty() {
            let what = if self.invalid.len() == 1 { "is no address" } else { "are no addresses" };
            let message = format!("{} {what} that a slice may have: not mirrored", named(&self.invalid));
            warn("InvalidIPAddress", message);
        }
        if self.too_many > 0 {
            let (what, are) = if self.too_many == 1 { ("address", "is") } else { ("addresses", "are") };
            let message = format!("{} {what} above {limit} of a subset {are} not mirrored", self.too_many);
            warn("TooManyAddressesToMirror", message);
        }
        events
    }
}

/// The first few of some texts, and how many others there are.
fn named(texts: &BTreeSet<String>) -> String {
    const FEW: usize = 3;
    let mut named: Vec<String> = texts.iter().take(FEW).map(|text| format!("{:?}", shorten(text))).collect();
    match texts.len().saturating_sub(FEW) {
        0 => {}
        1 => named.push("1 other".to_owned()),
        others => named.push(format!("{others} others")),
    }
    match named.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => named.concat(),
    }
}

impl Run<'_> {
    /// One slice for each group, the first of those that are there, rewritten whole (upstream `reconcileByPortMapping`).
    pub(in crate::kube) fn rewrite_one(
        &mut self,
        family: AddressType,
        group: &Group,
        stale: &mut Vec<usize>,
    ) -> Result<(), Error> {
        let (first, others) = group.slots.split_at(group.slots.len().min(1));
        stale.extend(others);
        if group.endpoints.is_empty() {
            stale.extend(first);
            return Ok(());
        }
        let template = self.origin.new_slice(family, group.ports.clone());
        let before = first.first().map(|&slot| self.plan.before[slot].clone());
        let (endpoints, reasons) = self.merged(before.as_deref(), &group.endpoints)?;
        let has_metadata = before.as_ref().is_some_and(|slice| {
            slice.metadata.labels == template.metadata.labels
                && pack::same_annotations_and_owners(&slice.metadata, &template.metadata)
        });
        let reasons = reasons.with(WriteReason::Metadata, before.is_some() && !has_metadata);
        if reasons == WriteReasons::default() {
            return Ok(());
        }
        let mut slice = EndpointSlice { endpoints, ..template };
        if let Some(before) = &before {
            slice.metadata.take_identity(&before.metadata);
        } else if self.options.naming == Naming::Deterministic {
            pack::name_slice(&mut slice, &mut Taken::new(self.names_taken()))?;
        }
        pack::stamp(&mut slice.metadata, self.options);
        let named = if slice.metadata.name.is_empty() { pack::longest_named(&slice) } else { slice.clone() };
        let (size, limit) = (json::slice_size(&pack::as_created(named)), self.options.max_bytes);
        if size > limit {
            return Err(
                Error::limit("a slice of one subset would have too many bytes", limit, size).in_field("endpoints")
            );
        }
        self.plan.counts.write_floor += 1;
        let (verb, slot) = match first.first() {
            Some(&slot) => (Verb::Update, slot),
            None => (Verb::Create, self.plan.new_slot()),
        };
        self.plan.push(verb, slot, Arc::new(slice), reasons);
        Ok(())
    }

    /// What stays, in its order, then what is new; and what changed.
    fn merged(
        &mut self,
        before: Option<&EndpointSlice>,
        desired: &EndpointList,
    ) -> Result<(EndpointList, WriteReasons), Error> {
        let by_identity = |endpoint| ByIdentity { endpoint, identity: Identity::Kubernetes };
        let mut missing: HashMap<ByIdentity<'_>, EndpointRef<'_>> =
            desired.iter().map(|endpoint| (by_identity(endpoint), endpoint)).collect();
        let mut endpoints = EndpointList::default();
        let (mut updated, mut removed) = (0, 0);
        for held in before.into_iter().flat_map(|slice| slice.endpoints.iter()) {
            match missing.remove(&by_identity(held)) {
                None => removed += 1,
                Some(wanted) if keeps(held, wanted) => endpoints.push(held)?,
                Some(wanted) => {
                    updated += 1;
                    endpoints.push(wanted)?;
                }
            }
        }
        let counts = &mut self.plan.counts;
        counts.endpoints_added += missing.len();
        counts.endpoints_updated += updated;
        counts.endpoints_removed += removed;
        counts.slices_ideal += 1;
        let reasons = WriteReasons::default()
            .with(WriteReason::EndpointsAdded, !missing.is_empty())
            .with(WriteReason::EndpointsUpdated, updated > 0)
            .with(WriteReason::EndpointsRemoved, removed > 0);
        for endpoint in desired.iter().filter(|endpoint| missing.contains_key(&by_identity(*endpoint))) {
            endpoints.push(endpoint)?;
        }
        if reasons != WriteReasons::default() {
            counts.endpoints_resent += desired.len() - missing.len() - updated;
        }
        Ok((endpoints, reasons))
    }
}

/// Add the endpoints of a subset: at most `limit`, those that are ready first.
fn add(families: &mut [Groups; 2], subset: &EndpointSubset, limit: usize, tally: &mut Tally) -> Result<(), Error> {
    let lists = [(&subset.addresses, true), (&subset.not_ready_addresses, false)];
    let mut taken = 0;
    // Of addresses that are one endpoint the last counts, as in upstream's set, at the place of the first.
    let mut places: [HashMap<ByIdentity<'_>, usize>; 2] = Default::default();
    let mut found: [Vec<(EndpointRef<'_>, bool)>; 2] = Default::default();
    for (address, is_ready) in lists.into_iter().flat_map(|(list, ready)| list.iter().map(move |one| (one, ready))) {
        if taken >= limit {
            tally.too_many += 1;
            continue;
        }
        let family = match address.address() {
            Address::V4(_) => 0,
            Address::V6(_) => 1,
            Address::Name(_) => usize::MAX,
        };
        if family > 1 || address.address().validate().is_err() {
            tally.invalid.insert(address.address().to_string());
            continue;
        }
        taken += 1;
        let key = ByIdentity { endpoint: address, identity: Identity::Kubernetes };
        let place = *places[family].entry(key).or_insert(found[family].len());
        match found[family].get_mut(place) {
            Some(before) => *before = (address, is_ready),
            None => found[family].push((address, is_ready)),
        }
    }
    let ports = by_name(&subset.ports);
    for (groups, found) in families.iter_mut().zip(found) {
        // A subset without addresses of a family is no group of it.
        for (address, is_ready) in found {
            for ports in &ports {
                let conditions = Conditions::new(Some(is_ready), None, None);
                groups.of(ports).endpoints.push_with_conditions(address, conditions)?;
            }
        }
    }
    Ok(())
}

/// Sets of ports in which each name is there once, as the API wants it of a slice. Endpoints may have one name with two numbers, on which
/// upstream's slices are refused.
fn by_name(ports: &[EndpointPort]) -> Vec<Vec<EndpointPort>> {
    let mut sets: Vec<Vec<EndpointPort>> = vec![Vec::new()];
    // How many sets have a name, which are the first ones.
    let mut having: HashMap<&str, usize> = HashMap::new();
    for port in ports {
        let at = having.entry(&port.name).or_default();
        if *at == sets.len() {
            sets.push(Vec::new());
        }
        sets[*at].push(port.clone());
        *at += 1;
    }
    sets
}

/// Check what becomes part of slices, but for the addresses, which are left out where they are wrong.
fn check(endpoints: &Endpoints) -> Result<(), Error> {
    let mut first = None;
    let mut found = |error: Error| {
        first.get_or_insert(error);
    };
    check_metadata(&endpoints.metadata, &mut |error| found(error.in_field("metadata")));
    for (index, subset) in endpoints.subsets.iter().enumerate() {
        let mut found = |error: Error| found(error.in_index(index).in_field("subsets"));
        for (field, list) in [("addresses", &subset.addresses), ("notReadyAddresses", &subset.not_ready_addresses)] {
            // Most lists are known to have nothing wrong in them, once they were asked.
            let others = if list.valid_family().is_some() { &EndpointList::default() } else { list };
            for (index, address) in others.iter().enumerate() {
                check_endpoint(address, None, &mut |error| found(error.in_index(index).in_field(field)));
            }
        }
        check_each_port(&subset.ports, &mut |error| found(error.in_field("ports")));
    }
    first.map_or(Ok(()), |error| Err(error.in_field("endpoints")))
}
