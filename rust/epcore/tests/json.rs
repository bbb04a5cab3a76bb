//! The reader beside `serde_json`: never a panic, nothing accepted that is no JSON, nothing lost.

use epcore::wire::json;
use proptest::prelude::*;
use serde_json::{Map, Value};

const SAMPLE: &str = r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice",
 "metadata":{"name":"web-1","namespace":"shop","labels":{"kubernetes.io/service-name":"web","b":"c"},"annotations":{"n":"\u00e4\n"},
 "generation":7,"managedFields":[{"manager":"m","fieldsV1":{"f:x":{}}}]},"addressType":"IPv6","endpoints":[
 {"addresses":["2001:DB8::0:1","2001:db8::2"],"conditions":{"ready":true,"serving":null,"terminating":false,"later":1e-7},
 "hostname":"a","targetRef":{"kind":"Pod","name":"p","uid":"u","resourceVersion":"9","more":[true]},"nodeName":"n.b","zone":"z",
 "hints":{"forZones":[{"name":"z","w":0}],"forNodes":[{"name":"n"}],"x":{}},"deprecatedTopology":{"k":"v"},"weight":-1.50E+2},
 {"addresses":["2001:db8::3"]}],"ports":[{"name":"http","port":80,"protocol":"TCP","appProtocol":"http","q":null},
 {"port":null,"name":null}],"future":{"b":[],"a":"\\\""}}]}"#;

/// Fields that stand for "not set" in the API, and spellings that the canonical form changes, taken out of a tree.
fn normal(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name, normal(value)));
            Value::Object(members.filter(|(_, value)| *value != Value::Null).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(normal).collect()),
        other => other,
    }
}

#[test]
fn writes_back_every_field_that_it_read() {
    let slices = json::read_slices(SAMPLE.as_bytes()).unwrap();
    let written: Value = serde_json::from_slice(&json::write_slice(&slices[0])).unwrap();
    let mut expected: Value = serde_json::from_str::<Value>(SAMPLE).unwrap()["items"][0].clone();
    expected["endpoints"][0]["addresses"][0] = "2001:db8::1".into();
    expected["ports"][1] = serde_json::json!({"name": "", "protocol": "TCP"});
    assert_eq!(normal(written), normal(expected));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn arbitrary_bytes_are_an_error_or_slices(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if json::read_slices(&bytes).is_ok() {
            let mut values = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
            prop_assert!(values.all(|value| value.is_ok()));
        }
    }

    #[test]
    fn what_is_accepted_is_json_and_its_canonical_form_is_stable(
        edits in prop::collection::vec((0usize..1400, prop::sample::select(b"{}[],:\"\\ntf0-.eE+ \x00\xff\xc3u9".to_vec()), 0u8..3), 1..4),
    ) {
        let mut bytes = SAMPLE.as_bytes().to_vec();
        for (at, byte, how) in edits {
            let at = at % bytes.len();
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        let Ok(slices) = json::read_slices(&bytes) else { return Ok(()) };
        let mut values = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
        prop_assert!(values.all(|value| value.is_ok()), "{}", String::from_utf8_lossy(&bytes));
        let written = json::write_slices(slices.iter().map(|slice| &**slice));
        let again = json::read_slices(&written).unwrap();
        prop_assert_eq!(&again, &slices);
        prop_assert_eq!(json::write_slices(again.iter().map(|slice| &**slice)), written);
    }

    #[test]
    fn the_offset_of_an_error_is_where_its_path_points(index in 0usize..9) {
        let mut values: Vec<String> = (0..9).map(|at| format!(r#"{{"addresses":["10.2.0.{at}","10.1.0.1"]}}"#)).collect();
        values[index] = r#"{ "zone" : "a", "addresses" : [ "10.0.0.1" , "127.0.0.1" ] }"#.to_owned();
        let document = format!("[{}]", values.join(" , "));
        let error = json::read_endpoints(document.as_bytes()).unwrap_err();
        prop_assert_eq!(error.path(), format!("endpoints[{index}].addresses[1]"));
        prop_assert!(document[error.offset().unwrap()..].starts_with("\"127.0.0.1\""));
    }
}

#[test]
fn every_truncation_is_an_error_with_a_place() {
    for length in 0..SAMPLE.len() {
        let error = json::read_slices(&SAMPLE.as_bytes()[..length]).unwrap_err();
        assert!(error.offset().is_some_and(|offset| offset <= length + 4), "{length}: {error}");
    }
}

/// One endpoint: everything that may differ from the one before.
fn endpoint(addresses: [&'static str; 3]) -> impl Strategy<Value = Value> {
    let long = (60..70).chain([900, 2000]).map(|length| "x".repeat(length));
    let texts = ["", "a", "web-1", "q\"b\\", "\u{1}", "é😀"].map(str::to_owned).into_iter().chain(long);
    let texts: Vec<String> = texts.collect();
    let text = move || prop::sample::select(texts.clone());
    let name = || prop::sample::select(vec!["", "a", "web-1"]);
    let truth = || prop::sample::select(vec![Value::Null, Value::Bool(true), Value::Bool(false)]);
    let address = prop::sample::select(addresses.to_vec());
    let target = (text(), text(), text(), text(), prop::sample::select(vec!["", "v1"]));
    // No more are allowed, nor longer ones.
    let most: Vec<Value> = (0..8).map(|at| serde_json::json!({"name": format!("{at}{}", "z".repeat(62))})).collect();
    let hints = [
        Value::Null,
        serde_json::json!({"forZones": [{"name": "z"}]}),
        serde_json::json!({"forZones": most, "forNodes": most}),
    ];
    let hints = prop::sample::select(hints.to_vec());
    let rest = (prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    (address, [truth(), truth(), truth()], target, name(), text(), (name(), hints), rest).prop_map(
        move |(
            address,
            [ready, serving, terminating],
            (kind, namespace, name, uid, version),
            node,
            zone,
            rest,
            rare,
        )| {
            let ((hostname, hints), (two, newer)) = (rest, rare);
            let mut one = serde_json::json!({
                "addresses": [address], "nodeName": node, "zone": zone, "hostname": hostname, "hints": hints,
                "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
                "targetRef": {"kind": kind, "namespace": namespace, "name": name, "uid": uid, "apiVersion": version},
            });
            if two {
                one["addresses"] = serde_json::json!([address, addresses[2]]);
            }
            if newer {
                one["newer"] = "field".into();
            }
            one
        },
    )
}

const FAMILIES: [(&str, [&str; 3]); 3] = [
    ("IPv4", ["10.0.0.1", "192.168.100.200", "10.99.1.200"]),
    ("IPv6", ["fd00::1", "2001:db8:1111:2222:3333:4444:5555:6666", "fd00::ffff:10.0.0.1"]),
    ("FQDN", ["a.example.com", "b.example.com", "c.example.com"]),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn endpoints_of_a_list_are_written_as_each_is_alone_and_their_size_is_known_before(
        (family, kinds) in prop::sample::select(FAMILIES.to_vec())
            .prop_flat_map(|(family, addresses)| (Just(family), prop::collection::vec(endpoint(addresses), 1..6))),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let all: Vec<&Value> = order.iter().map(|index| index.get(&kinds)).collect();
        let slice = serde_json::json!({"metadata": {"name": "s"}, "addressType": family, "endpoints": all});
        let slices = json::read_slices(slice.to_string().as_bytes()).unwrap();
        let alone: Vec<String> =
            slices[0].endpoints.iter().map(|one| String::from_utf8(json::write_endpoint(one)).unwrap()).collect();
        let together = String::from_utf8(json::write_endpoints(&slices[0].endpoints)).unwrap();
        prop_assert_eq!(together, format!("[{}]", alone.join(",")));
        for count in 0..3 {
            let many = || (0..count).map(|_| &*slices[0]);
            prop_assert_eq!(json::slices_size(many()), json::write_slices(many()).len());
        }
    }
}
