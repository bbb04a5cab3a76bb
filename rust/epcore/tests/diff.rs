//! The promises of `diff`, beside a slow and obvious fold.

mod readers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use epcore::diff::{Fields, Key, Options, Reason, diff};
use epcore::model::EndpointSlice;
use proptest::prelude::*;
use readers::{Slices, options, sets, slices};

/// What an entry looks like to a reader: ready, and for those that look further serving, terminating, node.
type Seen = (bool, bool, bool, String);

/// The entries of slices, written as plainly as possible. Keys are those of [`Change::key`].
fn plain(slices: &Slices, options: Options) -> BTreeMap<String, (Seen, String)> {
    let mut best: BTreeMap<String, (_, (Seen, String))> = BTreeMap::new();
    for slice in slices {
        for (place, endpoint) in slice.endpoints.iter().enumerate() {
            let service = format!("{}/{}", slice.metadata.namespace, slice.metadata.service());
            let uid = endpoint.target_ref().map_or("", |target| target.uid);
            let who = match options.key {
                Key::Target if !uid.is_empty() => uid.to_owned(),
                _ => endpoint.address().to_string(),
            };
            let ports: Vec<String> = match options.key {
                Key::AddressPort if !slice.ports.is_empty() => {
                    let number = |number: Option<i32>| number.map_or("*".to_owned(), |number| number.to_string());
                    let port = |port: &epcore::model::EndpointPort| {
                        format!(" {} {} {}", port.name, port.protocol, number(port.port))
                    };
                    slice.ports.iter().map(port).collect()
                }
                _ => vec![String::new()],
            };
            let conditions = endpoint.conditions();
            let seen = (
                conditions.ready() != Some(false),
                conditions.serving() != Some(false),
                conditions.terminating() == Some(true),
                endpoint.node_name().unwrap_or("").to_owned(),
            );
            let time = std::cmp::Reverse(slice.metadata.trigger_time().to_owned());
            let rank = (seen.2, time, slice.metadata.name.clone(), place);
            for port in ports {
                let candidate = (rank.clone(), (seen.clone(), slice.metadata.name.clone()));
                let held = best.entry(format!("{service} {who}{port}")).or_insert_with(|| candidate.clone());
                if candidate.0 < held.0 {
                    *held = candidate;
                }
            }
        }
    }
    best.into_iter().map(|(key, (_, value))| (key, value)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn agrees_with_a_plain_fold(before in slices(), after in slices(), options in options()) {
        let delta = diff(&before, &after, options);
        let (old, new) = (plain(&before, options), plain(&after, options));
        let [added, removed, updated, moved] = sets(&delta);
        let missing = |from: &BTreeMap<String, _>, in_other: &BTreeMap<String, _>| -> BTreeSet<String> {
            from.keys().filter(|key| !in_other.contains_key(*key)).cloned().collect()
        };
        prop_assert_eq!(added, missing(&new, &old));
        prop_assert_eq!(removed, missing(&old, &new));
        for (key, ((ready, serving, terminating, node), slice)) in &new {
            let Some(((was_ready, was_serving, was_terminating, was_node), was_slice)) = old.get(key) else { continue };
            let proxy = options.fields >= Fields::Proxy;
            let conditions = ready != was_ready
                || proxy && (serving, terminating) != (was_serving, was_terminating);
            let all = delta.updated();
            let change = all.iter().find(|change| change.key() == *key);
            prop_assert_eq!(change.is_some_and(|change| change.reasons().contains(Reason::Conditions)), conditions);
            let topology = change.is_some_and(|change| change.reasons().contains(Reason::Topology));
            prop_assert_eq!(topology, proxy && node != was_node);
            prop_assert_eq!(updated.contains(key) || moved.contains(key), change.is_some() || slice != was_slice);
            prop_assert!(!(updated.contains(key) && moved.contains(key)));
        }
    }

    #[test]
    fn nothing_changes_from_a_set_to_itself_in_any_order(before in slices(), options in options()) {
        let mut after = before.clone();
        after.reverse();
        prop_assert!(diff(&before, &after, options).is_empty());
        let shuffled: Slices = after.iter().map(|slice| {
            let mut endpoints = epcore::model::EndpointList::default();
            slice.endpoints.iter().rev().try_for_each(|endpoint| endpoints.push(endpoint)).unwrap();
            Arc::new(EndpointSlice { endpoints, ..EndpointSlice::clone(slice) })
        }).collect();
        let keys = |slices: &Slices| plain(slices, options).into_keys().collect::<Vec<_>>();
        prop_assert_eq!(keys(&shuffled), keys(&before));
        let delta = diff(&before, &shuffled, options);
        prop_assert!(delta.added().is_empty() && delta.removed().is_empty());
    }

    #[test]
    fn the_way_back_swaps_added_and_removed(before in slices(), after in slices(), options in options()) {
        let [added, removed, updated, moved] = sets(&diff(&before, &after, options));
        prop_assert_eq!(sets(&diff(&after, &before, options)), [removed, added, updated, moved]);
    }

    #[test]
    fn transitions_are_the_service_ports_that_go_from_or_to_nothing(before in slices(), after in slices(), options in options()) {
        let count = |slices: &Slices| {
            let mut counts: BTreeMap<String, [usize; 2]> = BTreeMap::new();
            for (key, (seen, _)) in plain(slices, Options { key: Key::AddressPort, ..options }) {
                let words: Vec<&str> = key.split(' ').collect();
                let [service, _, name, protocol, _] = words[..] else { continue };
                let counts = counts.entry(format!("{service} {name} {protocol}")).or_default();
                counts[0] += 1;
                counts[1] += usize::from(seen.0);
            }
            counts
        };
        let (old, new) = (count(&before), count(&after));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let of = |counts: &BTreeMap<String, [usize; 2]>, name: &String| counts.get(name).copied().unwrap_or_default();
        let expected: Vec<(String, [usize; 2], [usize; 2])> = names
            .into_iter()
            .map(|name| (name.clone(), of(&old, name), of(&new, name)))
            .filter(|(_, was, is)| (was[0] == 0) != (is[0] == 0) || (was[1] == 0) != (is[1] == 0))
            .collect();
        let delta = diff(&before, &after, options);
        let of_counts = |found: &&epcore::diff::Transition| {
            (found.endpoints_before == 0) != (found.endpoints_after == 0) || (found.ready_before == 0) != (found.ready_after == 0)
        };
        let of_hints = |found: &epcore::diff::Transition| of_counts(&found) || found.hints_complete_before != found.hints_complete_after;
        prop_assert!(delta.transitions().iter().all(of_hints));

        let found: Vec<(String, [usize; 2], [usize; 2])> = delta.transitions().iter().filter(of_counts).map(|found| (
            format!("{}/{} {} {}", found.namespace, found.service, found.port_name, found.protocol),
            [found.endpoints_before, found.ready_before],
            [found.endpoints_after, found.ready_after],
        )).collect();
        prop_assert_eq!(found, expected);
    }
}
