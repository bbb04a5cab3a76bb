//! What is kept in memory: bytes for each endpoint, nothing that grows with the number of calls, and the peak of a large run.
//!
//! All counts are those of the allocator, so that they are the same on every machine. One test, since a second one beside it would be counted.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::alloc::System;
use std::fmt::Write as _;
use std::sync::Arc;

use cap::Cap;
use epcore::engine::{Answer, Object, ObjectEvent, Packer, PackerOptions, View, WatchEvent};
use epcore::model::EndpointSlice;
use epcore::pack::{self, Options};
use epcore::wire::json;
use epcore::{diff, kube};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Most bytes for each endpoint with name, UID, node and zone: of the slices, and of what is beside them.
const SLICES: usize = 210;
const VIEW: usize = 160;
const PACKER: usize = 680;
/// Most bytes for each Service of ten endpoints, beside its slice.
const SERVICE_IN_VIEW: usize = 2_400;
const SERVICE_IN_PACKER: usize = 4_000;
/// Most bytes at any moment for each of 100,000 endpoints, from their JSON to a plan; the JSON is one of them.
const PEAK: usize = 1_700;

/// The slices of a Service as a list of JSON, full slices of 100 endpoints of Pods, with addresses from a number on.
fn listed(service: &str, addresses: usize, endpoints: usize) -> String {
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

const SERVICE: &str = r#"{"metadata":{"name":"web","namespace":"shop"},"spec":{"clusterIP":"10.96.0.1","ports":[{"name":"http","port":8080}]}}"#;

fn read(text: &str) -> Vec<Arc<EndpointSlice>> {
    json::read_slices(text.as_bytes()).expect("slices")
}

/// What something keeps, in bytes.
fn kept<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATOR.allocated();
    let value = make();
    (value, ALLOCATOR.allocated() - before)
}

fn view_of(slices: &[Arc<EndpointSlice>]) -> View {
    let mut view = View::new(diff::Options::default());
    view.replace(slices, "9").expect("one of each name");
    view.checkout();
    view
}

fn packer_of(services: &[&str], slices: &[Arc<EndpointSlice>]) -> Packer {
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

fn published(slices: &[Arc<EndpointSlice>]) -> kube::Published {
    let mut text = Vec::new();
    for slice in slices {
        for endpoint in slice.endpoints.iter() {
            text.push(String::from_utf8(json::write_endpoint(endpoint)).expect("text"));
        }
    }
    json::read_published(format!("[{}]", text.join(",")).as_bytes()).expect("endpoints")
}

/// Let a packer hold what it wants.
fn settle(packer: &mut Packer, service: &str) -> usize {
    let name = ("shop".to_owned(), service.to_owned());
    let plan = packer.plan(&name, None).expect("plan");
    for (number, write) in plan.writes().iter().enumerate() {
        let mut slice = EndpointSlice::clone(&write.slice);
        if slice.metadata.name.is_empty() {
            slice.metadata.name = format!("{service}-new-{number}");
        }
        packer.answer(write, Answer::Accepted(Some(Arc::new(slice)))).expect("the slice");
    }
    plan.writes().len()
}

#[test]
fn memory_is_bounded_for_each_endpoint_and_does_not_grow_with_calls() {
    a_large_run_has_a_peak_that_is_known();
    what_is_kept_for_each_endpoint_is_flat();
    ten_thousand_services_of_ten_are_as_small();
    ten_thousand_calls_leave_nothing_behind();
}

/// From the bytes of 100,000 endpoints to a plan. First of all, since the peak is that of the whole process.
fn a_large_run_has_a_peak_that_is_known() {
    let service = json::read_service(SERVICE.as_bytes()).expect("Service");
    let text = listed("web", 0, 100_000);
    let slices = read(&text);
    let outside = published(&slices[1..]);
    let plan = kube::publish(&service, &outside, &slices, "epcore", &Options::default()).expect("plan");
    assert_eq!(plan.writes().len(), 1);
    let peak = ALLOCATOR.max_allocated() / 100_000;
    assert!(peak <= PEAK, "{peak} bytes for each endpoint at the peak");
}

fn what_is_kept_for_each_endpoint_is_flat() {
    let mut all = Vec::new();
    for endpoints in [1_000, 100_000] {
        let text = listed("web", 0, endpoints);
        let (slices, of_slices) = kept(|| read(&text));
        let (view, of_view) = kept(|| view_of(&slices));
        let outside = published(&slices);
        let (packer, of_packer) = kept(|| {
            let mut packer = packer_of(&["web"], &slices);
            packer.publish(&("shop".to_owned(), "web".to_owned()), &outside).expect("endpoints");
            settle(&mut packer, "web");
            packer
        });
        assert!(packer.dirty().is_empty());
        assert_eq!(view.len(), endpoints.div_ceil(100));
        all.push([of_slices, of_view, of_packer].map(|bytes| bytes / endpoints));
    }
    let [small, large] = all[..] else { panic!("two sizes") };
    for (kind, most) in [SLICES, VIEW, PACKER].into_iter().enumerate() {
        assert!(small[kind] <= most && large[kind] <= most, "{small:?} and {large:?} bytes for each endpoint");
        assert!(large[kind] * 2 <= small[kind] * 3, "grows with the number of endpoints: {small:?} and {large:?}");
    }
}

fn ten_thousand_services_of_ten_are_as_small() {
    let names: Vec<String> = (0..10_000).map(|number| format!("web-{number}")).collect();
    let lists = (0..).zip(&names).map(|(number, name)| listed(name, 10 * number, 10));
    let slices: Vec<_> = lists.flat_map(|list| read(&list)).collect();
    let (_view, of_view) = kept(|| view_of(&slices));
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    let (_packer, of_packer) = kept(|| packer_of(&names, &slices));
    let [of_view, of_packer] = [of_view, of_packer].map(|bytes| bytes / names.len());
    assert!(of_view <= SERVICE_IN_VIEW && of_packer <= SERVICE_IN_PACKER, "{of_view} and {of_packer}");
}

/// As many bytes after 11,000 calls as after 1,000, of functions and of what keeps state.
fn ten_thousand_calls_leave_nothing_behind() {
    let slices = read(&listed("web", 0, 250));
    let mut changed = EndpointSlice::clone(&slices[2]);
    changed.endpoints = slices[1].endpoints.clone();
    let other = Arc::new(changed);
    let mut view = view_of(&slices);
    let mut packer = packer_of(&["web"], &slices);
    let name = ("shop".to_owned(), "web".to_owned());
    packer.publish(&name, &published(&slices)).expect("endpoints");
    settle(&mut packer, "web");
    let options = Options { template: None, ..Options::default() };
    let ups = ["a", "b"].map(|zone| {
        let text = format!(r#"[{{"addresses":["10.0.0.7"],"zone":"{zone}"}}]"#);
        json::read_published(text.as_bytes()).expect("endpoints")
    });
    let mut turn = |number: usize| {
        let now = [&slices[2], &other][number % 2];
        let set = [&slices[0], &slices[1], now].map(Arc::clone);
        let _ = diff::diff(&slices, &set, diff::Options::default());
        pack::pack(&slices[2].endpoints, &set[2..], &options).expect("plan");
        view.feed(WatchEvent::Present(now.clone())).expect("slice");
        view.checkout();
        packer.upsert(&name, &ups[number % 2]).expect("endpoint");
        assert_eq!(settle(&mut packer, "web"), 1);
    };
    (0..1_000).for_each(&mut turn);
    let before = ALLOCATOR.allocated();
    (1_000..11_000).for_each(&mut turn);
    let after = ALLOCATOR.allocated();
    assert!(after <= before + 4_096, "{before} bytes became {after}");
}
