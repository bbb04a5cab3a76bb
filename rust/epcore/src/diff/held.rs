//! Removals that are kept back.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use crate::diff::key::{Key, Place, full_key, key_text};
use crate::model::{EndpointList, EndpointSlice};

/// Entries that were removed and not yet told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    /// How long a removal is kept back.
    pub(crate) time: Duration,
    /// By key: the slice that held each, where, and since when it is gone.
    entries: BTreeMap<Arc<str>, (Arc<EndpointSlice>, Place, Duration)>,
    /// The keys in the order in which they are due, which is that of when they were gone.
    in_time: BTreeSet<(Duration, Arc<str>)>,
}

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, each with the slice that held it and its place there.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Arc<EndpointSlice>, Place)> {
        self.entries.values().map(|(slice, place, _)| (slice, *place))
    }

    /// Those of a Service.
    pub(crate) fn of(&self, namespace: &str, service: &str) -> impl Iterator<Item = (&Arc<EndpointSlice>, Place)> {
        let start = format!("{namespace}/{service} ");
        let following = self.entries.range::<str, _>((Bound::Included(&*start), Bound::Unbounded));
        let own = following.take_while(move |(key, _)| key.starts_with(&*start));
        own.map(|(_, (slice, place, _))| (slice, *place))
    }

    /// When the first of them is due, if ever.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.in_time.first()?.0.checked_add(self.time)
    }

    /// Each entry in a slice of its own.
    pub(crate) fn alone(&self) -> Vec<EndpointSlice> {
        let alone = self.entries().filter_map(|(slice, place)| {
            let mut endpoints = EndpointList::default();
            endpoints.push(slice.endpoints.get(place.endpoint as usize)?).ok()?;
            let ports = place.port.map(|port| vec![slice.ports[port as usize].clone()].into());
            Some(EndpointSlice {
                metadata: slice.metadata.clone(),
                address_type: slice.address_type,
                ports: ports.unwrap_or_else(|| slice.ports.clone()),
                endpoints,
                unknown: slice.unknown.clone(),
            })
        });
        alone.collect()
    }

    /// Keep back what slices hold that [`alone`](Self::alone) told.
    pub(crate) fn keep_alone(&mut self, slices: &[Arc<EndpointSlice>], key: Key) {
        for slice in slices {
            let count = if key == Key::AddressPort { slice.ports.len() } else { 0 };
            for (endpoint, _) in (0u32..).zip(slice.endpoints.iter()) {
                for port in (0u32..).take(count).map(Some).chain((count == 0).then_some(None)) {
                    let place = Place { slice: 0, endpoint, port };
                    let key = key_text(full_key(std::slice::from_ref(slice), place, key));
                    self.keep(key.into(), slice, place, Duration::ZERO);
                }
            }
        }
    }

    /// Let all be gone since `now`.
    pub(crate) fn date(&mut self, now: Duration) {
        self.in_time = self.entries.keys().map(|key| (now, key.clone())).collect();
        self.entries.values_mut().for_each(|(_, _, since)| *since = now);
    }

    /// Keep one back, unless it is already.
    pub(super) fn keep(&mut self, key: Arc<str>, slice: &Arc<EndpointSlice>, place: Place, now: Duration) {
        if let Entry::Vacant(free) = self.entries.entry(key) {
            self.in_time.insert((now, free.key().clone()));
            free.insert((slice.clone(), place, now));
        }
    }

    /// Let one go.
    pub(super) fn take(&mut self, key: &str) -> Option<(Arc<EndpointSlice>, Place)> {
        let (key, (slice, place, since)) = self.entries.remove_entry(key)?;
        self.in_time.remove(&(since, key));
        Some((slice, place))
    }

    /// Let the first one go, if it is due.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<(Arc<EndpointSlice>, Place)> {
        let (since, key) = self.in_time.first()?;
        if now.saturating_sub(*since) < self.time {
            return None;
        }
        let key = key.clone();
        self.take(&key)
    }
}
