//! The reader's state: slices as they are, and what was handed out of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use crate::Error;
use crate::diff::{Counts, Delta, Fields, Fold, Held, Key, Options, Transition, TriggerTime};
use crate::engine::duplicate::Duplicate;
use crate::engine::holders::Holders;
use crate::engine::port_endpoint::PortEndpoint;
use crate::engine::versions::{Name, Versions};
use crate::interrupt::point;
use crate::model::{Address, EndpointList, EndpointRef, EndpointSlice};

/// What a watch says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// `ADDED` or `MODIFIED`: the slice is there, and like this.
    Present(Arc<EndpointSlice>),
    /// `DELETED`: the slice is gone; its last state.
    Deleted(Arc<EndpointSlice>),
    /// `BOOKMARK`: everything up to this version was sent.
    Bookmark(String),
    /// `ERROR`, usually 410: the watch has ended, and only a new list tells what is there.
    Expired(String),
}

/// A reader's view of slices, of one Service or of many, that is right at every moment.
///
/// Feed it what a watch sends, or lists; [`checkout`](Self::checkout) tells what changed for each endpoint since the last one. An endpoint is
/// removed only when no slice holds it any more, and a change that was undone is none. Events may come twice, late (where they have resource
/// versions) or after a new list: the view is the same. An event costs what its slice and those of its Service
/// that hold the same endpoints cost.
///
/// # Examples
///
/// ```
/// use epcore::{diff::Options, engine::View, wire::json};
///
/// let mut view = View::new(Options::default());
/// let events = br#"{"type": "ADDED", "object": {"metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
///     "addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [{"addresses": ["10.0.0.1"]}]}}"#;
/// for event in json::read_events(events)? {
///     view.feed(event)?;
/// }
/// assert_eq!(view.checkout().added().len(), 1);
/// assert!(view.checkout().is_empty());
/// # Ok::<(), epcore::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct View {
    options: Options,
    /// Slices by number; a number is used again.
    slices: Vec<Option<Arc<EndpointSlice>>>,
    free: Vec<u32>,
    numbers: HashMap<Name, u32>,
    services: HashMap<Name, BTreeSet<u32>>,
    holders: Holders,
    versions: Versions,
    is_expired: bool,
    /// Slices that changed since the last checkout, as they were then.
    pending: BTreeMap<Name, Option<Arc<EndpointSlice>>>,
    /// Numbers of slices that held something that one of those held, before or after.
    beside: BTreeSet<u32>,
    /// Removals that are kept back: of what is handed out, and of what is counted where that is something else.
    held: Option<[Held; 2]>,
    now: Duration,
    /// Of each service port, as of the last checkout.
    counts: HashMap<Name, BTreeMap<(String, String), Counts>>,
}

impl View {
    /// A view of nothing.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            slices: Vec::new(),
            free: Vec::new(),
            numbers: HashMap::new(),
            services: HashMap::new(),
            holders: Holders::default(),
            versions: Versions::default(),
            is_expired: false,
            pending: BTreeMap::new(),
            beside: BTreeSet::new(),
            held: None,
            now: Duration::ZERO,
            counts: HashMap::new(),
        }
    }

    /// The same view, which keeps removals back for so long: what comes back in time was never gone. Only
    /// [`checkout_at`](Self::checkout_at) lets time pass.
    #[must_use]
    pub fn holding(mut self, time: Duration) -> Self {
        self.held = (!time.is_zero()).then(|| [Held::new(time), Held::new(time)]);
        self
    }

    /// How long removals are kept back.
    #[must_use]
    pub fn hold(&self) -> Duration {
        self.held.as_ref().map_or(Duration::ZERO, |[held, _]| held.time)
    }

    /// When the next removal that is kept back is due, on the clock of [`checkout_at`](Self::checkout_at).
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.held.as_ref().and_then(|[held, _]| held.due())
    }

    /// What makes two endpoints the same, and which fields are a change.
    #[must_use]
    pub fn options(&self) -> Options {
        self.options
    }

    /// The number of slices.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The newest version that was seen, to go on watching from; `""` if none.
    #[must_use]
    pub fn resource_version(&self) -> &str {
        &self.versions.newest
    }

    /// True if the watch has ended and a new list is needed.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.is_expired
    }

    /// Take in an event.
    ///
    /// # Errors
    ///
    /// A slice without name. Nothing is changed then.
    pub fn feed(&mut self, event: WatchEvent) -> Result<(), Error> {
        match event {
            WatchEvent::Present(slice) => {
                let name = name_of(&slice)?;
                if !self.is_stale(&name, &slice) {
                    self.versions.see(&slice.metadata.resource_version);
                    self.versions.raise(&name);
                    self.set(name, Some(&slice));
                }
            }
            WatchEvent::Deleted(slice) => {
                let name = name_of(&slice)?;
                if !self.is_stale(&name, &slice) {
                    self.versions.see(&slice.metadata.resource_version);
                    self.versions.bury(&name, &slice.metadata.resource_version);
                    self.set(name, None);
                }
            }
            WatchEvent::Bookmark(version) => self.versions.see(&version),
            WatchEvent::Expired(_) => self.is_expired = true,
        }
        Ok(())
    }

    fn is_stale(&self, name: &Name, slice: &EndpointSlice) -> bool {
        let held = self.get(name).map(|held| &*held.metadata.resource_version);
        self.versions.is_stale(name, &slice.metadata.resource_version, held)
    }

    /// Take a list for all that is there. `version` is that of the list, `""` if unknown.
    ///
    /// # Errors
    ///
    /// A slice without name, or two of one. Nothing is changed then.
    pub fn replace(&mut self, slices: &[Arc<EndpointSlice>], version: &str) -> Result<(), Error> {
        let mut named: BTreeMap<Name, Arc<EndpointSlice>> = BTreeMap::new();
        for (index, slice) in slices.iter().enumerate() {
            point();
            let at = |error: Error| error.in_index(index).in_field("slices");
            let name = name_of(slice).map_err(at)?;
            let shown = name.1.clone();
            if named.insert(name, slice.clone()).is_some() {
                let error = Error::invalid(format!("a second slice of the name {shown:?}"));
                return Err(at(error.in_field("name").in_field("metadata")));
            }
        }
        let gone: Vec<Name> = self.numbers.keys().filter(|name| !named.contains_key(*name)).cloned().collect();
        let mut attempt = Attempt::new(self);
        for name in gone {
            attempt.set(name, None);
        }
        for (name, slice) in named {
            attempt.set(name, Some(&slice));
        }
        attempt.succeed();
        self.versions.see_list(version);
        self.is_expired = false;
        Ok(())
    }

    /// Forget a slice, as if it were deleted.
    pub fn remove(&mut self, namespace: &str, name: &str) {
        self.set((namespace.to_owned(), name.to_owned()), None);
    }

    /// What changed for each endpoint since the last checkout.
    pub fn checkout(&mut self) -> Delta {
        self.checkout_at(self.now)
    }

    /// What changed for each endpoint since the last checkout, at a time on any clock that does not go back.
    pub fn checkout_at(&mut self, now: Duration) -> Delta {
        let (before, after) = self.changed();
        let counted = Options { key: Key::AddressPort, fields: Fields::Proxy };
        let is_counted = self.options.key == counted.key && self.options.fields >= counted.fields;
        // Whoever interrupts the work finds everything as it was before.
        let mut delta = Delta::of_some(&before, &after, self.options);
        let mut other = (!is_counted).then(|| Delta::of_some(&before, &after, counted));
        self.now = self.now.max(now);
        if let Some([first, second]) = &mut self.held {
            delta.hold(first, self.options, self.now);
            if let Some(other) = &mut other {
                other.hold(second, counted, self.now);
            }
        }
        delta.transitions = self.count(other.as_ref().unwrap_or(&delta));
        delta.trigger_times = self.trigger_times();
        self.pending.clear();
        self.beside.clear();
        delta
    }

    /// True if something was taken in that may change what was handed out.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// All slices, by namespace and name.
    #[must_use]
    pub fn slices(&self) -> Vec<Arc<EndpointSlice>> {
        let names: BTreeMap<&Name, u32> = self.numbers.iter().map(|(name, &number)| (name, number)).collect();
        names.into_values().filter_map(|number| self.slice(number).cloned()).collect()
    }

    /// The slices of a Service, by name.
    #[must_use]
    pub fn slices_of(&self, namespace: &str, service: &str) -> Vec<Arc<EndpointSlice>> {
        let numbers = self.services.get(&(namespace.to_owned(), service.to_owned()));
        let mut slices: Vec<_> =
            numbers.into_iter().flatten().filter_map(|&number| self.slice(number).cloned()).collect();
        slices.sort_by(|left, right| left.metadata.name.cmp(&right.metadata.name));
        slices
    }

    /// Namespace and name of each Service that has slices, in order.
    #[must_use]
    pub fn services(&self) -> Vec<(&str, &str)> {
        let mut services: Vec<(&str, &str)> =
            self.services.keys().map(|(namespace, name)| (&**namespace, &**name)).collect();
        services.sort_unstable();
        services
    }

    /// Namespace, Service, name and protocol of each port that slices have, in order, whether it has endpoints or not.
    #[must_use]
    pub fn ports(&self) -> Vec<[&str; 4]> {
        let slices = self.slices.iter().flatten();
        let all = slices.flat_map(|slice| {
            slice
                .ports
                .iter()
                .map(move |port| [&*slice.metadata.namespace, slice.metadata.service(), &*port.name, &*port.protocol])
        });
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The endpoints of a Service, each once for each of its ports, by family, port and address.
    #[must_use]
    pub fn endpoints(&self, namespace: &str, service: &str) -> Vec<PortEndpoint> {
        let slices = self.slices_of(namespace, service);
        let places = Fold::of_all(&slices, Key::AddressPort).entries.into_iter().filter_map(|entry| entry.places[1]);
        let mut entries: Vec<PortEndpoint> = places.map(|place| PortEndpoint::at(&slices, place)).collect();
        entries.sort_by(|left, right| left.order().cmp(&right.order()));
        entries
    }

    /// Services with slices that have this namespace and this name, where they are given.
    pub fn matching<'a>(
        &'a self,
        namespace: Option<&'a str>,
        service: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
        self.services().into_iter().filter(move |(of, name)| is(namespace, of) && is(service, name))
    }

    /// Slices that hold an address, whatever their Service, by namespace and name.
    #[must_use]
    pub fn find(&self, address: &str) -> Vec<Arc<EndpointSlice>> {
        let numbers: BTreeSet<u32> = self.holders.of(Address::parse(address)).collect();
        let mut slices: Vec<_> = numbers.into_iter().filter_map(|number| self.slice(number).cloned()).collect();
        slices.sort_by(|left, right| {
            let key = |slice: &EndpointSlice| (slice.metadata.namespace.clone(), slice.metadata.name.clone());
            key(left).cmp(&key(right))
        });
        slices
    }

    /// Endpoints that several entries claim to be, with the one that counts first.
    #[must_use]
    pub fn duplicates(&self) -> Vec<Duplicate> {
        let shared: BTreeSet<u32> = self.holders.shared().collect();
        let mut services: BTreeSet<(String, String)> = BTreeSet::new();
        for slice in shared.into_iter().filter_map(|number| self.slice(number)) {
            services.insert(service_of(slice));
        }
        services.iter().flat_map(|(namespace, service)| Duplicate::among(&self.slices_of(namespace, service))).collect()
    }

    fn slice(&self, number: u32) -> Option<&Arc<EndpointSlice>> {
        self.slices.get(number as usize)?.as_ref()
    }

    fn get(&self, name: &Name) -> Option<&EndpointSlice> {
        self.numbers.get(name).and_then(|&number| self.slice(number)).map(|slice| &**slice)
    }

    /// Put a slice in place of the one that is there under a name, and remember that one.
    fn set(&mut self, name: Name, slice: Option<&Arc<EndpointSlice>>) {
        let number = self.numbers.get(&name).copied();
        let old = number.and_then(|number| self.slice(number).cloned());
        if old.is_none() && slice.is_none() {
            return;
        }
        if let (Some(number), Some(old), Some(slice)) = (number, &old, slice)
            && old == slice
        {
            // Equal slices may differ in what nobody compares.
            self.slices[number as usize] = Some(slice.clone());
            return;
        }
        let number = number.unwrap_or_else(|| self.new_number(name.clone()));
        if let Some(old) = &old {
            self.beside.extend(self.holders.sharing(old, self.options.key));
        }
        self.holders.replace(old.as_deref(), slice.map(|slice| &**slice), number, self.options.key);
        if let Some(slice) = slice {
            self.beside.extend(self.holders.sharing(slice, self.options.key));
        }
        let (left, joined) = (old.as_deref().map(service_of), slice.map(|slice| service_of(slice)));
        if left != joined {
            if let Some(service) = left {
                self.leave(&service, number);
            }
            if let Some(service) = joined {
                self.services.entry(service).or_default().insert(number);
            }
        }
        self.slices[number as usize] = slice.cloned();
        if slice.is_none() {
            self.free.push(number);
            self.numbers.remove(&name);
        }
        self.pending.entry(name).or_insert(old);
    }

    fn new_number(&mut self, name: Name) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slices.push(None);
            u32::try_from(self.slices.len() - 1).unwrap_or(u32::MAX)
        });
        self.numbers.insert(name, number);
        number
    }

    fn leave(&mut self, service: &Name, number: u32) {
        if let Some(numbers) = self.services.get_mut(service) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.services.remove(service);
            }
        }
    }

    /// The slices that changed, before and after, and on both sides those that hold the same endpoints.
    fn changed(&self) -> (Vec<Arc<EndpointSlice>>, Vec<Arc<EndpointSlice>>) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let mut numbers = BTreeSet::new();
        for (name, old) in &self.pending {
            let number = self.numbers.get(name).copied();
            let new = number.and_then(|number| self.slice(number));
            if old.as_ref().zip(new).is_some_and(|(old, new)| Arc::ptr_eq(old, new)) {
                continue;
            }
            numbers.extend(number);
            before.extend(old.iter().cloned());
            after.extend(new.cloned());
        }
        for number in self.beside.difference(&numbers) {
            if let Some(slice) = self.slice(*number) {
                before.push(slice.clone());
                after.push(slice.clone());
            }
        }
        (before, after)
    }

    fn trigger_times(&self) -> Vec<TriggerTime> {
        let mut times = BTreeSet::new();
        for (name, old) in &self.pending {
            let Some(new) = self.get(name) else { continue };
            let time = new.metadata.trigger_time();
            if !time.is_empty() && old.as_ref().is_none_or(|old| old.metadata.trigger_time() != time) {
                let (namespace, service) = service_of(new);
                times.insert(TriggerTime { namespace, service, time: time.to_owned() });
            }
        }
        times.into_iter().collect()
    }

    /// Bring the counts of service ports up to date, and tell which went from or to nothing.
    fn count(&mut self, delta: &Delta) -> Vec<Transition> {
        let mut before: BTreeMap<[String; 4], Counts> = BTreeMap::new();
        for change in delta.all() {
            let Some((port, protocol, _)) = change.port() else { continue };
            let service = (change.namespace().to_owned(), change.service().to_owned());
            let key = [service.0.clone(), service.1.clone(), port.to_owned(), protocol.to_owned()];
            let counts =
                self.counts.entry(service).or_default().entry((port.to_owned(), protocol.to_owned())).or_default();
            before.entry(key).or_insert(*counts);
            if let Some(endpoint) = endpoint_at(change.before()) {
                counts.remove(endpoint);
            }
            if let Some(endpoint) = endpoint_at(change.after()) {
                counts.add(endpoint);
            }
        }
        before.into_iter().filter_map(|(key, before)| self.transition(&key, before)).collect()
    }

    fn transition(&mut self, key: &[String; 4], before: Counts) -> Option<Transition> {
        let [namespace, service, port, protocol] = key;
        let name = (namespace.clone(), service.clone());
        let ports = self.counts.get_mut(&name)?;
        let port_key = (port.clone(), protocol.clone());
        let after = ports.get(&port_key).copied().unwrap_or_default();
        if after.is_empty() {
            ports.remove(&port_key);
            if ports.is_empty() {
                self.counts.remove(&name);
            }
        }
        Transition::between([namespace, service, port, protocol], before, after)
    }

    /// What a snapshot has beside the slices: each slice that changed since the last checkout, as it was then.
    pub(crate) fn pending(&self) -> &BTreeMap<Name, Option<Arc<EndpointSlice>>> {
        &self.pending
    }

    /// Endpoints that are gone but not told yet, each in a slice of its own, of a name that no slice can have.
    pub(crate) fn held_back(&self) -> Vec<EndpointSlice> {
        let entries = self.held.iter().flat_map(|[held, _]| held.entries()).enumerate();
        let alone = entries.filter_map(|(index, (slice, place))| {
            let mut alone = EndpointSlice { endpoints: EndpointList::default(), ..EndpointSlice::clone(slice) };
            alone.metadata.name = format!("held {index}");
            alone.endpoints.push(slice.endpoints.get(place.endpoint as usize)?).ok()?;
            if let Some(port) = place.port {
                alone.ports = vec![slice.ports[port as usize].clone()].into();
            }
            Some(alone)
        });
        alone.collect()
    }

    /// A view that has handed out `applied` and holds `slices`.
    ///
    /// # Errors
    ///
    /// As [`replace`](Self::replace).
    pub(crate) fn resume(
        options: Options,
        applied: &[Arc<EndpointSlice>],
        slices: &[Arc<EndpointSlice>],
        version: &str,
    ) -> Result<Self, Error> {
        let mut view = Self::new(options);
        view.replace(applied, "")?;
        view.checkout();
        view.replace(slices, version)?;
        Ok(view)
    }
}

/// Many slices set at once. Where the work is interrupted, all are as they were before.
struct Attempt<'a> {
    view: &'a mut View,
    /// Each slice that was set, and whether it was pending already.
    undo: Vec<(Name, Option<Arc<EndpointSlice>>, bool)>,
}

impl<'a> Attempt<'a> {
    fn new(view: &'a mut View) -> Self {
        Self { view, undo: Vec::new() }
    }

    fn set(&mut self, name: Name, slice: Option<&Arc<EndpointSlice>>) {
        point();
        let number = self.view.numbers.get(&name).copied();
        let old = number.and_then(|number| self.view.slice(number).cloned());
        let was_pending = self.view.pending.contains_key(&name);
        self.view.set(name.clone(), slice);
        self.undo.push((name, old, was_pending));
    }

    fn succeed(mut self) {
        self.undo.clear();
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        for (name, old, was_pending) in self.undo.drain(..).rev() {
            self.view.set(name.clone(), old.as_ref());
            if !was_pending {
                self.view.pending.remove(&name);
            }
        }
    }
}

fn endpoint_at(place: Option<(&Arc<EndpointSlice>, usize)>) -> Option<EndpointRef<'_>> {
    let (slice, index) = place?;
    slice.endpoints.get(index)
}

fn service_of(slice: &EndpointSlice) -> Name {
    (slice.metadata.namespace.clone(), slice.metadata.service().to_owned())
}

fn name_of(slice: &EndpointSlice) -> Result<Name, Error> {
    if slice.metadata.name.is_empty() {
        return Err(Error::invalid("required, to tell one slice from another").in_field("name").in_field("metadata"));
    }
    Ok((slice.metadata.namespace.clone(), slice.metadata.name.clone()))
}
