//! The plan where nothing is to do, without a look at endpoints one by one.

use std::sync::OnceLock;

use crate::model::EndpointSlice;
use crate::pack::group::Group;
use crate::pack::{Notes, Plan, Stats};

impl Group<'_> {
    /// The plan of a group whose slices hold what is wanted, and nothing that anything would be done about; `None` where that is not known. It
    /// is the plan that the general way comes to: all of the slices are clean then, nothing is new, and nothing may move.
    pub(super) fn settled_plan(&self) -> Option<Plan> {
        let options = self.options;
        let may_move = options.compaction.is_some() || options.policy.lifecycle().is_some();
        let held: usize = self.existing.iter().map(|slice| slice.endpoints.len()).sum();
        let is_possible = !may_move && self.is_large && held == self.wanted.len();
        if !is_possible || !self.is_clean() || self.is_tight() || !self.holds_what_is_wanted() {
            return None;
        }
        let slices = self.existing.len();
        let counts = Stats {
            slices_before: slices,
            slices_after: slices,
            slices_ideal: self.wanted.len().div_ceil(options.max_endpoints),
            ..Stats::default()
        };
        Some(Plan {
            writes: Vec::new(),
            moves: Vec::new(),
            counts,
            bytes: OnceLock::new(),
            before: self.existing.iter().map(|&slice| slice.clone()).collect(),
            among: None,
            notes: Notes::default(),
        })
    }

    /// True if no slice must be written, whatever its endpoints are.
    fn is_clean(&self) -> bool {
        // Without a template all slices are of one group, or the call has failed.
        let is_of_group = |slice: &EndpointSlice| self.options.template.is_none() || !self.is_foreign(slice);
        self.existing.iter().all(|slice| {
            slice.endpoints.len() <= self.options.max_endpoints && is_of_group(slice) && self.has_metadata(slice)
        })
    }

    /// True if each wanted endpoint is in one place, as it is wanted, and nothing else is anywhere.
    fn holds_what_is_wanted(&self) -> bool {
        // Of two that are wanted with one identity only one may be there.
        let Some(index) = self.wanted.index().filter(|_| self.wanted.all_have_prints()) else { return false };
        let wanted = self.wanted.prints();
        let mut is_found = vec![false; wanted.len()];
        let mut next = 0;
        for slice in &self.existing {
            let prints = slice.endpoints.prints();
            if let Some(run) = wanted.get(next..next + prints.len())
                && run == prints
            {
                let found = &mut is_found[next..next + prints.len()];
                if found.contains(&true) {
                    return false;
                }
                found.fill(true);
                next += prints.len();
                continue;
            }
            for &print in prints {
                let Some(place) = index.find_print(wanted, print).map(|place| place as usize) else { return false };
                if std::mem::replace(&mut is_found[place], true) {
                    return false;
                }
                next = place + 1;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::EndpointList;
    use crate::pack::{Compaction, Options, Policy, pack};
    use crate::wire::json;

    /// One endpoint, in one of a few forms.
    fn endpoint(number: usize, form: usize) -> String {
        let addresses = format!(r#""10.0.{}.{}""#, number >> 8, number & 255);
        let target = format!(r#""targetRef":{{"kind":"Pod","namespace":"shop","name":"web-{number}""#);
        match form {
            1 => format!(r#"{{"addresses":[{addresses}],"conditions":{{"ready":false}},{target}}}}}"#),
            2 => format!(r#"{{"addresses":[{addresses}],{target}}},"weight":1}}"#),
            3 => format!(r#"{{"addresses":[{addresses},"10.1.0.{}"],{target}}}}}"#, number & 127),
            4 => format!(r#"{{"addresses":["10.1.0.{}",{addresses}],{target}}}}}"#, number & 127),
            5 => format!(r#"{{"addresses":[{addresses}],{target},"resourceVersion":"7"}}}}"#),
            6 => format!(r#"{{"addresses":[{addresses}],{target}}},"hostname":"h"}}"#),
            7 => format!(r#"{{"addresses":[{addresses}],"targetRef":{{"kind":"Pod","name":"other"}}}}"#),
            8 => format!(r#"{{"addresses":[{addresses}],{target},"uid":"{}"}}}}"#, "u".repeat(800)),
            _ => format!(r#"{{"addresses":[{addresses}],{target},"uid":"u{number}"}},"nodeName":"n","zone":"z"}}"#),
        }
    }

    fn listed(endpoints: &[(usize, usize)]) -> String {
        endpoints.iter().map(|&(number, form)| endpoint(number, form)).collect::<Vec<_>>().join(",")
    }

    fn wanted(endpoints: &[(usize, usize)]) -> EndpointList {
        json::read_endpoints(format!("[{}]", listed(endpoints)).as_bytes()).expect("endpoints")
    }

    fn slice(name: usize, label: usize, endpoints: &[(usize, usize)]) -> String {
        format!(
            r#"{{"metadata":{{"name":"web-{name}","generateName":"web-","namespace":"shop","labels":{{"kubernetes.io/service-name":"web","tier":"{label}"}}}},
                "addressType":"IPv4","ports":[{{"name":"http","port":80}}],"endpoints":[{}]}}"#,
            listed(endpoints),
        )
    }

    fn slices(of: &[Vec<(usize, usize)>]) -> Vec<Arc<EndpointSlice>> {
        let texts: Vec<String> =
            of.iter().enumerate().map(|(at, endpoints)| slice(at * 7 % 10, 0, endpoints)).collect();
        json::read_slices(format!("[{}]", texts.join(",")).as_bytes()).expect("slices")
    }

    /// The plan, and the one that looks at each endpoint.
    fn both(wanted: &EndpointList, existing: &[Arc<EndpointSlice>], options: &Options) -> [String; 2] {
        let fast = pack(wanted, existing, options);
        let plain = Group::read(wanted, existing, options).and_then(|mut group| {
            group.is_large = false;
            crate::pack::solved(group, options, options.policy == Policy::Upstream)
        });
        [fast, plain].map(|plan| format!("{plan:?}"))
    }

    /// What is there and what is wanted: the same but for some edits, in another order.
    #[derive(Clone, Debug)]
    struct Case {
        held: Vec<Vec<(usize, usize)>>,
        wanted: Vec<(usize, usize)>,
    }

    fn case() -> impl Strategy<Value = Case> {
        let edit = (0usize..6, any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0usize..10);
        (64usize..150, prop::collection::vec(edit, 0..3), 0usize..3, 1usize..60).prop_map(
            |(count, edits, order, chunk)| {
                let mut wanted: Vec<(usize, usize)> = (0..count).map(|number| (number, 0)).collect();
                let mut held: Vec<Vec<(usize, usize)>> = wanted.chunks(chunk).map(<[_]>::to_vec).collect();
                for (what, one, other, form) in edits {
                    let (at, slice) = (one.index(wanted.len()), other.index(held.len()));
                    match what {
                        0 => wanted[at].1 = form,
                        1 => wanted.push((wanted[at].0, form)),
                        2 => drop(wanted.swap_remove(at)),
                        3 => held[slice].push((wanted[at].0, form)),
                        4 => {
                            let (of, place) = (one.index(held.len()), 0);
                            if !held[of].is_empty() {
                                held[of][place].1 = form;
                                wanted[at].1 = form;
                            }
                        }
                        _ => drop(held[slice].pop()),
                    }
                }
                match order {
                    0 => {}
                    1 => wanted.reverse(),
                    _ => held.rotate_left(1),
                }
                Case { held, wanted }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        #[test]
        fn many_endpoints_are_planned_as_if_each_was_looked_at(case in case(), policy in 0usize..4, most in 20usize..120) {
            let policy = [Policy::BALANCED, Policy::Upstream, Policy::LIFECYCLE, Policy::DENSE][policy];
            let compaction = (most % 3 == 0).then(Compaction::default);
            let options = Options { policy, compaction, max_endpoints: most, ..Options::default() };
            let [fast, plain] = both(&wanted(&case.wanted), &slices(&case.held), &options);
            prop_assert_eq!(fast, plain);
        }
    }

    #[test]
    fn nothing_is_settled_that_the_limits_forbid() {
        let all: Vec<(usize, usize)> = (0..100).map(|number| (number, 0)).collect();
        let (list, there) = (wanted(&all), slices(&[all[..60].to_vec(), all[60..].to_vec()]));
        let template = json::read_slices(format!("[{}]", slice(0, 1, &[])).as_bytes()).expect("a slice");
        let settled =
            |options: &Options| Group::read(&list, &there, options).is_ok_and(|group| group.settled_plan().is_some());
        assert!(settled(&Options::default()));
        let others = [
            Options { max_endpoints: 59, ..Options::default() },
            Options { max_bytes: 9_000, ..Options::default() },
            Options { compaction: Some(Compaction::default()), ..Options::default() },
            Options { policy: Policy::LIFECYCLE, ..Options::default() },
            Options { template: Some(template[0].clone()), ..Options::default() },
        ];
        for options in others {
            assert!(!settled(&options), "{options:?}");
            let [fast, plain] = both(&list, &there, &options);
            assert_eq!(fast, plain);
        }
    }
}
