//! Members without meaning, such as `managedFields`: their canonical JSON, and the reader that learns their forms beside the plain one.

#[path = "messages/encoding.rs"]
mod encoding;

use encoding::field;
use epcore::Error;
use epcore::wire::{json, proto};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

/// A list of slices, each with a value of `managedFields`.
fn list(values: &[String]) -> String {
    let slice = |value: &String| {
        format!(
            r#"{{"metadata":{{"name":"web","managedFields":{value}}},"addressType":"IPv4","endpoints":[],"ports":[]}}"#
        )
    };
    format!(r#"{{"kind":"List","items":[{}]}}"#, values.iter().map(slice).collect::<Vec<_>>().join(","))
}

/// What is read by either reader, with the text of every member.
fn read(document: &[u8]) -> [Result<String, Error>; 2] {
    [json::read_slices(document), json::read_slices_plainly(document)].map(|read| read.map(|read| format!("{read:?}")))
}

/// The same in protobuf, where such a value is JSON within bytes.
fn list_in_protobuf(values: &[String]) -> Vec<u8> {
    let slice = |value: &String| {
        let managed = field(17, &field(7, &field(1, value.as_bytes())));
        let metadata = [field(1, b"web"), managed].concat();
        field(2, &[field(1, &metadata), field(4, b"IPv4")].concat())
    };
    let kind = field(1, &[field(1, b"discovery.k8s.io/v1"), field(2, b"EndpointSliceList")].concat());
    [b"k8s\0".to_vec(), kind, field(2, &values.iter().flat_map(slice).collect::<Vec<_>>())].concat()
}

/// Where `%` stands for a number that differs from slice to slice, `@` for a UID that rises with it, and `!` for one that falls.
const LEAVES: [&str; 19] = [
    r#""t%""#,
    r#""t%""#,
    r#""%""#,
    r#""""#,
    "%",
    "%",
    "1%",
    "-%",
    "0%",
    "%.5",
    "%e1",
    "true",
    "null",
    r#""a\u0062%""#,
    r#""é%""#,
    r#""%\\""#,
    r#""%\"x""#,
    r#""@""#,
    r#""k:{\"uid\":\"@\"}""#,
];
const KEYS: [&str; 14] = [
    "a",
    "b",
    "f:labels",
    ".",
    "é",
    "k%",
    r"c\u0064",
    r#"k:{\"uid\":\"@\"}"#,
    r#"k:{\"uid\":\"@\"}"#,
    r#"k:{\"uid\":\"!\"}"#,
    r#"\u006b:{\"uid\":\"!\"}"#,
    r#"k:{\"uid\":\"@%\"}"#,
    r#"k:{\"uid\":\"%\"}"#,
    r#"k:{\"name\":\"@\"}"#,
];

/// A value of any kind. Spaces are rare, and so are keys that are there twice.
fn shape() -> impl Strategy<Value = String> {
    let leaf = select(LEAVES.to_vec()).prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 5, |inner| {
        let space = select(vec!["", "", "", "", " ", "\n"]);
        let member = (select(KEYS.to_vec()), inner.clone(), space.clone())
            .prop_map(|(key, value, space)| format!(r#""{key}"{space}:{value}"#));
        let items = (prop::collection::vec(inner, 0..4), space.clone());
        let members = (prop::collection::vec(member, 0..5), space);
        prop_oneof![
            items.prop_map(|(items, space)| format!("[{}]", items.join(&format!(",{space}")))),
            members.prop_map(|(members, space)| format!("{{{}{space}}}", members.join(","))),
        ]
    })
}

fn filled(shape: &str, number: u16) -> String {
    let uid = |number: u16| format!("76aab8c4-8e74-4648-{number:04x}-0123456789ab");
    shape.replace('%', &number.to_string()).replace('@', &uid(number)).replace('!', &uid(0xffff - number))
}

/// Values of a few shapes, so that forms are learned and many do not fit what follows.
fn values() -> impl Strategy<Value = Vec<String>> {
    let shapes = prop::collection::vec(shape(), 1..4);
    (shapes, prop::collection::vec((any::<Index>(), any::<u16>()), 1..12)).prop_map(|(shapes, picks)| {
        picks.into_iter().map(|(which, number)| filled(&shapes[which.index(shapes.len())], number)).collect()
    })
}

/// A byte that is put in, changed, or taken away.
fn edited(text: &str, (at, byte, how): (Index, u8, u8)) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let at = at.index(bytes.len());
    match how {
        0 => bytes[at] = byte,
        1 => bytes.insert(at, byte),
        _ => drop(bytes.remove(at)),
    }
    bytes
}

fn edit() -> impl Strategy<Value = (Index, u8, u8)> {
    (any::<Index>(), select(b"{}[],:\"\\ntf0-.eE+ \x00\xff\xc3u9aF".to_vec()), 0u8..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn both_readers_agree_on_values_of_any_form(values in values(), edit in edit()) {
        let text = list(&values);
        for document in [text.as_bytes(), &edited(&text, edit)] {
            let [learned, plain] = read(document);
            prop_assert_eq!(learned, plain);
        }
    }

    #[test]
    fn both_readers_agree_on_values_within_protobuf(values in values(), edit in edit()) {
        let message = list_in_protobuf(&values);
        let spoiled = list_in_protobuf(&[values.concat(), String::from_utf8_lossy(&edited(&values[0], edit)).into_owned()]);
        for document in [&message, &spoiled] {
            let read = [proto::read_slices(document), proto::read_slices_plainly(document)];
            let [learned, plain] = read.map(|read| read.map(|slices| format!("{slices:?}")));
            prop_assert_eq!(learned, plain);
        }
        let json: Vec<String> = values.iter().map(|value| format!(r#"[{{"fieldsV1":{value}}}]"#)).collect();
        let same = proto::read_slices(&message).ok().zip(json::read_slices(list(&json).as_bytes()).ok());
        // What is not set is left out.
        if let Some((of_protobuf, of_json)) = same.filter(|_| values.iter().all(|value| value != "null")) {
            prop_assert_eq!(format!("{of_protobuf:?}"), format!("{of_json:?}"));
        }
    }

    /// The serializer of another library, whose objects are sorted by name, writes what we keep.
    #[test]
    fn what_is_kept_is_canonical(shape in shape(), number in prop_oneof![4 => any::<u16>(), 1 => Just(0)]) {
        let value = filled(&shape, number);
        let is_json = serde_json::from_str::<Value>(&value);
        // Numbers stay as they are spelled, and no member is there twice.
        let is_plain = ![".5", "e1"].iter().any(|odd| shape.contains(odd));
        for read in [json::read_slices, json::read_slices_plainly] {
            match (read(list(std::slice::from_ref(&value)).as_bytes()), &is_json) {
                (Ok(slices), Ok(tree)) if is_plain => {
                    // The other library makes a float of this one whole number.
                    let canonical = tree.to_string().replace("-0.0", "-0");
                    prop_assert_eq!(slices[0].metadata.unknown.get("managedFields"), Some(&*canonical));
                }
                (Ok(_), Ok(_)) => {}
                (Err(error), Ok(_)) => prop_assert!(error.to_string().contains("a second member of this name"), "{}", error),
                (read, Err(_)) => prop_assert!(read.is_err()),
            }
        }
    }
}

/// What the API server lists of an object that a controller owns.
fn managed(number: u16) -> String {
    filled(
        r#"[{"manager":"kube-controller-manager","operation":"Update","apiVersion":"discovery.k8s.io/v1","time":"2026-11-23T08:03:%Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:app":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"@\"}":{}}},"f:ports":{}}}]"#,
        number,
    )
}

#[test]
fn both_readers_agree_on_managed_fields_with_any_byte_changed() {
    let text = list(&(0..3).map(managed).collect::<Vec<_>>());
    for at in text.rfind("managedFields").unwrap_or(0)..text.len() {
        for &byte in b"\"\\{}[],: \n\x00\xff\xc3n9A." {
            let mut changed = text.clone().into_bytes();
            changed[at] = byte;
            let [learned, plain] = read(&changed);
            assert_eq!(learned, plain, "{byte:#x} at {at}");
        }
    }
}

#[test]
fn both_readers_agree_on_managed_fields_that_are_cut_at_any_byte() {
    let text = list(&(0..3).map(managed).collect::<Vec<_>>());
    for length in 0..text.len() {
        let [learned, plain] = read(&text.as_bytes()[..length]);
        assert!(learned.is_err());
        assert_eq!(learned, plain, "{length}");
    }
}

#[test]
fn what_is_there_and_not_set_is_left_out_and_stays_so() {
    let managed = |fields: &[u8]| field(17, &[field(1, b"m"), field(4, b""), field(7, fields)].concat());
    let metadata = [field(1, b"web"), field(9, b""), managed(b""), managed(&field(1, b"null"))].concat();
    let slice = [field(1, &metadata), field(4, b"IPv4")].concat();
    let kind = field(1, &[field(1, b"discovery.k8s.io/v1"), field(2, b"EndpointSlice")].concat());
    let read = proto::read_slices(&[b"k8s\0".to_vec(), kind, field(2, &slice)].concat()).expect("a slice");
    let unknown = &read[0].metadata.unknown;
    assert_eq!(unknown.get("managedFields"), Some(r#"[{"manager":"m"},{"manager":"m"}]"#));
    assert_eq!(unknown.get("deletionTimestamp"), None);
    let written = proto::write_slice(&read[0]).expect("a message");
    let again = proto::read_slices(&written).expect("a slice");
    assert_eq!(format!("{again:?}"), format!("{read:?}"));
    assert_eq!(proto::write_slice(&again[0]).expect("a message"), written);
}

/// Two owners change places with their UIDs, and one that has the UID of another is there twice.
#[test]
fn owners_are_in_the_order_of_their_uids() {
    let two = |uids: [u16; 2]| {
        let [one, other] = uids.map(|number| filled(r#""k:{\"uid\":\"@\"}":{}"#, number));
        format!("{{{one},{other}}}")
    };
    let right = list(&[two([1, 2]), two([3, 4]), two([9, 5]), two([6, 7])]);
    let [learned, plain] = read(right.as_bytes());
    assert!(learned.is_ok());
    assert_eq!(learned, plain);
    let [learned, plain] = read(list(&[two([1, 2]), two([3, 4]), two([5, 5])]).as_bytes());
    assert!(learned.is_err());
    assert_eq!(learned, plain);
}

/// Sorting looks at no member twice, however many come in the wrong order.
#[test]
fn a_hundred_thousand_members_in_the_wrong_order_are_sorted_in_time() {
    let members: Vec<String> = (0..100_000).rev().map(|number| format!(r#""{number:06}":{number}"#)).collect();
    let nested = format!("{}{{{}}}{}", r#"{"b":1,"a":"#.repeat(100), members.join(","), "}".repeat(100));
    let slices = json::read_slices(list(&[nested]).as_bytes()).expect("a slice");
    let kept = slices[0].metadata.unknown.get("managedFields").expect("the member");
    assert!(kept.starts_with(r#"{"a":{"a":"#) && kept.ends_with(r#"},"b":1},"b":1}"#));
    assert!(kept.contains(r#"{"000000":0,"000001":1,"000002":2,"#));
}
