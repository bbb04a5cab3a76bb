//! Threads: what they share, and how they end.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use epcore::engine::{Packer, Slots, View};
use epcore::interrupt::watched;
use epcore::wire::{self, Listing, json, proto};
use epcore::{Error, diff, kube, model, pack};

const SLICE: &[u8] = br#"{"metadata": {"name": "web-1", "ownerReferences": [{"uid": "1"}]}, "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.0.0.1"]}]}"#;
const POD: &[u8] = br#"{"metadata": {"name": "web-1", "namespace": "shop"}}"#;

/// Whatever remembers something for the thread; tells how many endpoints were found.
fn use_all() -> usize {
    let slices = json::read_slices(SLICE).expect("a slice");
    let message = proto::write_slices(slices.iter().map(|slice| &**slice)).expect("a message");
    json::read_pods(POD).expect("a Pod");
    json::read_published(br#"["10.0.0.1"]"#).expect("an endpoint");
    wire::read_pods(&message).expect_err("no Pod");
    watched(Duration::ZERO, |_| true, || wire::read_endpoints(&message)).expect("never stopped").expect("a slice").len()
}

/// Uses everything when it goes.
struct Last(Sender<usize>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.send(use_all()).expect("somebody listens");
    }
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// A thread whose last act is to use everything, which it has used before or after it was decided so.
fn ending_thread(is_decided_first: bool) -> Receiver<usize> {
    let (sender, receiver) = channel();
    let decide = || LAST.set(Some(Last(sender)));
    let work = move || {
        if is_decided_first {
            decide();
            use_all();
        } else {
            use_all();
            decide();
        }
    };
    thread::spawn(work).join().expect("no panic");
    receiver
}

/// A panic while a thread ends would end the process.
#[test]
fn a_thread_that_ends_may_still_read() {
    for is_decided_first in [true, false] {
        assert_eq!(ending_thread(is_decided_first).recv(), Ok(1));
    }
}

#[test]
fn everything_may_be_sent_to_and_shared_by_threads() {
    fn is_for_threads<T: Send + Sync + 'static>() {}
    is_for_threads::<View>();
    is_for_threads::<Packer>();
    is_for_threads::<Slots>();
    is_for_threads::<diff::Delta>();
    is_for_threads::<pack::Plan>();
    is_for_threads::<pack::Existing>();
    is_for_threads::<Listing<Vec<u8>>>();
    is_for_threads::<model::EndpointSlice>();
    is_for_threads::<kube::Published>();
    is_for_threads::<kube::TriggerTimes>();
    is_for_threads::<Error>();
}
