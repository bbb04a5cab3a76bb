//! Rules about slices beside the Services and Pods that are there.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::{Item, Options, Report, Rule};
use crate::Error;
use crate::kube::{Pod, Service};
use crate::model::{Address, EndpointRef};
use crate::wire::json;

pub(super) fn check(items: &[Item], options: &Options, report: &mut Report) {
    if let Some(services) = &options.services {
        let key = |service: &'_ Service| (service.metadata.namespace.clone(), service.metadata.name.clone());
        let services: HashMap<_, _> = services.iter().map(|service| (key(service), service)).collect();
        for item in items {
            if let Some((namespace, name)) = item.service() {
                check_service(item, services.get(&(namespace.to_owned(), name.to_owned())).copied(), report);
            }
        }
    }
    if let Some(pods) = &options.pods {
        let pods: HashMap<_, _> = pods.iter().map(|pod| ((&*pod.namespace, &*pod.name), pod)).collect();
        for item in items {
            check_pods(item, &pods, report);
        }
    }
}

fn check_service(item: &Item, service: Option<&Service>, report: &mut Report) {
    let Some(service) = service else {
        let message = format!("there is no Service {}", item.slice.metadata.service());
        let error = Error::invalid(message).in_field(crate::model::SERVICE_NAME_LABEL).in_field("labels");
        return report.add(Rule::NoService, item, error.in_field("metadata"));
    };
    let uid = &service.metadata.uid;
    for (index, owner) in json::owners(&item.slice.metadata).iter().enumerate() {
        if owner.kind == "Service" && owner.api_version == "v1" && !uid.is_empty() && owner.uid != *uid {
            let message = format!("owned by a Service with UID {}, the one that is there has {uid}", owner.uid);
            let error = Error::invalid(message).in_index(index).in_field("ownerReferences").in_field("metadata");
            report.add(Rule::StaleOwner, item, error);
        }
    }
    if item.slice.endpoints.is_empty() || service.ports.is_empty() {
        return;
    }
    let of_service: BTreeSet<&str> = service.ports.iter().map(|port| &*port.name).collect();
    let of_slice: BTreeSet<&str> = item.slice.ports.iter().map(|port| &*port.name).collect();
    for (names, others, message) in [
        (&of_service, &of_slice, "of the Service is not on the slice"),
        (&of_slice, &of_service, "is no port of the Service"),
    ] {
        if let Some(name) = names.difference(others).next() {
            let error = Error::invalid(format!("{name:?} {message}")).in_field("ports");
            report.add(Rule::PortsNotOfService, item, error);
        }
    }
}

fn check_pods(item: &Item, pods: &HashMap<(&str, &str), &Pod>, report: &mut Report) {
    for (index, endpoint) in item.slice.endpoints.iter().enumerate() {
        let Some(target) = endpoint.target_ref().filter(|target| target.kind == "Pod") else { continue };
        let namespace = if target.namespace.is_empty() { &item.slice.metadata.namespace } else { target.namespace };
        let (message, field) = match pods.get(&(namespace, target.name)) {
            None => (format!("the Pod {} is gone", target.name), "targetRef"),
            Some(pod) => match trouble(pod, target.uid, endpoint) {
                None => continue,
                Some((message, field)) => (format!("the Pod {} {message}", target.name), field),
            },
        };
        let error = Error::invalid(message).in_field(field).in_index(index).in_field("endpoints");
        report.add(Rule::StaleEndpoint, item, error);
    }
}

fn trouble(pod: &Pod, uid: &str, endpoint: EndpointRef<'_>) -> Option<(String, &'static str)> {
    let has_address = || pod.ips.iter().any(|ip| Address::parse(ip) == endpoint.address());
    if !uid.is_empty() && !pod.uid.is_empty() && uid != pod.uid {
        Some((format!("has UID {} now", pod.uid), "targetRef"))
    } else if matches!(&*pod.phase, "Failed" | "Succeeded") {
        Some((format!("has ended ({})", pod.phase), "targetRef"))
    } else if !has_address() {
        Some((format!("has not the address {}", endpoint.address()), "addresses"))
    } else {
        None
    }
}
