//! Work on many objects can be stopped, and what was stopped has changed nothing.

#![expect(clippy::expect_used, reason = "a test may fail")]

mod cluster;

use std::fmt::Debug;
use std::time::Duration;

use epcore::diff::{self, diff};
use epcore::interrupt::{Stopped, watched};
use epcore::kube;
use epcore::pack::{self, Existing, Options};
use epcore::wire::{json, proto};

/// More than may pass between two looks at the clock, of slices and of Pods.
const OBJECTS: usize = 100;

fn stops<T: Debug>(what: &str, work: impl Fn() -> T) {
    let stopped = watched(Duration::ZERO, |_| false, &work);
    assert_eq!(stopped.err(), Some(Stopped), "{what}");
    assert!(watched(Duration::ZERO, |_| true, &work).is_ok(), "{what}");
}

#[test]
fn all_work_on_many_objects_can_be_stopped() {
    let text = cluster::listed("web", 0, 100 * OBJECTS);
    let slices = cluster::read(&text);
    let message = proto::write_slices(slices.iter().map(|slice| &**slice)).expect("a message");
    let pods = format!("[{}]", vec![r#"{"metadata":{"name":"web-1","namespace":"shop"}}"#; OBJECTS].join(","));
    stops("slices of JSON", || json::read_slices(text.as_bytes()));
    stops("endpoints of JSON", || json::read_endpoints(text.as_bytes()));
    let array = format!("[{}]", vec![r#"{"addresses":["10.0.0.1"]}"#; 5_000].join(","));
    stops("an array of endpoints", || json::read_endpoints(array.as_bytes()));
    stops("endpoints to publish", || json::read_published(array.as_bytes()));
    stops("slices of protobuf", || proto::read_slices(&message));
    stops("Pods", || json::read_pods(pods.as_bytes()));
    stops("a diff", || diff(&slices[1..], &slices, diff::Options::default()));
}

#[test]
fn a_look_at_few_endpoints_of_many_ports_can_be_stopped() {
    let listed = |count: usize, text: &dyn Fn(usize) -> String| (0..count).map(text).collect::<Vec<_>>().join(",");
    let text = format!(
        r#"{{"metadata":{{"name":"web-1","namespace":"shop","labels":{{"kubernetes.io/service-name":"web"}}}},"addressType":"IPv4","ports":[{}],"endpoints":[{}]}}"#,
        listed(1_000, &|number| format!(r#"{{"name":"p{number}","port":{number}}}"#)),
        listed(20, &|number| format!(r#"{{"addresses":["10.0.0.{number}"]}}"#)),
    );
    let view = cluster::view_of(&cluster::read(&text));
    stops("endpoints of a view", || view.endpoints("shop", "web"));
}

#[test]
fn a_sync_can_be_stopped() {
    let service =
        r#"{"metadata":{"name":"web","namespace":"shop"},"spec":{"selector":{"app":"web"},"ports":[{"port":80}]}}"#;
    let service = json::read_service(service.as_bytes()).expect("a Service");
    let pod = |number: usize| {
        format!(
            r#"{{"metadata":{{"name":"web-{number}","namespace":"shop","labels":{{"app":"web"}}}},"spec":{{"nodeName":"one"}},"status":{{"phase":"Running","podIP":"10.0.0.{number}","podIPs":[{{"ip":"10.0.0.{number}"}}]}}}}"#
        )
    };
    let pods = format!("[{}]", (0..OBJECTS).map(pod).collect::<Vec<_>>().join(","));
    let pods = json::read_pods(pods.as_bytes()).expect("Pods");
    let nodes = json::read_nodes(br#"{"metadata":{"name":"one"}}"#).expect("a Node");
    stops("a sync", || kube::reconcile(&service, &pods, &nodes, &Existing::default(), &kube::Options::default()));
}

#[test]
fn all_planning_of_many_endpoints_can_be_stopped() {
    let slices = cluster::read(&cluster::listed("web", 0, 100 * OBJECTS));
    let wanted = cluster::wanted(&slices);
    let service = json::read_service(cluster::SERVICE.as_bytes()).expect("a Service");
    let outside = kube::Published::from(wanted.clone());
    let like = Options { template: Some(slices[0].clone()), ..Options::default() };
    stops("new slices", || pack::pack(&wanted, &[], &like));
    stops("slices of others", || pack::pack(&cluster::wanted(&slices[..1]), &slices, &Options::default()));
    stops("endpoints from outside", || {
        kube::publish(&service, &outside, &slices.clone().into(), "epcore", &Options::default())
    });
}

#[test]
fn a_packer_that_was_stopped_is_what_it_was() {
    let slices = cluster::read(&cluster::listed("web", 0, 100 * OBJECTS));
    let name = ("shop".to_owned(), "web".to_owned());
    let outside = kube::Published::from(cluster::wanted(&slices));
    let mut packer = cluster::packer_of(&["web"], &slices[1..]);
    for _ in 0..2 {
        assert_eq!(watched(Duration::ZERO, |_| false, || packer.publish(&name, &outside)), Err(Stopped));
        assert_eq!(watched(Duration::ZERO, |_| false, || packer.upsert(&name, &outside)), Err(Stopped));
        assert!(packer.plan(&name, None).expect("a plan").writes().is_empty(), "nothing was told yet");
    }
    packer.publish(&name, &outside).expect("endpoints");
    let stopped = watched(Duration::ZERO, |_| false, || packer.plan(&name, None).map(|plan| plan.writes().len()));
    assert_eq!(stopped.err(), Some(Stopped));
    assert_eq!(packer.dirty(), [&name]);
    assert_eq!(packer.plan(&name, None).expect("a plan").writes().len(), 1);
}

#[test]
fn a_view_that_was_stopped_tells_everything_the_next_time() {
    let slices = cluster::read(&cluster::listed("web", 0, 100 * OBJECTS));
    let mut view = epcore::engine::View::new(diff::Options::default()).holding(Duration::from_mins(1));
    view.replace(&slices, "9").expect("slices");
    let stopped = watched(Duration::ZERO, |_| false, || view.checkout().added().len());
    assert_eq!(stopped, Err(Stopped));
    assert!(view.has_pending());
    assert_eq!(view.checkout().added().len(), 100 * OBJECTS);
    assert!(view.checkout().is_empty());
}

#[test]
fn a_list_that_was_stopped_leaves_a_view_as_it_was() {
    let text = cluster::listed("web", 0, 100 * OBJECTS);
    let [before, after] =
        [text.clone(), text.replace(r#""ready":true"#, r#""ready":false"#)].map(|text| cluster::read(&text));
    let mut view = cluster::view_of(&before[..OBJECTS / 2]);
    view.remove("shop", &before[0].metadata.name);
    let held = view.slices();
    for points in [1, OBJECTS + 1, OBJECTS + OBJECTS / 2 + 1] {
        let stopped = watched(Duration::ZERO, move |passed| passed < points, || view_fed(&mut view, &after));
        assert_eq!(stopped, Err(Stopped), "{points}");
        assert_eq!((view.slices(), view.resource_version()), (held.clone(), "9"));
    }
    assert_eq!(view.checkout().removed().len(), 100);
    assert!(view.checkout().is_empty());
    view_fed(&mut view, &after);
    assert_eq!(view.slices(), after);
}

fn view_fed(view: &mut epcore::engine::View, slices: &[std::sync::Arc<epcore::model::EndpointSlice>]) {
    view.replace(slices, "10").expect("slices");
}
