//! Readers look at bytes: whatever is no UTF-8 is refused at its first bad byte, before any other error, and wherever the bytes are.

#![expect(clippy::expect_used, reason = "a test may fail")]

use epcore::Error;
use epcore::wire::{Listing, json, proto};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Endpoints with everything that has a text, most of them read by template, and one with a text that is not in ASCII.
fn endpoints() -> String {
    let endpoint = |number: usize, name: &str| {
        format!(
            r#"{{"addresses":["10.0.0.{number}"],"conditions":{{"ready":true,"later":"x"}},"hostname":"h{number}","targetRef":{{"kind":"Pod","namespace":"shop","name":"{name}-{number}","uid":"uid-{number}","more":["é"]}},"nodeName":"node-1","zone":"zone-{}","hints":{{"forZones":[{{"name":"z"}}]}},"weight":-1.50E+2}}"#,
            number % 2
        )
    };
    let usual = |number: usize| endpoint(number, "web").replace(r#","later":"x""#, "").replace(r#","more":["é"]"#, "");
    let usual = |number: usize| usual(number).replace(r#","weight":-1.50E+2"#, "");
    let all: Vec<String> =
        (0..8).map(|number| if number == 3 { endpoint(number, "wéb") } else { usual(number) }).collect();
    all.join(",")
}

/// The same in a list of slices.
fn document() -> String {
    format!(
        r#"{{"kind":"EndpointSliceList","metadata":{{"resourceVersion":"9","note":"ü"}},"items":[{{"metadata":{{"name":"web-1","namespace":"shop","labels":{{"a":"b"}},"annotations":{{"n":"\u00e4ö\n"}}}},"addressType":"IPv4","endpoints":[{}],"ports":[{{"name":"http","port":80,"q":"ß"}}],"future":{{"b":"é\\"}}}}]}}"#,
        endpoints()
    )
}

/// What each reader of lists says.
fn errors(bytes: &[u8]) -> Vec<Option<Error>> {
    let known = Listing::read(std::sync::Arc::new(document().into_bytes())).expect("slices");
    vec![
        json::read_slices(bytes).err(),
        json::read_slices_plainly(bytes).err(),
        json::read_endpoints(bytes).err(),
        json::read_endpoints_plainly(bytes).err(),
        json::read_published(bytes).err(),
        json::read_events(bytes).err(),
        json::read_pods(bytes).err(),
        known.next(std::sync::Arc::new(bytes.to_vec())).err(),
    ]
}

fn check(bytes: &[u8]) {
    check_errors(bytes, errors(bytes));
}

fn check_errors(bytes: &[u8], errors: Vec<Option<Error>>) {
    let first_bad = std::str::from_utf8(bytes).err().map(|error| error.valid_up_to());
    for (reader, error) in errors.into_iter().enumerate() {
        let is_told = error.as_ref().is_some_and(|error| error.message() == "not UTF-8");
        let place = error.and_then(|error| error.offset());
        assert_eq!(is_told, first_bad.is_some(), "reader {reader}");
        if is_told {
            assert_eq!(place, first_bad, "reader {reader}");
        }
    }
}

/// Bytes that are never UTF-8, begin a character, go on with one, and half of a pair.
const WRONG: [&[u8]; 4] = [b"\xff", b"\xc3", b"\xa9", b"\xed\xa0\x80"];

#[test]
fn a_bad_byte_is_told_wherever_it_is() {
    let document = document().into_bytes();
    check(&document);
    for at in 0..=document.len() {
        for wrong in WRONG {
            check(&[&document[..at], wrong, &document[at..]].concat());
        }
    }
}

#[test]
fn a_bad_byte_is_told_wherever_it_is_in_endpoints() {
    let short = r#"{"address":"ö.example.org","zone":"ü"},"é.example.org:80""#;
    let document = format!("[{},{short}]", endpoints()).into_bytes();
    for at in 0..=document.len() {
        for wrong in WRONG {
            let bytes = [&document[..at], wrong, &document[at..]].concat();
            let published = [json::read_published(&bytes).err(), json::read_published_plainly(&bytes).err()];
            let read = [json::read_endpoints(&bytes).err(), json::read_endpoints_plainly(&bytes).err()];
            check_errors(&bytes, published.into_iter().chain(read).collect());
        }
    }
}

#[test]
fn halves_of_a_character_in_two_texts_are_none() {
    let whole = document();
    for (left, right) in
        [("web-5", "uid-5"), ("uid-4", "web-5"), ("h1", "web-1"), ("zone-0", "zone-1"), ("shop", "Pod")]
    {
        let half = |text: &str, which: &[u8], is_end: bool| {
            if is_end { [text.as_bytes(), which].concat() } else { [which, text.as_bytes()].concat() }
        };
        let spoiled = replaced(whole.as_bytes(), left.as_bytes(), &half(left, b"\xc3", true));
        check(&replaced(&spoiled, right.as_bytes(), &half(right, b"\xa9", false)));
    }
}

fn replaced(bytes: &[u8], text: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(text.len()).position(|window| window == text) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(by);
        rest = &rest[at + text.len()..];
    }
    out.extend_from_slice(rest);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn bad_bytes_come_before_any_other_error(
        edits in prop::collection::vec((any::<Index>(), select(b"\"\\{}[],: \n\x00\xff\xc3\xa9\xe2\x80n9A.".to_vec())), 1..5),
    ) {
        let mut bytes = document().into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // A listing takes that for the other format.
        prop_assume!(!proto::is_protobuf(&bytes));
        check(&bytes);
    }
}

#[test]
fn endpoints_that_are_not_in_ascii_cost_no_more_than_others_that_are_learned_from() {
    let endpoint = |number: usize, name: &str| {
        format!(r#"{{"addresses":["10.0.{}.{}"],"targetRef":{{"name":"{name}"}}}}"#, number / 250, number % 250)
    };
    let list = |name: &str| {
        (0..1000).map(|number| endpoint(number, if number % 300 == 299 { name } else { "web" })).collect::<Vec<_>>()
    };
    for name in ["wéb", "web-2"] {
        let text = format!("[{}]", list(name).join(","));
        let read = json::read_endpoints(text.as_bytes()).expect("endpoints");
        assert_eq!(read, json::read_endpoints_plainly(text.as_bytes()).expect("endpoints"));
        assert_eq!(read.get(299).and_then(|endpoint| endpoint.target_ref()).map(|target| target.name), Some(name));
    }
}
