//! Kubernetes' protobuf beside its JSON: the same model, and whatever the bytes, an error with a place or slices.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

#[expect(dead_code, reason = "of what readers share, only slices are needed")]
mod readers;

use std::sync::Arc;

use epcore::model::EndpointSlice;
use epcore::wire::{self, json, proto};
use proptest::prelude::*;

/// All that protobuf can say of a slice.
const SAMPLE: &str = r#"[{"metadata":{"name":"web-1","generateName":"web-","namespace":"shop","selfLink":"/x","uid":"u-1","resourceVersion":"9",
 "generation":-7,"creationTimestamp":"2026-11-24T08:03:15Z","deletionTimestamp":"1969-12-31T23:59:59Z","deletionGracePeriodSeconds":0,
 "labels":{"kubernetes.io/service-name":"web","a":""},"annotations":{"n":"é\n\""},"finalizers":["a/b","c"],
 "ownerReferences":[{"apiVersion":"v1","blockOwnerDeletion":true,"controller":false,"kind":"Service","name":"web","uid":"u"}],
 "managedFields":[{"apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:x":{"f:y":{}}},"manager":"m","operation":"Update","time":"2026-11-24T08:03:15Z"}]},
 "addressType":"IPv6","endpoints":[
 {"addresses":["2001:db8::1","2001:db8::2"],"conditions":{"ready":true,"terminating":false},"hostname":"a",
 "targetRef":{"kind":"Pod","namespace":"shop","name":"p","uid":"u","apiVersion":"v1","resourceVersion":"9","fieldPath":"x"},
 "nodeName":"n.b","zone":"z","hints":{"forZones":[{"name":"z"}],"forNodes":[{"name":"n"}]},"deprecatedTopology":{"k":"v"}},
 {"addresses":["2001:db8::3"]}],"ports":[{"name":"http","port":80,"appProtocol":"http"},{"name":"all","protocol":"UDP"}]},
 {"metadata":{"name":"web-2"},"addressType":"IPv4","endpoints":[],"ports":[]}]"#;

fn sample() -> Vec<Arc<EndpointSlice>> {
    json::read_slices(SAMPLE.as_bytes()).unwrap()
}

fn written(slices: &[Arc<EndpointSlice>]) -> Vec<u8> {
    proto::write_slices(slices.iter().map(|slice| &**slice)).unwrap()
}

#[test]
fn every_field_of_a_slice_comes_back() {
    assert_eq!(proto::read_slices(&written(&sample())).unwrap(), sample());
    for slice in sample() {
        assert_eq!(wire::read_slices(&proto::write_slice(&slice).unwrap()).unwrap(), [slice]);
    }
}

#[test]
fn every_cut_is_an_error_with_a_place_and_no_panic() {
    let bytes = proto::write_slice(&sample()[0]).unwrap();
    // The last two fields of an envelope are empty, and may be missing.
    for end in 1..bytes.len() - 4 {
        if let Err(error) = wire::read_slices(&bytes[..end]) {
            assert!(error.offset().is_some_and(|offset| offset <= end), "{end}: {error}");
            assert!(error.path().starts_with("slices"), "{end}: {error}");
        } else {
            panic!("{end} bytes are no slice");
        }
    }
}

#[test]
fn every_changed_byte_is_an_error_with_a_place_or_slices() {
    let bytes = written(&sample());
    for at in 4..bytes.len() {
        for byte in (0..=255).step_by(3).chain([bytes[at] ^ 1, bytes[at] ^ 0x80, 0xff]) {
            let mut changed = bytes.clone();
            changed[at] = byte;
            match wire::read_slices(&changed) {
                Ok(slices) => {
                    let _ = proto::write_slices(slices.iter().map(|slice| &**slice));
                }
                Err(error) => assert!(error.offset().is_some_and(|offset| offset <= bytes.len()), "{at}: {error}"),
            }
        }
    }
}

/// A field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
    out.extend_from_slice(bytes);
    out
}

fn envelope(kind: &str, version: &str, object: &[u8]) -> Vec<u8> {
    let types = [field(1, version.as_bytes()), field(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), field(1, &types), field(2, object)].concat()
}

fn slice_of(object: &[u8]) -> Vec<u8> {
    envelope("EndpointSlice", "discovery.k8s.io/v1", object)
}

#[test]
fn fields_that_nobody_knows_are_kept_at_every_level() {
    let metadata = [field(1, b"a"), field(15, b"m")].concat();
    let conditions = [vec![0x08, 1], vec![0x78, 0x96, 1]].concat();
    let target = [field(3, b"p"), field(15, b"t")].concat();
    let hints = [field(1, &field(1, b"z")), field(15, b"h")].concat();
    let endpoint =
        [field(1, b"10.0.0.1"), field(2, &conditions), field(4, &target), field(8, &hints), field(15, b"e")].concat();
    let port = [field(1, b"http"), field(15, b"p")].concat();
    let object =
        [field(1, &metadata), field(2, &endpoint), field(3, &port), field(4, b"IPv4"), field(15, b"s")].concat();
    let slices = proto::read_slices(&slice_of(&object)).unwrap();
    let bytes = written(&slices);
    assert_eq!(proto::read_slices(&bytes).unwrap(), slices);
    for kept in ["m", "t", "h", "e", "p", "s"] {
        let kept = field(15, kept.as_bytes());
        assert!(bytes.windows(3).any(|part| part == kept), "{kept:?}");
    }
    assert!(bytes.windows(3).any(|part| part == [0x78, 0x96, 1]));
    assert_ne!(json::read_slices(&json::write_slice(&slices[0])).unwrap(), slices);
}

#[test]
fn fields_of_which_json_has_no_word_leave_no_empty_objects() {
    let unnamed = field(15, b"x");
    for number in [2, 4, 8] {
        let endpoint = [field(1, b"10.0.0.1"), field(number, &unnamed)].concat();
        let slices = proto::read_slices(&slice_of(&[field(4, b"IPv4"), field(2, &endpoint)].concat())).unwrap();
        let text = json::write_slice(&slices[0]);
        assert!(String::from_utf8_lossy(&text).contains(r#"[{"addresses":["10.0.0.1"]}]"#), "{number}");
        assert_eq!(json::write_slice(&json::read_slices(&text).unwrap()[0]), text);
    }
}

#[test]
fn what_json_alone_can_say_is_refused_with_its_path() {
    for (text, path) in [
        (
            r#"{"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],"weight":1}],"ports":[]}"#,
            "endpoints[0].weight",
        ),
        (r#"{"addressType":"IPv4","endpoints":[],"ports":[{"x":1}]}"#, "ports[0].x"),
        (r#"{"addressType":"IPv4","endpoints":[],"ports":[],"future":[]}"#, "future"),
        (r#"{"addressType":"IPv4","endpoints":[],"ports":[],"metadata":{"later":1}}"#, "metadata.later"),
        (
            r#"{"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],"conditions":{"x":1}}],"ports":[]}"#,
            "endpoints[0].conditions.x",
        ),
    ] {
        let slice = json::read_slices(text.as_bytes()).unwrap().remove(0);
        assert_eq!(proto::write_slice(&slice).unwrap_err().path(), format!("slice.{path}"), "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_path_and_byte() {
    let endpoint = |bytes: &[u8]| slice_of(&[field(4, b"IPv4"), field(2, bytes)].concat());
    let error = |document: &[u8]| {
        let error = wire::read_slices(document).unwrap_err();
        (error.path(), error.message().to_owned(), error.offset().unwrap())
    };
    let start = slice_of(b"").len();
    let (path, message, offset) = error(&endpoint(&field(1, b"127.0.0.1")));
    assert_eq!((path.as_str(), offset), ("slices[0].endpoints[0].addresses[0]", start + 6 + 4), "{message}");
    let (path, message, _) = error(&endpoint(&field(1, b"\xff")));
    assert_eq!((&*path, &*message), ("slices[0].endpoints[0].addresses[0]", "not UTF-8"));
    let (path, message, _) = error(&endpoint(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f]));
    assert_eq!((&*path, &*message), ("slices[0].endpoints[0]", "a field of 34359738367 bytes, where only 0 are left"));
    let (path, message, _) = error(&endpoint(&[0x30, 1]));
    assert_eq!((&*path, &*message), ("slices[0].endpoints[0].nodeName", "expected text, found a number"));
    let (path, message, _) = error(&endpoint(&[field(7, b"a"), field(7, b"b")].concat()));
    assert_eq!((&*path, &*message), ("slices[0].endpoints[0].zone", "a second field of this name"));
    let (_, message, _) = error(&endpoint(&[0x0b]));
    assert_eq!(message, "wire type 3, which Kubernetes does not use");
    let (path, message, _) = error(&slice_of(b""));
    assert_eq!((&*path, &*message), ("slices[0].addressType", "required"));
    // Twice nothing is no less mistaken.
    for (twice, path) in [([field(4, b""), field(4, b"")].concat(), "selfLink"), (vec![0x38, 0, 0x38, 0], "generation")]
    {
        let (found, message, _) = error(&slice_of(&[field(1, &twice), field(4, b"IPv4")].concat()));
        assert_eq!((found, &*message), (format!("slices[0].metadata.{path}"), "a second field of this name"));
    }
    let (path, message, _) = error(&envelope("Status", "v1", b""));
    assert_eq!(path, "slices");
    assert!(message.ends_with(r#"found "Status" of "v1""#), "{message}");
    let (path, _, offset) = error(&[0, 0, 0, 9, 1]);
    assert_eq!((&*path, offset), ("slices[0]", 0));
}

#[test]
fn frames_of_a_watch_leave_the_slices_that_are_there() {
    let frame = |kind: &str, name: &str| {
        let slice = slice_of(&[field(1, &field(1, name.as_bytes())), field(4, b"IPv4")].concat());
        let event = [field(1, kind.as_bytes()), field(2, &field(1, &slice))].concat();
        [u32::try_from(event.len()).unwrap().to_be_bytes().to_vec(), event].concat()
    };
    let stream = [frame("ADDED", "a"), frame("ADDED", "b"), frame("BOOKMARK", ""), frame("DELETED", "a")].concat();
    let names: Vec<String> =
        wire::read_slices(&stream).unwrap().iter().map(|slice| slice.metadata.name.clone()).collect();
    assert_eq!(names, ["b"]);
    assert_eq!(wire::read_events(&stream).unwrap().len(), 4);
    assert_eq!(wire::read_object_events(&stream, None).unwrap().len(), 4);
    let error = wire::read_events(&[frame("ADDED", "a"), frame("MOVED", "b")].concat()).unwrap_err();
    assert_eq!(error.path(), "events[1].type");
    assert_eq!(
        wire::read_events(&[frame("ADDED", "a"), frame("ADDED", "")].concat()).unwrap_err().path(),
        "events[1].object.metadata.name"
    );
    for end in 1..stream.len() {
        let _ = (wire::read_events(&stream[..end]), wire::read_object_events(&stream[..end], None));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn slices_come_back_as_they_were(slices in readers::slices()) {
        prop_assert_eq!(proto::read_slices(&written(&slices)).unwrap(), slices);
    }

    #[test]
    fn arbitrary_bytes_of_any_kind_are_no_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        kind in prop::sample::select(vec!["EndpointSlice", "EndpointSliceList", "Service", "PodList", "Node", "Endpoints", "Pod", "X"]),
    ) {
        let version = if kind.starts_with("EndpointSlice") { "discovery.k8s.io/v1" } else { "v1" };
        let document = envelope(kind, version, &bytes);
        let frames = [vec![0], bytes].concat();
        for document in [&document, &frames] {
            let _ = (wire::read_slices(document), wire::read_endpoints(document), wire::read_events(document));
            let _ = (wire::read_objects(document, None), wire::read_services(document), wire::read_pods(document));
            let _ = (wire::read_nodes(document), wire::read_legacy_endpoints(document), wire::read_list_version(document));
            let _ = wire::read_object_events(document, None);
        }
    }
}
