//! The plan where nothing is to do, without a look at endpoints one by one, nor at slices whose summary is known.

use std::borrow::Borrow;
use std::sync::{Arc, OnceLock};

use crate::Error;
use crate::model::{EndpointList, EndpointSlice};
use crate::pack::canonical::canonical_order;
use crate::pack::group::Group;
use crate::pack::summary::Summary;
use crate::pack::walk::Order;
use crate::pack::{Notes, Options, Plan, Stats, pack};

/// Existing slices, with what was found out about all of them, so that the next plan with them need not look at each again.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use epcore::pack::{Existing, Options};
/// use epcore::wire::json;
///
/// let slices = json::read_slices(br#"{"metadata": {"name": "db-1"}, "addressType": "IPv4", "ports": [],
///     "endpoints": [{"addresses": ["10.0.0.1"]}]}"#)?;
/// let existing = Existing::from(Arc::new(slices));
/// let wanted = json::read_endpoints(br#"[{"addresses": ["10.0.0.1"]}]"#)?;
/// assert!(existing.pack(&wanted, &Options::default())?.writes().is_empty());
/// # Ok::<(), epcore::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Existing {
    slices: Arc<Vec<Arc<EndpointSlice>>>,
    /// Those that count, in canonical order.
    in_order: OnceLock<Arc<Vec<Arc<EndpointSlice>>>>,
    /// Of these; `None` where they are not of one group.
    summary: OnceLock<Option<Summary>>,
}

impl From<Arc<Vec<Arc<EndpointSlice>>>> for Existing {
    fn from(slices: Arc<Vec<Arc<EndpointSlice>>>) -> Self {
        Self { slices, ..Self::default() }
    }
}

impl From<Vec<Arc<EndpointSlice>>> for Existing {
    fn from(slices: Vec<Arc<EndpointSlice>>) -> Self {
        Arc::new(slices).into()
    }
}

impl From<&[Arc<EndpointSlice>]> for Existing {
    fn from(slices: &[Arc<EndpointSlice>]) -> Self {
        slices.to_vec().into()
    }
}

impl Existing {
    /// All slices, also those that do not count.
    #[must_use]
    pub fn slices(&self) -> &Arc<Vec<Arc<EndpointSlice>>> {
        &self.slices
    }

    /// The plan of [`pack`]. Where nothing is to do it costs what one slice does, however many there are, once the first plan with these slices
    /// and the first with these endpoints have looked at each.
    ///
    /// # Errors
    ///
    /// As [`pack`].
    pub fn pack(&self, wanted: &EndpointList, options: &Options) -> Result<Plan, Error> {
        match self.settled_plan(wanted, options) {
            Some(plan) => Ok(plan),
            None => pack(wanted, &self.slices, options),
        }
    }

    /// The plan where nothing is to do. One slice stands for all; where it is refused, the whole tells why.
    pub(crate) fn settled_plan(&self, wanted: &EndpointList, options: &Options) -> Option<Plan> {
        let (in_order, summary) = (self.in_order(), self.summary()?);
        let group = Group::read(wanted, in_order.get(..1)?, options).ok()?;
        group.is_settled(summary, in_order).then(|| group.plan_of_nothing(in_order.clone()))
    }

    /// The slices that count, in canonical order.
    pub(crate) fn in_order(&self) -> &Arc<Vec<Arc<EndpointSlice>>> {
        self.in_order.get_or_init(|| {
            let ordered = canonical_order(&self.slices);
            if ordered.len() == self.slices.len() && ordered.iter().enumerate().all(|(place, (at, _))| place == *at) {
                return self.slices.clone();
            }
            Arc::new(ordered.into_iter().map(|(_, slice)| slice.clone()).collect())
        })
    }

    /// One of the slices, where each counts, and what it is they all are: its namespace, Service and writer, owners, address type and ports.
    pub(crate) fn model(&self) -> Option<&EndpointSlice> {
        let all_count = self.in_order().len() == self.slices.len();
        self.summary().filter(|summary| all_count && summary.have_one_set_of_annotations)?;
        self.in_order().first().map(|first| &**first)
    }

    fn summary(&self) -> Option<&Summary> {
        self.summary.get_or_init(|| Summary::of(self.in_order())).as_ref()
    }
}

impl Group<'_> {
    /// The plan of a group whose slices hold what is wanted, and nothing that anything would be done about; `None` where that is not known.
    pub(super) fn settled_plan(&self) -> Option<Plan> {
        let held: usize = self.existing.iter().map(|slice| slice.endpoints.len()).sum();
        if !self.may_be_settled(held) || !self.is_settled(&Summary::of(&self.existing)?, &self.existing) {
            return None;
        }
        Some(self.plan_of_nothing(Arc::new(self.existing.iter().map(|&slice| slice.clone()).collect())))
    }

    fn may_be_settled(&self, held: usize) -> bool {
        let may_move = self.options.compaction.is_some() || self.options.policy.lifecycle().is_some();
        !may_move && self.is_large && held == self.wanted.len()
    }

    /// True if slices like this group's first one hold what is wanted, and the general way would come to no write: all of them are clean, nothing
    /// is new, and nothing may move.
    fn is_settled(&self, all: &Summary, slices: &[impl Borrow<Arc<EndpointSlice>>]) -> bool {
        let Some(first) = self.existing.first().filter(|_| self.may_be_settled(all.endpoints)) else { return false };
        // Without a template all slices are of one group, or the call has failed.
        let has_labels = self.options.template.is_none() || (all.have_one_set_of_labels && !self.is_foreign(first));
        let has_metadata = has_labels
            && (all.have_one_set_of_annotations || !self.options.whole_metadata)
            && !all.is_one_moving
            && self.has_metadata(first);
        // Of two that are wanted with one identity only one may be there.
        has_metadata
            && all.most_endpoints <= self.options.max_endpoints
            && !self.is_tight(&all.bounds)
            && self.is_held(all, slices)
            && self.wanted.has_no_twins()
    }

    /// True if the slices hold what is wanted, in any order.
    fn is_held(&self, all: &Summary, slices: &[impl Borrow<Arc<EndpointSlice>>]) -> bool {
        // Who asks only once need not know prints.
        let order = if self.wanted.is_new() { self.compared(slices) } else { Order::Other };
        match order {
            Order::Same => true,
            Order::Changed => false,
            Order::Other => all.digest(slices).is_some_and(|digest| self.wanted.digest() == Some(digest)),
        }
    }

    fn plan_of_nothing(&self, before: Arc<Vec<Arc<EndpointSlice>>>) -> Plan {
        let counts = Stats {
            slices_before: before.len(),
            slices_after: before.len(),
            slices_ideal: self.wanted.len().div_ceil(self.options.max_endpoints),
            ..Stats::default()
        };
        Plan {
            writes: Vec::new(),
            moves: Vec::new(),
            counts,
            bytes: OnceLock::new(),
            before,
            among: None,
            notes: Notes::default(),
        }
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
        let far = if number < 200 { 0 } else { 9 };
        let addresses = format!(r#""10.{far}.{}.{}""#, number >> 8, number & 255);
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

    /// One of them may not be like the others.
    fn slices(of: &[Vec<(usize, usize)>], odd: Option<(usize, usize)>) -> Vec<Arc<EndpointSlice>> {
        const EDITS: [(&str, &str); 8] = [
            (r#""tier":"0""#, r#""tier":"1""#),
            (r#""port":80"#, r#""port":81"#),
            (r#""namespace":"shop","labels""#, r#""namespace":"other","labels""#),
            (r#"service-name":"web""#, r#"service-name":"other""#),
            (r#""generateName""#, r#""deletionTimestamp":"2026-01-02T03:04:05Z","generateName""#),
            (r#""generateName""#, r#""annotations":{"epcore/moving":"true"},"generateName""#),
            (r#""generateName""#, r#""annotations":{"a":"b"},"generateName""#),
            (r#""tier":"0""#, r#""tier":"0","endpointslice.kubernetes.io/managed-by":"me""#),
        ];
        let text = |(at, endpoints): (usize, &Vec<(usize, usize)>)| {
            let text = slice(at * 7 % 10, 0, endpoints);
            let edit = odd.filter(|(place, _)| *place == at).and_then(|(_, edit)| EDITS.get(edit));
            edit.map_or(text.clone(), |(from, to)| text.replacen(from, to, 1))
        };
        let texts: Vec<String> = of.iter().enumerate().map(text).collect();
        json::read_slices(format!("[{}]", texts.join(",")).as_bytes()).expect("slices")
    }

    /// The plan of lists that no call has asked anything yet, those of slices of which a summary is kept, that of lists with prints, and first the
    /// one that looks at each endpoint by itself.
    fn all_ways(wanted: &EndpointList, existing: &[Arc<EndpointSlice>], options: &Options) -> [String; 5] {
        // Copies know nothing of themselves.
        let new = || -> Vec<_> { existing.iter().map(|slice| Arc::new(EndpointSlice::clone(slice))).collect() };
        let fast = pack(&wanted.clone(), &new(), options);
        let (kept, list) = (Existing::from(Arc::new(new())), wanted.clone());
        let [first, again] = [(), ()].map(|()| kept.pack(&list, options));
        let (known, list) = (new(), wanted.clone());
        known
            .iter()
            .map(|slice| &slice.endpoints)
            .chain([&list])
            .for_each(|list| assert_eq!(list.prints().len(), list.len()));
        let printed = pack(&list, &known, options);
        let plain = Group::read(wanted, existing, options).and_then(|mut group| {
            group.is_large = false;
            crate::pack::solved(group, options, options.policy == Policy::Upstream)
        });
        [plain, fast, first, again, printed].map(|plan| format!("{plan:?}"))
    }

    /// What is there and what is wanted: the same but for some edits, in another order.
    #[derive(Clone, Debug)]
    struct Case {
        held: Vec<Vec<(usize, usize)>>,
        wanted: Vec<(usize, usize)>,
    }

    fn case() -> impl Strategy<Value = Case> {
        let edit = (0usize..13, any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0usize..10);
        (64usize..200, prop::collection::vec(edit, 0..6), 0usize..8, 1usize..60).prop_map(
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
                        5 => drop(held[slice].pop()),
                        // In order, but for these.
                        6 => drop(wanted.remove(at)),
                        7 => wanted.insert(at, (count + at, form)),
                        8 => {
                            let twin = (wanted[at].0, form);
                            wanted.insert(other.index(wanted.len()), twin);
                        }
                        9 => {
                            let next = (at + 1 + form) % wanted.len();
                            wanted.swap(at, next);
                        }
                        10 => wanted[at].0 += count,
                        11 => {
                            let twin = wanted[at];
                            wanted.push(twin);
                            if let Some(last) = held.last_mut() {
                                last.push(twin);
                            }
                        }
                        _ => {
                            let (moved, to) = (held[slice].pop(), one.index(held.len()));
                            held[to].extend(moved);
                        }
                    }
                }
                match order {
                    1 => wanted.reverse(),
                    2 => held.rotate_left(1),
                    3 => wanted[count / 2 - 10..].reverse(),
                    _ => {}
                }
                Case { held, wanted }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn many_endpoints_are_planned_as_if_each_was_looked_at(
            case in case(),
            policy in 0usize..4,
            most in 20usize..120,
            odd in prop::option::of((0usize..3, 0usize..8)),
            has_template: bool,
            whole_metadata: bool,
        ) {
            let policy = [Policy::BALANCED, Policy::Upstream, Policy::LIFECYCLE, Policy::DENSE][policy];
            let compaction = (most % 3 == 0).then(Compaction::default);
            let template = has_template.then(|| slices(&[vec![]], None).remove(0));
            let options = Options { policy, compaction, max_endpoints: most, template, whole_metadata, ..Options::default() };
            let [plain, others @ ..] = all_ways(&wanted(&case.wanted), &slices(&case.held, odd), &options);
            for other in others {
                prop_assert_eq!(&other, &plain);
            }
        }
    }

    #[test]
    fn what_is_wanted_and_held_twice_is_held_once() {
        for twin in [5, 99, 400] {
            let mut all: Vec<(usize, usize)> = (0..99).map(|number| (number, 0)).collect();
            all.extend([(twin, 0), (twin, 0)]);
            let (list, there) = (wanted(&all), slices(&[all[..60].to_vec(), all[60..].to_vec()], None));
            let [plain, others @ ..] = all_ways(&list, &there, &Options::default());
            assert!(others.iter().all(|other| *other == plain));
            assert_eq!(pack(&list.clone(), &there, &Options::default()).expect("a plan").writes().len(), 1);
        }
    }

    #[test]
    fn prints_are_made_for_another_order_and_for_who_asks_again() {
        let all: Vec<(usize, usize)> = (0..100).map(|number| (number, 0)).collect();
        let there = slices(&[all[..60].to_vec(), all[60..].to_vec()], None);
        let writes = |list: &EndpointList| pack(list, &there, &Options::default()).expect("a plan").writes().len();
        let mut other = all.clone();
        other[50].1 = 1;
        other.remove(40);
        other.insert(20, (100, 0));
        let (same, other, reversed) =
            (wanted(&all), wanted(&other), wanted(&all.into_iter().rev().collect::<Vec<_>>()));
        assert_eq!([&same, &other, &reversed].map(writes), [0, 1, 0]);
        assert_eq!([&same, &other, &reversed].map(EndpointList::has_prints), [false, false, true]);
        assert_eq!([&same, &other].map(writes), [0, 1]);
        assert_eq!([&same, &other].map(EndpointList::has_prints), [true, true]);
    }

    #[test]
    fn nothing_is_settled_that_the_limits_forbid() {
        let all: Vec<(usize, usize)> = (0..100).map(|number| (number, 0)).collect();
        let (list, there) = (wanted(&all), slices(&[all[..60].to_vec(), all[60..].to_vec()], None));
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
        let kept = Existing::from(Arc::new(there.clone()));
        for options in others {
            assert!(!settled(&options), "{options:?}");
            assert!(kept.pack(&list, &Options::default()).is_ok_and(|plan| plan.writes().is_empty()));
            assert_eq!(
                format!("{:?}", kept.pack(&list, &options)),
                format!("{:?}", pack(&list, &there, &options)),
                "what is known is known whatever the options"
            );
            let [plain, others @ ..] = all_ways(&list, &there, &options);
            assert!(others.iter().all(|other| *other == plain), "{options:?}");
        }
    }
}
