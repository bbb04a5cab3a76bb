//! The reader of Nodes as Kubernetes writes them beside the one that goes by way of JSON: the same Nodes, or the same error at the same place, whatever the bytes.

mod messages;

use epcore::Error;
use epcore::engine::Kind;
use epcore::kube::Node;
use epcore::wire::proto;
use proptest::prelude::*;
use proptest::sample::Index;

use messages::draft::{Change, Draft, changes, envelope, listed};
use messages::field;

fn nodes_and_plain(document: &[u8]) -> [Result<Vec<Node>, Error>; 2] {
    [proto::read_nodes(document), proto::read_nodes_plainly(document)]
}

/// Messages of a Node that may be changed.
const MESSAGES: usize = 18;

/// A Node as an API server sends it.
fn node(of: usize, changes: &[Change]) -> Vec<u8> {
    let mut draft = Draft::new(changes);
    let role = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master", "other"][of % 3];
    let labels =
        [("kubernetes.io/os", "linux"), (role, ""), ("topology.kubernetes.io/zone", ["a", "b", ""][of / 3 % 3])];
    let labels = labels.map(|(key, value)| draft.member(11, key, value)).concat();
    let annotations = [draft.member(12, "a", "b"), draft.member(12, "c", "d")].concat();
    let fields = draft.inner(7, vec![field(1, br#"{"f:status":{}}"#)]);
    let time = draft.time(4, 1_700_000_000 + of);
    let manager = draft.inner(17, vec![field(1, b"kubelet"), field(2, b"Update"), time, field(6, b"FieldsV1"), fields]);
    let created = draft.time(8, 1_700_000_000);
    let [name, version] = [format!("node-{of}"), of.to_string()];
    let metadata = [field(1, name.as_bytes()), field(6, version.as_bytes()), created, labels, annotations, manager];
    let metadata = draft.inner(1, metadata.to_vec());
    let mut quantity = |key: &[u8], text: &str| {
        let text = draft.inner(2, vec![field(1, text.as_bytes())]);
        draft.inner(2, vec![field(1, key), text])
    };
    let allocatable = [quantity(b"cpu", ["3920m", "4", "1e3"][of % 3]), quantity(b"memory", "128Mi")].concat();
    let mut condition = |kind: &str, status: &str| {
        draft.inner(4, vec![field(1, kind.as_bytes()), field(2, status.as_bytes()), field(3, b""), field(5, b"")])
    };
    let conditions = [condition("MemoryPressure", "False"), condition("Ready", ["True", "Unknown"][of % 2])].concat();
    let status = draft.inner(3, vec![allocatable, conditions]);
    let whole = draft.message(vec![metadata, field(2, b""), status]);
    assert_eq!(draft.count(), MESSAGES);
    whole
}

fn some_nodes() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec((0usize..18, changes(MESSAGES)), 1..6)
        .prop_map(|nodes| nodes.iter().map(|(of, changes)| node(*of, changes)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn both_readers_agree_on_nodes_of_any_form(nodes in some_nodes()) {
        // One by one, so that an error of one does not hide the others.
        for node in &nodes {
            let [usual, plain] = nodes_and_plain(&envelope("Node", node));
            prop_assert_eq!(usual, plain);
        }
        let [usual, plain] = nodes_and_plain(&listed("Node", &nodes));
        prop_assert_eq!(usual, plain);
    }

    #[test]
    fn both_readers_agree_on_lists_with_changed_bytes(
        nodes in some_nodes(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut document = listed("Node", &nodes);
        for (at, byte) in changes {
            let at = at.index(document.len());
            document[at] = byte;
        }
        let [usual, plain] = nodes_and_plain(&document);
        prop_assert_eq!(usual, plain);
    }
}

#[test]
fn both_readers_agree_on_a_list_that_is_cut_or_changed_at_any_byte() {
    let document = listed("Node", &[node(1, &[]), node(2, &[])]);
    for at in 0..document.len() {
        let [usual, plain] = nodes_and_plain(&document[..at]);
        assert_eq!(usual, plain, "{at}");
        let here = document[at];
        for byte in [0, 1, 0x0a, 0x1a, b'a', 0x7f, 0x80, 0xff, here.wrapping_add(1), here.wrapping_sub(1)] {
            let mut changed = document.clone();
            changed[at] = byte;
            let [usual, plain] = nodes_and_plain(&changed);
            assert_eq!(usual, plain, "{byte:#x} at {at}");
        }
    }
}

#[test]
fn a_node_says_its_zone_its_role_its_cpu_and_whether_it_is_ready() {
    let nodes = proto::read_nodes(&listed("Node", &[node(0, &[]), node(4, &[]), node(8, &[])])).unwrap();
    let said: Vec<_> =
        nodes.iter().map(|node| (&*node.name, &*node.zone, node.is_ready, node.is_control_plane, node.cpu)).collect();
    let core = 1_000_000_000;
    let expected = [
        ("node-0", "a", true, true, 3_920_000_000),
        ("node-4", "b", true, true, 4 * core),
        ("node-8", "", true, false, 1_000 * core),
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_node_of_an_event_and_of_a_list_of_objects_is_that_of_a_list() {
    let nodes: Vec<Vec<u8>> = (0..4).map(|of| node(of, &[])).collect();
    let read = proto::read_nodes_plainly(&listed("Node", &nodes)).unwrap();
    let frame = |(kind, node): (&str, &Vec<u8>)| {
        let event = [field(1, kind.as_bytes()), field(2, &field(1, &envelope("Node", node)))].concat();
        [&u32::try_from(event.len()).unwrap().to_be_bytes()[..], &event].concat()
    };
    let frames = ["ADDED", "MODIFIED", "DELETED", "ADDED"].into_iter().zip(&nodes).map(frame).collect::<Vec<_>>();
    let events = proto::read_object_events(&frames.concat(), None).unwrap();
    let (kind, objects) = proto::read_objects(&listed("Node", &nodes), None).unwrap();
    assert_eq!((kind, objects.len(), events.len()), (Kind::Node, 4, 4));
    for ((node, event), object) in read.iter().zip(&events).zip(&objects) {
        assert_eq!(format!("{object:?}"), format!("Node({node:?})"));
        assert!(format!("{event:?}").contains(&format!("{object:?}")));
    }
    assert!(format!("{:?}", events[2]).starts_with("Deleted"));
    let other = proto::read_objects(&listed("Node", &nodes), Some(Kind::Pod)).unwrap_err();
    assert!(other.message().contains("NodeList"), "{other}");
}
