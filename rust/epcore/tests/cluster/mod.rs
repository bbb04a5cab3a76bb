//! A Service of many endpoints as a cluster has it, for tests of memory, benchmarks and counts of instructions.
#![allow(dead_code, reason = "each of them needs some of it")]

#[path = "../messages/encoding.rs"]
pub(crate) mod encoding;

use std::fmt::Write as _;
use std::sync::Arc;

use epcore::engine::{Answer, Object, ObjectEvent, Packer, PackerOptions, View};
use epcore::model::{EndpointList, EndpointSlice};
use epcore::pack::Options;
use epcore::wire::json;
use epcore::{diff, kube};

use encoding::{field, value};

pub(crate) const SERVICE: &str = r#"{"metadata":{"name":"web","namespace":"shop"},"spec":{"clusterIP":"10.96.0.1","ports":[{"name":"http","port":8080}]}}"#;

/// The slices of a Service as a list of JSON, full slices of 100 endpoints of Pods, with addresses from a number on.
pub(crate) fn listed(service: &str, addresses: usize, endpoints: usize) -> String {
    let mut text = String::with_capacity(300 * endpoints + 600 * (endpoints / 100 + 1));
    text.push_str(r#"{"kind":"EndpointSliceList","metadata":{"resourceVersion":"9"},"items":["#);
    for number in 0..endpoints {
        if number % 100 == 0 {
            text.push_str(if number == 0 { "" } else { "]}," });
            let _ = write!(
                text,
                r#"{{"metadata":{{"name":"{service}-{number:07}","namespace":"shop","resourceVersion":"{}","labels":{{"kubernetes.io/service-name":"{service}","endpointslice.kubernetes.io/managed-by":"epcore"}}}},"addressType":"IPv4","ports":[{{"name":"http","protocol":"TCP","port":8080}}],"endpoints":["#,
                number + 1,
            );
        } else {
            text.push(',');
        }
        let [_, second, third, fourth] = u32::try_from(addresses + number).expect("an address").to_be_bytes();
        let _ = write!(
            text,
            r#"{{"addresses":["10.{second}.{third}.{fourth}"],"conditions":{{"ready":true,"serving":true,"terminating":false}},"targetRef":{{"kind":"Pod","namespace":"shop","name":"{service}-7d9c5f6b8d-{number:05x}","uid":"76aab8c4-8e74-4648-8491-{number:012x}"}},"nodeName":"node-{}","zone":"zone-{}"}}"#,
            number % 300,
            number % 3,
        );
    }
    text.push_str("]}]}");
    text
}

/// The slices of many small Services as the API server lists them, each of ten endpoints, with all that it says of an object.
pub(crate) fn small_services(endpoints: usize) -> String {
    const EACH: usize = 10;
    let mut text = String::from(r#"{"kind":"EndpointSliceList","metadata":{"resourceVersion":"9"},"items":["#);
    for number in 0..endpoints / EACH {
        let (service, uid) = (format!("service-{number}"), format!("8e3c0e4f-a541-408a-ace1-{number:012x}"));
        let listed = listed(&service, number * EACH, EACH);
        let (_, endpoints) = listed.split_once(r#""endpoints":"#).expect("a slice");
        let endpoints = endpoints.strip_suffix("}]}").expect("a list");
        text.push_str(if number == 0 { "" } else { "," });
        let (minute, second) = (number / 60 % 60, number % 60);
        let owner = format!(r#""uid":"bb8de845-73a7-4cad-9da5-{number:012x}""#);
        let managed = format!(
            r#"[{{"manager":"kube-controller-manager","operation":"Update","apiVersion":"discovery.k8s.io/v1","time":"2026-11-23T08:{minute:02}:{second:02}Z","fieldsType":"FieldsV1","fieldsV1":{{"f:addressType":{{}},"f:endpoints":{{}},"f:metadata":{{"f:annotations":{{".":{{}},"f:endpoints.kubernetes.io/last-change-trigger-time":{{}}}},"f:generateName":{{}},"f:labels":{{".":{{}},"f:app":{{}},"f:endpointslice.kubernetes.io/managed-by":{{}},"f:kubernetes.io/service-name":{{}}}},"f:ownerReferences":{{".":{{}},"k:{{{}}}":{{}}}}}},"f:ports":{{}}}}}}]"#,
            owner.replace('"', "\\\""),
        );
        let _ = write!(
            text,
            r#"{{"metadata":{{"name":"{service}-{:05x}","generateName":"{service}-","namespace":"team-{}","uid":"{uid}","resourceVersion":"{}","generation":{},"creationTimestamp":"2026-11-23T08:{minute:02}:{second:02}Z","labels":{{"app":"{service}","endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io","kubernetes.io/service-name":"{service}"}},"annotations":{{"endpoints.kubernetes.io/last-change-trigger-time":"2026-11-23T08:{minute:02}:{second:02}Z"}},"ownerReferences":[{{"apiVersion":"v1","kind":"Service","name":"{service}",{owner},"controller":true,"blockOwnerDeletion":true}}],"managedFields":{managed}}},"addressType":"IPv4","endpoints":{endpoints},"ports":[{{"name":"http","port":{},"protocol":"TCP"}}]}}"#,
            number * 7_919 % 0x10_0000,
            number % 40,
            1_000_000 + number,
            number % 9 + 1,
            8000 + number % 3,
        );
    }
    text.push_str("]}");
    text
}

/// A Service that selects the Pods of [`pods`].
pub(crate) const SELECTING: &str = r#"{"metadata":{"name":"web","namespace":"shop"},"spec":{"selector":{"app":"web"},"clusterIP":"10.96.0.1","ipFamilies":["IPv4"],"ports":[{"name":"http","port":80,"targetPort":"http"}]}}"#;

/// Pods as large as they are, most of which says nothing about endpoints.
pub(crate) fn pods(count: usize) -> String {
    let conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"];
    let conditions = conditions
        .map(|kind| format!(r#"{{"type":"{kind}","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z"}}"#));
    let settings: Vec<String> =
        (0..6).map(|number| format!(r#"{{"name":"SETTING_{number}","value":"value of it"}}"#)).collect();
    let (conditions, settings) = (conditions.join(","), settings.join(","));
    let mut text = String::from("[");
    for number in 0..count {
        let [_, second, third, fourth] = u32::try_from(number).expect("an address").to_be_bytes();
        let ip = format!("10.{second}.{third}.{fourth}");
        text.push_str(if number == 0 { "" } else { "," });
        let _ = write!(
            text,
            r#"{{"metadata":{{"name":"web-7d9c5f6b8d-{number:05x}","namespace":"shop","uid":"76aab8c4-8e74-4648-8491-{number:012x}","resourceVersion":"{number}","labels":{{"app":"web","pod-template-hash":"7d9c5f6b8d"}},"ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-7d9c5f6b8d","uid":"u-rs","controller":true}}]}},"spec":{{"nodeName":"node-{}","containers":[{{"name":"main","image":"registry.example.com/web:1.2.3","ports":[{{"name":"http","containerPort":8080,"protocol":"TCP"}}],"env":[{settings}],"resources":{{"requests":{{"cpu":"100m","memory":"128Mi"}}}}}}],"tolerations":[{{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute"}}]}},"status":{{"phase":"Running","podIP":"{ip}","podIPs":[{{"ip":"{ip}"}}],"conditions":[{conditions}]}}}}"#,
            number % 300,
        );
    }
    text.push(']');
    text
}

/// The same Pods, as Kubernetes writes them in protobuf.
pub(crate) fn pods_in_protobuf(count: usize) -> Vec<u8> {
    let kind = [text(1, "v1"), text(2, "PodList")].concat();
    let pods: Vec<Vec<u8>> = (0..count).map(|number| field(2, &pod_in_protobuf(number))).collect();
    [b"k8s\0".to_vec(), field(1, &kind), field(2, &pods.concat()), text(3, ""), text(4, "")].concat()
}

fn pod_in_protobuf(of: usize) -> Vec<u8> {
    let [_, second, third, fourth] = u32::try_from(of).expect("an address").to_be_bytes();
    let ip = text(1, &format!("10.{second}.{third}.{fourth}"));
    let label = |key, value| field(11, &[text(1, key), text(2, value)].concat());
    let owner = [text(1, "ReplicaSet"), text(3, "web-7d9c5f6b8d"), text(4, "u-rs"), text(5, "apps/v1"), value(6, 1)];
    let metadata = [
        text(1, &format!("web-7d9c5f6b8d-{of:05x}")),
        text(3, "shop"),
        text(5, &format!("76aab8c4-8e74-4648-8491-{of:012x}")),
        text(6, &of.to_string()),
        field(8, &value(1, 1_767_225_600)),
        label("app", "web"),
        label("pod-template-hash", "7d9c5f6b8d"),
        field(13, &owner.concat()),
    ];
    let port = [text(1, "http"), value(2, 0), value(3, 8080), text(4, "TCP"), text(5, "")].concat();
    let setting = |of: usize| field(7, &[text(1, &format!("SETTING_{of}")), text(2, "value of it")].concat());
    let settings: Vec<Vec<u8>> = (0..6).map(setting).collect();
    let image = text(2, "registry.example.com/web:1.2.3");
    let container = [text(1, "main"), image, field(6, &port), settings.concat(), value(16, 0)].concat();
    let spec = [field(2, &container), text(3, ""), text(10, &format!("node-{}", of % 300)), value(11, 0)];
    let since = field(4, &value(1, 1_767_225_600));
    let conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"]
        .map(|kind| field(2, &[text(1, kind), text(2, "True"), since.clone(), text(5, ""), text(6, "")].concat()));
    let status = [text(1, "Running"), conditions.concat(), field(6, &ip[2..]), field(12, &ip)];
    [field(1, &metadata.concat()), field(2, &spec.concat()), field(3, &status.concat())].concat()
}

fn text(tag: usize, text: &str) -> Vec<u8> {
    field(tag, text.as_bytes())
}

/// The Nodes of those Pods.
pub(crate) fn nodes() -> String {
    let node = |number: usize| {
        let zone = ["a", "b", "c"][number % 3];
        format!(r#"{{"metadata":{{"name":"node-{number}","labels":{{"topology.kubernetes.io/zone":"{zone}"}}}}}}"#)
    };
    format!("[{}]", (0..300).map(node).collect::<Vec<_>>().join(","))
}

pub(crate) fn read(text: &str) -> Vec<Arc<EndpointSlice>> {
    json::read_slices(text.as_bytes()).expect("slices")
}

/// The endpoints of slices, as those that should be there.
pub(crate) fn wanted(slices: &[Arc<EndpointSlice>]) -> EndpointList {
    let mut wanted = EndpointList::default();
    for slice in slices {
        slice.endpoints.iter().try_for_each(|endpoint| wanted.push(endpoint)).expect("endpoints");
    }
    wanted
}

pub(crate) fn view_of(slices: &[Arc<EndpointSlice>]) -> View {
    let mut view = View::new(diff::Options::default());
    view.replace(slices, "9").expect("one of each name");
    view.checkout();
    view
}

/// A packer of Services without selector, which knows slices and no endpoints yet.
pub(crate) fn packer_of(services: &[&str], slices: &[Arc<EndpointSlice>]) -> Packer {
    let options = PackerOptions {
        controller: kube::CONTROLLER.to_owned(),
        managed_by: "epcore".to_owned(),
        reconcile: kube::Options::default().pack,
        publish: Options::default(),
    };
    let mut packer = Packer::new(options).expect("options");
    for service in services {
        let text = SERVICE.replace(r#""web""#, &format!("{service:?}"));
        let service = Arc::new(json::read_service(text.as_bytes()).expect("Service"));
        packer.feed(ObjectEvent::Present(Object::Service(service)));
    }
    for slice in slices {
        packer.feed(ObjectEvent::Present(Object::EndpointSlice(slice.clone())));
    }
    packer
}

/// A packer of the Service of some slices, told from outside what they hold, and the Service's name.
pub(crate) fn settled_packer(slices: &[Arc<EndpointSlice>]) -> (Packer, (String, String)) {
    let mut packer = packer_of(&["web"], slices);
    let name = ("shop".to_owned(), "web".to_owned());
    packer.publish(&name, &kube::Published::from(wanted(slices))).expect("endpoints");
    settle(&mut packer, "web");
    (packer, name)
}

/// Let a packer hold what it wants; tell how many writes that took.
pub(crate) fn settle(packer: &mut Packer, service: &str) -> usize {
    let name = ("shop".to_owned(), service.to_owned());
    let plan = packer.plan(&name, None).expect("plan");
    for (number, write) in plan.writes().iter().enumerate() {
        // An API server gives back an object of its own.
        let mut slice = EndpointSlice::clone(&write.slice);
        if slice.metadata.name.is_empty() {
            slice.metadata.name = format!("{service}-new-{number}");
        }
        packer.answer(write, Answer::Accepted(Some(Arc::new(slice)))).expect("the slice");
    }
    plan.writes().len()
}
