//! What each service port has on each side.

use std::collections::BTreeMap;

use crate::diff::fold::{Entry, Fold};
use crate::diff::transition::{Counts, ServicePort, Transition};

/// What the groups of a fold have on each side.
pub(super) struct Tally(Vec<[Counts; 2]>);

impl Tally {
    /// That of `others` alone: endpoints that the fold has not, each held once by a slice on each side.
    pub(super) fn of(fold: &mut Fold<'_>, others: &[(u32, [Counts; 2])]) -> Self {
        let mut tally = Self(vec![Default::default(); fold.groups.len()]);
        for (slice, counts) in others {
            for &(_, group) in fold.groups.of(1, *slice) {
                tally.0[group as usize].iter_mut().zip(counts).for_each(|(sum, count)| sum.join(*count));
            }
        }
        tally
    }

    /// Add what stands at the places of an entry.
    pub(super) fn add(&mut self, fold: &Fold<'_>, entry: &Entry) {
        for (side, place) in entry.places.iter().enumerate() {
            if let Some(place) = *place {
                self.0[entry.group as usize][side].add(fold.side(side, place).endpoint);
            }
        }
    }

    /// The service ports that went from or to nothing.
    pub(super) fn transitions(self, fold: &Fold<'_>) -> Vec<Transition> {
        let mut counts: BTreeMap<ServicePort<'_>, [Counts; 2]> = BTreeMap::new();
        for (&(namespace, service, _), port, group) in fold.groups.iter() {
            let Some((name, protocol, _)) = *port else { continue };
            let total = counts.entry([namespace, service, name, protocol]).or_default();
            for (sum, count) in total.iter_mut().zip(self.0[group as usize]) {
                sum.join(count);
            }
        }
        counts.into_iter().filter_map(|(port, [before, after])| Transition::between(port, before, after)).collect()
    }
}
