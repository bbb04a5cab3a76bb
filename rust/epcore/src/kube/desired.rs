//! Which endpoints a Service should have, by their sets of ports.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::Error;
use crate::interrupt::point;
use crate::kube::{ContainerPort, Node, Pod, Service};
use crate::model::{Address, AddressType, Conditions, EndpointList, EndpointPort, Rare, Record, Text};

/// The endpoints of one group.
#[derive(Default)]
pub(crate) struct Desired {
    pub(crate) ports: Vec<EndpointPort>,
    pub(crate) endpoints: EndpointList,
    /// The namespace of the Pod that came last, as a text of the list, with the kind before it: most are of one.
    target: Option<(Arc<str>, Text, Text)>,
}

impl Desired {
    /// Kind and namespace of a Pod as texts of the list.
    fn target(&mut self, pod: &Pod) -> Result<(Text, Text), Error> {
        if let Some((namespace, kind, text)) = &self.target
            && Arc::ptr_eq(namespace, &pod.namespace)
        {
            return Ok((*kind, *text));
        }
        let buffer = self.endpoints.text_mut();
        let (kind, text) = (buffer.intern("Pod")?, buffer.intern(&pod.namespace)?);
        self.target = Some((pod.namespace.clone(), kind, text));
        Ok((kind, text))
    }
}

/// The endpoints of one family, group by group (upstream `reconcileByAddressType`). Pods that cannot be published are told in `errors`.
///
/// A group is there even if none of its Pods has an address of the family, as upstream.
pub(crate) fn desired(
    service: &Service,
    pods: &[&Pod],
    nodes: &HashMap<&str, &Node>,
    family: AddressType,
    errors: &mut Vec<String>,
) -> Result<Vec<Desired>, Error> {
    let mut groups = Groups::default();
    // Most Pods share the ports of the one before.
    let mut last: Option<&Arc<[ContainerPort]>> = None;
    for pod in pods.iter().filter(|pod| pod.has_endpoint()) {
        point();
        let group = match last {
            Some(ports) if Arc::ptr_eq(ports, &pod.ports) => groups.last(),
            _ => groups.of(&ports_of(service, pod)),
        };
        last = Some(&pod.ports);
        let node = nodes.get(&*pod.node_name).copied();
        if node.is_none() && !service.publish_not_ready_addresses {
            let Pod { namespace, name, node_name, .. } = pod;
            errors.push(match &**node_name {
                "" => format!("Pod {namespace}/{name} is left out: it is on no node yet"),
                node => format!("Pod {namespace}/{name} is left out: its node {node:?} is not there"),
            });
            continue;
        }
        push(group, service, pod, node, family, errors)?;
    }
    Ok(groups.in_order())
}

/// What makes two lists of ports the same, whatever their order (upstream `NewPortMapKey`).
pub(crate) type PortsKey = Vec<(String, String, Option<i32>, String)>;

pub(crate) fn ports_key(ports: &[EndpointPort]) -> PortsKey {
    let key = |port: &EndpointPort| {
        let (name, protocol, number, app) = port.sort_key();
        (name.to_owned(), protocol.to_owned(), number, app.to_owned())
    };
    let mut keys: PortsKey = ports.iter().map(key).collect();
    keys.sort_unstable();
    keys
}

/// Groups by their ports.
#[derive(Default)]
pub(crate) struct Groups {
    list: Vec<Desired>,
    by_ports: HashMap<PortsKey, usize>,
    /// Most endpoints are of the group of the one before.
    last: usize,
}

impl Groups {
    /// The group of these ports, a new one if there is none yet.
    pub(crate) fn of(&mut self, ports: &[EndpointPort]) -> &mut Desired {
        if self.list.get(self.last).is_none_or(|group| group.ports != ports) {
            self.last = *self.by_ports.entry(ports_key(ports)).or_insert(self.list.len());
            if self.last == self.list.len() {
                self.list.push(Desired { ports: ports.to_vec(), ..Desired::default() });
            }
        }
        &mut self.list[self.last]
    }

    /// The group that was asked for last.
    fn last(&mut self) -> &mut Desired {
        &mut self.list[self.last]
    }

    /// All groups, in an order that does not depend on that of what is in them.
    pub(crate) fn in_order(mut self) -> Vec<Desired> {
        self.list.sort_by_cached_key(|group| ports_key(&group.ports));
        self.list
    }
}

/// The ports of a Service on one Pod; one that the Pod does not have is left out (upstream `getEndpointPorts`).
pub(crate) fn ports_of(service: &Service, pod: &Pod) -> Vec<EndpointPort> {
    let port = |port: &crate::kube::ServicePort| {
        Some(EndpointPort {
            name: port.name.clone(),
            protocol: port.protocol.clone(),
            port: Some(pod.find_port(port)?),
            app_protocol: port.app_protocol.clone(),
            ..EndpointPort::default()
        })
    };
    service.ports.iter().filter_map(port).collect()
}

/// Append the endpoint of a Pod, if it has an address of the family (upstream `podToEndpoint`).
fn push(
    group: &mut Desired,
    service: &Service,
    pod: &Pod,
    node: Option<&Node>,
    family: AddressType,
    errors: &mut Vec<String>,
) -> Result<(), Error> {
    let mut first = None;
    let mut more_addresses: Vec<Box<str>> = Vec::new();
    for ip in &pod.ips {
        let address = Address::parse(ip);
        if address.address_type() == AddressType::Fqdn || address.validate().is_err() {
            // Told once, with the first family.
            if service.address_types().first() == Some(&family) {
                let shown = crate::model::shorten(ip);
                errors.push(format!(
                    "Pod {}/{}: {shown:?} cannot be the address of an endpoint",
                    pod.namespace, pod.name
                ));
            }
        } else if address.address_type() == family {
            match first {
                None => first = Some(address),
                Some(_) => more_addresses.push(address.to_string().into()),
            }
        }
    }
    let Some(first) = first else { return Ok(()) };
    let is_terminating = pod.is_terminating();
    let is_ready = service.publish_not_ready_addresses || (pod.is_ready && !is_terminating);
    let has_hostname = pod.has_hostname_for(service);
    let zone = node.map_or("", |node| &node.zone);
    let mut record = Record::default();
    (record.target_kind, record.target_namespace) = group.target(pod)?;
    let list = &mut group.endpoints;
    record.address = list.store(first)?;
    let buffer = list.text_mut();
    record.conditions = Conditions::new(Some(is_ready), Some(pod.is_ready), Some(is_terminating));
    record.hostname = buffer.push(if has_hostname { &pod.hostname } else { "" })?;
    record.node_name = buffer.intern(&pod.node_name)?;
    record.zone = buffer.intern(zone)?;
    record.target_name = buffer.push(&pod.name)?;
    record.target_uid = buffer.push(&pod.uid)?;
    let rare = (!more_addresses.is_empty()).then(|| Rare { more_addresses, ..Rare::default() });
    list.push_record(record, rare)
}
