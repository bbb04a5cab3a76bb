//! The result of a diff.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diff::fold::{Fold, FullKey, Groups, Place, Who, full_key};
use crate::diff::mask::Reasons;
use crate::diff::{Key, Options};
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
    transitions: Vec<Transition>,
}

/// A service port that went from no endpoint, or none that is ready, to some, or back.
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
}

impl Delta {
    pub(crate) fn between(before: &[Arc<EndpointSlice>], after: &[Arc<EndpointSlice>], options: Options) -> Self {
        let mut groups = Groups::default();
        let old = Fold::new(before, options.key, &mut groups);
        let new = Fold::new(after, options.key, &mut groups);
        let mut changes: [Vec<Changed>; 4] = Default::default();
        for (key, &place) in &new.entries {
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
            list.sort_by_cached_key(|entry| entry.full_key(before, after, options.key));
        }
        let transitions = if options.key == Key::AddressPort {
            transitions(&old, &new, &groups)
        } else {
            let mut groups = Groups::default();
            let old = Fold::new(before, Key::AddressPort, &mut groups);
            let new = Fold::new(after, Key::AddressPort, &mut groups);
            transitions(&old, &new, &groups)
        };
        Self { before: before.to_vec(), after: after.to_vec(), key: options.key, changes, transitions }
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

/// Count the endpoints of each service port on both sides and keep those where a count went from or to zero.
fn transitions(old: &Fold<'_>, new: &Fold<'_>, groups: &Groups<'_>) -> Vec<Transition> {
    let mut by_group: Vec<[usize; 4]> = vec![[0; 4]; groups.iter().count()];
    for (fold, offset) in [(old, 0), (new, 1)] {
        for ((group, _), &place) in &fold.entries {
            let counts = &mut by_group[*group as usize];
            counts[offset] += 1;
            counts[2 + offset] += usize::from(fold.side(place).endpoint.conditions().is_ready());
        }
    }
    // A service port is a name and a protocol, whatever its number and the family of the addresses.
    let mut counts: BTreeMap<[&str; 4], [usize; 4]> = BTreeMap::new();
    for (&(namespace, service, _), port, group) in groups.iter() {
        let Some((name, protocol, _)) = *port else { continue };
        let total = counts.entry([namespace, service, name, protocol]).or_default();
        for (sum, count) in total.iter_mut().zip(by_group[group as usize]) {
            *sum += count;
        }
    }
    let crosses = |before: usize, after: usize| (before == 0) != (after == 0);
    counts
        .into_iter()
        .filter(|(_, [before, after, ready_before, ready_after])| {
            crosses(*before, *after) || crosses(*ready_before, *ready_after)
        })
        .map(|(key, [endpoints_before, endpoints_after, ready_before, ready_after])| {
            let [namespace, service, port_name, protocol] = key.map(str::to_owned);
            Transition {
                namespace,
                service,
                port_name,
                protocol,
                endpoints_before,
                endpoints_after,
                ready_before,
                ready_after,
            }
        })
        .collect()
}
