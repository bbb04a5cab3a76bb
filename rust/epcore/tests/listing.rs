//! The next list read by the last: the same slices or the same error as when it is read alone, and nothing read twice.

use std::sync::Arc;

use epcore::Error;
use epcore::model::EndpointSlice;
use epcore::wire::json::{self, read_slices_plainly};
use epcore::wire::{Listing, proto};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A slice; `version` stands for its content.
fn slice(name: usize, version: usize) -> String {
    let name = if name == 0 { String::new() } else { format!(r#""name":"web-{name}","#) };
    let endpoints: Vec<String> = (0..version % 4)
        .map(|number| format!(r#"{{"addresses":["10.0.{version}.{}"],"nodeName":"n{version}"}}"#, number + 1))
        .collect();
    let endpoints = endpoints.join(",");
    format!(
        r#"{{"metadata":{{{name}"namespace":"shop","resourceVersion":"{version}"}},"addressType":"IPv4","endpoints":[{endpoints}],"ports":[]}}"#
    )
}

/// A document of slices in one of the forms that there are.
fn document(slices: &[(usize, usize)], form: &str) -> Vec<u8> {
    let texts: Vec<String> = slices.iter().map(|&(name, version)| slice(name, version)).collect();
    let text = match form {
        "array" => format!("[{}]", texts.join(",")),
        "list" => format!(
            r#"{{"kind":"List","metadata":{{"resourceVersion":"{}"}},"items":[{}]}}"#,
            slices.iter().map(|(_, version)| version).sum::<usize>(),
            texts.join(",\n")
        ),
        "lines" => texts.join("\n"),
        "protobuf" => {
            let slices = json::read_slices(texts.join("\n").as_bytes()).unwrap_or_default();
            return proto::write_slices(slices.iter().map(|slice| &**slice)).unwrap_or_default();
        }
        "events" => {
            texts.iter().map(|text| format!(r#"{{"type":"ADDED","object":{text}}}"#)).collect::<Vec<_>>().join("\n")
        }
        _ => {
            let events = texts.iter().skip(1).map(|text| format!(r#"{{"type":"DELETED","object":{text}}}"#));
            texts.iter().take(1).cloned().chain(events).collect::<Vec<_>>().join("\n")
        }
    };
    text.into_bytes()
}

fn read_alone(document: &[u8]) -> Result<Vec<Arc<EndpointSlice>>, Error> {
    if proto::is_protobuf(document) { proto::read_slices_plainly(document) } else { read_slices_plainly(document) }
}

fn documents() -> impl Strategy<Value = Vec<u8>> {
    let slices = prop::collection::vec((0usize..6, 0usize..3), 0..8);
    let form =
        select(vec!["array", "array", "array", "list", "list", "lines", "events", "mixed", "protobuf", "protobuf"]);
    let spoil = prop::option::weighted(0.2, (any::<Index>(), select(b"{}[],:\"\\n1 \xff".to_vec())));
    (slices, form, spoil).prop_map(|(slices, form, spoil)| {
        let mut bytes = document(&slices, form);
        if let Some((at, byte)) = spoil
            && !bytes.is_empty()
        {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

/// An endpoint: from 16 on it has fields that few have, is no ASCII, or comes in other conditions. Each sixteenth is of IPv6.
fn endpoint(number: usize) -> String {
    let address = if number % 16 == 15 { format!("2001:db8::{number}") } else { format!("10.0.0.{}", number % 16) };
    let rest = match number / 16 {
        0 => format!(r#","nodeName":"n{}","zone":"z{}"}}"#, number % 5, number % 3),
        1 => format!(
            r#","future":[{{"addresses":["{number}"]}}],"targetRef":{{"kind":"Pod","apiVersion":"v{number}"}}}}"#
        ),
        2 => format!(r#", "zone": "é-{number}" }}"#),
        _ => format!(r#","conditions":{{"ready":{}}},"nodeName":"n1"}}"#, number.is_multiple_of(2)),
    };
    format!(r#"{{"addresses":["{address}"]{rest}"#)
}

fn numbers() -> impl Strategy<Value = usize> {
    prop_oneof![20 => 0usize..15, 20 => (0usize..64).prop_filter("IPv4", |number| number % 16 != 15), 1 => 0usize..64]
}

/// A document of two slices that have these endpoints.
fn lists(each: [&[usize]; 2], between: &str, address_type: &str, version: usize) -> String {
    let slices = each.iter().enumerate().map(|(name, endpoints)| {
        let texts: Vec<String> = endpoints.iter().map(|&number| endpoint(number)).collect();
        let texts = texts.join(between);
        format!(
            r#"{{"metadata":{{"name":"web-{name}","resourceVersion":"{version}"}},"addressType":"{address_type}","endpoints":[{texts}],"ports":[]}}"#
        )
    });
    format!("[{}]", slices.collect::<Vec<_>>().join(","))
}

/// What becomes of some endpoints: others come in the place of some, some come and some go.
fn edited(mut endpoints: Vec<usize>, edits: &[(Index, u8, usize)]) -> Vec<usize> {
    for (at, how, number) in edits {
        let at = at.index(endpoints.len() + 1);
        match how {
            0 => endpoints.insert(at, *number),
            _ if at == endpoints.len() => {}
            1 => drop(endpoints.remove(at)),
            _ => endpoints[at] = *number,
        }
    }
    endpoints
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn slices_of_which_some_endpoints_changed_are_the_same_by_the_last_list_and_alone(
        first in (prop::collection::vec(numbers(), 0..40), prop::collection::vec(0usize..15, 0..40)),
        steps in prop::collection::vec(
            (
                prop::collection::vec((any::<Index>(), 0u8..4, numbers()), 0..6),
                select(vec![",", ",", ",", " ,\n"]),
                select(vec!["IPv4", "IPv4", "IPv4", "IPv4", "IPv4", "IPv6", "FQDN"]),
                prop::option::weighted(0.1, (any::<Index>(), select(b"{}[],:\"\\n1 \xff".to_vec()))),
            ),
            1..6,
        ),
    ) {
        let (mut mixed, mut plain) = first;
        let mut listing = Listing::read(Arc::new(b"[]".to_vec())).unwrap();
        for (version, (edits, between, address_type, spoil)) in steps.into_iter().enumerate() {
            let mut document = lists([&mixed, &plain], between, address_type, version).into_bytes();
            if let Some((at, byte)) = spoil {
                let at = at.index(document.len());
                document[at] = byte;
            }
            let next = listing.next(Arc::new(document.clone()));
            let alone = read_slices_plainly(&document);
            prop_assert_eq!(next.as_ref().map(|next| &**next.slices()), alone.as_ref());
            listing = next.unwrap_or(listing);
            mixed = edited(mixed, &edits);
            plain = edited(plain, &edits.iter().map(|(at, how, number)| (*at, *how, number % 15)).collect::<Vec<_>>());
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_list_is_the_same_by_the_last_one_and_alone(documents in prop::collection::vec(documents(), 1..6)) {
        let mut listing = Listing::read(Arc::new(b"[]".to_vec())).unwrap();
        for document in documents {
            let before = listing.slices().clone();
            let next = listing.next(Arc::new(document.clone()));
            let alone = read_alone(&document);
            prop_assert_eq!(next.as_ref().map(|next| &**next.slices()), alone.as_ref());
            prop_assert!(Arc::ptr_eq(&before, listing.slices()));
            listing = next.unwrap_or(listing);
        }
    }

    #[test]
    fn what_did_not_change_is_not_read_again(
        names in prop::sample::subsequence((1..30).collect::<Vec<usize>>(), 0..30),
        edits in prop::collection::vec((1usize..30, 0u8..3), 0..6),
        form in select(vec!["array", "list", "protobuf"]),
    ) {
        let before: Vec<(usize, usize)> = names.iter().map(|&name| (name, 1)).collect();
        let mut after = before.clone();
        for (name, how) in edits {
            // A changed slice has another version, one that goes is left out, and one that comes is put where its name belongs.
            match (after.binary_search_by_key(&name, |slice| slice.0), how) {
                (Ok(at), 0) => after[at].1 += 1,
                (Ok(at), _) => drop(after.remove(at)),
                (Err(at), _) => after.insert(at, (name, 7)),
            }
        }
        let first = Listing::read(Arc::new(document(&before, form))).unwrap();
        let next = first.next(Arc::new(document(&after, form))).unwrap();
        let kept = next.slices().iter().filter(|slice| first.slices().iter().any(|old| Arc::ptr_eq(old, slice))).count();
        // After a slice that went the one behind it is read, to find out where the list goes on.
        let gone = before.iter().filter(|(name, _)| after.iter().all(|slice| slice.0 != *name)).count();
        let same = after.iter().filter(|slice| before.contains(slice)).count();
        prop_assert!(kept <= same && kept + gone >= same, "{kept} of {same} kept, {gone} gone");
    }
}

#[test]
fn a_slice_at_another_depth_is_read_again() {
    let deep = format!("{}{}", "[".repeat(125), "]".repeat(125));
    let slice = format!(r#"{{"addressType":"IPv4","endpoints":[],"ports":[],"future":{{"a":{deep}}}}}"#);
    let alone = Listing::read(Arc::new(slice.clone())).unwrap();
    let listed = format!(r#"{{"items":[{slice}]}}"#);
    assert_eq!(alone.next(Arc::new(listed.clone())).unwrap_err(), read_slices_plainly(listed.as_bytes()).unwrap_err());
}

#[test]
fn a_slice_that_goes_on_where_the_last_one_ended_is_read_again() {
    let (before, after) = (slice(1, 1), slice(1, 1).replace(r#""ports":[]}"#, r#""ports":[],"future":1}"#));
    let next = Listing::read(Arc::new(before)).unwrap().next(Arc::new(after.clone())).unwrap();
    assert_eq!(**next.slices(), read_slices_plainly(after.as_bytes()).unwrap());
    assert_eq!(next.slices()[0].unknown.get("future"), Some("1"));
}
