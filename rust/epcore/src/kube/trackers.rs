//! What a controller remembers between two syncs, in small pieces: expectations, trigger times, which Services a Pod concerns, what is due.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use crate::kube::{Pod, Service};
use crate::model::{EndpointSlice, timestamp};

/// Namespace and name of a Service.
pub type ServiceKey = (String, String);

fn key_of(service: &Service) -> ServiceKey {
    (service.metadata.namespace.clone(), service.metadata.name.clone())
}

/// Which slices we wrote and in which generation, so that a cache that does not know of it yet is found out
/// (upstream `EndpointSliceTracker`).
#[derive(Clone, Debug, Default)]
pub struct SliceTracker {
    /// For each slice by UID the generation written last, `None` where a deletion is expected.
    services: HashMap<ServiceKey, HashMap<String, Option<i64>>>,
}

impl SliceTracker {
    fn key(slice: &EndpointSlice) -> ServiceKey {
        (slice.metadata.namespace.clone(), slice.metadata.service().to_owned())
    }

    /// Note the answer to a create or an update.
    pub fn update(&mut self, slice: &EndpointSlice) {
        let generation = Some(slice.metadata.generation());
        self.services.entry(Self::key(slice)).or_default().insert(slice.metadata.uid.clone(), generation);
    }

    /// Note that a delete was accepted.
    pub fn expect_deletion(&mut self, slice: &EndpointSlice) {
        self.services.entry(Self::key(slice)).or_default().insert(slice.metadata.uid.clone(), None);
    }

    /// Note that a slice is gone. False if we did not expect that, so that the Service must be looked at.
    pub fn handle_deletion(&mut self, slice: &EndpointSlice) -> bool {
        let slices = self.services.get_mut(&Self::key(slice));
        !matches!(slices.and_then(|slices| slices.remove(&slice.metadata.uid)), Some(Some(_)))
    }

    /// True if a slice that was seen is not, or newer than, what we wrote.
    #[must_use]
    pub fn should_sync(&self, slice: &EndpointSlice) -> bool {
        let slices = self.services.get(&Self::key(slice));
        match slices.and_then(|tracked| tracked.get(&slice.metadata.uid)) {
            Some(Some(generation)) => slice.metadata.generation() > *generation,
            _ => true,
        }
    }

    /// True if the listed slices of a Service are older than what we wrote: a plan from them would undo or repeat it.
    #[must_use]
    pub fn is_stale<'a>(
        &self,
        namespace: &str,
        service: &str,
        slices: impl IntoIterator<Item = &'a EndpointSlice>,
    ) -> bool {
        let Some(tracked) = self.services.get(&(namespace.to_owned(), service.to_owned())) else { return false };
        let mut listed = BTreeSet::new();
        for slice in slices {
            let metadata = &slice.metadata;
            match tracked.get(&metadata.uid) {
                Some(None) => return true,
                Some(Some(generation)) if *generation > metadata.generation() => return true,
                _ => listed.insert(&*metadata.uid),
            };
        }
        tracked.iter().any(|(uid, generation)| generation.is_some() && !listed.contains(&**uid))
    }

    /// Forget a Service.
    pub fn forget(&mut self, namespace: &str, service: &str) {
        self.services.remove(&(namespace.to_owned(), service.to_owned()));
    }
}

/// The time of the change that a sync is for (upstream `TriggerTimeTracker`).
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use epcore::{kube::{Pod, TriggerTimes}, wire::json};
///
/// let service = json::read_service(br#"{"metadata": {"name": "web", "creationTimestamp": "2026-01-01T00:00:00Z"}}"#)?;
/// let mut times = TriggerTimes::default();
/// let nobody: [Pod; 0] = [];
/// assert_eq!(times.compute(&service, &nobody).as_deref(), Some("2026-01-01T00:00:00Z"));
/// let pods = [Arc::new(Pod { name: "web-1".into(), ready_since: "2026-01-01T00:00:09Z".into(), ..Pod::default() })];
/// assert_eq!(times.compute(&service, &pods).as_deref(), Some("2026-01-01T00:00:09Z"));
/// assert_eq!(times.compute(&service, &pods), None);
/// # Ok::<(), epcore::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TriggerTimes {
    services: HashMap<ServiceKey, Times>,
}

/// A time, comparable; an unset one is before all others.
type Time = Option<(i64, u32)>;

#[derive(Clone, Debug, Default)]
struct Times {
    service: Time,
    pods: HashMap<String, Time>,
}

impl TriggerTimes {
    /// The time to annotate the slices with, RFC 3339: the first change since the last call, for a Service that was not known its creation.
    /// `None` if nothing can be timed. Changes of a Service, and Pods that are gone, cannot be.
    pub fn compute<P: Borrow<Pod>>(&mut self, service: &Service, pods: &[P]) -> Option<String> {
        let known = self.services.get(&key_of(service)).cloned();
        let last = known.clone().unwrap_or_default();
        let created = &service.metadata.creation_timestamp;
        let mut times = Times { service: timestamp(created), pods: HashMap::new() };
        let mut first: Option<(Time, &str)> = None;
        let mut changed = |time: Time, before: Time, text| {
            if time > before && first.is_none_or(|(first, _)| time < first) {
                first = Some((time, text));
            }
        };
        for pod in pods.iter().map(Borrow::<Pod>::borrow) {
            let time = timestamp(&pod.ready_since);
            changed(time, last.pods.get(&*pod.name).copied().flatten(), &*pod.ready_since);
            if time.is_some() {
                times.pods.insert(pod.name.to_string(), time);
            }
        }
        changed(times.service, last.service, created);
        let first = if known.is_none() { times.service.map(|_| created.as_str()) } else { first.map(|(_, text)| text) };
        let first = first.map(str::to_owned);
        self.services.insert(key_of(service), times);
        first
    }

    /// Forget a Service.
    pub fn forget(&mut self, namespace: &str, service: &str) {
        self.services.remove(&(namespace.to_owned(), service.to_owned()));
    }
}

/// Which Services a Pod concerns: an index over selectors, where Kubernetes looks at every Service of the namespace
/// (upstream `GetServicesToUpdate`).
///
/// # Examples
///
/// ```
/// use epcore::{kube::ServiceIndex, wire::json};
///
/// let mut index = ServiceIndex::default();
/// index.set(&json::read_service(br#"{"metadata": {"name": "web", "namespace": "shop"}, "spec": {"selector": {"app": "web"}}}"#)?);
/// let pods = json::read_pods(br#"{"metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web", "tier": "1"}}}"#)?;
/// assert_eq!(index.affected(None, pods.first()), ["web"]);
/// # Ok::<(), epcore::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServiceIndex {
    selectors: HashMap<ServiceKey, BTreeMap<String, String>>,
    /// Services by namespace and one pair of their selector.
    by_pair: HashMap<(String, String, String), BTreeSet<String>>,
}

impl ServiceIndex {
    /// Add a Service, or note its new selector.
    pub fn set(&mut self, service: &Service) {
        let (namespace, name) = key_of(service);
        self.remove(&namespace, &name);
        if !service.selects_pods() {
            return;
        }
        if let Some(pair) = Self::pair(&namespace, &service.selector) {
            self.by_pair.entry(pair).or_default().insert(name.clone());
            self.selectors.insert((namespace, name), service.selector.clone());
        }
    }

    /// Forget a Service.
    pub fn remove(&mut self, namespace: &str, service: &str) {
        let Some(selector) = self.selectors.remove(&(namespace.to_owned(), service.to_owned())) else { return };
        let Some(pair) = Self::pair(namespace, &selector) else { return };
        if let Some(services) = self.by_pair.get_mut(&pair) {
            services.remove(service);
            if services.is_empty() {
                self.by_pair.remove(&pair);
            }
        }
    }

    fn pair(namespace: &str, selector: &BTreeMap<String, String>) -> Option<(String, String, String)> {
        // Of `app.kubernetes.io/instance` and `.../part-of` the longer value tells more.
        let (key, value) = selector.iter().max_by_key(|(_, value)| value.len())?;
        Some((namespace.to_owned(), key.clone(), value.clone()))
    }

    /// Names of the Services whose selector a Pod matches, in order.
    #[must_use]
    pub fn services_of(&self, pod: &Pod) -> Vec<String> {
        let candidates = pod
            .labels
            .iter()
            .filter_map(|(key, value)| self.by_pair.get(&(pod.namespace.to_string(), key.clone(), value.clone())));
        let matches = |name: &&String| {
            let selector = self.selectors.get(&(pod.namespace.to_string(), (*name).clone()));
            selector.is_some_and(|selector| pod.matches(selector))
        };
        let found: BTreeSet<&String> = candidates.flatten().filter(matches).collect();
        found.into_iter().cloned().collect()
    }

    /// Names of the Services that an event of a Pod concerns: its two states, one of them `None` where it came or went.
    ///
    /// An update that changes neither its deletion, its readiness, its addresses, its host name nor its labels concerns none.
    #[must_use]
    pub fn affected(&self, before: Option<&Pod>, after: Option<&Pod>) -> Vec<String> {
        let (Some(old), Some(new)) = (before, after) else {
            return before.or(after).map(|pod| self.services_of(pod)).unwrap_or_default();
        };
        if !old.resource_version.is_empty() && old.resource_version == new.resource_version {
            return Vec::new();
        }
        let part = |pod: &'_ Pod| {
            (pod.deletion_timestamp.clone(), pod.is_ready, pod.ips.clone(), pod.hostname.clone(), pod.subdomain.clone())
        };
        let is_changed = part(old) != part(new);
        let (old_names, new_names): (BTreeSet<String>, BTreeSet<String>) =
            (self.services_of(old).into_iter().collect(), self.services_of(new).into_iter().collect());
        if is_changed {
            old_names.union(&new_names).cloned().collect()
        } else {
            old_names.symmetric_difference(&new_names).cloned().collect()
        }
    }
}

/// What waits for its time: the first event of a key sets it, later ones ride along (upstream: `AddAfter` of a work queue).
#[derive(Clone, Debug, Default)]
pub struct Batch {
    due: BTreeMap<String, f64>,
}

impl Batch {
    /// Let a key be due at `when`, in seconds of any clock, unless it is due earlier. What is no number is never due.
    pub fn add(&mut self, key: &str, when: f64) {
        let due = self.due.entry(key.to_owned()).or_insert(when);
        *due = due.min(when);
    }

    /// Take the keys that are due at `now`, the earliest first.
    pub fn take(&mut self, now: f64) -> Vec<String> {
        let mut due: Vec<(f64, String)> =
            self.due.iter().filter(|(_, when)| **when <= now).map(|(key, when)| (*when, key.clone())).collect();
        due.sort_by(|left, right| left.0.total_cmp(&right.0).then_with(|| left.1.cmp(&right.1)));
        for (_, key) in &due {
            self.due.remove(key);
        }
        due.into_iter().map(|(_, key)| key).collect()
    }

    /// When the next key is due.
    #[must_use]
    pub fn next(&self) -> Option<f64> {
        self.due.values().copied().min_by(f64::total_cmp)
    }
}
