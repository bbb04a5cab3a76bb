//! Turns of one hot path, for a counter of instructions: `hot_paths NAME ENDPOINTS TURNS`. `tests/test_instructions.py` runs it.
#![expect(clippy::expect_used, reason = "the input is made here")]

#[path = "../tests/cluster/mod.rs"]
mod cluster;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use epcore::diff::{self, diff};
use epcore::engine::{Answer, WatchEvent};
use epcore::kube;
use epcore::model::{EndpointList, EndpointSlice, Shared};
use epcore::pack::{self, Options, Policy};
use epcore::wire::{Listing, json, proto};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path, endpoints, turns] = &arguments[..] else { panic!("hot_paths NAME ENDPOINTS TURNS") };
    let mut turn = turn_of(path, endpoints.parse().expect("a number of endpoints"));
    for number in 0..turns.parse().expect("a number of turns") {
        turn(number);
    }
}

/// One turn of a path; its input is made before.
fn turn_of(path: &str, endpoints: usize) -> Box<dyn FnMut(usize)> {
    let text = cluster::listed("web", 0, endpoints);
    let slices = cluster::read(&text);
    let (changed, endpoints) = (changed(&text, &slices), cluster::wanted(&slices));
    let one = [slices[..1].to_vec(), vec![changed[0].clone()]];
    let options = Options::default();
    match path {
        "read JSON" => Box::new(move |_| drop(black_box(json::read_slices(text.as_bytes())))),
        "read JSON of small Services" => {
            let text = cluster::small_services(endpoints.len());
            Box::new(move |_| drop(black_box(json::read_slices(text.as_bytes()))))
        }
        "read protobuf of small Services" => {
            let slices = cluster::read(&cluster::small_services(endpoints.len()));
            let message = proto::write_slices(slices.iter().map(|slice| &**slice)).expect("a message");
            Box::new(move |_| drop(black_box(proto::read_slices(&message))))
        }
        "read protobuf" => {
            let message = proto::write_slices(slices.iter().map(|slice| &**slice)).expect("a message");
            Box::new(move |_| drop(black_box(proto::read_slices(&message))))
        }
        "read Pods as protobuf" => {
            let message = cluster::pods_in_protobuf(endpoints.len());
            assert_eq!(proto::read_pods(&message), json::read_pods(cluster::pods(endpoints.len()).as_bytes()));
            Box::new(move |_| drop(black_box(proto::read_pods(&message))))
        }
        "write JSON" => Box::new(move |_| drop(black_box(json::write_slices(slices.iter().map(|slice| &**slice))))),
        "write protobuf" => {
            Box::new(move |_| drop(black_box(proto::write_slices(slices.iter().map(|slice| &**slice)))))
        }
        "read the same list again" => read_again(&text, text.clone()),
        "read a list with one percent changed" => read_again(&text, one_not_ready(&text)),
        "pack without change" => Box::new(move |_| drop(black_box(pack::pack(&endpoints, &slices, &options)))),
        "pack slices that are known without change" => {
            let existing = pack::Existing::from(Arc::new(slices));
            Box::new(move |_| drop(black_box(existing.pack(&endpoints, &options))))
        }
        "pack new lists in order" => new_lists(endpoints, slices),
        "pack new lists shuffled" => new_lists(shuffled(&endpoints), slices),
        "pack new lists with one percent changed" => new_lists(shuffled(&endpoints), one_percent(&text)),
        "publish slices that are known without change" => publish(&endpoints, slices),
        "publish new lists in order" => publish_new_lists(endpoints, slices),
        "publish new lists shuffled" => publish_new_lists(shuffled(&endpoints), slices),
        "pack without change from JSON" => {
            let wanted = json::write_endpoints(&endpoints);
            Box::new(move |_| {
                let wanted = json::read_endpoints(&wanted).expect("endpoints");
                let slices = json::read_slices(text.as_bytes()).expect("slices");
                black_box(pack::pack(&wanted, &slices, &options).expect("a plan"));
            })
        }
        "reconcile from JSON" => reconcile(endpoints.len()),
        "reconcile two families without Nodes" => reconcile_nothing(endpoints.len()),
        "pack without slices" => {
            let options = Options { template: Some(slices[0].clone()), ..options };
            Box::new(move |_| drop(black_box(pack::pack(&endpoints, &[], &options))))
        }
        "pack without slices, one endpoint in each" => one_in_each(endpoints, slices),
        "pack one change" => Box::new(move |_| drop(black_box(pack::pack(&endpoints, &changed, &options)))),
        "diff one change" => Box::new(move |_| drop(black_box(diff(&slices, &changed, diff::Options::default())))),
        "diff one percent" => {
            let changed = one_percent(&text);
            Box::new(move |_| drop(black_box(diff(&slices, &changed, diff::Options::default()))))
        }
        "diff of slices with other names" => {
            let renamed = cluster::read(&text.replace(r#""name":"web-0"#, r#""name":"new-0"#));
            Box::new(move |_| drop(black_box(diff(&slices, &renamed, diff::Options::default()))))
        }
        "a list into a view" => Box::new(move |_| drop(black_box(cluster::view_of(&slices)))),
        "a list of small Services into a view" => {
            let slices = cluster::read(&cluster::small_services(endpoints.len()));
            Box::new(move |_| drop(black_box(cluster::view_of(&slices))))
        }
        "a slice into a view" => {
            let mut view = cluster::view_of(&slices);
            Box::new(move |number| {
                view.feed(WatchEvent::Present(one[number % 2][0].clone())).expect("a slice");
                black_box(view.checkout());
            })
        }
        "a slice into a view that keeps removals back" => keeping_back(&slices, one),
        "an event as JSON into a view" => {
            let mut view = cluster::view_of(&slices);
            let events =
                one.map(|slice| [br#"{"type":"MODIFIED","object":"#, &*json::write_slice(&slice[0]), b"}\n"].concat());
            Box::new(move |number| {
                for event in json::read_events(&events[number % 2]).expect("an event") {
                    view.feed(event).expect("a slice");
                }
                black_box(view.checkout());
            })
        }
        "one change of a packer" => packer(&slices),
        "one change told to a packer and planned" => telling(&slices),
        "a change in each slice told to a packer and planned" => telling_each(&slices),
        "all endpoints told to a packer, of which one changed" => telling_all(&slices, &endpoints),
        _ => panic!("no path {path:?}"),
    }
}

/// A view that has all slices but one to forget in time, which changes in each turn.
fn keeping_back(slices: &[Arc<EndpointSlice>], one: [Vec<Arc<EndpointSlice>>; 2]) -> Box<dyn FnMut(usize)> {
    let mut view = cluster::view_of(slices).holding(Duration::from_mins(1));
    view.replace(&one[0], "").expect("a slice");
    view.checkout();
    Box::new(move |number| {
        view.feed(WatchEvent::Present(one[number % 2][0].clone())).expect("a slice");
        black_box((view.checkout(), view.next_due()));
    })
}

/// Lists that no call has asked anything yet: copies know nothing of themselves.
fn new_lists(endpoints: EndpointList, slices: Vec<Arc<EndpointSlice>>) -> Box<dyn FnMut(usize)> {
    Box::new(move |_| {
        let slices: Vec<_> = slices.iter().map(|slice| Arc::new(EndpointSlice::clone(slice))).collect();
        black_box(pack::pack(&endpoints.clone(), &slices, &Options::default()).expect("a plan"));
    })
}

/// As many new slices as there are endpoints.
fn one_in_each(endpoints: EndpointList, mut slices: Vec<Arc<EndpointSlice>>) -> Box<dyn FnMut(usize)> {
    let template = slices.pop();
    let options = Options { template, max_endpoints: 1, cohort: pack::Cohort::Off, ..Options::default() };
    Box::new(move |_| drop(black_box(pack::pack(&endpoints, &[], &options))))
}

/// No write for a Service without selector, by what is known of endpoints and slices.
fn publish(endpoints: &EndpointList, slices: Vec<Arc<EndpointSlice>>) -> Box<dyn FnMut(usize)> {
    let (service, endpoints, existing) = (service(), Shared::from(endpoints.clone()), slices.into());
    Box::new(move |_| publish_nothing(&service, endpoints.clone(), &existing))
}

/// The same of lists that no call has asked anything yet.
fn publish_new_lists(endpoints: EndpointList, slices: Vec<Arc<EndpointSlice>>) -> Box<dyn FnMut(usize)> {
    let service = service();
    Box::new(move |_| {
        let slices: Vec<_> = slices.iter().map(|slice| Arc::new(EndpointSlice::clone(slice))).collect();
        publish_nothing(&service, endpoints.clone().into(), &slices.into());
    })
}

fn publish_nothing(service: &kube::Service, endpoints: Shared<EndpointList>, existing: &pack::Existing) {
    let plan = kube::publish(service, &endpoints.into(), existing, "epcore", &Options::default()).expect("a plan");
    assert!(black_box(plan).writes().is_empty());
}

fn service() -> kube::Service {
    json::read_service(cluster::SERVICE.as_bytes()).expect("a Service")
}

/// The same endpoints, each far from those beside it before.
fn shuffled(endpoints: &EndpointList) -> EndpointList {
    let mut list = EndpointList::default();
    for number in 0..endpoints.len() {
        let endpoint = endpoints.get(number * 7_919 % endpoints.len()).expect("an endpoint");
        list.push(endpoint).expect("an endpoint");
    }
    list
}

/// The same slices, but for an endpoint of each.
fn one_percent(text: &str) -> Vec<Arc<EndpointSlice>> {
    cluster::read(&one_not_ready(text))
}

/// The next list: one endpoint of each slice is not ready.
fn one_not_ready(text: &str) -> String {
    let (first, rest) = text.split_once(r#""endpoints":["#).expect("a slice");
    let changed = rest.split(r#""endpoints":["#).map(|slice| slice.replacen(r#""ready":true"#, r#""ready":false"#, 1));
    [first.to_owned()].into_iter().chain(changed).collect::<Vec<_>>().join(r#""endpoints":["#)
}

/// Read the next list by the last one.
fn read_again(text: &str, next: String) -> Box<dyn FnMut(usize)> {
    let listing = Listing::read(Arc::new(text.as_bytes().to_vec())).expect("slices");
    let next = Arc::new(next.into_bytes());
    Box::new(move |_| drop(black_box(listing.next(next.clone()))))
}

/// From the bytes of Pods, Nodes and the slices that they want to a plan of no writes.
fn reconcile(count: usize) -> Box<dyn FnMut(usize)> {
    let (pods, nodes) = (cluster::pods(count), cluster::nodes());
    let mut options = kube::Options::default();
    options.pack.policy = Policy::Upstream;
    let plan = move |slices: &[u8]| {
        let service = json::read_service(cluster::SELECTING.as_bytes()).expect("a Service");
        let pods = json::read_pods(pods.as_bytes()).expect("Pods");
        let nodes = json::read_nodes(nodes.as_bytes()).expect("Nodes");
        let slices = json::read_slices(slices).expect("slices");
        kube::reconcile(&service, &pods, &nodes, &slices.into(), &options).expect("a plan")
    };
    let mut slices: Vec<EndpointSlice> = plan(b"[]").result().iter().map(|slice| EndpointSlice::clone(slice)).collect();
    for (number, slice) in slices.iter_mut().enumerate() {
        slice.metadata.name = format!("web-{number}");
    }
    let slices = json::write_slices(&slices);
    assert!(plan(&slices).writes().is_empty(), "the slices are those that are wanted");
    Box::new(move |_| drop(black_box(plan(&slices))))
}

/// A plan of which every Pod is left out, as none of their Nodes is there.
fn reconcile_nothing(count: usize) -> Box<dyn FnMut(usize)> {
    let pods = json::read_pods(cluster::pods(count).as_bytes()).expect("Pods");
    let service = cluster::SELECTING.replace(r#"["IPv4"]"#, r#"["IPv4","IPv6"]"#);
    let service = json::read_service(service.as_bytes()).expect("a Service");
    let (nodes, existing, options) = (Vec::<kube::Node>::new(), Vec::new().into(), kube::Options::default());
    Box::new(move |_| {
        let plan = kube::reconcile(&service, &pods, &nodes, &existing, &options).expect("a plan");
        assert_eq!(plan.notes().errors.len(), count);
    })
}

/// A packer that writes one changed endpoint in each turn.
fn packer(slices: &[Arc<EndpointSlice>]) -> Box<dyn FnMut(usize)> {
    let (mut packer, name) = cluster::settled_packer(slices);
    let changes = ["a", "b"].map(|zone| {
        let text = format!(r#"[{{"addresses":["10.0.0.7"],"zone":"{zone}"}}]"#);
        json::read_published(text.as_bytes()).expect("an endpoint")
    });
    Box::new(move |number| {
        packer.upsert(&name, &changes[number % 2]).expect("an endpoint");
        let plan = packer.plan(&name, None).expect("a plan");
        for write in plan.writes() {
            packer.answer(write, Answer::Accepted(Some(write.slice.whole().clone()))).expect("its slice");
        }
    })
}

/// A packer that plans one changed endpoint, told as JSON, in each turn.
fn telling(slices: &[Arc<EndpointSlice>]) -> Box<dyn FnMut(usize)> {
    let (mut packer, name) = cluster::settled_packer(slices);
    let (first, rest) = slices.split_first().expect("a slice");
    let text = json::write_endpoint(first.endpoints.get(7).expect("an endpoint"));
    let changes = ["zone-8", "zone-9"].map(|zone| {
        let text = String::from_utf8(text.clone()).expect("text").replacen("zone-1", zone, 1);
        format!("[{text}]")
    });
    assert!(changes[0].contains("zone-8") && rest.len() > 1);
    Box::new(move |number| {
        let told = json::read_published(changes[number % 2].as_bytes()).expect("an endpoint");
        packer.upsert(&name, &told).expect("an endpoint");
        assert_eq!(packer.plan(&name, None).expect("a plan").writes().len(), 1);
    })
}

/// A packer that is told all endpoints in each turn, one of which changed, and plans that one.
fn telling_all(slices: &[Arc<EndpointSlice>], endpoints: &EndpointList) -> Box<dyn FnMut(usize)> {
    let (mut packer, name) = cluster::settled_packer(slices);
    let text = String::from_utf8(json::write_endpoints(endpoints)).expect("text");
    let told = ["zone-8", "zone-9"]
        .map(|zone| json::read_published(text.replacen("zone-1", zone, 1).as_bytes()).expect("endpoints"));
    Box::new(move |number| {
        packer.publish(&name, &told[number % 2]).expect("endpoints");
        assert_eq!(packer.plan(&name, None).expect("a plan").writes().len(), 1);
    })
}

/// A packer that plans one changed endpoint of each slice, told as a list that was read before, in each turn.
fn telling_each(slices: &[Arc<EndpointSlice>]) -> Box<dyn FnMut(usize)> {
    let (mut packer, name) = cluster::settled_packer(slices);
    let texts: Vec<_> = slices.iter().filter_map(|slice| slice.endpoints.get(7)).map(json::write_endpoint).collect();
    let texts = texts.into_iter().map(|text| String::from_utf8(text).expect("text")).collect::<Vec<_>>().join(",");
    let told = ["one", "other"]
        .map(|zone| json::read_published(format!("[{}]", texts.replace("zone-", zone)).as_bytes()).expect("endpoints"));
    let count = slices.len();
    Box::new(move |number| {
        packer.upsert(&name, &told[number % 2]).expect("endpoints");
        assert_eq!(packer.plan(&name, None).expect("a plan").writes().len(), count);
    })
}

/// The same slices, but for one endpoint of the first.
fn changed(text: &str, slices: &[Arc<EndpointSlice>]) -> Vec<Arc<EndpointSlice>> {
    let text = text.replacen(r#""ready":true"#, r#""ready":false"#, 1);
    let mut changed = slices.to_vec();
    changed[0] = cluster::read(&text).swap_remove(0);
    changed
}
