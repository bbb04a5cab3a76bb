//! Services, Pods and Nodes, in.

use std::borrow::Cow;

use smol_str::SmolStr;

use crate::Error;
use crate::kube::{ContainerPort, Node, Pod, Service, ServicePort, TargetPort, parse_quantity};
use crate::model::{AddressType, shorten};
use crate::wire::json::locate::locate_in;
use crate::wire::json::metadata::read_metadata;
use crate::wire::json::reader::{Reader, Seen, read_text_map};
use crate::wire::json::stream::single_items;

/// Read one Service.
///
/// # Errors
///
/// The first place that is not JSON or has the wrong type, or a Service without name; with path (`service.spec.ports[0]`) and byte offset.
pub fn read_service(document: &[u8]) -> Result<Service, Error> {
    one(document, "service", "Service", service)
}

/// Read the only object of a document.
pub(super) fn one<T>(
    document: &[u8],
    root: &'static str,
    kind: &'static str,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut found = Vec::new();
    single_items(document, root, kind, |reader| {
        found.push(read(reader)?);
        Ok(())
    })
    .map_err(Error::without_index)?;
    let count = found.len();
    match found.pop() {
        Some(object) if count == 1 => Ok(object),
        _ => Err(Error::invalid(format!("must be one {kind}, found {count}")).in_field(root)),
    }
}

/// Read Services: one, a `ServiceList`, a `v1` `List`, an array or JSON lines.
///
/// # Errors
///
/// As [`read_service`], with paths such as `services[7].spec.ports`.
pub fn read_services(document: &[u8]) -> Result<Vec<Service>, Error> {
    let mut services = Vec::new();
    single_items(document, "services", "ServiceList", |reader| {
        services.push(service(reader)?);
        Ok(())
    })?;
    Ok(services)
}

/// Read Nodes: one, a `NodeList`, a `v1` `List`, an array or JSON lines.
///
/// # Errors
///
/// As [`read_service`], with paths such as `nodes[2].status.allocatable.cpu`.
pub fn read_nodes(document: &[u8]) -> Result<Vec<Node>, Error> {
    let mut nodes = Vec::new();
    single_items(document, "nodes", "NodeList", |reader| {
        nodes.push(node(reader)?);
        Ok(())
    })?;
    Ok(nodes)
}

/// Read the members of an object that may be `null`. A second member of a name that `member` knows is refused.
pub(super) fn members(
    reader: &mut Reader<'_>,
    known: &[&str],
    mut member: impl FnMut(&mut Reader<'_>, usize) -> Result<(), Error>,
) -> Result<(), Error> {
    if reader.null()? {
        return Ok(());
    }
    let mut seen = Seen::default();
    reader.object(|reader, name| match (0u32..).zip(known).find(|(_, known)| **known == name) {
        None => reader.skip(),
        Some((index, _)) => {
            seen.once(index)?;
            member(reader, index as usize)
        }
    })
}

/// Read the items of an array that may be `null`.
pub(super) fn each(
    reader: &mut Reader<'_>,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    if reader.null()? { Ok(()) } else { reader.array(|reader, _| item(reader)) }
}

pub(super) fn expect_kind(reader: &mut Reader<'_>, kind: &str) -> Result<(), Error> {
    let found = reader.optional_string()?;
    if found.is_empty() || found == kind {
        return Ok(());
    }
    Err(Error::invalid(format!("expected {kind:?}, found {:?}", shorten(&found))))
}

fn text<'a, T: From<Cow<'a, str>>>(reader: &mut Reader<'a>, target: &mut T) -> Result<(), Error> {
    *target = reader.optional_string()?.into();
    Ok(())
}

pub(super) fn service(reader: &mut Reader<'_>) -> Result<Service, Error> {
    let start = reader.clone();
    let mut service = Service::default();
    members(reader, &["kind", "metadata", "spec"], |reader, index| match index {
        0 => expect_kind(reader, "Service"),
        1 => {
            service.metadata = read_metadata(reader)?;
            Ok(())
        }
        _ => service_spec(reader, &mut service),
    })?;
    if service.metadata.name.is_empty() {
        let error = Error::invalid("required").in_field("name").in_field("metadata");
        return Err(locate_in(start, error));
    }
    Ok(service)
}

const SERVICE_SPEC: [&str; 7] =
    ["type", "selector", "clusterIP", "ipFamilies", "ports", "publishNotReadyAddresses", "trafficDistribution"];

fn service_spec(reader: &mut Reader<'_>, service: &mut Service) -> Result<(), Error> {
    members(reader, &SERVICE_SPEC, |reader, index| {
        match index {
            0 => service.is_external_name = reader.optional_string()? == "ExternalName",
            1 => service.selector = read_text_map(reader)?,
            2 => text(reader, &mut service.cluster_ip)?,
            3 => each(reader, |reader| {
                let word = reader.string()?;
                let family = AddressType::parse(&word).filter(|family| *family != AddressType::Fqdn);
                let trouble = || Error::invalid(format!("{:?} is not IPv4 or IPv6", shorten(&word)));
                service.ip_families.push(family.ok_or_else(trouble)?);
                Ok(())
            })?,
            4 => each(reader, |reader| {
                service.ports.push(service_port(reader)?);
                Ok(())
            })?,
            5 => service.publish_not_ready_addresses = !reader.null()? && reader.boolean()?,
            _ => text(reader, &mut service.traffic_distribution)?,
        }
        Ok(())
    })
}

fn service_port(reader: &mut Reader<'_>) -> Result<ServicePort, Error> {
    let mut port = ServicePort {
        name: String::new(),
        protocol: String::new(),
        port: 0,
        target_port: TargetPort::Number(0),
        app_protocol: String::new(),
    };
    members(reader, &["name", "protocol", "port", "targetPort", "appProtocol"], |reader, index| {
        match index {
            0 => text(reader, &mut port.name)?,
            1 => text(reader, &mut port.protocol)?,
            2 => port.port = reader.int32()?,
            3 if reader.null()? => {}
            3 if reader.peek() == Some(b'"') => port.target_port = TargetPort::Name(reader.string()?.into_owned()),
            3 => port.target_port = TargetPort::Number(reader.int32()?),
            _ => text(reader, &mut port.app_protocol)?,
        }
        Ok(())
    })?;
    // The defaults of the API server.
    if port.protocol.is_empty() {
        "TCP".clone_into(&mut port.protocol);
    }
    if matches!(&port.target_port, TargetPort::Number(0)) || port.target_port == TargetPort::Name(String::new()) {
        port.target_port = TargetPort::Number(port.port);
    }
    Ok(port)
}

pub(super) fn pod(reader: &mut Reader<'_>) -> Result<Pod, Error> {
    let start = reader.clone();
    let mut pod = Pod::default();
    members(reader, &["kind", "metadata", "spec", "status"], |reader, index| match index {
        0 => expect_kind(reader, "Pod"),
        1 => pod_metadata(reader, &mut pod),
        2 => pod_spec(reader, &mut pod),
        _ => pod_status(reader, &mut pod),
    })?;
    if pod.name.is_empty() {
        let error = Error::invalid("required").in_field("name").in_field("metadata");
        return Err(locate_in(start, error));
    }
    Ok(pod)
}

fn pod_metadata(reader: &mut Reader<'_>, pod: &mut Pod) -> Result<(), Error> {
    let known = ["name", "namespace", "uid", "resourceVersion", "labels", "deletionTimestamp"];
    members(reader, &known, |reader, index| match index {
        0 => text(reader, &mut pod.name),
        1 => {
            pod.namespace = reader.optional_string()?.into();
            Ok(())
        }
        2 => text(reader, &mut pod.uid),
        3 => text(reader, &mut pod.resource_version),
        4 => {
            pod.labels = read_text_map(reader)?.into();
            Ok(())
        }
        _ => text(reader, &mut pod.deletion_timestamp),
    })
}

fn pod_spec(reader: &mut Reader<'_>, pod: &mut Pod) -> Result<(), Error> {
    let (mut ports, mut sidecars) = (Vec::new(), Vec::new());
    members(
        reader,
        &["nodeName", "hostname", "subdomain", "containers", "initContainers"],
        |reader, index| match index {
            0 => text(reader, &mut pod.node_name),
            1 => text(reader, &mut pod.hostname),
            2 => text(reader, &mut pod.subdomain),
            3 => each(reader, |reader| {
                ports.extend(container(reader)?.0);
                Ok(())
            }),
            _ => each(reader, |reader| {
                let (ports, is_sidecar) = container(reader)?;
                sidecars.extend(ports.into_iter().filter(|_| is_sidecar));
                Ok(())
            }),
        },
    )?;
    ports.append(&mut sidecars);
    pod.ports = ports.into();
    Ok(())
}

/// The ports of a container, and whether it runs as long as the Pod though it is an init container.
fn container(reader: &mut Reader<'_>) -> Result<(Vec<ContainerPort>, bool), Error> {
    let mut ports = Vec::new();
    let mut is_sidecar = false;
    members(reader, &["ports", "restartPolicy"], |reader, index| {
        if index == 1 {
            is_sidecar = reader.optional_string()? == "Always";
            return Ok(());
        }
        each(reader, |reader| {
            let mut port = ContainerPort { name: String::new(), protocol: "TCP".to_owned(), port: 0 };
            members(reader, &["name", "protocol", "containerPort"], |reader, index| {
                match index {
                    0 => text(reader, &mut port.name)?,
                    1 => {
                        let protocol = reader.optional_string()?;
                        if !protocol.is_empty() {
                            port.protocol = protocol.into_owned();
                        }
                    }
                    _ => port.port = reader.int32()?,
                }
                Ok(())
            })?;
            ports.push(port);
            Ok(())
        })
    })?;
    Ok((ports, is_sidecar))
}

fn pod_status(reader: &mut Reader<'_>, pod: &mut Pod) -> Result<(), Error> {
    let mut ip = SmolStr::default();
    members(reader, &["phase", "podIP", "podIPs", "conditions"], |reader, index| match index {
        0 => {
            pod.phase = reader.optional_string()?.into();
            Ok(())
        }
        1 => text(reader, &mut ip),
        2 => each(reader, |reader| {
            let mut ip = SmolStr::default();
            members(reader, &["ip"], |reader, _| text(reader, &mut ip))?;
            pod.ips.push(ip);
            Ok(())
        }),
        _ => {
            let ready = ready_condition(reader)?;
            (pod.is_ready, pod.ready_since) = ready.unwrap_or_default();
            Ok(())
        }
    })?;
    // The API server fills each from the other.
    if pod.ips.is_empty() && !ip.is_empty() {
        pod.ips.push(ip);
    }
    Ok(())
}

/// Whether the first condition of type `Ready` is true, and since when it is what it is.
fn ready_condition(reader: &mut Reader<'_>) -> Result<Option<(bool, SmolStr)>, Error> {
    let mut found = None;
    each(reader, |reader| {
        let (mut kind, mut status, mut since) = (SmolStr::default(), SmolStr::default(), SmolStr::default());
        members(reader, &["type", "status", "lastTransitionTime"], |reader, index| match index {
            0 => text(reader, &mut kind),
            1 => text(reader, &mut status),
            _ => text(reader, &mut since),
        })?;
        if kind == "Ready" {
            found.get_or_insert((status == "True", since));
        }
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn node(reader: &mut Reader<'_>) -> Result<Node, Error> {
    let start = reader.clone();
    let mut node = Node::default();
    members(reader, &["kind", "metadata", "status"], |reader, index| match index {
        0 => expect_kind(reader, "Node"),
        1 => members(reader, &["name", "resourceVersion", "labels"], |reader, index| {
            match index {
                0 => return text(reader, &mut node.name),
                1 => return text(reader, &mut node.resource_version),
                _ => {}
            }
            let labels = read_text_map(reader)?;
            for (key, value) in &labels {
                node.label(key, value);
            }
            Ok(())
        }),
        _ => members(reader, &["conditions", "allocatable"], |reader, index| {
            if index == 0 {
                node.is_ready = ready_condition(reader)?.is_some_and(|(is_ready, _)| is_ready);
                return Ok(());
            }
            members(reader, &["cpu"], |reader, _| {
                node.cpu = quantity(reader)?;
                Ok(())
            })
        }),
    })?;
    if node.name.is_empty() {
        let error = Error::invalid("required").in_field("name").in_field("metadata");
        return Err(locate_in(start, error));
    }
    Ok(node)
}

/// A quantity may be a string or a number.
fn quantity(reader: &mut Reader<'_>) -> Result<i128, Error> {
    let text = if matches!(reader.peek(), Some(b'"' | b'n')) {
        reader.optional_string()?.into_owned()
    } else {
        reader.canonical()?
    };
    if text.is_empty() {
        return Ok(0);
    }
    parse_quantity(&text).ok_or_else(|| Error::invalid(format!("{:?} is no quantity", shorten(&text))))
}
