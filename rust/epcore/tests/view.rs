//! The promises of `View`: it says what `diff` says of the slices before and after, whatever events lead from the one to the other.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod readers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use epcore::diff::{Delta, Key, Options, diff};
use epcore::engine::{PortEndpoint, View, WatchEvent};
use epcore::model::EndpointSlice;
use epcore::wire::json;
use proptest::prelude::*;
use readers::{Slices, options, sets, slices};

/// Everything that a delta says.
fn told(delta: &Delta) -> String {
    let text = String::from_utf8(json::write_delta(delta)).unwrap();
    // A comparison of two sets has no trigger times.
    text.split_once(r#","trigger_times""#).unwrap().0.to_owned()
}

/// Events that lead from one set of slices to another, in the order of the names or against it.
fn events(before: &Slices, after: &Slices, backwards: bool) -> Vec<WatchEvent> {
    let named = |slices: &Slices| -> BTreeMap<String, Arc<EndpointSlice>> {
        slices.iter().map(|slice| (slice.metadata.name.clone(), slice.clone())).collect()
    };
    let (old, new) = (named(before), named(after));
    let present = new.values().filter(|slice| old.get(&slice.metadata.name) != Some(*slice)).cloned();
    let gone = old.values().filter(|slice| !new.contains_key(&slice.metadata.name)).cloned();
    let mut events: Vec<_> = present.map(WatchEvent::Present).chain(gone.map(WatchEvent::Deleted)).collect();
    if backwards {
        events.reverse();
    }
    events
}

/// The same slices with versions, from `first` on.
fn versioned(slices: &Slices, first: usize) -> Slices {
    let version = |(index, slice): (usize, &Arc<EndpointSlice>)| {
        let mut slice = EndpointSlice::clone(slice);
        slice.metadata.resource_version = (first + index).to_string();
        Arc::new(slice)
    };
    slices.iter().enumerate().map(version).collect()
}

fn filled(slices: &Slices, options: Options) -> View {
    let mut view = View::new(options);
    view.replace(slices, "").unwrap();
    view.checkout();
    view
}

/// Every endpoint, with the name of its slice.
fn endpoints(view: &View) -> Vec<String> {
    let of = |(namespace, service)| view.endpoints(namespace, service);
    let shown = |entry: PortEndpoint| {
        format!("{} {} {:?}", entry.slice().metadata.name, entry.endpoint().address(), entry.port())
    };
    view.services().into_iter().flat_map(of).map(shown).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_checkout_is_the_difference_since_the_last(
        states in prop::collection::vec((slices(), any::<bool>(), any::<bool>()), 1..5),
        options in options(),
    ) {
        let mut view = View::new(options);
        let (mut last, mut now): (Slices, Slices) = Default::default();
        for (state, backwards, checks_each) in states {
            for event in events(&now, &state, backwards) {
                // What comes twice changes nothing.
                view.feed(event.clone()).unwrap();
                view.feed(event).unwrap();
                if checks_each {
                    let held = view.slices();
                    prop_assert_eq!(told(&view.checkout()), told(&diff(&last, &held, options)));
                    prop_assert!(view.checkout().is_empty());
                    last = held;
                }
            }
            now = state;
            prop_assert_eq!(&view.slices(), &now);
        }
        prop_assert_eq!(told(&view.checkout()), told(&diff(&last, &now, options)));
    }

    #[test]
    fn nothing_is_removed_that_a_slice_still_holds(before in slices(), after in slices(), backwards in any::<bool>(), options in options()) {
        let mut view = filled(&before, options);
        for event in events(&before, &after, backwards) {
            view.feed(event).unwrap();
            let held = |slices: &Slices| sets(&diff(&Vec::new(), slices, options))[0].clone();
            let [_, removed, ..] = sets(&view.checkout());
            prop_assert!(removed.is_disjoint(&held(&view.slices())));
        }
    }

    #[test]
    fn a_list_is_worth_any_events(before in slices(), after in slices(), options in options()) {
        let mut view = filled(&before, options);
        view.replace(&after, "").unwrap();
        prop_assert_eq!(told(&view.checkout()), told(&diff(&before, &after, options)));
    }

    #[test]
    fn a_change_that_was_undone_is_none(before in slices(), after in slices(), options in options()) {
        let mut view = filled(&before, options);
        for event in events(&before, &after, false).into_iter().chain(events(&after, &before, true)) {
            view.feed(event).unwrap();
        }
        prop_assert!(view.checkout().is_empty());
    }

    #[test]
    fn slices_that_come_back_as_the_same_objects_are_looked_at_as_any_others(
        before in slices(), between in slices(), is_back in prop::collection::vec(any::<bool>(), 8), options in options(),
    ) {
        let mut view = filled(&before, options);
        view.replace(&between, "").unwrap();
        let back = before.iter().zip(is_back).filter_map(|(slice, is_back)| is_back.then_some(slice));
        let named = between.iter().chain(back).map(|slice| (slice.metadata.name.clone(), slice.clone()));
        let after: Slices = named.collect::<BTreeMap<_, _>>().into_values().collect();
        view.replace(&after, "").unwrap();
        prop_assert_eq!(told(&view.checkout()), told(&diff(&before, &after, options)));
    }

    #[test]
    fn what_is_held_back_is_removed_in_time(before in slices(), between in slices(), after in slices(), options in options()) {
        let seconds = Duration::from_secs;
        let mut view = filled(&before, options).holding(seconds(5));
        view.replace(&between, "").unwrap();
        let first = view.checkout_at(seconds(10));
        prop_assert!(first.removed().is_empty());
        let gone = sets(&diff(&before, &between, options))[1].clone();
        prop_assert_eq!(view.next_due(), (!gone.is_empty()).then(|| seconds(15)));
        view.replace(&after, "").unwrap();
        let second = view.checkout_at(seconds(14));
        prop_assert!(second.removed().is_empty());
        let third = view.checkout_at(seconds(15));
        let fourth = view.checkout_at(seconds(60));
        // All in all the same endpoints are gone, and none was told twice.
        let removed = |delta: &Delta| sets(delta)[1].clone();
        prop_assert!(removed(&third).is_disjoint(&removed(&fourth)));
        let all: BTreeSet<String> = removed(&third).union(&removed(&fourth)).cloned().collect();
        let held = |slices: &Slices| sets(&diff(&Vec::new(), slices, options))[0].clone();
        let were: BTreeSet<String> = held(&before).union(&held(&between)).cloned().collect();
        prop_assert_eq!(all, were.difference(&held(&after)).cloned().collect::<BTreeSet<_>>());
        prop_assert!(removed(&third).is_subset(&gone));
        prop_assert!(view.next_due().is_none());
        prop_assert!(view.checkout_at(seconds(99)).is_empty());
    }

    #[test]
    fn late_events_are_passed_over(first in slices(), second in slices(), third in slices(), options in options()) {
        let (first, second, third) = (versioned(&first, 10), versioned(&second, 20), versioned(&third, 30));
        let mut history = events(&Vec::new(), &first, false);
        history.extend(deletions_at(events(&first, &second, false), 25));
        history.extend(deletions_at(events(&second, &third, false), 35));
        let mut view = View::new(options);
        for event in history.iter().chain(&history).chain(history.iter().rev()) {
            view.feed(event.clone()).unwrap();
        }
        prop_assert_eq!(view.slices(), third);
        // Nor does what is older than a list bring a slice back.
        let mut view = View::new(options);
        view.replace(&second, "29").unwrap();
        for event in events(&Vec::new(), &first, false) {
            view.feed(event).unwrap();
        }
        prop_assert_eq!(view.slices(), second);
    }

    #[test]
    fn a_snapshot_goes_on_where_it_was(before in slices(), after in slices(), last in slices(), options in options()) {
        let mut view = filled(&before, options);
        view.replace(&after, "7").unwrap();
        let mut again = json::read_view(&json::write_view(&view)).unwrap();
        prop_assert_eq!(again.resource_version(), "7");
        prop_assert_eq!(json::write_view(&again), json::write_view(&view));
        prop_assert_eq!(told(&again.checkout()), told(&view.checkout()));
        again.replace(&last, "8").unwrap();
        prop_assert_eq!(told(&again.checkout()), told(&diff(&after, &last, options)));
    }

    #[test]
    fn a_snapshot_forgets_no_removal_that_is_held_back(before in slices(), after in slices(), options in options()) {
        let mut view = filled(&before, options).holding(Duration::from_secs(5));
        view.replace(&after, "").unwrap();
        view.checkout_at(Duration::from_secs(1));
        let mut again = json::read_view(&json::write_view(&view)).unwrap();
        let late = sets(&view.checkout_at(Duration::from_secs(9)))[1].clone();
        prop_assert_eq!(sets(&again.checkout()), [BTreeSet::new(), late, BTreeSet::new(), BTreeSet::new()]);
    }

    #[test]
    fn a_view_from_a_snapshot_keeps_back_what_was(before in slices(), after in slices(), last in slices(), options in options()) {
        let seconds = Duration::from_secs;
        let mut view = filled(&before, options).holding(seconds(5));
        view.replace(&after, "").unwrap();
        view.checkout_at(seconds(101));
        let mut again = json::read_view(&json::write_view(&view)).unwrap().holding(seconds(5));
        prop_assert_eq!(json::write_view(&again), json::write_view(&view));
        prop_assert_eq!(endpoints(&again), endpoints(&view));
        // The clock that it goes by may be another one.
        for (time, slices) in [(1, &last), (6, &last)] {
            for view in [&mut view, &mut again] {
                view.replace(slices, "").unwrap();
            }
            prop_assert_eq!(told(&again.checkout_at(seconds(time))), told(&view.checkout_at(seconds(101 + time))));
        }
    }

    #[test]
    fn endpoints_are_those_of_a_fold(held in slices()) {
        let options = Options { key: Key::AddressPort, ..Options::default() };
        let view = filled(&held, options);
        let count: usize = view.services().into_iter().map(|(namespace, service)| view.endpoints(namespace, service).len()).sum();
        prop_assert_eq!(count, diff(&Vec::new(), &held, options).added().len());
        for duplicate in view.duplicates() {
            let (first, rest) = duplicate.entries.split_first().unwrap();
            prop_assert!(!rest.is_empty());
            let winner = view.endpoints(&first.slice().metadata.namespace, first.slice().metadata.service());
            let is_first = |one: &PortEndpoint| {
                Arc::ptr_eq(one.slice(), first.slice()) && one.index() == first.index() && one.port() == first.port()
            };
            prop_assert!(winner.iter().any(is_first));

        }
    }
}

#[test]
fn one_address_of_two_types_is_no_duplicate() {
    let slice = |name: &str, family: &str| {
        format!(
            r#"{{"metadata": {{"name": "{name}", "labels": {{"kubernetes.io/service-name": "web"}}}},
                "addressType": "{family}", "ports": [{{"port": 80}}], "endpoints": [{{"addresses": ["10.0.0.1"]}}]}}"#
        )
    };
    let text = format!("[{}, {}]", slice("a", "IPv4"), slice("b", "FQDN"));
    let view = filled(&json::read_slices(text.as_bytes()).unwrap(), Options::default());
    assert_eq!(view.endpoints("", "web").len(), 2);
    assert!(view.duplicates().is_empty());
}

/// The same events, with deletions as the API server sends them: at a version of their own.
fn deletions_at(events: Vec<WatchEvent>, version: usize) -> Vec<WatchEvent> {
    let at = |event| match event {
        WatchEvent::Deleted(slice) => {
            let mut slice = EndpointSlice::clone(&slice);
            slice.metadata.resource_version = version.to_string();
            WatchEvent::Deleted(Arc::new(slice))
        }
        event => event,
    };
    events.into_iter().map(at).collect()
}

#[test]
fn a_removal_that_is_kept_back_for_ever_is_never_due() {
    let held = json::read_slices(
        br#"{"metadata": {"name": "a"}, "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]}"#,
    )
    .unwrap();
    for hold in [Duration::MAX, Duration::from_secs(u64::MAX)] {
        let mut view = filled(&held, Options::default()).holding(hold);
        view.replace(&[], "").unwrap();
        assert!(view.checkout_at(Duration::from_secs(2)).is_empty());
        assert_eq!(view.next_due(), None);
        assert!(view.checkout_at(Duration::from_hours(1)).is_empty());
    }
}
