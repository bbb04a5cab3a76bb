//! The order of the writes of a plan, beside all orders that there are.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use epcore::model::{EndpointRef, EndpointSlice};
use epcore::pack::{Options, Plan, Verb, Write, pack};
use epcore::wire::json;
use proptest::prelude::*;

/// Address, target, and whether it is ready.
type Spec = (u8, u8, bool);
/// Address and target.
type Key = (String, String);
/// The endpoints of a slice, and whether each is ready.
type Endpoints = Vec<(Key, bool)>;
/// Those of each slice.
type Held = BTreeMap<String, Endpoints>;

fn list(specs: &[Spec]) -> String {
    let endpoint = |(address, target, ready): &Spec| {
        format!(
            r#"{{"addresses":["10.0.0.{address}"],"conditions":{{"ready":{ready}}},"targetRef":{{"kind":"Pod","name":"web-{target}"}}}}"#
        )
    };
    format!("[{}]", specs.iter().map(endpoint).collect::<Vec<_>>().join(","))
}

/// What is wanted, the slices that are there, of which none is the third to hold an endpoint, and how many a slice may hold.
#[derive(Clone, Debug)]
struct Case {
    wanted: Vec<Spec>,
    slices: Vec<Vec<Spec>>,
    most: usize,
}

fn case() -> impl Strategy<Value = Case> {
    // Most stay and are ready at last; some go, and of some another target has the address.
    let fate = prop_oneof![4 => Just(Some(0u8)), 1 => Just(None), 2 => (1u8..3).prop_map(Some)];
    let spec = ((0u8..6, 0u8..2, any::<bool>()), fate);
    let slices = prop::collection::vec(prop::collection::vec(spec, 1..6), 2..5);
    (slices, 2usize..5).prop_map(|(slices, most)| {
        let (mut count, mut wanted) = (BTreeMap::new(), BTreeMap::new());
        let mut held = |slice: Vec<(Spec, Option<u8>)>| {
            let few = slice.into_iter().filter(|((address, target, _), fate)| {
                let count = count.entry((*address, *target)).or_insert(0);
                *count += 1;
                if let Some(other) = fate {
                    wanted.insert((*address, target + 2 * other), true);
                }
                *count <= 2
            });
            few.map(|(spec, _)| spec).collect()
        };
        let slices = slices.into_iter().map(&mut held).collect();
        let wanted = wanted.into_iter().map(|((address, target), ready)| (address, target, ready)).collect();
        Case { wanted, slices, most }
    })
}

impl Case {
    fn plan(&self) -> Plan {
        let slice = |(number, specs): (usize, &Vec<Spec>)| {
            format!(
                r#"{{"metadata":{{"name":"web-{number}"}},"addressType":"IPv4","ports":[{{"port":80}}],"endpoints":{}}}"#,
                list(specs)
            )
        };
        let slices: Vec<String> = self.slices.iter().enumerate().map(slice).collect();
        let slices = json::read_slices(format!("[{}]", slices.join(",")).as_bytes()).unwrap();
        let options = Options { max_endpoints: self.most, ..Options::default() };
        pack(&json::read_endpoints(list(&self.wanted).as_bytes()).unwrap(), &slices, &options).unwrap()
    }
}

fn endpoints(slice: &EndpointSlice) -> Endpoints {
    let endpoint = |endpoint: EndpointRef<'_>| {
        let target = endpoint.target_ref().unwrap_or_default().name.to_owned();
        ((endpoint.address().to_string(), target), endpoint.conditions().ready() != Some(false))
    };
    slice.endpoints.iter().map(endpoint).collect()
}

fn held(slices: &[Arc<EndpointSlice>]) -> Held {
    slices.iter().map(|slice| (slice.metadata.name.clone(), endpoints(slice))).collect()
}

fn keys(held: &Held, is_ready: bool) -> BTreeSet<Key> {
    let all = held.values().flatten().filter(|(_, ready)| *ready || !is_ready);
    all.map(|(key, _)| key.clone()).collect()
}

/// All orders of so many writes.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let with_last = |order: Vec<usize>| {
        (0..=order.len()).map(move |at| [&order[..at], &[last], &order[at..]].concat()).collect::<Vec<_>>()
    };
    orders(last).into_iter().flat_map(with_last).collect()
}

/// Who is there, or ready, at the beginning and at the end, and not after each write of an order.
fn gaps(start: &Held, writes: &[(String, Option<Endpoints>)], order: &[usize], is_ready: bool) -> BTreeSet<Key> {
    let mut now = start.clone();
    let mut seen = vec![keys(start, is_ready)];
    for &at in order {
        let (name, after) = &writes[at];
        match after {
            Some(endpoints) => drop(now.insert(name.clone(), endpoints.clone())),
            None => drop(now.remove(name)),
        }
        seen.push(keys(&now, is_ready));
    }
    let stay: BTreeSet<Key> = seen[0].intersection(&seen[order.len()]).cloned().collect();
    stay.into_iter().filter(|key| seen.iter().any(|keys| !keys.contains(key))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_survivor_is_without_traffic_for_a_write_where_some_order_avoids_it(case in case()) {
        let plan = case.plan();
        // An endpoint that moves is in its new place first, whatever others hold.
        if plan.writes().len() > 6 || !plan.moves().is_empty() {
            return Ok(());
        }
        let write = |(number, write): (usize, &Write)| {
            let slice = write.slice.whole();
            let name = if slice.metadata.name.is_empty() { format!("new-{number}") } else { slice.metadata.name.clone() };
            (name, (write.verb != Verb::Delete).then(|| endpoints(slice)))
        };
        let writes: Vec<_> = plan.writes().iter().enumerate().map(write).collect();
        let start = held(&plan.prefix(0));
        let own: Vec<usize> = (0..writes.len()).collect();
        prop_assert!(gaps(&start, &writes, &own, false).is_empty(), "somebody is missing");
        let without = gaps(&start, &writes, &own, true);
        let avoids_it = |order: &Vec<usize>| [false, true].iter().all(|ready| gaps(&start, &writes, order, *ready).is_empty());
        prop_assert!(without.is_empty() || !orders(writes.len()).iter().any(avoids_it), "{without:?}\n{plan}");
    }
}
