//! Turns of one hot path, for a counter of instructions: `hot_paths NAME TURNS`. `tests/test_instructions.py` runs it.
#![expect(clippy::expect_used, reason = "the input is made here")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use epcore::diff::{self, diff};
use epcore::engine::{Answer, Object, ObjectEvent, Packer, PackerOptions, View, WatchEvent};
use epcore::kube;
use epcore::model::{EndpointList, EndpointSlice};
use epcore::pack::{self, Options};
use epcore::wire::{json, proto};

const ENDPOINTS: usize = 1_000;
const SERVICE: &[u8] =
    br#"{"metadata":{"name":"web","namespace":"shop"},"spec":{"ports":[{"name":"http","port":8080}]}}"#;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path, turns] = &arguments[..] else { panic!("hot_paths NAME TURNS") };
    let mut turn = turn_of(path);
    for number in 0..turns.parse().expect("a number of turns") {
        turn(number);
    }
}

/// One turn of a path; its input is made before.
fn turn_of(path: &str) -> Box<dyn FnMut(usize)> {
    let text = listed();
    let slices = json::read_slices(text.as_bytes()).expect("slices");
    let (changed, endpoints) = (changed(&slices), wanted(&slices));
    let one = [slices[..1].to_vec(), vec![changed[0].clone()]];
    let options = Options::default();
    match path {
        "read JSON" => Box::new(move |_| drop(black_box(json::read_slices(text.as_bytes())))),
        "read protobuf" => {
            let message = proto::write_slices(slices.iter().map(|slice| &**slice)).expect("a message");
            Box::new(move |_| drop(black_box(proto::read_slices(&message))))
        }
        "write JSON" => Box::new(move |_| drop(black_box(json::write_slices(slices.iter().map(|slice| &**slice))))),
        "read the same list again" => {
            let listing = json::Listing::read(Arc::new(text.clone().into_bytes())).expect("slices");
            Box::new(move |_| drop(black_box(listing.next(Arc::new(text.clone().into_bytes())))))
        }
        "pack without change" => Box::new(move |_| drop(black_box(pack::pack(&endpoints, &slices, &options)))),
        "pack one change" => Box::new(move |_| drop(black_box(pack::pack(&endpoints, &changed, &options)))),
        "diff one change" => Box::new(move |_| drop(black_box(diff(&slices, &changed, diff::Options::default())))),
        "a slice into a view" => {
            let mut view = View::new(diff::Options::default());
            view.replace(&slices, "9").expect("slices");
            view.checkout();
            Box::new(move |number| {
                view.feed(WatchEvent::Present(one[number % 2][0].clone())).expect("a slice");
                black_box(view.checkout());
            })
        }
        "an event as JSON into a view" => {
            let mut view = View::new(diff::Options::default());
            view.replace(&slices, "9").expect("slices");
            view.checkout();
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
        _ => panic!("no path {path:?}"),
    }
}

/// A packer that writes one changed endpoint in each turn.
fn packer(slices: &[Arc<EndpointSlice>]) -> Box<dyn FnMut(usize)> {
    let mut packer = Packer::new(PackerOptions {
        controller: kube::CONTROLLER.to_owned(),
        managed_by: "epcore".to_owned(),
        reconcile: kube::Options::default().pack,
        publish: Options::default(),
    })
    .expect("options");
    packer.feed(ObjectEvent::Present(Object::Service(Arc::new(json::read_service(SERVICE).expect("a Service")))));
    for slice in slices {
        packer.feed(ObjectEvent::Present(Object::EndpointSlice(slice.clone())));
    }
    let name = ("shop".to_owned(), "web".to_owned());
    packer.publish(&name, &kube::Published::from(wanted(slices))).expect("endpoints");
    settle(&mut packer, &name);
    let changes = ["a", "b"].map(|zone| {
        let text = format!(r#"[{{"addresses":["10.0.0.7"],"zone":"{zone}"}}]"#);
        json::read_published(text.as_bytes()).expect("an endpoint")
    });
    Box::new(move |number| {
        packer.upsert(&name, &changes[number % 2]).expect("an endpoint");
        settle(&mut packer, &name);
    })
}

fn settle(packer: &mut Packer, name: &(String, String)) {
    let plan = packer.plan(name, None).expect("a plan");
    for write in plan.writes() {
        packer.answer(write, Answer::Accepted(Some(write.slice.clone()))).expect("its slice");
    }
}

/// Full slices of 100 endpoints with target, UID, node and zone.
fn listed() -> String {
    let mut text = String::from(r#"{"kind":"EndpointSliceList","metadata":{"resourceVersion":"9"},"items":["#);
    for number in 0..ENDPOINTS {
        if number % 100 == 0 {
            text.push_str(if number == 0 { "" } else { "]}," });
            let _ = write!(
                text,
                r#"{{"metadata":{{"name":"web-{number}","namespace":"shop","resourceVersion":"{}","labels":{{"kubernetes.io/service-name":"web","endpointslice.kubernetes.io/managed-by":"epcore"}}}},"addressType":"IPv4","ports":[{{"name":"http","protocol":"TCP","port":8080}}],"endpoints":["#,
                number + 1,
            );
        } else {
            text.push(',');
        }
        let _ = write!(
            text,
            r#"{{"addresses":["10.0.{}.{}"],"conditions":{{"ready":true,"serving":true,"terminating":false}},"targetRef":{{"kind":"Pod","namespace":"shop","name":"web-7d9c5f6b8d-{number:05x}","uid":"76aab8c4-8e74-4648-8491-{number:012x}"}},"nodeName":"node-{}","zone":"zone-{}"}}"#,
            number >> 8,
            number & 255,
            number % 300,
            number % 3,
        );
    }
    text.push_str("]}]}");
    text
}

/// The same slices, but for one endpoint of the first.
fn changed(slices: &[Arc<EndpointSlice>]) -> Vec<Arc<EndpointSlice>> {
    let text = listed().replacen(r#""ready":true"#, r#""ready":false"#, 1);
    let mut changed = slices.to_vec();
    changed[0] = json::read_slices(text.as_bytes()).expect("slices").swap_remove(0);
    changed
}

fn wanted(slices: &[Arc<EndpointSlice>]) -> EndpointList {
    let mut wanted = EndpointList::default();
    for slice in slices {
        slice.endpoints.iter().try_for_each(|endpoint| wanted.push(endpoint)).expect("endpoints");
    }
    wanted
}
