//! The reader's state: slices as they are, and what was handed out of them.

mod attempt;
mod checkout;
mod questions;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use crate::Error;
use crate::diff::{Counts, Held, Key, Options};
use crate::engine::holders::Holders;
use crate::engine::numbered::Numbered;
use crate::engine::versions::{Name, NameRef, Versions};
use crate::interrupt::point;
use crate::model::EndpointSlice;
use attempt::Attempt;

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

impl WatchEvent {
    /// Check that it tells which slice it is about, as [`View::feed`] does.
    ///
    /// # Errors
    ///
    /// A slice without a name.
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Self::Present(slice) | Self::Deleted(slice) => name_of(slice).map(drop),
            Self::Bookmark(_) | Self::Expired(_) => Ok(()),
        }
    }
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
    slices: Numbered,
    services: HashMap<Name, BTreeSet<u32>>,
    holders: Holders,
    versions: Versions,
    is_expired: bool,
    /// Slices that changed since the last checkout, as they were then.
    pending: BTreeMap<Name, Option<Arc<EndpointSlice>>>,
    /// Their names by the Service that they were of then, where removals are kept back.
    pending_of: HashMap<Name, Vec<Name>>,
    /// Numbers of slices that held something that one of those held, before or after.
    beside: BTreeSet<u32>,
    /// Removals that are kept back: of what is handed out, and of what is counted where that is something else.
    held: Option<[Held; 2]>,
    /// Of the clock, once it told one.
    now: Option<Duration>,
    /// Of each service port, as of the last checkout.
    counts: HashMap<[String; 4], Counts>,
}

impl View {
    /// A view of nothing.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            slices: Numbered::default(),
            services: HashMap::new(),
            holders: Holders::default(),
            versions: Versions::default(),
            is_expired: false,
            pending: BTreeMap::new(),
            pending_of: HashMap::new(),
            beside: BTreeSet::new(),
            held: None,
            now: None,
            counts: HashMap::new(),
        }
    }

    /// The same view, which keeps removals back for so long: what comes back in time was never gone. Only
    /// [`checkout_at`](Self::checkout_at) lets time pass. The clock starts with the first time that is told: what was kept back before is gone
    /// since then.
    #[must_use]
    pub fn holding(mut self, time: Duration) -> Self {
        let mut held = self.held.take().unwrap_or_default();
        for held in &mut held {
            held.time = time;
        }
        self.held = (!time.is_zero() || held.iter().any(|held| !held.is_empty())).then_some(held);
        self
    }

    /// How long removals are kept back.
    #[must_use]
    pub fn hold(&self) -> Duration {
        self.held.as_ref().map_or(Duration::ZERO, |[held, _]| held.time)
    }

    /// When the next removal that is kept back is due, on the clock of [`checkout_at`](Self::checkout_at); `None` also where that clock ends before.
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
        self.slices.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slices.len() == 0
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
        let held = self.slices.get(name).map(|held| &*held.metadata.resource_version);
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
        let gone: Vec<Name> = self.slices.names().filter(|name| !named.contains_key(*name)).cloned().collect();
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
        let name = (namespace.to_owned(), name.to_owned());
        if let Some(slice) = self.slices.get(&name) {
            self.versions.bury(&name, &slice.metadata.resource_version);
        }
        self.set(name, None);
    }

    /// Put a slice in place of the one that is there under a name, and remember that one.
    fn set(&mut self, name: Name, slice: Option<&Arc<EndpointSlice>>) {
        // Of equal slices the last one is kept: they may differ in what nobody compares.
        let Some((number, old)) = self.slices.set(&name, slice).filter(|(_, old)| old.as_ref() != slice) else {
            return;
        };
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
                self.leave(service, number);
            }
            if let Some(service) = joined {
                self.services.entry(service.owned()).or_default().insert(number);
            }
        }
        if let Entry::Vacant(unchanged) = self.pending.entry(name) {
            if self.held.is_some()
                && let Some(service) = left
            {
                self.pending_of.entry(service.owned()).or_default().push(unchanged.key().clone());
            }
            unchanged.insert(old);
        }
    }

    fn leave(&mut self, service: NameRef<'_>, number: u32) {
        if let Some(numbers) = self.services.get_mut(&service) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.services.remove(&service);
            }
        }
    }

    /// A view that has handed out `applied` and holds `slices`; with what [`kept_alone`](Self::kept_alone) told of another.
    ///
    /// # Errors
    ///
    /// As [`replace`](Self::replace).
    pub(crate) fn resume(
        options: Options,
        applied: &[Arc<EndpointSlice>],
        [held, of_ports]: [&[Arc<EndpointSlice>]; 2],
        slices: &[Arc<EndpointSlice>],
        version: &str,
    ) -> Result<Self, Error> {
        let mut view = Self::new(options);
        view.replace(applied, "")?;
        view.checkout();
        let mut kept: [Held; 2] = Default::default();
        kept[0].keep_alone(held, options.key);
        kept[1].keep_alone(of_ports, Key::AddressPort);
        view.held = Some(kept);
        view.count_kept_back();
        view.replace(slices, version)?;
        Ok(view.holding(Duration::ZERO))
    }
}

fn service_of(slice: &EndpointSlice) -> NameRef<'_> {
    NameRef(&slice.metadata.namespace, slice.metadata.service())
}

fn name_of(slice: &EndpointSlice) -> Result<Name, Error> {
    if slice.metadata.name.is_empty() {
        return Err(Error::invalid("required, to tell one slice from another").in_field("name").in_field("metadata"));
    }
    Ok((slice.metadata.namespace.clone(), slice.metadata.name.clone()))
}
