//! The promises of `Policy::Lifecycle`, over the lives of a few endpoints, step after step.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use epcore::model::{Conditions, EndpointList, EndpointSlice};
use epcore::pack::{AddressReuse, IdleMoves, Lifecycle, Options, Plan, Policy, pack};
use epcore::wire::json;
use proptest::prelude::*;

/// What is wanted of each endpoint, `None` if it is gone: an index of `CONDITIONS`.
type World = Vec<Option<usize>>;

/// Ready, serving, terminating.
const CONDITIONS: [(bool, bool, bool); 5] =
    [(true, true, false), (true, true, false), (false, false, false), (false, true, true), (false, false, true)];

fn list(world: &World) -> EndpointList {
    let endpoint = |(number, state): (usize, &Option<usize>)| {
        let (ready, serving, terminating) = CONDITIONS[(*state)?];
        Some(format!(
            r#"{{"addresses":["10.0.0.{}"],"conditions":{{"ready":{ready},"serving":{serving},"terminating":{terminating}}},
                "targetRef":{{"kind":"Pod","namespace":"shop","name":"web-{}-{number}"}}}}"#,
            number + 1,
            number % 2,
        ))
    };
    let text: Vec<String> = world.iter().enumerate().filter_map(endpoint).collect();
    json::read_endpoints(format!("[{}]", text.join(",")).as_bytes()).unwrap()
}

fn template() -> Arc<EndpointSlice> {
    let text =
        br#"{"metadata":{"generateName":"web-","namespace":"shop","labels":{"kubernetes.io/service-name":"web"}},
        "addressType":"IPv4","endpoints":[],"ports":[{"name":"http","port":80}]}"#;
    json::read_slices(text).unwrap().pop().unwrap()
}

#[derive(Clone, Debug)]
struct Lives {
    worlds: Vec<World>,
    options: Options,
}

fn lives() -> impl Strategy<Value = Lives> {
    // One endpoint in three changes in a step; most of them are ready.
    let change = prop_oneof![3 => Just(None), 1 => (0usize..7).prop_map(|state| Some((state < 5).then_some(state)))];
    let changes = prop::collection::vec(prop::collection::vec(change, 14), 1..9);
    (changes, 1usize..6, 0u8..3, any::<bool>(), any::<bool>()).prop_map(
        |(changes, max_endpoints, spare, strict, reuse)| {
            let mut worlds = vec![vec![Some(0); 14]];
            for change in changes {
                let last: &World = &worlds[worlds.len() - 1];
                let next = last.iter().zip(change).map(|(last, change)| change.unwrap_or(*last)).collect();
                worlds.push(next);
            }
            let moves = if strict { IdleMoves::NotServing } else { IdleMoves::NotReady };
            let options = Options {
                template: Some(template()),
                max_endpoints,
                policy: Policy::Lifecycle(Lifecycle { spare: f64::from(spare), moves }),
                naming: epcore::pack::Naming::Deterministic,
                address_reuse: if reuse { AddressReuse::Strict } else { AddressReuse::Ordered },
                ..Options::default()
            };
            Lives { worlds, options }
        },
    )
}

/// One step: what was there, what is wanted, and the plan.
struct Step {
    wanted: EndpointList,
    plan: Plan,
}

impl Lives {
    fn steps(&self) -> Vec<Step> {
        let mut existing = Vec::new();
        let mut steps = Vec::new();
        for world in &self.worlds {
            let wanted = list(world);
            let plan = pack(&wanted, &existing, &self.options).unwrap();
            existing = plan.result();
            steps.push(Step { wanted, plan });
        }
        steps
    }

    fn lifecycle(&self) -> Lifecycle {
        let Policy::Lifecycle(lifecycle) = self.options.policy else { unreachable!() };
        lifecycle
    }
}

fn conditions(list: &EndpointList) -> BTreeMap<String, Conditions> {
    list.iter().map(|endpoint| (endpoint.address().to_string(), endpoint.conditions())).collect()
}

/// The slices and conditions of each address.
fn held(slices: &[Arc<EndpointSlice>]) -> BTreeMap<String, Vec<(String, Conditions)>> {
    let mut held: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for slice in slices {
        for endpoint in slice.endpoints.iter() {
            let place = (slice.metadata.name.clone(), endpoint.conditions());
            held.entry(endpoint.address().to_string()).or_default().push(place);
        }
    }
    held
}

/// Addresses that change their slice, as the slices tell it and not the plan.
fn movers(plan: &Plan) -> BTreeSet<String> {
    let (before, after) = (held(&plan.prefix(0)), held(&plan.result()));
    let moves = |(address, places): (String, Vec<(String, Conditions)>)| {
        let now = after.get(&address)?;
        (now[0].0 != places[0].0).then_some(address)
    };
    before.into_iter().filter_map(moves).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_ready_endpoint_ever_changes_its_slice(lives in lives()) {
        for Step { wanted, plan } in lives.steps() {
            let wanted = conditions(&wanted);
            for address in movers(&plan) {
                prop_assert!(!wanted[&address].is_ready());
                prop_assert!(lives.lifecycle().moves == IdleMoves::NotReady || !wanted[&address].is_serving());
            }
        }
    }

    #[test]
    fn every_move_is_listed(lives in lives()) {
        for Step { plan, .. } in lives.steps() {
            let address = |at: &epcore::pack::Move| at.target.endpoints.get(at.index).unwrap().address().to_string();
            let listed: BTreeSet<String> = plan.moves().iter().map(address).collect();
            prop_assert_eq!(&listed, &movers(&plan));
            prop_assert_eq!(listed.len(), plan.stats().endpoints_moved);
        }
    }

    #[test]
    fn what_still_serves_stays_while_nothing_is_ready_throughout(lives in lives()) {
        for Step { wanted, plan } in lives.steps() {
            let (wanted, before) = (conditions(&wanted), held(&plan.prefix(0)));
            let stays_ready = |(address, now): (&String, &Conditions)| {
                now.is_ready() && before.get(address).is_some_and(|places| places[0].1.is_ready())
            };
            if !wanted.iter().any(stays_ready) {
                prop_assert!(movers(&plan).iter().all(|address| !wanted[address].is_serving()));
            }
        }
    }

    #[test]
    fn no_prefix_holds_an_address_twice_or_lacks_one_that_is_not_idle(lives in lives()) {
        for Step { wanted, plan } in lives.steps() {
            let (wanted, before) = (conditions(&wanted), held(&plan.prefix(0)));
            for writes in 0..=plan.writes().len() {
                let now = held(&plan.prefix(writes));
                prop_assert!(now.values().all(|places| places.len() == 1));
                for address in before.keys().filter(|address| wanted.get(*address).is_some_and(|now| now.is_ready())) {
                    prop_assert!(now.contains_key(address));
                }
            }
        }
    }

    #[test]
    fn a_settled_group_is_left_alone_and_a_restart_changes_nothing(lives in lives()) {
        let mut before: Vec<Arc<EndpointSlice>> = Vec::new();
        for Step { wanted, plan } in lives.steps() {
            // What an API server would list, in another order.
            let mut texts: Vec<String> =
                before.iter().map(|slice| String::from_utf8(json::write_slice(slice)).unwrap()).collect();
            texts.reverse();
            let listed = json::read_slices(format!("[{}]", texts.join(",")).as_bytes()).unwrap();
            let again = pack(&wanted, &listed, &lives.options).unwrap();
            prop_assert_eq!(json::write_plan(&again), json::write_plan(&plan));
            before = plan.result();
            prop_assert!(pack(&wanted, &before, &lives.options).unwrap().writes().is_empty());
        }
    }

    #[test]
    fn opens_no_slice_beyond_the_bound_that_could_be_done_without(lives in lives()) {
        for Step { wanted, plan } in lives.steps() {
            let dense = Options { policy: Policy::DENSE, ..lives.options.clone() };
            let needed = pack(&wanted, &plan.prefix(0), &dense).unwrap().result().len();
            let least = wanted.len().div_ceil(lives.options.max_endpoints) as f64;
            let bound = (1.0 + lives.lifecycle().spare) * least + 1.0;
            let slices = plan.result().len();
            prop_assert!(slices <= needed || slices as f64 <= bound, "{slices} {needed} {bound}");
        }
    }
}

#[test]
fn what_is_leaving_comes_together_in_a_slice_that_says_so() {
    let slice = |name: usize| {
        let endpoint = |number: usize| {
            format!(r#"{{"addresses":["10.0.{name}.{number}"],"conditions":{{"ready":true,"terminating":false}}}}"#)
        };
        let endpoints: Vec<String> = (1..=10).map(endpoint).collect();
        format!(
            r#"{{"metadata":{{"name":"web-{name}","generateName":"web-"}},"addressType":"IPv4","ports":[],"endpoints":[{}]}}"#,
            endpoints.join(",")
        )
    };
    let slices: Vec<String> = (1..=10).map(slice).collect();
    let existing = json::read_slices(format!("[{}]", slices.join(",")).as_bytes()).unwrap();
    let mut wanted = Vec::new();
    for name in 1..=10 {
        for number in 1..=10 {
            let leaves = number == 1;
            wanted.push(format!(
                r#"{{"addresses":["10.0.{name}.{number}"],"conditions":{{"ready":{},"terminating":{leaves}}}}}"#,
                !leaves
            ));
        }
    }
    let wanted = json::read_endpoints(format!("[{}]", wanted.join(",")).as_bytes()).unwrap();
    let policy = Policy::Lifecycle(Lifecycle { spare: 1.0, moves: IdleMoves::NotReady });
    let options = Options { max_endpoints: 10, policy, ..Options::default() };
    let plan = pack(&wanted, &existing, &options).unwrap();
    assert_eq!(plan.moves().len(), 10);
    let target = &plan.writes().last().unwrap().slice;
    assert_eq!(target.endpoints.len(), 10);
    assert_eq!(target.metadata.annotations["epcore/role"], "leaving");
    let rest: Vec<String> = wanted
        .iter()
        .filter(|endpoint| endpoint.conditions().is_ready())
        .map(|endpoint| String::from_utf8(json::write_endpoint(endpoint)).unwrap())
        .collect();
    let rest = json::read_endpoints(format!("[{}]", rest.join(",")).as_bytes()).unwrap();
    assert_eq!(pack(&rest, &plan.result(), &options).unwrap().writes().len(), 1);
}
