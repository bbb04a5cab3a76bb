//! The reader that learns templates beside the plain one: the same slices, or the same error at the same place, whatever the text.

use epcore::Error;
use epcore::wire::json;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What is read, with every `null` and unknown field in it: equality alone takes a `null` member for none.
fn slices_and_text(document: &[u8]) -> [Result<String, Error>; 2] {
    let read = [json::read_slices(document), json::read_slices_plainly(document)];
    if let [Ok(learned), Ok(plain)] = &read {
        assert_eq!(learned, plain);
    }
    read.map(|slices| slices.map(|slices| format!("{slices:?}")))
}

fn endpoints_and_text(document: &[u8]) -> [Result<String, Error>; 2] {
    let read = [json::read_endpoints(document), json::read_endpoints_plainly(document)];
    if let [Ok(learned), Ok(plain)] = &read {
        assert_eq!(learned, plain);
    }
    read.map(|list| list.map(|list| format!("{list:?}")))
}

fn published_and_text(document: &[u8]) -> [Result<String, Error>; 2] {
    let read = [json::read_published(document), json::read_published_plainly(document)];
    read.map(|published| published.map(|published| format!("{published:?}")))
}

const NAMES: [&str; 9] =
    ["addresses", "conditions", "hostname", "nodeName", "zone", "hints", "targetRef", "deprecatedTopology", "weight"];

/// Values that a member of an endpoint may have, most of them right, `%` for a number that differs from endpoint to endpoint.
fn values(name: &str) -> Vec<&'static str> {
    let any =
        vec![r#""t%""#, r#""""#, "null", "%", "true", r#""a\u0062%""#, r#""é%""#, r#""\""#, r#""%\\""#, "[]", "{}"];
    let own = match name {
        "addresses" => vec![
            r#"["10.0.0.%"]"#,
            r#"["10.1.0.%"]"#,
            r#"["10.0.0.%"]"#,
            r#"[ "10.0.%.1" ]"#,
            r#"["2001:db8::%"]"#,
            r#"["10.0.0.%","10.0.1.%"]"#,
            r#"["010.0.0.%"]"#,
            r#"["127.0.0.%"]"#,
            r#"["10.0.0.\u0031"]"#,
            r#"["10.0.0.%",]"#,
        ],
        "conditions" => vec![
            r#"{"ready":true,"serving":true,"terminating":false}"#,
            r#"{"ready":true}"#,
            r#"{"ready":false,"serving":null}"#,
            r#"{ "ready" : true }"#,
            r#"{"ready":true,"more":%}"#,
            r#"{"ready":true,"ready":true}"#,
            r#"{"ready":"true"}"#,
        ],
        "hints" => vec![
            r#"{"forZones":[{"name":"z%"}]}"#,
            r#"{"forZones":[{"name":"a"}]}"#,
            r#"{"forNodes":[{"name":"n%"}],"forZones":null}"#,
            r#"{"forZones":[{"name":"a","w":%}]}"#,
            r#"{"forZones":[],"x":1}"#,
            r#"{"forZones":[{"name":"a!"}]}"#,
        ],
        "targetRef" => vec![
            r#"{"kind":"Pod","namespace":"shop","name":"web-%","uid":"u-%"}"#,
            r#"{"kind":"Pod","namespace":"n%","name":"web-%","uid":"u-%"}"#,
            r#"{"name":"web-%","kind":"Pod"}"#,
            r#"{ "kind" : "Pod","uid":null,"name":"" }"#,
            r#"{"kind":"Pod","name":"web-%","resourceVersion":"%"}"#,
            r#"{"kind":"Pod","name":"web-%","resourceVersion":""}"#,
            r#"{"kind":"Pod","name":"web-%","name":"web-%"}"#,
            r#"{"kind":"Pod","name":"we\u0062-%"}"#,
        ],
        "nodeName" => vec![r#""ip-10-0-0-%.compute.internal""#, r#""node-%""#, r#""Node-%""#],
        _ => vec![r#""a%""#, r#""eu-central-1a""#],
    };
    // A value that fits is likelier than one that doesn't.
    own.iter().cycle().take(own.len() * 4).copied().chain(any).collect()
}

/// An endpoint with a `%` for each value that differs from endpoint to endpoint.
fn shape() -> impl Strategy<Value = String> {
    let member = |name: &'static str| select(values(name)).prop_map(move |value| format!(r#""{name}":{value}"#));
    let usual = ["addresses", "conditions", "targetRef", "nodeName", "zone"].map(member);
    let others = prop::collection::vec(select(NAMES.to_vec()).prop_flat_map(member), 0..3);
    let spaces = select(vec![",", ",", ",", " ,", ", ", ",\n\t"]);
    (usual, others, any::<bool>(), spaces, any::<Index>()).prop_map(|(usual, others, is_usual, space, start)| {
        let mut members = Vec::from(usual);
        members.extend(others);
        if !is_usual {
            let middle = start.index(members.len());
            members.rotate_left(middle);
            members.truncate(middle + 1);
        }
        format!("{{{}}}", members.join(space))
    })
}

/// Endpoints of a few shapes, so that much is learned and much of that is wrong for what follows.
fn endpoints() -> impl Strategy<Value = Vec<String>> {
    let shapes = prop::collection::vec(shape(), 1..6);
    let picks = prop::collection::vec((any::<Index>(), 0u16..300), 1..40);
    (shapes, picks).prop_map(|(shapes, picks)| {
        let one = |(which, number): (Index, u16)| {
            // The first shape is met more often than the others.
            let which = which.index(2 * shapes.len()).saturating_sub(shapes.len());
            shapes[which].replace('%', &number.to_string())
        };
        picks.into_iter().map(one).collect()
    })
}

/// Endpoints of other forms that can be published, or cannot.
const PUBLISHED: [&str; 8] = [
    r#""10.0.0.9""#,
    r#""db.example.org:5432""#,
    r#"{"address":"10.0.0.9","port":5432,"zone":"a"}"#,
    r#"{"address":"10.0.0.9:1","port":5432}"#,
    r#"{"addresses":["10.0.0.9"],"conditions":{"ready":true},"ports":{"sql":5432}}"#,
    r#"{"addresses":["10.0.0.9"],"conditions":{"ready":true},"port":99999}"#,
    r#"{"addresses":["10.0.0.9"],"address":"10.0.0.8"}"#,
    "7",
];

/// Some of them as the endpoints of slices.
fn slices(endpoints: &[String], most: usize, family: &str) -> String {
    let slices: Vec<String> = endpoints
        .chunks(most)
        .map(|some| {
            let some = some.join(",");
            format!(r#"{{"metadata":{{"name":"web"}},"addressType":"{family}","endpoints":[{some}],"ports":[{{"port":80}}]}}"#)
        })
        .collect();
    format!(r#"{{"kind":"List","items":[{}]}}"#, slices.join(","))
}

/// Labels and ports that are often those of the slice before: right ones, wrong ones, and texts that begin alike.
fn heads() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let labels = select(vec![
        r#"{"kubernetes.io/service-name":"web"}"#,
        r#"{"kubernetes.io/service-name":"web"}"#,
        r#"{"kubernetes.io/service-name":"web","a":"\u00e9"}"#,
        r#"{"kubernetes.io/service-name": "web"}"#,
        r#"{"kubernetes.io/service-name":"é"}"#,
        r#"{"kubernetes.io/service-name":"web"}}"#,
        r#"{"not valid":"web"}"#,
        "{}",
        "null",
    ]);
    let ports = select(vec![
        r#"[{"name":"http","port":80}]"#,
        r#"[{"name":"http","port":80}]"#,
        r#"[{"name":"http","port":80},{"name":"https","port":443}]"#,
        r#"[{"name":"http","port":80,"weight":{"a":[[[1]]]}}]"#,
        r#"[{"name":"http","port":80}]]"#,
        r#"[{"name":"http","port":99999}]"#,
        r#"[{"name":"http","name":"http"}]"#,
        "[]",
        "null",
    ]);
    prop::collection::vec((labels, ports), 1..12)
}

/// Bytes that are put in, changed, or taken away.
fn edits() -> impl Strategy<Value = Vec<(Index, u8, u8)>> {
    let byte = select(b"{}[],:\"\\ntf0-.eE+ \x00\xff\xc3u9a".to_vec());
    prop::collection::vec((any::<Index>(), byte, 0u8..4), 1..4)
}

fn edited(text: &str, edits: &[(Index, u8, u8)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (at, byte, how) in edits {
        let at = at.index(bytes.len().max(1));
        match how {
            _ if bytes.is_empty() => {}
            0 => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            2 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// A slice whose endpoints are less deep than those of a list.
const ALONE: &str = r#"{"addressType":"IPv4","endpoints":[%]}"#;

/// What a thread makes of a document that has read these others before.
fn read_after(documents: &[&[u8]], document: &[u8]) -> [Result<String, Error>; 2] {
    let read = || {
        for document in documents {
            drop(json::read_slices(document));
        }
        slices_and_text(document)
    };
    std::thread::scope(|scope| scope.spawn(read).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn what_was_read_before_changes_nothing(
        before in prop::collection::vec((endpoints(), edits()), 0..4), endpoints in endpoints(), edits in edits(), most in 1usize..12,
    ) {
        let before: Vec<Vec<u8>> =
            before.iter().map(|(endpoints, edits)| edited(&slices(endpoints, most, "IPv4"), edits)).collect();
        let before: Vec<&[u8]> = before.iter().map(|document| &**document).collect();
        let right = slices(&endpoints, most, "IPv4");
        let (spoiled, alone) = (edited(&right, &edits), ALONE.replace('%', &endpoints.join(",")));
        for document in [right.as_bytes(), alone.as_bytes(), &spoiled] {
            let [learned, plain] = read_after(&before, document);
            prop_assert_eq!(&learned, &plain);
            prop_assert_eq!(&learned, &read_after(&[], document)[0]);
        }
    }

    #[test]
    fn both_readers_agree_on_endpoints_of_many_shapes(endpoints in endpoints()) {
        let [learned, plain] = endpoints_and_text(format!("[{}]", endpoints.join(",")).as_bytes());
        prop_assert_eq!(learned, plain);
    }

    #[test]
    fn both_readers_agree_on_endpoints_in_all_forms_of_a_document(endpoints in endpoints(), most in 1usize..12, edits in edits(), spoil in any::<bool>()) {
        let (all, slices) = (endpoints.join(","), slices(&endpoints, most, "IPv4"));
        let forms = [
            format!(r#"{{"kind":"List","metadata":{{}},"items":[{all}]}}"#),
            format!(r#"{{"endpoints":[{all}],"more":1}}"#),
            format!(r#"[{all},{{"endpoints":[{all}]}},{all}]"#),
            format!("{all}\n[{all}]"),
            format!("[{all}]\n{slices}[]{{\"endpoints\":null}}[{all}]"),
        ];
        for form in forms {
            let document = if spoil { edited(&form, &edits) } else { form.into_bytes() };
            let [learned, plain] = endpoints_and_text(&document);
            prop_assert_eq!(learned, plain);
        }
    }

    #[test]
    fn both_readers_agree_on_what_is_published(
        endpoints in endpoints(), others in prop::collection::vec((any::<Index>(), select(PUBLISHED.to_vec())), 0..4), edits in edits(),
    ) {
        let mut endpoints = endpoints;
        for (at, other) in others {
            endpoints.insert(at.index(endpoints.len()), other.to_owned());
        }
        let (array, lines) = (format!("[{}]", endpoints.join(",")), endpoints.join("\n"));
        for document in [array.as_bytes(), lines.as_bytes(), &edited(&array, &edits), &edited(&lines, &edits)] {
            let [learned, plain] = published_and_text(document);
            prop_assert_eq!(learned, plain);
        }
    }

    #[test]
    fn both_readers_agree_on_slices_and_lines(endpoints in endpoints(), most in 1usize..12, family in select(vec!["IPv4", "IPv4", "IPv6", "FQDN"])) {
        let [learned, plain] = slices_and_text(slices(&endpoints, most, family).as_bytes());
        prop_assert_eq!(learned, plain);
        let [learned, plain] = endpoints_and_text(endpoints.join("\n").as_bytes());
        prop_assert_eq!(learned, plain);
    }

    #[test]
    fn both_readers_agree_on_labels_and_ports_of_slices(heads in heads(), edits in edits(), spoil in any::<bool>()) {
        let slice = |(labels, ports): &(&str, &str)| {
            format!(r#"{{"metadata":{{"name":"web","labels":{labels}}},"addressType":"IPv4","ports":{ports},"endpoints":[]}}"#)
        };
        let text = format!(r#"{{"kind":"List","items":[{}]}}"#, heads.iter().map(slice).collect::<Vec<_>>().join(","));
        let document = if spoil { edited(&text, &edits) } else { text.into_bytes() };
        let [learned, plain] = slices_and_text(&document);
        prop_assert_eq!(learned, plain);
    }

    #[test]
    fn both_readers_agree_on_text_that_was_spoiled(endpoints in endpoints(), most in 1usize..12, edits in edits()) {
        let [learned, plain] = slices_and_text(&edited(&slices(&endpoints, most, "IPv4"), &edits));
        prop_assert_eq!(learned, plain);
    }

    #[test]
    fn both_readers_agree_where_one_value_of_a_right_list_is_another(
        which in 1usize..9, name in select(NAMES.to_vec()), value in any::<Index>(), edits in edits(), spoil in any::<bool>(),
    ) {
        let mut endpoints: Vec<String> = (1..10).map(usual).collect();
        let choice = values(name);
        endpoints[which] = usual_but(which, name, &choice[value.index(choice.len())].replace('%', "7"));
        let text = slices(&endpoints, 5, "IPv4");
        let document = if spoil { edited(&text, &edits) } else { text.into_bytes() };
        let [learned, plain] = slices_and_text(&document);
        prop_assert_eq!(learned, plain);
    }
}

/// An endpoint as Kubernetes' controller writes it.
fn usual(number: usize) -> String {
    usual_but(number, "", "")
}

/// The same with another value of one member.
fn usual_but(number: usize, name: &str, value: &str) -> String {
    let mut members = vec![
        ("addresses", format!(r#"["10.0.0.{number}"]"#)),
        ("conditions", r#"{"ready":true,"serving":true,"terminating":false}"#.to_owned()),
        ("hostname", format!(r#""web-{number}""#)),
        (
            "targetRef",
            format!(r#"{{"kind":"Pod","namespace":"shop","name":"web-{number}","uid":"76aab8c4-{number}"}}"#),
        ),
        ("nodeName", format!(r#""node-{number}.internal""#)),
        ("zone", r#""a""#.to_owned()),
        ("hints", format!(r#"{{"forZones":[{{"name":"{}"}}]}}"#, ["a", "b"][number % 2])),
    ];
    match members.iter_mut().find(|(member, _)| *member == name) {
        Some(member) => value.clone_into(&mut member.1),
        None if name.is_empty() => {}
        None => members.push((name, value.to_owned())),
    }
    let members: Vec<String> = members.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn both_readers_agree_on_a_list_that_is_cut_at_any_byte() {
    let text = slices(&(1..8).map(usual).collect::<Vec<_>>(), 4, "IPv4");
    for length in 0..text.len() {
        let [learned, plain] = slices_and_text(&text.as_bytes()[..length]);
        assert!(learned.is_err());
        assert_eq!(learned, plain, "{length}");
    }
}

#[test]
fn both_readers_agree_on_a_list_with_any_byte_changed() {
    let text = slices(&(1..5).map(usual).collect::<Vec<_>>(), 4, "IPv4");
    for at in 0..text.len() {
        for &byte in b"\"\\{}[],: \n\x00\xff\xc3n9A." {
            let mut changed = text.clone().into_bytes();
            changed[at] = byte;
            let [learned, plain] = slices_and_text(&changed);
            assert_eq!(learned, plain, "{byte:#x} at {at}");
        }
    }
}

#[test]
fn both_readers_agree_on_addresses_that_begin_alike() {
    let texts = [
        "10.0.0.4",
        "10.0.0.42",
        "10.0.0.255",
        "10.0.0.256",
        "10.0.0.999",
        "10.0.0.09",
        "10.0.0.009",
        "10.0.0.0009",
        "10.0.0.",
        "10.0.0",
        "10.0.0.1x",
        "10.0.0.x",
        "10.0.0.1.2",
        "10.0.0.:",
        "10.0.0./",
        "10.0.0.1\\u0030",
        "10.00.0.4",
        "010.0.0.7",
        "10.0.1.4",
        "10.0.0.-1",
        "10.0.0.\u{e9}",
        "10.0.0.1:",
        "::ffff:10.0.0.4",
        "10.0.0.4 ",
    ];
    for (one, other) in texts.iter().flat_map(|one| texts.map(|other| (*one, other))) {
        let addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", one, other, one, "10.0.0.6"];
        let endpoints = addresses.map(|address| usual_but(1, "addresses", &format!(r#"["{address}"]"#)));
        let [learned, plain] = endpoints_and_text(format!("[{}]", endpoints.join(",")).as_bytes());
        assert_eq!(learned, plain, "{one} {other}");
        let lines = slices(&endpoints, 9, "IPv4");
        let [learned, plain] = slices_and_text(lines.as_bytes());
        assert_eq!(learned, plain, "{one} {other}");
    }
}

/// More than is kept before it is put in the list, and more than is ever kept.
#[test]
fn both_readers_agree_on_texts_of_any_length() {
    for length in [40, 48, 49, 63, 64, 65, 300, 40_000] {
        let long = |number: usize| format!("{number}-{}", "n".repeat(length));
        for name in ["hostname", "nodeName", "targetRef"] {
            let value = |number: usize| match name {
                "targetRef" => format!(r#"{{"kind":"Pod","name":"{}","uid":"é{number}"}}"#, long(number)),
                _ => format!(r#""{}""#, long(number)),
            };
            let few = (0..4).chain(0..4).map(|number| usual_but(number, name, &value(number)));
            let endpoints: Vec<String> = (0..400).map(usual).chain(few).chain((0..400).map(usual)).collect();
            let [learned, plain] = slices_and_text(slices(&endpoints, 500, "IPv4").as_bytes());
            assert_eq!(learned, plain, "{name} of {length}");
            let [learned, plain] = endpoints_and_text(format!("[{}]", endpoints.join(",")).as_bytes());
            assert_eq!(learned, plain, "{name} of {length}");
        }
    }
}

/// What is wrong is told, be it spelled as what was right before, and right what comes after it.
#[test]
fn an_endpoint_that_a_rule_refuses_is_told_wherever_it_is() {
    let wrong = [
        ("addresses", r#"["127.0.0.1"]"#, "addresses[0]"),
        ("nodeName", r#""Node-1""#, "nodeName"),
        ("hostname", r#""no_name""#, "hostname"),
        ("hints", r#"{"forZones":[{"name":"a!"}]}"#, "hints.forZones[0].name"),
    ];
    for (name, value, field) in wrong {
        for (before, twice) in [(0, 1), (1, 1), (2, 1), (7, 2)] {
            let some = |from: usize| (from..from + before).map(usual);
            let bad = vec![usual_but(1, name, value); twice];
            let endpoints: Vec<String> = some(0).chain(bad).chain(some(9)).collect();
            for _ in 0..3 {
                let error = json::read_slices(slices(&endpoints, 99, "IPv4").as_bytes()).unwrap_err();
                assert_eq!(error.path(), format!("slices[0].endpoints[{before}].{field}"));
                let error = json::read_endpoints(format!("[{}]", endpoints.join(",")).as_bytes()).unwrap_err();
                assert_eq!(error.path(), format!("endpoints[{before}].{field}"));
            }
        }
    }
}

/// A comma stands between items of an array, and nowhere else.
#[test]
fn endpoints_that_are_in_no_array_have_no_comma_between_them() {
    let endpoints: Vec<String> = (1..9).map(usual).collect();
    for document in [endpoints.join(","), format!("{}\n{},{}", endpoints[0], endpoints[1], endpoints[2])] {
        for _ in 0..2 {
            let [learned, plain] = endpoints_and_text(document.as_bytes());
            assert!(
                learned.as_ref().is_err_and(|error| error.message() == "expected an object, found ','"),
                "{learned:?}"
            );
            assert_eq!(learned, plain);
            let [learned, plain] = published_and_text(document.as_bytes());
            assert_eq!(learned.unwrap_err(), plain.unwrap_err());
        }
    }
}

/// A thousand endpoints are read at once; whatever is wrong among them is told as if each were read by itself.
#[test]
fn what_is_wrong_in_the_middle_of_many_is_told_at_its_place() {
    let all: Vec<String> = (0..1100).map(|number| usual(number % 200)).collect();
    let wrong = [
        usual_but(1, "addresses", r#"["127.0.0.1"]"#),
        usual_but(1, "addresses", r#"["10.0.0.256"]"#),
        usual_but(1, "nodeName", r#""é""#),
        usual_but(1, "zone", r#""é""#),
        usual_but(1, "hostname", r#""web-1","zone":"again""#),
        usual_but(1, "hostname", "7"),
        usual_but(1, "hints", r#"{"forZones":[{"name":"a!"}]}"#),
        usual_but(1, "weight", "1"),
    ];
    for (bad, at) in wrong.iter().flat_map(|bad| [0, 1, 700, 1023, 1024, 1099].map(|at| (bad, at))) {
        let mut some = all.clone();
        some[at].clone_from(bad);
        let array = format!("[{}]", some.join(","));
        let [learned, plain] = endpoints_and_text(array.as_bytes());
        assert_eq!(learned, plain, "{bad} at {at}");
        assert!(learned.is_ok() || learned.unwrap_err().path().starts_with(&format!("endpoints[{at}].")));
        let [learned, plain] = published_and_text(array.as_bytes());
        assert_eq!(learned, plain, "{bad} at {at}");
    }
}

/// What is nested too deep within a list may be well within a line of its own.
#[test]
fn both_readers_agree_on_the_depth_of_hints() {
    for depth in 110..130 {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let endpoint = usual_but(1, "hints", &format!(r#"{{"forZones":[{{"name":"a","w":{deep}}}]}}"#));
        let lines = slices(&[endpoint.clone(), endpoint.clone()], 9, "IPv4");
        let alone = format!(r#"{{"addressType":"IPv4","endpoints":[{endpoint},{endpoint}],"ports":[]}}"#);
        let [learned, plain] = slices_and_text(format!("{alone}\n{lines}\n{alone}").as_bytes());
        assert_eq!(learned, plain, "{depth}");
    }
}

/// A text is taken to be as long as that of the endpoint before, if the right thing is behind it: what is in it is looked at later.
#[test]
fn a_text_in_which_another_ends_is_not_taken_for_one() {
    let one = |node: &str, rest: &str| {
        format!(r#"{{"addresses":["10.0.0.1"],"nodeName":"{node}","targetRef":{{"kind":"Pod","name":"p"}}{rest}}}"#)
    };
    let inner = r#"x","targetRef":{"kind":"Pod","name":"y"#;
    let others = [
        one(inner, "}"),
        one(inner, ""),
        one(r#"x\\","targetRef":{"kind":"Pod","name":"y"#, "}"),
        one(r#"x\","targetRef":{"kind":"Pod","name":"y"#, "}"),
        one("a\\u0062cdef", ""),
        one("abcd\\n", ""),
        one("abcde\n", ""),
        one("abcde\\", ""),
        one("abcdeé", ""),
    ];
    for other in &others {
        let length = other.len() - one("", if other.ends_with("}}}") { "}" } else { "" }).len();
        let usual = one(&"n".repeat(length), "");
        for (before, behind) in [(0, 2), (1, 1), (2, 0), (3, 40), (40, 3)] {
            let endpoints = [vec![usual.clone(); before], vec![other.clone()], vec![usual.clone(); behind]].concat();
            let [learned, plain] = endpoints_and_text(format!("[{}]", endpoints.join(",")).as_bytes());
            assert_eq!(learned, plain, "{other}");
            for most in [3, 99] {
                let [learned, plain] = slices_and_text(slices(&endpoints, most, "IPv4").as_bytes());
                assert_eq!(learned, plain, "{other}");
            }
            let [learned, plain] = published_and_text(endpoints.join("\n").as_bytes());
            assert_eq!(learned, plain, "{other}");
        }
    }
}
