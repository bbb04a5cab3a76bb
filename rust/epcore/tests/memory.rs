//! What is kept in memory: bytes for each endpoint, nothing that grows with the number of calls, and the peak of a large run.
//!
//! All counts are those of the allocator, so that they are the same on every machine. One test, since a second one beside it would be counted.

#![expect(clippy::expect_used, reason = "a test may fail")]

mod cluster;

use std::alloc::System;
use std::sync::Arc;

use cap::Cap;
use epcore::engine::WatchEvent;
use epcore::model::EndpointSlice;
use epcore::pack::{self, Options};
use epcore::wire::{Listing, json, proto};
use epcore::{diff, kube};

use cluster::encoding::field;
use cluster::{SERVICE, listed, packer_of, read, settle, view_of};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Most bytes for each endpoint with name, UID, node and zone: of the slices, and of what is beside them.
const SLICES: usize = 165;
const VIEW: usize = 160;
const PACKER: usize = 560;
/// How many times as much endpoints from outside may take that were told again and again.
const WORN: usize = 3;
/// Most bytes for each endpoint of a slice of which some change from list to list, beside its document.
const CARRIED: usize = 240;
const CARRIED_UNUSUAL: usize = 600;
/// Most bytes for each Service of ten endpoints, beside its slice.
const SERVICE_IN_VIEW: usize = 1_500;
const SERVICE_IN_PACKER: usize = 4_000;
/// Most bytes for the labels and ports of a slice, which its copy has too.
const LABELS: usize = 1_000;
/// Most bytes that a thread remembers of what it has read, so that it reads the next faster: of endpoints, and of Pods.
const REMEMBERED: usize = 500_000;
const REMEMBERED_OF_PODS: usize = 400_000;
/// The same of members without meaning, such as `managedFields`, beside either.
const REMEMBERED_OF_MEMBERS: usize = 350_000;
/// Most bytes at any moment for each of 100,000 endpoints, from their JSON to a plan; the JSON is one of them.
const PEAK: usize = 1_700;

/// What something keeps, in bytes.
fn kept<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATOR.allocated();
    let value = make();
    (value, ALLOCATOR.allocated() - before)
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

#[test]
fn memory_is_bounded_for_each_endpoint_and_does_not_grow_with_calls() {
    a_large_run_has_a_peak_that_is_known();
    what_is_kept_for_each_endpoint_is_flat();
    lists_have_no_room_for_more();
    ten_thousand_services_of_ten_are_as_small();
    what_a_thread_remembers_is_bounded();
    what_a_thread_remembers_of_pods_in_protobuf_is_bounded();
    ten_thousand_calls_leave_nothing_behind();
    what_is_told_again_and_again_keeps_little_of_what_was_told_before();
    lists_that_are_read_again_and_again_keep_little_of_what_they_had_before();
    a_list_that_shrank_keeps_little_of_what_is_gone();
}

/// From the bytes of 100,000 endpoints to a plan. First of all, since the peak is that of the whole process.
fn a_large_run_has_a_peak_that_is_known() {
    let service = json::read_service(SERVICE.as_bytes()).expect("Service");
    let text = listed("web", 0, 100_000);
    let slices = read(&text);
    let outside = published(&slices[1..]);
    let plan = kube::publish(&service, &outside, &slices.clone().into(), "epcore", &Options::default()).expect("plan");
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

/// Whatever the list before was like, one takes about as much as its copy, which has room for nothing else.
fn lists_have_no_room_for_more() {
    let sizes = [100, 3, 87, 93, 1, 100, 99, 100, 40, 60];
    let some = |(number, size): (usize, &usize)| read(&listed(&"web".repeat(number % 3 + 1), 70 * number, *size));
    let slices: Vec<_> = sizes.iter().enumerate().flat_map(some).collect();
    let in_json = json::write_slices(slices.iter().map(|slice| &**slice));
    let in_protobuf = proto::write_slices(slices.iter().map(|slice| &**slice)).expect("a message");
    for document in [in_json, in_protobuf] {
        let read = if document.starts_with(b"{") { json::read_slices } else { proto::read_slices };
        // What a thread remembers is there by now.
        drop(read(&document));
        let (slices, bytes) = kept(|| read(&document).expect("slices"));
        let copy = |slice: &Arc<EndpointSlice>| Arc::new(EndpointSlice::clone(slice));
        let (_copies, of_copies) = kept(|| slices.iter().map(copy).collect::<Vec<_>>());
        assert!(bytes <= of_copies + LABELS * slices.len(), "{bytes} bytes, and {of_copies} of copies");
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

/// What a new thread still holds when all that it has read is gone.
fn remembered(read: impl FnOnce() + Send) -> usize {
    let ((), bytes) = std::thread::scope(|scope| scope.spawn(|| kept(read)).join()).expect("no panic");
    bytes
}

/// Spelled so that as much as possible looks worth remembering: many shapes, each in many ways, each as long as it may be and often.
fn what_a_thread_remembers_is_bounded() {
    for gap in [0, 40, 200, 480, 600] {
        let mut endpoints = String::new();
        for shape in 0..10 {
            for number in 0..200 {
                let [space, way] = [gap + shape, gap + number % 16].map(|spaces| " ".repeat(spaces));
                let ready = number % 2 == 0;
                let endpoint = format!(
                    r#"{{"addresses":["10.0.{shape}.{number}"],{space}"conditions":{{{way}"ready":{ready}}},"targetRef":{{"kind":"Pod",{space}"name":"web-{number}","uid":"uid-{shape}-{number}"{way}}},{space}"nodeName":"node-{number}",{way}"zone":"zone-{way}"}}"#
                );
                endpoints.push_str(if endpoints.is_empty() { "" } else { "," });
                endpoints.push_str(&endpoint);
            }
        }
        let bytes = remembered(|| drop(json::read_endpoints(format!("[{endpoints}]").as_bytes()).expect("endpoints")));
        let some = if gap > 512 { 0 } else { 1_000 };
        assert!((some..=REMEMBERED).contains(&bytes), "{bytes} bytes with gaps of {gap}");
    }
    for (endpoints, some) in [(500, 100_000), (100_000, 80_000)] {
        // Names of nodes, and room for texts, unless the list is longer than most.
        let slice = Arc::unwrap_or_clone(read(&listed("web", 0, 100)).remove(0));
        let slice = EndpointSlice { endpoints: cluster::wanted(&read(&listed("web", 0, endpoints))), ..slice };
        let document = proto::write_slice(&slice).expect("a message");
        let bytes = remembered(|| drop(proto::read_slices(&document)));
        assert!((some..=REMEMBERED).contains(&bytes), "{bytes} bytes of {endpoints} endpoints");
    }
    for count in [20, 100] {
        let some_of = |item: &str| {
            (0..count).map(|number| item.replace('%', &format!("{number:03}"))).collect::<Vec<_>>().join(",")
        };
        let (labels, ports) =
            (some_of(r#""label-with-a-name-%":"value-of-it-%""#), some_of(r#"{"name":"port-%","port":8%}"#));
        let slice = format!(
            r#"{{"metadata":{{"name":"web","labels":{{{labels}}}}},"addressType":"IPv4","ports":[{ports}],"endpoints":[]}}"#
        );
        let bytes = remembered(|| drop(json::read_slices(slice.as_bytes()).expect("a slice")));
        assert!(
            if count > 50 { bytes < 1_000 } else { (1_000..REMEMBERED / 10).contains(&bytes) },
            "{bytes} bytes of {count}"
        );
    }
    for (size, holes) in [(100, 5), (7_000, 60), (4_000, 100), (9_000, 1)] {
        let slices = (0..100).map(|number| {
            let members = format!(r#"["{}"{},{{"{number:03}":1}}]"#, "x".repeat(size), ",1".repeat(holes));
            format!(r#"{{"metadata":{{"managedFields":{members}}},"addressType":"IPv4","endpoints":[],"ports":[]}}"#)
        });
        let document = format!("[{}]", slices.collect::<Vec<_>>().join(","));
        let bytes = remembered(|| drop(json::read_slices(document.as_bytes()).expect("slices")));
        let some = if size > 8_000 || holes > 64 { 0 } else { 32 * size };
        assert!((some..=REMEMBERED_OF_MEMBERS).contains(&bytes), "{bytes} bytes of {holes} holes and {size} more");
    }
    for size in [100, 10_000, 30_000, 60_000] {
        let pods: Vec<String> = (0..100)
            .map(|number| {
                let pods = cluster::pods(1).replacen(r#""app""#, &format!(r#""app-{}""#, number / 10), 1);
                let pod = pods.trim_matches(['[', ']']).to_owned();
                pod.replacen("SETTING_0", &"S".repeat(size), 1).replacen("00000", &format!("{number:05}"), 1)
            })
            .collect();
        let bytes = remembered(|| drop(json::read_pods(format!("[{}]", pods.join(",")).as_bytes()).expect("Pods")));
        let some = if size > 32_000 { 0 } else { 1_000 };
        assert!((some..=REMEMBERED_OF_PODS).contains(&bytes), "{bytes} bytes with texts of {size}");
    }
}

/// The same of Pods in protobuf: ten forms of long Pods, each with as many values and as many that differ as may be.
fn what_a_thread_remembers_of_pods_in_protobuf_is_bounded() {
    for (size, values) in [(100, 20), (10_000, 200), (20_000, 300), (23_000, 60), (60_000, 20)] {
        let pods = (0..100).map(|number| {
            let label = field(11, &[field(1, b"app"), field(2, format!("app-{number}").as_bytes())].concat());
            let metadata = field(1, &[field(1, format!("web-{number}").as_bytes()), label].concat());
            let value =
                |which: usize| field(30, if which < 50 { number.to_string() } else { "same".into() }.as_bytes());
            let values: Vec<Vec<u8>> = (0..values + number / 10).map(value).collect();
            let long = field(1, "S".repeat(size).as_bytes());
            field(2, &[metadata, field(2, &[values.concat(), long].concat())].concat())
        });
        let kind = field(1, &[field(1, b"v1"), field(2, b"PodList")].concat());
        let list = [b"k8s\0".to_vec(), kind, field(2, &pods.collect::<Vec<_>>().concat())].concat();
        let bytes = remembered(|| drop(proto::read_pods(&list).expect("Pods")));
        let some = if size > 24_000 { 0 } else { 6 * size };
        assert!((some..=REMEMBERED_OF_PODS).contains(&bytes), "{bytes} bytes with {values} values and texts of {size}");
    }
}

/// As many bytes at most in 7,000 calls as in 7,000 before them, of functions and of what keeps state.
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
    // The text of a slice keeps what changed endpoints said before, until that is half of it, and then is made anew: here each 6,000 turns.
    let mut most = |from: usize| {
        let hundreds = (from..from + 7_000).step_by(100);
        let kept = hundreds.map(|at| {
            (at..at + 100).for_each(&mut turn);
            ALLOCATOR.allocated()
        });
        kept.max().expect("some turns")
    };
    let (before, after) = (most(0), most(7_000));
    assert!(after < before + 512, "{before} bytes became {after}");
}

/// Some endpoints, all over the list, change between two tellings of all: an endpoint keeps some that changed with it, and none that did not.
fn what_is_told_again_and_again_keeps_little_of_what_was_told_before() {
    const ENDPOINTS: usize = 1_000;
    let name = ("shop".to_owned(), "web".to_owned());
    let endpoint = |number: usize, version: usize| {
        format!(
            r#"{{"addresses":["10.0.{}.{}"],"nodeName":"node-{number}","zone":"zone-{version}","targetRef":{{"kind":"VM","name":"vm-{number}-of-some-length","uid":"{number:036}"}}}}"#,
            number / 250,
            number % 250
        )
    };
    let mut all: Vec<String> = (0..ENDPOINTS).map(|number| endpoint(number, 0)).collect();
    let mut packer = packer_of(&["web"], &[]);
    let mut tell = |all: &[String]| {
        let told = json::read_published(format!("[{}]", all.join(",")).as_bytes()).expect("endpoints");
        packer.publish(&name, &told).expect("endpoints");
    };
    let ((), new) = kept(|| tell(&all));
    let before = ALLOCATOR.allocated();
    let mut random = 1_u64;
    for version in 1..1_000 {
        for _ in 0..20 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = usize::try_from(random >> 33).expect("a number") % ENDPOINTS;
            all[number] = endpoint(number, version % 10);
        }
        tell(&all);
    }
    let now = new + ALLOCATOR.allocated() - before;
    assert!(now <= WORN * new, "{new} bytes of what was told once became {now}");
}

/// An endpoint with all that most have.
fn usual(number: usize) -> String {
    format!(
        r#"{{"addresses":["10.0.{}.{}"],"conditions":{{"ready":true}},"nodeName":"node-{}","zone":"zone-{}","targetRef":{{"kind":"Pod","name":"web-7d9c5f6b8d-{number:05}","uid":"{number:036}"}}}}"#,
        number / 250 % 250,
        number % 250,
        number % 10,
        number % 3
    )
}

/// An endpoint with what few have, and nothing else.
fn unusual(number: usize) -> String {
    let [high, low] = [number / 250 % 250, number % 250];
    format!(r#"{{"addresses":["10.0.{high}.{low}","10.1.{high}.{low}"]}}"#)
}

/// A list of one slice with these endpoints.
fn one_slice(endpoints: &[String]) -> Arc<Vec<u8>> {
    let endpoints = endpoints.join(",");
    let slice = format!(r#"{{"metadata":{{"name":"web"}},"addressType":"IPv4","endpoints":[{endpoints}],"ports":[]}}"#);
    Arc::new(slice.into_bytes())
}

/// In each list one endpoint of a slice is another one, and every tenth comes or goes.
fn lists_that_are_read_again_and_again_keep_little_of_what_they_had_before() {
    const ENDPOINTS: usize = 100;
    for (endpoint, most) in [(usual as fn(usize) -> String, CARRIED), (unusual, CARRIED_UNUSUAL)] {
        let mut endpoints: Vec<String> = (0..ENDPOINTS).map(endpoint).collect();
        let mut listing = Listing::read(one_slice(&endpoints)).expect("a slice");
        for number in ENDPOINTS..2_000 {
            let place = number * 37 % ENDPOINTS;
            match number % 20 {
                0 => endpoints.push(endpoint(number)),
                10 => drop(endpoints.remove(place)),
                _ => endpoints[place] = endpoint(number),
            }
            let document = one_slice(&endpoints);
            let (next, bytes) = kept(|| listing.next(document.clone()).expect("a slice"));
            assert!(bytes <= most * ENDPOINTS, "{bytes} bytes after {number} changes");
            assert_eq!(**next.slices(), read(&String::from_utf8_lossy(&document)));
            listing = next;
        }
    }
}

/// A slice of which most endpoints are gone in the next list is as large as one that always was so small.
fn a_list_that_shrank_keeps_little_of_what_is_gone() {
    for endpoint in [usual as fn(usize) -> String, unusual] {
        let mut endpoints: Vec<String> = (0..1_000).map(endpoint).collect();
        let many = Listing::read(one_slice(&endpoints)).expect("a slice");
        endpoints.truncate(10);
        let few = one_slice(&endpoints);
        let (_alone, small) = kept(|| Listing::read(few.clone()).expect("a slice"));
        let (_next, bytes) = kept(|| many.next(few.clone()).expect("a slice"));
        assert!(bytes <= 2 * small, "{small} bytes are {bytes}");
    }
}
