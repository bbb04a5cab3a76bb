//! The result of a diff.

use std::sync::Arc;
use std::time::Duration;

use crate::diff::Options;
use crate::diff::fold::{Entry, Fold};
use crate::diff::held::Held;
use crate::diff::key::{FullKey, Key, Place, Sides, full_key, key_text, shown, side};
use crate::diff::mask::{Fields, Reasons, Side};
use crate::diff::pairs::Pairs;
use crate::diff::settled::{InPlace, Settled};
use crate::diff::suspects::Suspects;
use crate::diff::tally::Tally;
use crate::diff::transition::{ServicePort, Transition};
use crate::interrupt::point;
use crate::model::{AddressType, EndpointRef, EndpointSlice};

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

/// What kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug)]
pub struct Delta {
    before: Vec<Arc<EndpointSlice>>,
    after: Vec<Arc<EndpointSlice>>,
    options: Options,
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

impl Delta {
    pub(crate) fn between(before: &[Arc<EndpointSlice>], after: &[Arc<EndpointSlice>], options: Options) -> Self {
        let (pairs, settled) = Settled::with_pairs([before, after], options);
        Self::of_pairs(&pairs, settled, options)
    }

    pub(super) fn of_pairs<'a>(pairs: &Pairs<'a>, settled: Settled<'a>, options: Options) -> Self {
        let nothing = Self::of_nothing(pairs.sides, options);
        if pairs.are_same() {
            return nothing;
        }
        let found = Found::of(pairs, settled, options.fields, options.key == Key::AddressPort);
        let Found { changes, transitions } = found;
        let transitions = transitions.unwrap_or_else(|| {
            let of_ports = Settled::new(pairs.sides, Options { key: Key::AddressPort, ..options });
            Found::of(pairs, of_ports, options.fields, true).transitions.unwrap_or_default()
        });
        Self { changes, transitions, ..nothing }
    }

    /// The same without transitions, which some of the slices of a Service cannot tell.
    pub(crate) fn of_some(before: &[Arc<EndpointSlice>], after: &[Arc<EndpointSlice>], options: Options) -> Self {
        let (pairs, settled) = Settled::with_pairs([before, after], options);
        let nothing = Self::of_nothing(pairs.sides, options);
        if pairs.are_same() {
            return nothing;
        }
        Self { changes: Found::of(&pairs, settled, options.fields, false).changes, ..nothing }
    }

    fn of_nothing([before, after]: Sides<'_>, options: Options) -> Self {
        Self {
            before: before.to_vec(),
            after: after.to_vec(),
            options,
            changes: Default::default(),
            transitions: Vec::new(),
            trigger_times: Vec::new(),
        }
    }

    /// What makes two endpoints the same, and which fields are a change.
    pub(crate) fn options(&self) -> Options {
        self.options
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
    pub(crate) fn hold(&mut self, held: &mut Held, now: Duration) {
        let removed = std::mem::take(&mut self.changes[Outcome::Removed as usize]);
        for changed in removed {
            let Some(place) = changed.before else { continue };
            held.keep(key_text(self.full_key(&changed)).into(), &self.before[place.slice as usize], place, now);
        }
        for changed in std::mem::take(&mut self.changes[Outcome::Added as usize]) {
            let (Some(place), Some((slice, was))) = (changed.after, held.take(&key_text(self.full_key(&changed))))
            else {
                self.changes[Outcome::Added as usize].push(changed);
                continue;
            };
            let was = self.remember(slice, was);
            let sides = (side(&self.before, was), side(&self.after, place));
            if let Some((outcome, reasons)) = compared(self.options.fields, sides.0, sides.1) {
                self.changes[outcome as usize].push(Changed { before: Some(was), after: Some(place), reasons });
            }
        }
        while let Some((slice, place)) = held.take_due(now) {
            let place = self.remember(slice, place);
            let changed = Changed { before: Some(place), after: None, reasons: Reasons::default() };
            self.changes[Outcome::Removed as usize].push(changed);
        }
        let (before, after, key) = (&self.before, &self.after, self.options.key);
        for list in &mut self.changes {
            list.sort_by_cached_key(|entry| entry.full_key(before, after, key));
        }
    }

    fn full_key<'a>(&'a self, changed: &Changed) -> FullKey<'a> {
        changed.full_key(&self.before, &self.after, self.options.key)
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

/// What a look at the endpoints finds.
struct Found {
    changes: [Vec<Changed>; 4],
    /// If they were asked for.
    transitions: Option<Vec<Transition>>,
}

impl Found {
    fn of<'a>(pairs: &Pairs<'a>, settled: Settled<'a>, fields: Fields, with_transitions: bool) -> Self {
        let settled = settled.complete(pairs);
        let suspects = Suspects::among(pairs, &settled, with_transitions);
        let mut fold = Fold::new(pairs.sides, settled.groups, suspects.spots);
        let mut tally = with_transitions.then(|| Tally::of(&mut fold, &suspects.others));
        let mut changes: [Vec<(u32, Changed)>; 4] = Default::default();
        for InPlace { slices, endpoint, reasons } in suspects.changes {
            for &(port, group) in fold.groups.of(1, slices[1]) {
                let [before, after] = slices.map(|slice| Some(Place { slice, endpoint, port }));
                changes[Outcome::Updated as usize].push((group, Changed { before, after, reasons }));
            }
        }
        for entry in &fold.entries {
            point();
            if let Some((outcome, changed)) = changed(&fold, entry, fields) {
                changes[outcome as usize].push((entry.group, changed));
            }
            if let Some(tally) = &mut tally {
                tally.add(&fold, entry);
            }
        }
        let changes = changes.map(|list| sorted(&fold, list));
        Self { changes, transitions: tally.map(|tally| tally.transitions(&fold)) }
    }
}

/// Changes of groups, by key.
fn sorted(fold: &Fold<'_>, list: Vec<(u32, Changed)>) -> Vec<Changed> {
    let ranks = fold.groups.ranks();
    let keyed = list.into_iter().map(|(group, changed)| {
        point();
        let (service, port) = ranks[group as usize];
        ((service, fold.who([changed.before, changed.after]), port), changed)
    });
    let mut keyed: Vec<_> = keyed.collect();
    // Mostly they are in order already.
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, changed)| changed).collect()
}

/// What changed of an entry, if anything did.
fn changed(fold: &Fold<'_>, entry: &Entry, fields: Fields) -> Option<(Outcome, Changed)> {
    let [before, after] = entry.places;
    let (outcome, reasons) = match (before, after) {
        (Some(was), Some(is)) => compared(fields, fold.side(0, was), fold.side(1, is))?,
        (Some(_), None) => (Outcome::Removed, Reasons::default()),
        (None, _) => (Outcome::Added, Reasons::default()),
    };
    Some((outcome, Changed { before, after, reasons }))
}

/// The change from one entry to another of the same key, if it is one.
fn compared(fields: Fields, left: Side<'_>, right: Side<'_>) -> Option<(Outcome, Reasons)> {
    let reasons = fields.compare(left, right);
    if !reasons.is_empty() {
        return Some((Outcome::Updated, reasons));
    }
    (left.slice.metadata.name != right.slice.metadata.name).then_some((Outcome::Moved, reasons))
}

/// What happened to one endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    delta: &'a Delta,
    changed: &'a Changed,
}

impl<'a> Change<'a> {
    fn full_key(&self) -> FullKey<'a> {
        self.delta.full_key(self.changed)
    }

    /// A readable key, for example `shop/checkout 10.0.0.5 http TCP 8080`.
    #[must_use]
    pub fn key(&self) -> String {
        shown(self.full_key())
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

    /// Address type of the slices that held or hold it.
    #[must_use]
    pub fn address_type(&self) -> AddressType {
        self.full_key().0.2
    }

    /// Name, protocol and number of the port, for [`Key::AddressPort`] and slices with ports.
    #[must_use]
    pub fn port(&self) -> Option<(&'a str, &'a str, Option<i32>)> {
        self.full_key().2
    }

    /// The service port that it is a change of, if it is one of a port.
    pub(crate) fn service_port(&self) -> Option<ServicePort<'a>> {
        let ((namespace, service, _), _, port) = self.full_key();
        port.map(|(name, protocol, _)| [namespace, service, name, protocol])
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
