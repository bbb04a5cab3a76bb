//! The reader that knows how Pods are spelled beside the plain one: the same Pods, or the same error at the same place, whatever the text.

use epcore::Error;
use epcore::engine::Kind;
use epcore::kube::Pod;
use epcore::wire::json;
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn pods_and_plain(document: &[u8]) -> [Result<Vec<Pod>, Error>; 2] {
    [json::read_pods(document), json::read_pods_plainly(document)]
}

/// A Pod as an API server sends it; `%` stands for a number.
const USUAL: &str = r#"{"metadata":{"name":"web-%","namespace":"shop","uid":"76aab8c4-%","resourceVersion":"%","creationTimestamp":"2026-01-0%T00:00:00Z","labels":{"app":"web","hash":"h"},"annotations":{"a":"b"},"managedFields":[{"time":"t","fieldsV1":{"f:spec":{},"k:{\"ip\":\"10.0.0.%\"}":{}}}]},"spec":{"nodeName":"node-%","hostname":"web-%","subdomain":"web","volumes":[{"name":"token-%"}],"containers":[{"name":"main","env":[{"name":"A","value":"1"}],"ports":[{"name":"http","containerPort":80,"protocol":"TCP"}]}],"initContainers":[{"name":"i","restartPolicy":"Always","ports":[{"containerPort":90}]}]},"status":{"phase":"Running","podIP":"10.0.0.%","podIPs":[{"ip":"10.0.0.%"},{"ip":"fd00::%"}],"conditions":[{"type":"Initialized","status":"True","lastTransitionTime":"t"},{"type":"Ready","status":"True","lastTransitionTime":"t%","observedGeneration":1},{"type":"Ready","status":"False"}],"containerStatuses":[{"ready":true,"restartCount":0,"containerID":"c%"}]}}"#;

/// What may be in the place of what in it, most of it right.
const EDITS: [(&str, &str); 57] = [
    (r#""app":"web""#, r#""app":"api""#),
    (r#""app":"web""#, r#""app":"web-%""#),
    (r#""app":"web""#, r#""app":null"#),
    (r#""app":"web""#, r#""app":"""#),
    (r#""app":"web""#, r#""app":"a\u0062""#),
    (r#""app":"web""#, r#""app":1"#),
    (r#""app":"web""#, r#""app":"web","app":"web""#),
    (r#""hash":"h""#, r#""hash":"h%","more":"m""#),
    (r#"{"a":"b"}"#, r#"{"a":"%"}"#),
    (r#"{"a":"b"}"#, r#"{"a":"b\n"}"#),
    (r#"{"a":"b"}"#, r#"{"a":"[{\"ip\":\"10.0.0.%\"}]"}"#),
    (r#"{"a":"b"}"#, r#"{"a":"\u00%"}"#),
    (r#"{"a":"b"}"#, "null"),
    (r#"{\"ip\":\"10.0.0.%\"}"#, r#"{\"ip\":\"10.0.0.%\",\"a\":\"\\\/\u0041\"}"#),
    (r#"{\"ip\":\"10.0.0.%\"}"#, r#"{\"ip\":\"10.0.0.%\"}\ud8%"#),
    (r#"{\"ip\":\"10.0.0.%\"}"#, r#"{\"ip\":\"10.0.0.%\"}\x"#),
    (r#"{"a":"b"}"#, r#"{"a":["%",{"b":"%"}]}"#),
    (r#""time":"t""#, r#""time":"t%""#),
    (r#""time":"t""#, r#""time":true"#),
    (r#""name":"web-%""#, r#""name":"""#),
    (r#""name":"web-%""#, r#""name":null"#),
    (r#""name":"web-%""#, r#""name":"\u0041%""#),
    (r#""uid":"76aab8c4-%","#, ""),
    (r#""uid":"76aab8c4-%""#, r#""uid":"u","uid":"%""#),
    (r#""namespace":"shop""#, r#""namespace":"shop-%""#),
    (r#""namespace""#, r#""deletionTimestamp":"2026-0%","namespace""#),
    (r#""nodeName":"node-%""#, r#""nodeName":"""#),
    (r#""nodeName":"node-%""#, r#""nodeName":null"#),
    (r#""nodeName":"node-%""#, r#""nodeName":"né-%""#),
    (r#""hostname":"web-%","subdomain":"web","#, ""),
    (r#""subdomain":"web""#, r#""subdomain":"web-%""#),
    (r#""containerPort":80"#, r#""containerPort":8%"#),
    (r#""containerPort":80"#, r#""containerPort":"80""#),
    (r#""protocol":"TCP""#, r#""protocol":"UDP""#),
    (r#""restartPolicy":"Always""#, r#""restartPolicy":"Never""#),
    (r#""value":"1""#, r#""value":"%""#),
    (r#""value":"1""#, r#""value":"\"%""#),
    (r#""phase":"Running""#, r#""phase":"Failed""#),
    (r#""podIP":"10.0.0.%","#, ""),
    (r#""podIP":"10.0.0.%""#, r#""podIP":"""#),
    (r#""podIPs":[{"ip":"10.0.0.%"},{"ip":"fd00::%"}],"#, ""),
    (r#"[{"ip":"10.0.0.%"},{"ip":"fd00::%"}]"#, "[]"),
    (r#"[{"ip":"10.0.0.%"},{"ip":"fd00::%"}]"#, r#"[{"ip":""},null,{"at":"%"},{"ip":"%"}]"#),
    (r#"[{"ip":"10.0.0.%"},{"ip":"fd00::%"}]"#, r#"[{"ip":"10.0.0.%","at":"%"}]"#),
    (r#""type":"Initialized","status":"True""#, r#""type":"Initialized","status":"False""#),
    (r#""type":"Initialized","status":"True""#, r#""status":"Unknown","type":"Ready""#),
    (r#""type":"Initialized","status":"True""#, r#""type":"Initialized","status":true"#),
    (r#""type":"Initialized","status":"True""#, r#""type":"R\u0065ady","status":"True""#),
    (r#""type":"Ready","status":"True""#, r#""type":"Ready","status":"False""#),
    (r#""observedGeneration":1"#, r#""observedGeneration":%"#),
    (r#""ready":true"#, r#""ready":false"#),
    (r#""ready":true"#, r#""ready":tru"#),
    (r#""restartCount":0"#, r#""restartCount":%"#),
    (r#""restartCount":0"#, r#""restartCount":0%"#),
    (r#""restartCount":0"#, r#""restartCount":-1.5e%"#),
    (r#"{"metadata""#, r#"{"kind":"Pod", "metadata""#),
    (r#"{"metadata""#, r#"{"kind":"Node","metadata""#),
];

fn edited(edits: &[usize], number: u8) -> String {
    let text = edits.iter().fold(USUAL.to_owned(), |text, &edit| text.replacen(EDITS[edit].0, EDITS[edit].1, 1));
    text.replace('%', &number.to_string())
}

/// Most Pods of a document have the same edits, which were right by themselves or not.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let edits = || prop::collection::vec(0..EDITS.len(), 0..4);
    let pods = prop::collection::vec((0usize..3, 0u8..120, prop::option::weighted(0.1, edits())), 1..24);
    (prop::collection::vec(edits(), 3), pods).prop_map(|(owners, pods)| {
        let text = |(owner, number, other): (usize, u8, Option<Vec<usize>>)| {
            edited(&other.unwrap_or_else(|| owners[owner].clone()), number)
        };
        pods.into_iter().map(text).collect()
    })
}

fn document(texts: &[String], form: usize) -> String {
    match form {
        0 => format!("[{}]", texts.join(",")),
        1 => format!(r#"{{"kind":"PodList","metadata":{{"resourceVersion":"9"}},"items":[{}]}}"#, texts.join(" , ")),
        _ => texts.join("\n"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn both_readers_agree_on_pods_of_any_spelling(texts in texts(), form in 0usize..3) {
        // Line by line, so that an error of one does not hide the others.
        for text in &texts {
            let [known, plain] = pods_and_plain(text.as_bytes());
            prop_assert_eq!(known, plain, "{}", text);
        }
        let [known, plain] = pods_and_plain(document(&texts, form).as_bytes());
        prop_assert_eq!(known, plain);
    }

    #[test]
    fn both_readers_agree_on_pods_that_are_spoiled(
        texts in texts(),
        form in 0usize..3,
        edits in prop::collection::vec((any::<Index>(), select(b"\"\\{}[],: \n\x00\xff\xc3n09tA.".to_vec())), 1..4),
    ) {
        let mut bytes = document(&texts, form).into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let [known, plain] = pods_and_plain(&bytes);
        prop_assert_eq!(known, plain);
    }
}

#[test]
fn both_readers_agree_on_pods_that_are_cut_or_spoiled_at_any_byte() {
    let text = document(&(1..5).map(|number| edited(&[], number)).collect::<Vec<_>>(), 0);
    let last = text.len() - USUAL.len();
    for at in last..text.len() {
        let [known, plain] = pods_and_plain(&text.as_bytes()[..at]);
        assert!(known.is_err());
        assert_eq!(known, plain, "{at}");
        for byte in *b"\"\\}],:\n\xff9" {
            let mut spoiled = text.clone().into_bytes();
            spoiled[at] = byte;
            let [known, plain] = pods_and_plain(&spoiled);
            assert_eq!(known, plain, "{byte:#x} at {at}");
        }
    }
}

/// What is nested too deep within a list may be well within a line of its own.
#[test]
fn both_readers_agree_on_the_depth_of_what_is_ignored() {
    for depth in [60, 64, 70, 118, 121, 122, 123, 124, 125, 126, 130] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let text = edited(&[], 1).replace(r#"{"a":"b"}"#, &deep);
        let [known, plain] = pods_and_plain(format!("{text}\n{text}\n[{text}]\n{{\"items\":[{text}]}}").as_bytes());
        assert_eq!(known, plain, "{depth}");
    }
}

#[test]
fn pods_of_one_owner_share_their_labels_and_ports() {
    assert_shared(&json::read_pods(of_one_owner(&[]).as_bytes()).unwrap());
}

/// Managed fields name an address of each Pod, and networks put JSON into an annotation.
#[test]
fn names_and_texts_with_escapes_that_say_nothing_may_differ() {
    let escaped = EDITS.iter().position(|(_, there)| there.contains(r#""a":"[{\"ip"#)).unwrap();
    assert_shared(&json::read_pods(of_one_owner(&[escaped]).as_bytes()).unwrap());
}

#[test]
fn an_address_that_the_first_pod_has_not_yet_or_says_twice_is_that_of_each_of_the_next() {
    let listed = r#","podIPs":[{"ip":"10.0.0.%"},{"ip":"fd00::%"}]"#;
    let not_yet = USUAL.replace(listed, "").replace(r#""podIP":"10.0.0.%""#, r#""podIP":"""#);
    let alone = USUAL.replace(listed, "");
    let last =
        USUAL.replace(listed, "").replace(r#""podIP":"10.0.0.%""#, &format!(r#"{}, "podIP":"10.9.0.%""#, &listed[1..]));
    for (first, next) in [(&not_yet, &alone), (&last, &last)] {
        let texts: Vec<String> =
            (1..5).map(|number: u8| if number == 1 { first } else { next }.replace('%', &number.to_string())).collect();
        let [pods, plain] = pods_and_plain(document(&texts, 0).as_bytes()).map(Result::unwrap);
        assert!(pods[1..].iter().zip(2..).all(|(pod, number)| pod.ips[0] == format!("10.0.0.{number}")));
        assert_eq!(pods, plain);
    }
}

fn of_one_owner(edits: &[usize]) -> String {
    document(&(1..9).map(|number| edited(edits, number)).collect::<Vec<_>>(), 0)
}

/// Each is read as the one before, with which it shares what does not differ.
fn assert_shared(pods: &[Pod]) {
    for pair in pods[2..].windows(2) {
        assert!(std::sync::Arc::ptr_eq(&pair[0].labels, &pair[1].labels));
        assert!(std::sync::Arc::ptr_eq(&pair[0].ports, &pair[1].ports));
        assert_ne!(pair[0].name, pair[1].name);
    }
}

#[test]
fn a_pod_of_an_event_is_that_of_a_list() {
    for number in 0..9 {
        let text = edited(&[usize::from(number) * 5], number);
        let event = format!(r#"{{"type":"ADDED","object":{text}}}"#);
        let read = json::read_object_events(event.as_bytes(), Some(Kind::Pod)).map_err(|error| error.to_string());
        let plain = json::read_pods_plainly(text.as_bytes());
        match (read, plain) {
            (Ok(events), Ok(pods)) => {
                let shown = format!("{events:?}");
                assert!(shown.contains(&format!("{:?}", pods[0])), "{shown}");
            }
            (Err(_), Err(_)) => {}
            (read, plain) => panic!("{read:?} instead of {plain:?}"),
        }
    }
}
