//! The Endpoints object of a Service with selector.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::{EndpointSubset, Endpoints, OVER_CAPACITY_ANNOTATION, repack, truncate};
use crate::Error;
use crate::kube::desired::{Groups, ports_of};
use crate::kube::slices::tell_headless;
use crate::kube::{Pod, Service};
use crate::model::{Address, AddressType, EndpointList, HEADLESS_LABEL, Record, TRIGGER_TIME_ANNOTATION, keeps};
use crate::pack::Verb;

/// Label that names the writer of an Endpoints object.
const MANAGED_BY_LABEL: &str = "endpoints.kubernetes.io/managed-by";
/// Its value on objects that Kubernetes' own controller writes.
const CONTROLLER: &str = "endpoint-controller";

/// What to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointsPlan {
    /// Create or update; `None` if there is nothing to write.
    pub verb: Option<Verb>,
    /// The object as it should be; `None` if the Service has none.
    pub object: Option<Endpoints>,
    /// Pods that were left out, and why.
    pub errors: Vec<String>,
}

/// The Endpoints object that Kubernetes writes for a Service with selector (upstream `syncService` of the Endpoints controller).
///
/// It has the first family of the Service alone, no Pod that is terminating (unless the Service publishes what is not ready), and at most
/// [`MAX_ADDRESSES`](super::MAX_ADDRESSES) addresses. Pods of other namespaces and those that the selector does not match are left out. A
/// Service without selector, or of type `ExternalName`, has none of its own: `existing` stays as it is.
///
/// # Errors
///
/// `InvalidInput` if `existing` is of another Service; more than 4 GiB of text.
///
/// # Examples
///
/// ```
/// use epcore::kube::legacy::build;
/// use epcore::wire::json;
///
/// let service = json::read_service(br#"{"metadata": {"name": "web", "namespace": "shop"},
///     "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}}"#)?;
/// let pods = json::read_pods(br#"{"metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}},
///     "status": {"podIPs": [{"ip": "10.0.0.1"}]}}"#)?;
/// let plan = build(&service, &pods, None, None)?;
/// assert_eq!(plan.object.map(|object| object.counts()), Some((0, 1)));
/// # Ok::<(), epcore::Error>(())
/// ```
pub fn build<P: Borrow<Pod>>(
    service: &Service,
    pods: &[P],
    existing: Option<&Endpoints>,
    trigger_time: Option<&str>,
) -> Result<EndpointsPlan, Error> {
    check_name(service, existing)?;
    if !service.selects_pods() {
        return Ok(EndpointsPlan { object: existing.cloned(), ..EndpointsPlan::default() });
    }
    let (subsets, errors) = subsets(service, pods)?;
    let labels = labels(service);
    if let Some(there) = existing
        && has_labels(there, &labels)
        && is_within_capacity(there)
        && same_subsets(&repack(&there.subsets)?, &subsets)
    {
        return Ok(EndpointsPlan { verb: None, object: existing.cloned(), errors });
    }
    let mut object = existing.cloned().unwrap_or_default();
    object.metadata.name.clone_from(&service.metadata.name);
    object.metadata.namespace.clone_from(&service.metadata.namespace);
    object.metadata.labels = labels.into();
    object.subsets = subsets;
    object.metadata.annotations.remove(TRIGGER_TIME_ANNOTATION);
    if let Some(time) = trigger_time {
        object.metadata.annotations.insert(TRIGGER_TIME_ANNOTATION.to_owned(), time.to_owned());
    }
    truncate(&mut object);
    let verb = if existing.is_some() { Verb::Update } else { Verb::Create };
    Ok(EndpointsPlan { verb: Some(verb), object: Some(object), errors })
}

fn check_name(service: &Service, existing: Option<&Endpoints>) -> Result<(), Error> {
    let (ours, Some(theirs)) = (&service.metadata, existing.map(|there| &there.metadata)) else { return Ok(()) };
    if (&ours.namespace, &ours.name) == (&theirs.namespace, &theirs.name) {
        return Ok(());
    }
    let message =
        format!("of {}/{}, but the Service is {}/{}", theirs.namespace, theirs.name, ours.namespace, ours.name);
    Err(Error::invalid(message).in_field("metadata").in_field("existing"))
}

/// Subsets in canonical form, before they are truncated; and the Pods that were left out.
fn subsets<P: Borrow<Pod>>(service: &Service, pods: &[P]) -> Result<(Vec<EndpointSubset>, Vec<String>), Error> {
    let mut pods: Vec<&Pod> = pods
        .iter()
        .map(Borrow::<Pod>::borrow)
        .filter(|pod| *pod.namespace == *service.metadata.namespace && pod.matches(&service.selector))
        .filter(|pod| pod.has_endpoint() && (service.publish_not_ready_addresses || !pod.is_terminating()))
        .collect();
    pods.sort_by(|left, right| left.name.cmp(&right.name));
    let (mut ready, mut others, mut errors) = (Groups::default(), Groups::default(), Vec::new());
    for pod in pods {
        let address = match address_of(service, pod) {
            Ok(Some(address)) => address,
            Ok(None) => continue,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        let ports = ports_of(service, pod);
        if ports.is_empty() && !(service.ports.is_empty() && service.cluster_ip == "None") {
            continue;
        }
        let is_ready = service.publish_not_ready_addresses || pod.is_ready;
        let groups = if is_ready { &mut ready } else { &mut others };
        push(&mut groups.of(&ports).endpoints, service, pod, address)?;
    }
    let ready = ready.in_order().into_iter().map(|group| EndpointSubset {
        addresses: group.endpoints,
        ports: group.ports,
        ..EndpointSubset::default()
    });
    let others = others.in_order().into_iter().map(|group| EndpointSubset {
        not_ready_addresses: group.endpoints,
        ports: group.ports,
        ..EndpointSubset::default()
    });
    Ok((repack(&ready.chain(others).collect::<Vec<_>>())?, errors))
}

/// The first address of a Pod in the first family of the Service (upstream `podToEndpointAddressForService`).
fn address_of<'p>(service: &Service, pod: &'p Pod) -> Result<Option<Address<'p>>, String> {
    let family = match (service.ip_families.first(), &*service.cluster_ip) {
        (Some(family), _) => *family,
        (None, "" | "None") => Address::parse(pod.ips.first().map_or("", |ip| &**ip)).address_type(),
        (None, address) => Address::parse(address).address_type(),
    };
    for ip in &pod.ips {
        let address = Address::parse(ip);
        if address.address_type() == AddressType::Fqdn || address.validate().is_err() {
            let shown = crate::model::shorten(ip);
            return Err(format!("Pod {}/{}: {shown:?} cannot be the address of an endpoint", pod.namespace, pod.name));
        }
        if address.address_type() == family {
            return Ok(Some(address));
        }
    }
    Ok(None)
}

fn push(list: &mut EndpointList, service: &Service, pod: &Pod, address: Address<'_>) -> Result<(), Error> {
    let mut record = Record::default();
    record.address = list.store(address)?;
    let buffer = list.text_mut();
    record.hostname = buffer.push(if pod.has_hostname_for(service) { &pod.hostname } else { "" })?;
    record.node_name = buffer.intern(&pod.node_name)?;
    record.target_kind = buffer.intern("Pod")?;
    record.target_namespace = buffer.intern(&pod.namespace)?;
    record.target_name = buffer.push(&pod.name)?;
    record.target_uid = buffer.push(&pod.uid)?;
    list.push_record(record, None)
}

fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = (*service.metadata.labels).clone();
    labels.insert(MANAGED_BY_LABEL.to_owned(), CONTROLLER.to_owned());
    tell_headless(&mut labels, service);
    labels
}

/// True but for the label that says headless, which is mended only with another change (upstream `labelsCorrectForEndpoints`).
fn has_labels(there: &Endpoints, wanted: &BTreeMap<String, String>) -> bool {
    let counts = |(key, _): &(&String, &String)| *key != HEADLESS_LABEL;
    there.metadata.labels.iter().filter(counts).eq(wanted.iter().filter(counts))
}

/// Upstream `capacityAnnotationSetCorrectly`: an object that was truncated is written again at each sync.
fn is_within_capacity(there: &Endpoints) -> bool {
    let (ready, others) = there.counts();
    ready + others <= super::MAX_ADDRESSES && !there.metadata.annotations.contains_key(OVER_CAPACITY_ANNOTATION)
}

/// Equal but for versions of targets.
fn same_subsets(left: &[EndpointSubset], right: &[EndpointSubset]) -> bool {
    let same = |left: &EndpointList, right: &EndpointList| {
        left.len() == right.len() && left.iter().zip(right.iter()).all(|(left, right)| keeps(left, right))
    };
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| {
            left.ports
                .iter()
                .map(crate::model::EndpointPort::sort_key)
                .eq(right.ports.iter().map(crate::model::EndpointPort::sort_key))
                && same(&left.addresses, &right.addresses)
                && same(&left.not_ready_addresses, &right.not_ready_addresses)
        })
}
