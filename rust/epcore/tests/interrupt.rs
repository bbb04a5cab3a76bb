//! Work on many objects can be stopped, and what was stopped has changed nothing.

#![expect(clippy::expect_used, reason = "a test may fail")]

mod cluster;

use std::fmt::Debug;
use std::time::Duration;

use epcore::diff::{self, diff};
use epcore::interrupt::{Stopped, watched};
use epcore::kube;
use epcore::pack::{self, Options};
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
    stops("slices of protobuf", || proto::read_slices(&message));
    stops("Pods", || json::read_pods(pods.as_bytes()));
    stops("a diff", || diff(&slices[1..], &slices, diff::Options::default()));
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
    stops("a sync", || kube::reconcile(&service, &pods, &nodes, &[], &kube::Options::default()));
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
    stops("endpoints from outside", || kube::publish(&service, &outside, &slices, "epcore", &Options::default()));
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
