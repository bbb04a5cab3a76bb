//! The reader of Pods as Kubernetes writes them beside the one that goes by way of JSON: the same Pods, or the same error at the same place, whatever the bytes.

mod messages;

use std::sync::Arc;

use epcore::Error;
use epcore::kube::Pod;
use epcore::wire::proto;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use messages::draft::{Change, Draft, changes, envelope, listed};
use messages::{field, value};

fn pods_and_plain(document: &[u8]) -> [Result<Vec<Pod>, Error>; 2] {
    [proto::read_pods(document), proto::read_pods_plainly(document)]
}

/// Messages of a Pod that may be changed.
const MESSAGES: usize = 26;

/// A Pod as an API server sends it.
fn pod(of: usize, changes: &[Change]) -> Vec<u8> {
    let mut draft = Draft::new(changes);
    let labels = [draft.member(11, "app", "web"), draft.member(11, "hash", &format!("7d9c{}", of / 6))].concat();
    let annotations = [draft.member(12, "a", &of.to_string()), draft.member(12, "b", "c")].concat();
    let owner = draft.inner(
        13,
        vec![field(1, b"ReplicaSet"), field(3, b"web"), field(4, b"u"), field(5, b"apps/v1"), value(6, 1), value(7, 1)],
    );
    let fields = draft.inner(7, vec![field(1, format!(r#"{{"f:spec":{{"f:a":{{"k":{}}}}}}}"#, of / 3).as_bytes())]);
    let time = draft.time(4, 1_700_000_000 + of);
    let manager = vec![field(1, b"kubelet"), field(2, b"Update"), field(3, b"v1"), time, field(6, b"FieldsV1"), fields];
    let manager = draft.inner(17, manager);
    let created = draft.time(8, 1_700_000_000);
    let deleted = draft.time(9, [0, of][of % 2]);
    let metadata = vec![
        field(1, format!("web-{of}").as_bytes()),
        field(2, b"web-"),
        field(3, b"shop"),
        field(4, b""),
        field(5, format!("76aab8c4-8e74-4648-8491-{of:012}").as_bytes()),
        field(6, of.to_string().as_bytes()),
        value(7, 0),
        created,
        deleted,
        labels,
        annotations,
        owner,
        manager,
    ];
    let metadata = draft.inner(1, metadata);
    let main = draft.container(2, &[("http", 8080), ("metrics", 9090)], b"");
    let (init, sidecar) = (draft.container(20, &[("i", 1)], b""), draft.container(20, &[("", 7000)], b"Always"));
    let node = field(10, format!("node-{}", of % 3).as_bytes());
    let spec = vec![
        main,
        field(3, b"Always"),
        node,
        field(16, [&b"web"[..], b"", b"api"][of % 3]),
        field(17, b"db"),
        init,
        sidecar,
    ];
    let spec = draft.inner(2, spec);
    let conditions =
        [draft.condition("Initialized", 9), draft.condition("Ready", [1_700_000_000 + of / 2, 0][of / 2 % 2])].concat();
    let ip = field(1, format!("10.0.0.{of}").as_bytes());
    let ips = draft.inner(12, vec![ip.clone()]);
    let status =
        vec![field(1, b"Running"), conditions, field(5, b"192.168.0.1"), [&[6 << 3 | 2], &ip[1..]].concat(), ips];
    let status = draft.inner(3, status);
    let whole = draft.message(vec![metadata, spec, status]);
    assert_eq!(draft.count(), MESSAGES);
    whole
}

/// Pods of a few owners, some of them with changes of their own.
fn some_pods() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let owners = prop::collection::vec(changes(MESSAGES), 1..4);
    let own = prop_oneof![4 => Just(Vec::new()), 1 => changes(MESSAGES)];
    let of = prop_oneof![9 => 0usize..9, 1 => select(vec![120, 1 << 20, 1 << 35])];
    let pods = prop::collection::vec((any::<Index>(), of, own), 1..12);
    (owners, pods).prop_map(|(owners, pods)| {
        let changes = |owner: &Index, own: &Vec<Change>| [&owners[owner.index(owners.len())][..], own].concat();
        pods.iter().map(|(owner, of, own)| pod(*of, &changes(owner, own))).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn both_readers_agree_on_pods_of_any_form(pods in some_pods()) {
        // One by one, so that an error of one does not hide the others.
        for pod in &pods {
            let [usual, plain] = pods_and_plain(&envelope("Pod", pod));
            prop_assert_eq!(usual, plain);
        }
        let [usual, plain] = pods_and_plain(&listed("Pod", &pods));
        prop_assert_eq!(usual, plain);
    }

    #[test]
    fn both_readers_agree_on_lists_with_changed_bytes(
        pods in some_pods(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut document = listed("Pod", &pods);
        for (at, byte) in changes {
            let at = at.index(document.len());
            document[at] = byte;
        }
        let [usual, plain] = pods_and_plain(&document);
        prop_assert_eq!(usual, plain);
    }
}

#[test]
fn both_readers_agree_on_a_list_that_is_cut_or_changed_at_any_byte() {
    let document = listed("Pod", &[pod(1, &[]), pod(2, &[])]);
    assert_eq!(proto::read_pods(&document).map(|pods| pods.len()), Ok(2));
    // What is learned here stays: nearly all of what follows looks like these.
    proto::read_pods(&listed("Pod", &(0..9).map(|of| pod(of, &[])).collect::<Vec<_>>())).unwrap();
    for at in 0..document.len() {
        let [usual, plain] = pods_and_plain(&document[..at]);
        assert_eq!(usual, plain, "{at}");
        let here = document[at];
        for byte in [0, 1, 9, 10, 0x1a, 0x20, b'a', 0x7f, 0x80, 0xff, here.wrapping_add(1), here.wrapping_sub(1)] {
            let mut changed = document.clone();
            changed[at] = byte;
            let [usual, plain] = pods_and_plain(&changed);
            assert_eq!(usual, plain, "{byte:#x} at {at}");
        }
    }
}

/// What shows that they were not read by way of JSON.
#[test]
fn pods_of_one_owner_share_their_labels_and_ports() {
    let pods = proto::read_pods(&listed("Pod", &(0..6).map(|of| pod(of, &[])).collect::<Vec<_>>())).unwrap();
    for pair in pods.windows(2) {
        assert!(Arc::ptr_eq(&pair[0].labels, &pair[1].labels));
        assert!(Arc::ptr_eq(&pair[0].ports, &pair[1].ports));
        assert_ne!(pair[0].name, pair[1].name);
    }
    assert_eq!(pods[0].labels.len(), 2);
    assert_eq!(pods[0].ports.iter().map(|port| port.port).collect::<Vec<_>>(), [8080, 9090, 7000]);
}

/// What shows that they were read by comparison: labels that are shared with Pods of a document that is gone.
#[test]
fn pods_that_differ_in_what_says_nothing_are_like_those_of_the_document_before() {
    let before = proto::read_pods(&listed("Pod", &(0..5).map(|of| pod(of, &[])).collect::<Vec<_>>())).unwrap();
    for of in [0, 5, 3] {
        let alone = proto::read_pods(&envelope("Pod", &pod(of, &[]))).unwrap();
        assert!(Arc::ptr_eq(&alone[0].labels, &before[0].labels), "{of}");
        assert_eq!(alone[0].name, format!("web-{of}"));
    }
    // A label of its own, and a Pod like the first ones after it.
    let pods: Vec<Vec<u8>> = [1, 2, 8, 7, 1, 20, 14, 2].iter().map(|of| pod(*of, &[])).collect();
    let read = proto::read_pods(&listed("Pod", &pods)).unwrap();
    let hashes: Vec<&str> = read.iter().map(|pod| &*pod.labels["hash"]).collect();
    assert_eq!(hashes, ["7d9c0", "7d9c0", "7d9c1", "7d9c1", "7d9c0", "7d9c3", "7d9c2", "7d9c0"]);
    let more: Vec<Vec<u8>> = [6, 1, 40].iter().map(|of| pod(*of, &[])).collect();
    let [usual, plain] = pods_and_plain(&listed("Pod", &more));
    assert_eq!(usual, plain);
}

#[test]
fn what_a_likeness_takes_is_what_was_looked_at_in_the_first_one() {
    let like = |pods: &[Vec<u8>]| {
        let [usual, plain] = pods_and_plain(&listed("Pod", pods));
        assert_eq!(usual, plain);
        usual
    };
    let whole =
        |metadata: &[Vec<u8>], status: &[Vec<u8>]| [field(1, &metadata.concat()), field(3, &status.concat())].concat();
    let named = |name: &[u8]| field(1, name);
    // Each is a hole once the third one comes, and the fourth has something wrong in it.
    for (first, second, wrong) in [
        (field(2, b"web-"), field(2, b"w"), field(2, b"\xff")),
        (field(8, &value(1, 7)), field(8, &value(1, 8)), field(8, &value(1, 253_402_300_800))),
        (field(8, &value(1, 7)), field(8, &value(1, 8)), field(8, b"\x08")),
        (field(9, &value(1, 7)), field(9, &value(1, 8)), field(9, b"\x0a\x01")),
        (field(9, &value(1, 7)), field(9, b""), field(9, &value(1, 253_402_300_800))),
        (value(7, 1), value(7, 300), [vec![7 << 3], vec![0xff; 11]].concat()),
        (
            field(17, &field(7, &field(1, b"{}"))),
            field(17, &field(7, &field(1, b"[1]"))),
            field(17, &field(7, &field(1, b"[1"))),
        ),
        (field(11, &field(2, b"a")), field(11, &field(2, b"b")), field(11, &field(2, b"\xc3"))),
        (field(12, &field(2, b"a")), field(12, &field(2, b"bb")), field(12, &field(2, b"\xc3"))),
    ] {
        for ip in [Vec::new(), field(6, b"10.0.0.1"), field(12, &field(1, b"10.0.0.1"))] {
            let pod =
                |name: &[u8], part: &Vec<u8>| whole(&[named(name), part.clone()], &[field(1, b"Running"), ip.clone()]);
            let right = [(&b"a"[..], &first), (b"bc", &second), (b"d", &first), (b"e", &second), (b"a", &second)];
            let right: Vec<_> = right.iter().map(|(name, part)| pod(name, part)).collect();
            assert_eq!(like(&right).map(|pods| pods.len()), Ok(5));
            let wrong = [right.clone(), vec![pod(b"f", &wrong)]].concat();
            assert!(like(&wrong).is_err());
            let nameless = [right.clone(), vec![pod(b"", &first)]].concat();
            assert!(like(&nameless).unwrap_err().to_string().contains("name"));
            // Without an address, or with another one.
            for ip in [vec![], field(6, b""), field(12, &field(1, b"")), field(6, b"\xff")] {
                let _ = like(
                    &[right.clone(), vec![whole(&[named(b"g"), first.clone()], &[field(1, b"Running"), ip])]].concat(),
                );
            }
        }
    }
}

#[test]
fn a_pod_that_does_not_say_since_when_it_is_ready_takes_no_time_of_another() {
    let ready = |name: &str, since: &[u8]| {
        let condition = [field(1, b"Ready"), field(2, b"True"), field(4, since)].concat();
        [field(1, &field(1, name.as_bytes())), field(3, &[field(1, b"Running"), field(2, &condition)].concat())]
            .concat()
    };
    let (one, none) = (value(1, 1_700_000_000), Vec::new());
    for times in [[&one, &none, &none, &one], [&none, &one, &none, &one], [&one, &one, &none, &none]] {
        let pods: Vec<_> = times.iter().zip(["a", "b", "c", "d"]).map(|(since, name)| ready(name, since)).collect();
        let [usual, plain] = pods_and_plain(&listed("Pod", &[pods.clone(), pods].concat()));
        assert_eq!(usual, plain);
    }
}

#[test]
fn a_pod_of_an_event_and_of_a_list_of_objects_is_that_of_a_list() {
    let pods: Vec<Vec<u8>> = (0..4).map(|of| pod(of, &[])).collect();
    let read = proto::read_pods_plainly(&listed("Pod", &pods)).unwrap();
    let frame = |(kind, pod): (&str, &Vec<u8>)| {
        let event = [field(1, kind.as_bytes()), field(2, &field(1, &envelope("Pod", pod)))].concat();
        [&u32::try_from(event.len()).unwrap().to_be_bytes()[..], &event].concat()
    };
    let frames = ["ADDED", "MODIFIED", "DELETED", "ADDED"].into_iter().zip(&pods).map(frame).collect::<Vec<_>>();
    let events = proto::read_object_events(&frames.concat(), None).unwrap();
    let (kind, objects) = proto::read_objects(&listed("Pod", &pods), None).unwrap();
    assert_eq!((kind.as_str(), objects.len(), events.len()), ("Pod", 4, 4));
    for ((pod, event), object) in read.iter().zip(&events).zip(&objects) {
        assert_eq!(format!("{object:?}"), format!("Pod({pod:?})"));
        assert!(format!("{event:?}").contains(&format!("{object:?}")));
    }
    assert!(format!("{:?}", events[2]).starts_with("Deleted"));
    let other = proto::read_objects(&listed("Pod", &pods), Some(epcore::engine::Kind::Node)).unwrap_err();
    assert!(other.message().contains("PodList"), "{other}");
}

#[test]
fn both_readers_agree_on_numbers_and_times_at_their_limits() {
    let condition = |kind: &str, seconds: usize, is_true: &str| {
        let time = field(4, &value(1, seconds));
        field(2, &[field(1, kind.as_bytes()), field(2, is_true.as_bytes()), time].concat())
    };
    let read = |port: usize, conditions: Vec<u8>| {
        let container = field(2, &field(6, &value(3, port)));
        let pod = [field(1, &field(1, b"web")), field(2, &container), field(3, &conditions)].concat();
        let [usual, plain] = pods_and_plain(&envelope("Pod", &pod));
        assert_eq!(usual, plain, "{port} {conditions:?}");
        usual.map(|pods| pods[0].clone())
    };
    let last = 253_402_300_799;
    for port in [0, 1, (1 << 31) - 1, 1 << 31, 1 << 32, 1 << 40, usize::MAX] {
        assert_eq!(read(port, Vec::new()).is_ok(), port < 1 << 31 || port == usize::MAX, "{port}");
    }
    for (seconds, kind) in
        [0, 1, last, last + 1, 1 << 55, usize::MAX].into_iter().flat_map(|at| ["Ready", "Other"].map(|kind| (at, kind)))
    {
        let read = read(80, condition(kind, seconds, "True"));
        assert_eq!(read.is_ok(), seconds <= last || seconds == usize::MAX, "{seconds} {kind}");
    }
    // The first one counts.
    let pod = read(80, [condition("Ready", 0, "True"), condition("Ready", 1, "False")].concat()).unwrap();
    assert_eq!((pod.is_ready, &*pod.ready_since), (true, "1970-01-01T00:00:00Z"));
}
