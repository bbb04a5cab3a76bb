//! The result of a diff.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::diff::fold::{Fold, FullKey, Groups, Place, Who, concerned, full_key, side};
use crate::diff::mask::{Fields, Reasons};
use crate::diff::{Key, Options};
use crate::interrupt::point;
use crate::model::{EndpointRef, EndpointSlice};

/// One changed entry, by its places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Changed {
    before: Option<Place>,
    after: Option<Place>,
    reasons: Reasons,
}

impl Changed {
    fn full_key<'a>(&self, before: &'a [Arc<EndpointSlice>], after: &'a [Arc<EndpointSlice>], key: Key) -> FullKey<'a> {
        match (self.after, self.before) {
            (Some(place), _) => full_key(after, place, key),
            (None, Some(place)) => full_key(before, place, key),
            (None, None) => unreachable!("a change has a side"),
        }
    }
}

/// Entries that were removed and not yet told, by key: the slice that held each, where, and since when it is gone.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// How long a removal is kept back.
    pub(crate) time: Duration,
    entries: BTreeMap<String, (Arc<EndpointSlice>, Place, Duration)>,
}

impl Held {
    pub(crate) fn new(time: Duration) -> Self {
        Self { time, entries: BTreeMap::new() }
    }

    /// The entries, each with the slice that held it and its place there.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Arc<EndpointSlice>, Place)> {
        self.entries.values().map(|(slice, place, _)| (slice, *place))
    }

    /// When the first of them is due.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.entries.values().map(|(_, _, since)| *since + self.time).min()
    }
}

/// What kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No slice held it.
    Added,
    /// No slice holds it any more.
    Removed,
    /// A field changed.
    Updated,
    /// Only the slice changed.
    Moved,
}

/// What changed for each endpoint. Everything is sorted by key.
#[derive(Debug)]
pub struct Delta {
    before: Vec<Arc<EndpointSlice>>,
    after: Vec<Arc<EndpointSlice>>,
    key: Key,
    changes: [Vec<Changed>; 4],
    pub(crate) transitions: Vec<Transition>,
    pub(crate) trigger_times: Vec<TriggerTime>,
}

/// When that happened which led to the write of a slice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TriggerTime {
    /// Namespace.
    pub namespace: String,
    /// Service.
    pub service: String,
    /// RFC 3339.
    pub time: String,
}

/// A service port that went from no endpoint, or none that is ready, to some, or back; or whose hints became complete, or no longer are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Namespace.
    pub namespace: String,
    /// Service.
    pub service: String,
    /// Name of the port.
    pub port_name: String,
    /// Protocol.
    pub protocol: String,
    /// Endpoints before.
    pub endpoints_before: usize,
    /// Endpoints after.
    pub endpoints_after: usize,
    /// Ready endpoints before.
    pub ready_before: usize,
    /// Ready endpoints after.
    pub ready_after: usize,
    /// Every ready endpoint had hints before, and there was one: only then do proxies follow them.
    pub hints_complete_before: bool,
    /// The same after.
    pub hints_complete_after: bool,
}

/// What a service port has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    endpoints: usize,
    ready: usize,
    /// Ready endpoints that have hints.
    hinted: usize,
}

impl Counts {
    pub(crate) fn add(&mut self, endpoint: EndpointRef<'_>) {
        let is_ready = endpoint.conditions().is_ready();
        self.endpoints += 1;
        self.ready += usize::from(is_ready);
        self.hinted += usize::from(is_ready && endpoint.hints().is_some());
    }

    pub(crate) fn remove(&mut self, endpoint: EndpointRef<'_>) {
        let is_ready = endpoint.conditions().is_ready();
        self.endpoints = self.endpoints.saturating_sub(1);
        self.ready = self.ready.saturating_sub(usize::from(is_ready));
        self.hinted = self.hinted.saturating_sub(usize::from(is_ready && endpoint.hints().is_some()));
    }

    fn join(&mut self, other: Self) {
        self.endpoints += other.endpoints;
        self.ready += other.ready;
        self.hinted += other.hinted;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.endpoints == 0
    }

    fn has_complete_hints(self) -> bool {
        self.ready > 0 && self.hinted == self.ready
    }
}

/// Namespace, Service, name and protocol of a port, whatever its number and the family of the addresses.
pub(crate) type ServicePort<'a> = [&'a str; 4];

impl Transition {
    /// The transition from one count to another, if it is one.
    pub(crate) fn between(port: ServicePort<'_>, before: Counts, after: Counts) -> Option<Self> {
        let crosses = |before: usize, after: usize| (before == 0) != (after == 0);
        let hints = (before.has_complete_hints(), after.has_complete_hints());
        if !crosses(before.endpoints, after.endpoints) && !crosses(before.ready, after.ready) && hints.0 == hints.1 {
            return None;
        }
        let [namespace, service, port_name, protocol] = port.map(str::to_owned);
        Some(Self {
            namespace,
            service,
            port_name,
            protocol,
            endpoints_before: before.endpoints,
            endpoints_after: after.endpoints,
            ready_before: before.ready,
            ready_after: after.ready,
            hints_complete_before: hints.0,
            hints_complete_after: hints.1,
        })
    }
}

impl Delta {
    pub(crate) fn between(before: &[Arc<EndpointSlice>], after: &[Arc<EndpointSlice>], options: Options) -> Self {
        // The same slices in the same order say the same; nobody need know what.
        if before == after {
            return Self::of_nothing(before, after, options);
        }
        let mut groups = Groups::default();
        let old = Fold::new(before, options.key, &mut groups);
        let new = Fold::new(after, options.key, &mut groups);
        let mut delta = Self::of_folds(before, after, &old, &new, options);
        delta.transitions = if options.key == Key::AddressPort {
            transitions(&old, &new, &groups)
        } else {
            let mut groups = Groups::default();
            let old = Fold::new(before, Key::AddressPort, &mut groups);
            let new = Fold::new(after, Key::AddressPort, &mut groups);
            transitions(&old, &new, &groups)
        };
        delta
    }

    /// The same without transitions, which some of the slices of a Service cannot tell.
    pub(crate) fn of_some(before: &[Arc<EndpointSlice>], after: &[Arc<EndpointSlice>], options: Options) -> Self {
        let some = concerned(before, after, options.key, options.fields >= Fields::All);
        let mut groups = Groups::default();
        let old = Fold::of_some(before, options.key, &mut groups, some.as_ref());
        let new = Fold::of_some(after, options.key, &mut groups, some.as_ref());
        Self::of_folds(before, after, &old, &new, options)
    }

    fn of_folds(
        before: &[Arc<EndpointSlice>],
        after: &[Arc<EndpointSlice>],
        old: &Fold<'_>,
        new: &Fold<'_>,
        options: Options,
    ) -> Self {
        let mut changes: [Vec<Changed>; 4] = Default::default();
        for (key, &place) in &new.entries {
            point();
            let Some(&was) = old.entries.get(key) else {
                let entry = Changed { before: None, after: Some(place), reasons: Reasons::default() };
                changes[Outcome::Added as usize].push(entry);
                continue;
            };
            let (left, right) = (old.side(was), new.side(place));
            let reasons = options.fields.compare(left, right);
            let entry = Changed { before: Some(was), after: Some(place), reasons };
            if !reasons.is_empty() {
                changes[Outcome::Updated as usize].push(entry);
            } else if left.slice.metadata.name != right.slice.metadata.name {
                changes[Outcome::Moved as usize].push(entry);
            }
        }
        for (_, &place) in old.entries.iter().filter(|(key, _)| !new.entries.contains_key(*key)) {
            let entry = Changed { before: Some(place), after: None, reasons: Reasons::default() };
            changes[Outcome::Removed as usize].push(entry);
        }
        for list in &mut changes {
            list.sort_by_cached_key(|entry| {
                point();
                entry.full_key(before, after, options.key)
            });
        }
        Self { changes, ..Self::of_nothing(before, after, options) }
    }

    fn of_nothing(before: &[Arc<EndpointSlice>], after: &[Arc<EndpointSlice>], options: Options) -> Self {
        Self {
            before: before.to_vec(),
            after: after.to_vec(),
            key: options.key,
            changes: Default::default(),
            transitions: Vec::new(),
            trigger_times: Vec::new(),
        }
    }

    /// True if each change is one of a port.
    pub(crate) fn has_ports(&self) -> bool {
        self.key == Key::AddressPort
    }

    /// Changes of every kind.
    pub(crate) fn all(&self) -> impl Iterator<Item = Change<'_>> {
        self.changes.iter().flatten().map(|changed| Change { delta: self, changed })
    }

    /// The number of endpoints with this outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.changes[outcome as usize].len()
    }

    /// The change at an index among those with this outcome.
    #[must_use]
    pub fn get(&self, outcome: Outcome, index: usize) -> Option<Change<'_>> {
        Some(Change { delta: self, changed: self.changes[outcome as usize].get(index)? })
    }

    fn list(&self, outcome: Outcome) -> Vec<Change<'_>> {
        self.changes[outcome as usize].iter().map(|changed| Change { delta: self, changed }).collect()
    }

    /// Endpoints that no slice held.
    #[must_use]
    pub fn added(&self) -> Vec<Change<'_>> {
        self.list(Outcome::Added)
    }

    /// Endpoints that no slice holds any more.
    #[must_use]
    pub fn removed(&self) -> Vec<Change<'_>> {
        self.list(Outcome::Removed)
    }

    /// Endpoints of which a field changed; they may have changed their slice, too.
    #[must_use]
    pub fn updated(&self) -> Vec<Change<'_>> {
        self.list(Outcome::Updated)
    }

    /// Endpoints that only changed their slice.
    #[must_use]
    pub fn moved(&self) -> Vec<Change<'_>> {
        self.list(Outcome::Moved)
    }

    /// Service ports that went from no endpoint, or none that is ready, to some, or back.
    #[must_use]
    pub fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    /// UDP endpoints to which old flows must be cut: they are gone, or serve no longer. By outcome and index; for [`Key::AddressPort`].
    #[must_use]
    pub fn stale_udp(&self) -> Vec<(Outcome, usize)> {
        let is_udp = |change: &Change<'_>| change.port().is_some_and(|(_, protocol, _)| protocol == "UDP");
        let serves = |place: Option<(&Arc<EndpointSlice>, usize)>| {
            place
                .and_then(|(slice, at)| slice.endpoints.get(at))
                .is_some_and(|endpoint| endpoint.conditions().is_serving())
        };
        let of = |outcome: Outcome| {
            let changes = self.list(outcome).into_iter().enumerate();
            changes.filter(move |(_, change)| is_udp(change)).map(move |(index, change)| (outcome, index, change))
        };
        let stopped = |change: &Change<'_>| serves(change.before()) && !serves(change.after());
        of(Outcome::Removed)
            .chain(of(Outcome::Updated))
            .filter(|(_, _, change)| stopped(change))
            .map(|(outcome, index, _)| (outcome, index))
            .collect()
    }

    /// Keep back what is removed, for as long as `held` says, and let it go on where it comes back.
    pub(crate) fn hold(&mut self, held: &mut Held, options: Options, now: Duration) {
        let removed = std::mem::take(&mut self.changes[Outcome::Removed as usize]);
        for changed in removed {
            let Some(place) = changed.before else { continue };
            let key = self.key_text(&changed);
            held.entries.entry(key).or_insert((self.before[place.slice as usize].clone(), place, now));
        }
        for changed in std::mem::take(&mut self.changes[Outcome::Added as usize]) {
            let (Some(place), Some((slice, was, _))) = (changed.after, held.entries.remove(&self.key_text(&changed)))
            else {
                self.changes[Outcome::Added as usize].push(changed);
                continue;
            };
            let was = self.remember(slice, was);
            let (left, right) = (side(&self.before, was), side(&self.after, place));
            let reasons = options.fields.compare(left, right);
            let moved = left.slice.metadata.name != right.slice.metadata.name;
            let changed = Changed { before: Some(was), after: Some(place), reasons };
            if !reasons.is_empty() {
                self.changes[Outcome::Updated as usize].push(changed);
            } else if moved {
                self.changes[Outcome::Moved as usize].push(changed);
            }
        }
        let due = |since: &Duration| now.saturating_sub(*since) >= held.time;
        let keys: Vec<String> =
            held.entries.iter().filter(|(_, (_, _, since))| due(since)).map(|(key, _)| key.clone()).collect();
        for (slice, place, _) in keys.iter().filter_map(|key| held.entries.remove(key)) {
            let place = self.remember(slice, place);
            let changed = Changed { before: Some(place), after: None, reasons: Reasons::default() };
            self.changes[Outcome::Removed as usize].push(changed);
        }
        let (before, after, key) = (&self.before, &self.after, self.key);
        for list in &mut self.changes {
            list.sort_by_cached_key(|entry| entry.full_key(before, after, key));
        }
    }

    fn key_text(&self, changed: &Changed) -> String {
        let (service, ..) = changed.full_key(&self.before, &self.after, self.key);
        format!("{} {}", service.2.as_str(), Change { delta: self, changed }.key())
    }

    /// A place among the slices before, for one that was held back.
    fn remember(&mut self, slice: Arc<EndpointSlice>, place: Place) -> Place {
        self.before.push(slice);
        Place { slice: u32::try_from(self.before.len() - 1).unwrap_or(u32::MAX), ..place }
    }

    /// Trigger times that came with the slices of this change; none where two sets of slices were compared.
    #[must_use]
    pub fn trigger_times(&self) -> &[TriggerTime] {
        &self.trigger_times
    }

    /// True if nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.iter().all(Vec::is_empty) && self.transitions.is_empty()
    }
}

/// What happened to one endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    delta: &'a Delta,
    changed: &'a Changed,
}

impl<'a> Change<'a> {
    fn full_key(&self) -> FullKey<'a> {
        self.changed.full_key(&self.delta.before, &self.delta.after, self.delta.key)
    }

    /// A readable key, for example `shop/checkout 10.0.0.5 http TCP 8080`.
    #[must_use]
    pub fn key(&self) -> String {
        let ((namespace, service, _), who, port) = self.full_key();
        let who = match who {
            Who::Address(address) => address.to_string(),
            Who::Uid(uid) => uid.to_owned(),
            Who::Target(namespace, name) => format!("{namespace}/{name}"),
        };
        let number = |number: Option<i32>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
        let port = port.map(|(name, protocol, port)| format!(" {name} {protocol} {}", number(port)));
        format!("{namespace}/{service} {who}{}", port.unwrap_or_default())
    }

    /// Namespace, `""` if not set.
    #[must_use]
    pub fn namespace(&self) -> &'a str {
        self.full_key().0.0
    }

    /// Service, `""` if not set.
    #[must_use]
    pub fn service(&self) -> &'a str {
        self.full_key().0.1
    }

    /// Name, protocol and number of the port, for [`Key::AddressPort`] and slices with ports.
    #[must_use]
    pub fn port(&self) -> Option<(&'a str, &'a str, Option<i32>)> {
        self.full_key().2
    }

    /// The endpoint before, with the slice that held it.
    #[must_use]
    pub fn before(&self) -> Option<(&'a Arc<EndpointSlice>, usize)> {
        self.changed.before.map(|place| (&self.delta.before[place.slice as usize], place.endpoint as usize))
    }

    /// The endpoint after, with the slice that holds it.
    #[must_use]
    pub fn after(&self) -> Option<(&'a Arc<EndpointSlice>, usize)> {
        self.changed.after.map(|place| (&self.delta.after[place.slice as usize], place.endpoint as usize))
    }

    /// The endpoint as it is, or was if it is gone.
    #[must_use]
    pub fn endpoint(&self) -> Option<EndpointRef<'a>> {
        let (slice, index) = self.after().or_else(|| self.before())?;
        slice.endpoints.get(index)
    }

    /// Which fields changed.
    #[must_use]
    pub fn reasons(&self) -> Reasons {
        self.changed.reasons
    }
}

/// Count the endpoints of each service port on both sides and keep those where something went from or to nothing.
fn transitions(old: &Fold<'_>, new: &Fold<'_>, groups: &Groups<'_>) -> Vec<Transition> {
    let mut by_group: Vec<[Counts; 2]> = vec![Default::default(); groups.iter().count()];
    for (fold, side) in [(old, 0), (new, 1)] {
        for ((group, _), &place) in &fold.entries {
            by_group[*group as usize][side].add(fold.side(place).endpoint);
        }
    }
    let mut counts: BTreeMap<ServicePort<'_>, [Counts; 2]> = BTreeMap::new();
    for (&(namespace, service, _), port, group) in groups.iter() {
        let Some((name, protocol, _)) = *port else { continue };
        let total = counts.entry([namespace, service, name, protocol]).or_default();
        for (sum, count) in total.iter_mut().zip(by_group[group as usize]) {
            sum.join(count);
        }
    }
    counts.into_iter().filter_map(|(port, [before, after])| Transition::between(port, before, after)).collect()
}
