//! The promises of `pack`, over groups that are as bad as they can be.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use epcore::model::{EndpointList, EndpointRef, EndpointSlice};
use epcore::pack::{
    AddressReuse, Cohort, Compaction, CompactionOrder, IdleMoves, Lifecycle, Move, Options, Plan, Policy, Prices,
    Replace, pack,
};
use epcore::wire::json;
use proptest::prelude::*;

/// One endpoint: address, target, content.
type Spec = (u8, u8, u8);
/// Address and target.
type Key = (String, String);

fn endpoint((address, target, content): Spec) -> String {
    let ready = ["null", "true", "false"][usize::from(content % 3)];
    let terminating = content / 3 % 2 == 1;
    let unknown = if content % 5 == 4 { format!(r#","weight":{}"#, content % 2) } else { String::new() };
    format!(
        r#"{{"addresses":["10.0.0.{}"],"conditions":{{"ready":{ready},"terminating":{terminating}}},"nodeName":"n{}",
            "targetRef":{{"kind":"Pod","namespace":"shop","name":"web-{}-{target}","uid":"u{target}"}}{unknown}}}"#,
        address + 1,
        target % 4,
        target % 2,
    )
}

fn slice(name: usize, port: u16, label: u8, endpoints: &[Spec]) -> String {
    let endpoints: Vec<String> = endpoints.iter().copied().map(endpoint).collect();
    format!(
        r#"{{"metadata":{{"name":"web-{name}","generateName":"web-","namespace":"shop","resourceVersion":"{name}","labels":
            {{"kubernetes.io/service-name":"web","tier":"{label}"}},"future":[1]}},"addressType":"IPv4","new":{{"a":1}},
            "ports":[{{"name":"http","port":{port}}}],"endpoints":[{}]}}"#,
        endpoints.join(",")
    )
}

#[derive(Clone, Debug)]
struct Case {
    wanted: EndpointList,
    existing: Vec<Arc<EndpointSlice>>,
    options: Options,
}

fn specs(most: usize) -> impl Strategy<Value = Vec<Spec>> {
    // The target mostly follows from the address, so that endpoints survive, change and give their address to others.
    let spec = (0u8..40, 0u8..12, 0u8..12).prop_map(|(address, other, content)| {
        (address, if other == 0 { address + 40 } else { address }, if content < 9 { 1 } else { content })
    });
    prop::collection::vec(spec, 0..most)
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(Policy::BALANCED),
        Just(Policy::DENSE),
        Just(Policy::LEAN),
        Just(Policy::Upstream),
        lifecycle(),
        (0u8..4, 0u8..3).prop_map(|(write, slice)| {
            let (write, slice) = (f64::from(write) * 1000.0, f64::from(slice) * 1000.0);
            Policy::Prices(Prices { write, byte: 1.0, watchers: 3, slice })
        }),
    ]
}

fn lifecycle() -> impl Strategy<Value = Policy> {
    (0u8..4, any::<bool>()).prop_map(|(spare, strict)| {
        let moves = if strict { IdleMoves::NotServing } else { IdleMoves::NotReady };
        Policy::Lifecycle(Lifecycle { spare: f64::from(spare) / 2.0, moves })
    })
}

fn compaction() -> impl Strategy<Value = Option<Compaction>> {
    let orders = [CompactionOrder::MakeBeforeBreak, CompactionOrder::BreakBeforeMake, CompactionOrder::MakeBreakTouch];
    prop_oneof![
        4 => Just(None),
        1 => (0u8..3, prop::option::of(0usize..9), 0usize..3).prop_map(move |(epsilon, max_moves, order)| {
            Some(Compaction { epsilon: f64::from(epsilon) / 4.0, max_moves, order: orders[order] })
        }),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let slices = prop::collection::vec((specs(9), 0u8..10, 0u8..10), 0..7);
    let cohort = prop_oneof![Just(Cohort::Auto), Just(Cohort::Node), Just(Cohort::Revision), Just(Cohort::Off)];
    let options = (1usize..8, policy(), cohort, compaction(), any::<bool>(), any::<bool>()).prop_map(
        |(max_endpoints, policy, cohort, compaction, strict, recycle)| Options {
            template: json::read_slices(slice(99, 80, 0, &[]).as_bytes()).unwrap().pop(),
            max_endpoints,
            policy,
            cohort,
            compaction,
            address_reuse: if strict { AddressReuse::Strict } else { AddressReuse::Ordered },
            replace: if recycle { Replace::Recycle } else { Replace::Safe },
            ..Options::default()
        },
    );
    (specs(40), slices, options).prop_map(|(wanted, slices, options)| {
        let wanted: Vec<String> = wanted.into_iter().map(endpoint).collect();
        let text = |(name, (endpoints, port, label)): (usize, &(Vec<Spec>, u8, u8))| {
            slice(name, if *port == 0 { 81 } else { 80 }, u8::from(*label == 0), endpoints)
        };
        let slices: Vec<String> = slices.iter().enumerate().map(text).collect();
        Case {
            wanted: json::read_endpoints(format!("[{}]", wanted.join(",")).as_bytes()).unwrap(),
            existing: json::read_slices(format!("[{}]", slices.join(",")).as_bytes()).unwrap(),
            options,
        }
    })
}

impl Case {
    fn with(self, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = self.options.clone();
        change(&mut options);
        Self { options, ..self }
    }

    fn plan(&self) -> Plan {
        pack(&self.wanted, &self.existing, &self.options).unwrap()
    }

    fn wanted(&self) -> BTreeSet<Key> {
        self.wanted.iter().map(key).collect()
    }
}

fn key(endpoint: EndpointRef<'_>) -> Key {
    (endpoint.address().to_string(), endpoint.target_ref().map_or_else(String::new, |target| target.name.to_owned()))
}

fn in_group(slice: &EndpointSlice) -> bool {
    slice.ports[0].port == Some(80)
}

/// How often the slices of the group hold each endpoint.
fn held(slices: &[Arc<EndpointSlice>]) -> BTreeMap<Key, usize> {
    let mut held = BTreeMap::new();
    for endpoint in slices.iter().filter(|slice| in_group(slice)).flat_map(|slice| slice.endpoints.iter()) {
        *held.entry(key(endpoint)).or_insert(0) += 1;
    }
    held
}

fn moved(plan: &Plan) -> BTreeSet<Key> {
    let endpoint = |entry: &Move| key(entry.target.endpoints.get(entry.index).unwrap());
    plan.moves().iter().map(endpoint).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn holds_each_wanted_endpoint_once_and_no_other(case in case()) {
        let result = case.plan().result();
        let wanted: BTreeMap<Key, usize> = case.wanted().into_iter().map(|key| (key, 1)).collect();
        prop_assert_eq!(held(&result), wanted);
        for slice in &result {
            prop_assert!(in_group(slice));
            prop_assert_eq!(&slice.metadata.labels["tier"], "0");
            let may_be_overfull = case.options.policy == Policy::Upstream;
            prop_assert!(may_be_overfull || slice.endpoints.len() <= case.options.max_endpoints);
        }
    }

    #[test]
    fn publishes_the_wanted_content(case in case()) {
        let content = |endpoint: EndpointRef<'_>| (endpoint.conditions(), endpoint.node_name().map(str::to_owned));
        let mut wanted: BTreeMap<Key, Vec<_>> = BTreeMap::new();
        for endpoint in case.wanted.iter() {
            wanted.entry(key(endpoint)).or_default().push(content(endpoint));
        }
        for slice in case.plan().result() {
            for endpoint in slice.endpoints.iter() {
                prop_assert!(wanted[&key(endpoint)].contains(&content(endpoint)));
            }
        }
    }

    #[test]
    fn moves_no_survivor_and_keeps_their_order(case in case()) {
        let case = case.with(|options| options.compaction = None);
        let plan = case.plan();
        let (wanted, moved, before) = (case.wanted(), moved(&plan), held(&case.existing));
        let after: BTreeMap<String, Vec<Key>> = plan
            .result()
            .iter()
            .map(|slice| (slice.metadata.name.clone(), slice.endpoints.iter().map(key).collect()))
            .collect();
        for slice in case.existing.iter().filter(|slice| in_group(slice)) {
            let stays = |key: &Key| wanted.contains(key) && before[key] == 1 && !moved.contains(key);
            let survivors: Vec<Key> = slice.endpoints.iter().map(key).filter(stays).collect();
            let now = after.get(&slice.metadata.name).cloned().unwrap_or_default();
            let kept: Vec<Key> = now.into_iter().filter(|key| survivors.contains(key)).collect();
            prop_assert_eq!(kept, survivors);
        }
        let overfull = case.existing.iter().any(|slice| slice.endpoints.len() > case.options.max_endpoints);
        let may_move_idle = matches!(case.options.policy, Policy::Lifecycle(_));
        prop_assert!(moved.is_empty() || overfull || may_move_idle);
    }

    #[test]
    fn writes_no_more_than_the_floor(case in case(), quarters in 0u8..=4) {
        let case = case.with(|options| {
            options.policy = Policy::Threshold(f64::from(quarters) / 4.0);
            options.compaction = None;
            options.address_reuse = AddressReuse::Ordered;
        });
        let stats = case.plan().stats();
        prop_assert_eq!(stats.writes(), stats.write_floor);
    }

    #[test]
    fn no_prefix_lacks_a_survivor_or_holds_one_twice(case in case()) {
        let plan = case.plan();
        let order = case.options.compaction.map(|compaction| compaction.order);
        let (wanted, moved, before) = (case.wanted(), moved(&plan), held(&case.existing));
        // tests/lifecycle.rs says who may be missing between two writes of this policy.
        let may_move_idle = matches!(case.options.policy, Policy::Lifecycle(_)) && case.options.compaction.is_none();
        for writes in 0..=plan.writes().len() {
            let now = held(&plan.prefix(writes));
            for (key, count) in &before {
                let gap = (may_move_idle || order == Some(CompactionOrder::BreakBeforeMake)) && moved.contains(key);
                prop_assert!(!wanted.contains(key) || now.contains_key(key) || gap, "{key:?} missing after {writes}");
                prop_assert!(now.get(key).is_none_or(|held| held <= count || moved.contains(key)));
            }
            prop_assert!(now.iter().all(|(key, count)| before.contains_key(key) || *count == 1));
        }
    }

    #[test]
    fn an_address_leaves_its_old_target_before_it_comes_back(case in case()) {
        let case = case.with(|options| options.compaction = None);
        let plan = case.plan();
        let (wanted, first) = (case.wanted(), held(&case.existing));
        let mut unordered = 0;
        for writes in 0..plan.writes().len() {
            let (before, after) = (held(&plan.prefix(writes)), held(&plan.prefix(writes + 1)));
            // An idle endpoint that moves is away for a moment, and no other target than before when it is back.
            for new in after.keys().filter(|key| !before.contains_key(*key) && !first.contains_key(*key)) {
                let ghost = |key: &Key| key.0 == new.0 && !wanted.contains(key);
                unordered += usize::from(before.keys().any(ghost));
            }
        }
        if case.options.address_reuse == AddressReuse::Strict {
            prop_assert_eq!(unordered, 0);
        }
        // A second copy that goes is counted, too.
        let copies = held(&plan.prefix(0)).values().any(|&count| count > 1);
        let counted = plan.stats().address_reuse_unordered;
        prop_assert!(unordered == counted || copies && unordered < counted, "{unordered} {counted}");
    }

    #[test]
    fn packing_the_result_again_writes_nothing(case in case()) {
        // A budget of moves is spent once in each call.
        let case = case.with(|options| {
            options.compaction = options.compaction.map(|compaction| Compaction { max_moves: None, ..compaction });
        });
        let existing = case.plan().result();
        let again = Case { existing, ..case }.plan();
        prop_assert!(again.writes().is_empty(), "{again}");
    }

    #[test]
    fn the_order_of_the_input_does_not_show(case in case(), seed in any::<u64>()) {
        let mut order: Vec<usize> = (0..case.wanted.len()).collect();
        order.sort_by_key(|index| (*index as u64 + 1).wrapping_mul(seed | 1).rotate_left(17));
        let mut wanted = EndpointList::default();
        for index in order {
            wanted.push(case.wanted.get(index).unwrap()).unwrap();
        }
        let mut existing = case.existing.clone();
        existing.rotate_left(usize::try_from(seed % (case.existing.len() as u64 + 1)).unwrap());
        existing.reverse();
        let shuffled = Case { wanted, existing, options: case.options.clone() };
        prop_assert_eq!(json::write_plan(&shuffled.plan()), json::write_plan(&case.plan()));
    }

    #[test]
    fn compaction_keeps_slices_few(case in case(), epsilon in 0u8..3) {
        let epsilon = f64::from(epsilon) / 2.0;
        let case = case.with(|options| {
            options.compaction = Some(Compaction { epsilon, ..Compaction::default() });
            if options.policy == Policy::Upstream {
                options.policy = Policy::LEAN;
            }
        });
        let bound = (1.0 + epsilon) * case.wanted().len() as f64 / case.options.max_endpoints as f64 + 2.0;
        prop_assert!(case.plan().result().len() as f64 <= bound);
    }

    #[test]
    fn no_slice_is_larger_than_the_byte_limit(case in case(), room in 300usize..2000) {
        let base = json::write_slice(case.options.template.as_ref().unwrap()).len() + 60;
        let case = case.with(|options| {
            options.max_bytes = base + room;
            options.max_endpoints = 100;
            options.compaction = None;
        });
        let result = case.plan().result();
        let wanted: BTreeMap<Key, usize> = case.wanted().into_iter().map(|key| (key, 1)).collect();
        prop_assert_eq!(held(&result), wanted);
        for slice in result {
            // Without what the API server adds by itself.
            let mut made = EndpointSlice::clone(&slice);
            made.metadata.resource_version.clear();
            let size = json::write_slice(&made).len();
            prop_assert!(size <= case.options.max_bytes, "{size} > {}", case.options.max_bytes);
        }
    }

    #[test]
    fn unknown_fields_survive(case in case()) {
        for write in case.plan().writes() {
            let text = String::from_utf8(json::write_slice(&write.slice)).unwrap();
            let (of_slice, of_metadata) = (r#","new":{"a":1}}"#, r#""future":[1]"#);
            prop_assert!(text.ends_with(of_slice));
            prop_assert!(text.contains(of_metadata));
        }
    }
}

#[test]
fn the_words_of_a_plan_are_readable() {
    let wanted = json::read_endpoints(br#"[{"addresses":["10.0.0.9"]}]"#).unwrap();
    let existing = json::read_slices(slice(1, 80, 0, &[(1, 1, 1)]).as_bytes()).unwrap();
    let text = pack(&wanted, &existing, &Options::default()).unwrap().to_string();
    let expected = "update web-1 (1 endpoint: endpoints-added, endpoints-removed)\n1 write (floor 1), ";
    assert!(text.starts_with(expected), "{text}");
}
