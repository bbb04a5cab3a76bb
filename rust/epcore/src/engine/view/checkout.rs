//! What is handed out of a view: what changed since the last time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::{Equivalent, HashMap};

use crate::diff::{Counts, Delta, Fields, Held, Key, Options, ServicePort, Transition, TriggerTime, port_of};
use crate::engine::versions::Name;
use crate::engine::view::{View, service_of};
use crate::model::{EndpointRef, EndpointSlice};

/// A [`ServicePort`], to look up what is known of it.
#[derive(PartialEq, Eq, Hash)]
struct PortRef<'a>(ServicePort<'a>);

impl Equivalent<[String; 4]> for PortRef<'_> {
    fn equivalent(&self, port: &[String; 4]) -> bool {
        self.0 == *port
    }
}

impl View {
    /// What changed for each endpoint since the last checkout.
    pub fn checkout(&mut self) -> Delta {
        self.told(None)
    }

    /// What changed for each endpoint since the last checkout, at a time on any clock that does not go back.
    pub fn checkout_at(&mut self, now: Duration) -> Delta {
        self.told(Some(now))
    }

    fn told(&mut self, now: Option<Duration>) -> Delta {
        let (before, after) = self.changed();
        let counted = Options { key: Key::AddressPort, fields: Fields::Proxy };
        let is_counted = self.counts_what_it_tells();
        // Whoever interrupts the work finds everything as it was before.
        let mut delta = Delta::of_some(&before, &after, self.options);
        let mut other = (!is_counted).then(|| Delta::of_some(&before, &after, counted));
        let now = self.pass_to(now);
        if let Some([first, second]) = &mut self.held {
            delta.hold(first, now);
            if let Some(other) = &mut other {
                other.hold(second, now);
            }
        }
        self.held.take_if(|held| held[0].time.is_zero());
        delta.transitions = self.count(other.as_ref().unwrap_or(&delta));
        delta.trigger_times = self.trigger_times();
        self.pending.clear();
        self.pending_of.clear();
        self.beside.clear();
        delta
    }

    /// Let time pass; tells what it is.
    fn pass_to(&mut self, now: Option<Duration>) -> Duration {
        if let (None, Some(start)) = (self.now, now) {
            self.held.iter_mut().flatten().for_each(|held| held.date(start));
        }
        self.now = self.now.max(now);
        self.now.unwrap_or_default()
    }

    /// What is handed out tells what each service port has.
    fn counts_what_it_tells(&self) -> bool {
        self.options.key == Key::AddressPort && self.options.fields >= Fields::Proxy
    }

    /// Removals that are kept back, by port; those of a snapshot are not where the view keeps none.
    pub(super) fn kept_back(&self) -> Option<&Held> {
        let held = self.held.as_ref()?;
        Some(&held[usize::from(!self.counts_what_it_tells())]).filter(|held| !held.time.is_zero())
    }

    /// True if something was taken in that may change what was handed out.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        // What a snapshot kept back and the view does not is told next.
        !self.pending.is_empty() || self.held.as_ref().is_some_and(|held| held[0].time.is_zero())
    }

    /// The slices that changed, before and after, and on both sides those that hold the same endpoints. One that went and is back is looked at
    /// too, be it the same object: it may have another number than it had when something beside it changed.
    fn changed(&self) -> (Vec<Arc<EndpointSlice>>, Vec<Arc<EndpointSlice>>) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let mut numbers = BTreeSet::new();
        for (name, old) in &self.pending {
            let number = self.slices.number(name);
            let new = number.and_then(|number| self.slices.at(number));
            numbers.extend(number);
            before.extend(old.iter().cloned());
            after.extend(new.cloned());
        }
        for number in self.beside.difference(&numbers) {
            if let Some(slice) = self.slices.at(*number) {
                before.push(slice.clone());
                after.push(slice.clone());
            }
        }
        (before, after)
    }

    fn trigger_times(&self) -> Vec<TriggerTime> {
        let mut times = BTreeSet::new();
        for (name, old) in &self.pending {
            let Some(new) = self.slices.get(name) else { continue };
            let time = new.metadata.trigger_time();
            if !time.is_empty() && old.as_ref().is_none_or(|old| old.metadata.trigger_time() != time) {
                let (namespace, service) = service_of(new).owned();
                times.insert(TriggerTime { namespace, service, time: time.to_owned() });
            }
        }
        times.into_iter().collect()
    }

    /// Bring the counts of service ports up to date, and tell which went from or to nothing.
    fn count(&mut self, delta: &Delta) -> Vec<Transition> {
        // What each had, and has.
        let mut found: HashMap<ServicePort<'_>, [Counts; 2]> = HashMap::new();
        for change in delta.all() {
            let Some(port) = change.service_port() else { continue };
            let [_, counts] = found.entry(port).or_insert_with(|| [self.counts_of(port); 2]);
            if let Some(endpoint) = endpoint_at(change.before()) {
                counts.remove(endpoint);
            }
            if let Some(endpoint) = endpoint_at(change.after()) {
                counts.add(endpoint);
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_unstable_by_key(|(port, _)| *port);
        let mut transitions = Vec::new();
        for (port, [before, after]) in found {
            self.set_counts(port, after);
            transitions.extend(Transition::between(port, before, after));
        }
        transitions
    }

    fn counts_of(&self, port: ServicePort<'_>) -> Counts {
        self.counts.get(&PortRef(port)).copied().unwrap_or_default()
    }

    fn set_counts(&mut self, port: ServicePort<'_>, counts: Counts) {
        if counts.is_empty() {
            self.counts.remove(&PortRef(port));
        } else if let Some(known) = self.counts.get_mut(&PortRef(port)) {
            *known = counts;
        } else {
            self.counts.insert(port.map(str::to_owned), counts);
        }
    }

    /// Add what is kept back to the counts of service ports.
    pub(super) fn count_kept_back(&mut self) {
        let held = self.held.iter().flat_map(|held| held[usize::from(!self.counts_what_it_tells())].entries());
        let entries: Vec<_> = held.map(|(slice, place)| (slice.clone(), place)).collect();
        for (slice, place) in entries {
            let Some((name, protocol, _)) = port_of(&slice, place.port) else { continue };
            let port = [&*slice.metadata.namespace, slice.metadata.service(), name, protocol];
            let mut counts = self.counts_of(port);
            if let Some(endpoint) = slice.endpoints.get(place.endpoint as usize) {
                counts.add(endpoint);
            }
            self.set_counts(port, counts);
        }
    }

    /// What a snapshot has beside the slices: each slice that changed since the last checkout, as it was then.
    pub(crate) fn pending(&self) -> impl Iterator<Item = (&Name, &Option<Arc<EndpointSlice>>)> {
        self.pending.iter()
    }

    /// And what is kept back, each endpoint in a slice of its own: of what is handed out, and of what is counted where that is something else.
    pub(crate) fn kept_alone(&self) -> [Vec<EndpointSlice>; 2] {
        self.held.as_ref().map(|held| [&held[0], &held[1]].map(Held::alone)).unwrap_or_default()
    }
}

fn endpoint_at(place: Option<(&Arc<EndpointSlice>, usize)>) -> Option<EndpointRef<'_>> {
    let (slice, index) = place?;
    slice.endpoints.get(index)
}
