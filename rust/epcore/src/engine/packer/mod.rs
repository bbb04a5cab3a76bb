//! The writer's state: what should be and what is, of many Services.

mod cluster;
mod object;
mod outside;
mod part;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::Error;
use crate::engine::versions::Name;
use crate::kube::{self, Published};
use crate::model::EndpointSlice;
use crate::pack::{self, HintState, Plan, Verb, Write};
use cluster::{Cluster, Names};
use part::Part;

pub use object::{Kind, Object, ObjectEvent};

/// Options of a [`Packer`].
#[derive(Clone, Debug)]
pub struct PackerOptions {
    /// Value of the label `managed-by` on slices of Services with selector.
    pub controller: String,
    /// The same for Services whose endpoints come from outside.
    pub managed_by: String,
    /// How to pack for Services with selector.
    pub reconcile: pack::Options,
    /// How to pack for Services whose endpoints come from outside.
    pub publish: pack::Options,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done. For a create or an update with the object that the API server gave back.
    Accepted(Option<Arc<EndpointSlice>>),
    /// Refused, since the slice is not what we thought (409), or is there already.
    Conflict,
    /// The slice is not there (404).
    Gone,
    /// Nobody knows: the answer was lost.
    Unknown,
}

/// One Service.
#[derive(Clone, Debug, Default)]
struct Entry {
    /// Endpoints from outside, once some were given; each a list of one.
    outside: Option<BTreeMap<outside::Key, outside::Content>>,
    /// Endpoints from outside that changed since the slices held what was wanted; `None` if anything else may have.
    changed: Option<BTreeSet<outside::Key>>,
    hints: HintState,
    /// Counts what changed, so that an answer can tell whether a plan is still all that there is to do.
    epoch: u64,
    sent: Option<Sent>,
    /// Slices of which news must come before anything is planned; `""` for one whose name is not known.
    waits_for: BTreeSet<String>,
}

/// The last plan that was handed out, as far as it has not been answered.
#[derive(Clone, Debug)]
struct Sent {
    epoch: u64,
    left: Vec<(Verb, Arc<EndpointSlice>)>,
    hints: HintState,
}

/// The state of a controller that writes slices: feed it what watches say, endpoints from outside, and what became of its own writes; it
/// tells which Services need writes, and the plan of each: that of [`kube::reconcile`] or [`kube::publish`] from the same state.
///
/// A plan is a question and changes nothing that counts: it may be asked for again, also after a restart from lists. What was written counts
/// once it was answered or seen. Nothing is planned for a Service after an answer that leaves its state open, until there are news.
#[derive(Clone, Debug)]
pub struct Packer {
    options: PackerOptions,
    cluster: Cluster,
    entries: HashMap<Name, Entry>,
    dirty: Names,
    expired: BTreeSet<Kind>,
}

impl Packer {
    /// A packer that knows nothing.
    ///
    /// # Errors
    ///
    /// Options that no plan could be made with.
    pub fn new(options: PackerOptions) -> Result<Self, Error> {
        options.reconcile.check()?;
        options.publish.check()?;
        Ok(Self {
            options,
            cluster: Cluster::default(),
            entries: HashMap::new(),
            dirty: Names::new(),
            expired: BTreeSet::new(),
        })
    }

    /// Take in what a watch says.
    pub fn feed(&mut self, event: ObjectEvent) {
        match event {
            ObjectEvent::Present(object) => {
                if !self.cluster.is_stale(&object) {
                    let (kind, name) = (object.kind(), object.name());
                    let versions = self.cluster.versions(kind);
                    versions.see(object.resource_version());
                    versions.raise(&name);
                    self.set(kind, &name, Some(&object));
                }
            }
            ObjectEvent::Deleted(object) => {
                if !self.cluster.is_stale(&object) {
                    let (kind, name) = (object.kind(), object.name());
                    let versions = self.cluster.versions(kind);
                    versions.see(object.resource_version());
                    versions.bury(&name, object.resource_version());
                    self.set(kind, &name, None);
                }
            }
            ObjectEvent::Bookmark(kind, version) => self.cluster.versions(kind).see(&version),
            ObjectEvent::Expired(kind) => drop(self.expired.insert(kind)),
        }
    }

    /// Take a list for all that is there of a kind. `version` is that of the list, `""` if unknown.
    ///
    /// # Errors
    ///
    /// An object of another kind, or two of one name. Nothing is changed then.
    pub fn replace(&mut self, kind: Kind, objects: Vec<Object>, version: &str) -> Result<(), Error> {
        let mut named: BTreeMap<Name, Object> = BTreeMap::new();
        for (index, object) in objects.into_iter().enumerate() {
            let at = |message: String| Err(Error::invalid(message).in_index(index).in_field("objects"));
            if object.kind() != kind {
                return at(format!("is no {}, but a {}", kind.as_str(), object.kind().as_str()));
            }
            let name = object.name();
            let shown = name.1.clone();
            if named.insert(name, object).is_some() {
                return at(format!("a second {} of the name {shown:?}", kind.as_str()));
            }
        }
        for name in self.cluster.names(kind).into_iter().filter(|name| !named.contains_key(name)) {
            self.set(kind, &name, None);
        }
        for (name, object) in named {
            self.set(kind, &name, Some(&object));
        }
        self.cluster.versions(kind).see_list(version);
        self.expired.remove(&kind);
        if kind == Kind::EndpointSlice {
            for entry in self.entries.values_mut() {
                entry.waits_for.clear();
            }
        }
        Ok(())
    }

    /// Make `endpoints` all that a Service has from outside.
    ///
    /// # Errors
    ///
    /// More text than one list can hold.
    pub fn publish(&mut self, service: &Name, endpoints: &Published) -> Result<(), Error> {
        let outside = outside::each(endpoints)?.into_iter().collect();
        let entry = self.entries.entry(service.clone()).or_default();
        if entry.outside.as_ref() != Some(&outside) {
            entry.outside = Some(outside);
            self.mark(service);
        }
        Ok(())
    }

    /// Add endpoints from outside, or change those that are there with the same addresses and ports.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub fn upsert(&mut self, service: &Name, endpoints: &Published) -> Result<(), Error> {
        let given = outside::each(endpoints)?;
        let known = self.entries.entry(service.clone()).or_default().outside.get_or_insert_with(BTreeMap::new);
        let mut changed = Vec::new();
        for (key, content) in given {
            if known.get(&key) != Some(&content) {
                changed.push(key.clone());
                known.insert(key, content);
            }
        }
        self.mark_outside(service, changed);
        Ok(())
    }

    /// Take endpoints from outside away, by their addresses and ports; those that are not there are passed over.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub fn remove(&mut self, service: &Name, endpoints: &Published) -> Result<(), Error> {
        let given = outside::each(endpoints)?;
        let Some(known) = self.entries.get_mut(service).and_then(|entry| entry.outside.as_mut()) else {
            return Ok(());
        };
        let gone = given.into_iter().map(|(key, _)| key).filter(|key| known.remove(key).is_some()).collect();
        self.mark_outside(service, gone);
        Ok(())
    }

    /// Services that may need writes and do not wait for news, in order.
    #[must_use]
    pub fn dirty(&self) -> Vec<&Name> {
        self.dirty.iter().filter(|name| !self.is_waiting(name)).collect()
    }

    /// Services of which news must come before anything is planned, in order: of writes that were refused, or whose answer was lost.
    #[must_use]
    pub fn waiting(&self) -> Vec<&Name> {
        let mut waiting: Vec<&Name> = self.entries.keys().filter(|name| self.is_waiting(name)).collect();
        waiting.sort();
        waiting
    }

    fn is_waiting(&self, service: &Name) -> bool {
        self.entries.get(service).is_some_and(|entry| !entry.waits_for.is_empty())
    }

    /// The newest version that was seen of a kind, to go on watching from; `""` if none.
    #[must_use]
    pub fn resource_version(&self, kind: Kind) -> &str {
        self.cluster.newest(kind)
    }

    /// True if the watch of a kind has ended, and a list is needed.
    #[must_use]
    pub fn is_expired(&self, kind: Kind) -> bool {
        self.expired.contains(&kind)
    }

    /// The slices of a Service as they are known, by name.
    #[must_use]
    pub fn slices(&self, service: &Name) -> Vec<Arc<EndpointSlice>> {
        self.cluster.slices_of(service)
    }

    /// Plan a Service from what is known; nothing for a Service that is not there, or has neither selector nor endpoints from outside.
    ///
    /// # Errors
    ///
    /// As [`kube::publish`] and [`kube::reconcile`].
    pub fn plan(&mut self, service: &Name, trigger_time: Option<&str>) -> Result<Plan, Error> {
        let plan = self.planned(service, trigger_time)?;
        let entry = self.entries.entry(service.clone()).or_default();
        let hints = plan.notes().hints.clone();
        if plan.writes().is_empty() {
            entry.hints = hints;
            entry.sent = None;
            entry.changed = Some(BTreeSet::new());
            self.dirty.remove(service);
        } else {
            let left = plan.writes().iter().map(|write| (write.verb, write.slice.clone())).collect();
            entry.sent = Some(Sent { epoch: entry.epoch, left, hints });
        }
        Ok(plan)
    }

    fn planned(&self, name: &Name, trigger_time: Option<&str>) -> Result<Plan, Error> {
        let entry = self.entries.get(name);
        let Some(service) = self.cluster.service(name) else { return Ok(pack::Combination::default().finish()) };
        let timed = |options: &pack::Options| {
            let trigger_time = trigger_time.map(str::to_owned).or_else(|| options.trigger_time.clone());
            pack::Options { trigger_time, ..options.clone() }
        };
        let slices = self.cluster.slices_of(name);
        if service.selects_pods() {
            let pods = self.cluster.pods_of(name);
            let nodes = self.cluster.nodes_of(name, &pods);
            let options = kube::Options {
                controller: self.options.controller.clone(),
                hints: entry.map(|entry| entry.hints.clone()).unwrap_or_default(),
                pack: timed(&self.options.reconcile),
            };
            return kube::reconcile(service, &pods, &nodes, &slices, &options);
        }
        let Some(outside) = entry.and_then(|entry| entry.outside.as_ref()) else {
            return Ok(pack::Combination::default().finish());
        };
        let (managed_by, options) = (&self.options.managed_by, timed(&self.options.publish));
        let part = entry.and_then(|entry| entry.changed.as_ref()).map(|changed| {
            let concerned = self.concerned(name, &slices, changed);
            Part { service, slices: &slices, concerned, outside, changed }
        });
        if let Some(plan) = part.and_then(|part| part.plan(managed_by, &options)) {
            return Ok(plan);
        }
        let endpoints = outside::joined(outside.values())?;
        kube::publish(service, &endpoints, &slices, managed_by, &options)
    }

    /// Places of the slices of a Service, by name, that hold an address that changed.
    fn concerned(
        &self,
        service: &Name,
        slices: &[Arc<EndpointSlice>],
        changed: &BTreeSet<outside::Key>,
    ) -> BTreeSet<usize> {
        let addresses = changed.iter().filter_map(|(addresses, _)| addresses.first());
        let names = addresses.flat_map(|address| self.cluster.holding(address)).filter(|name| name.0 == service.0);
        let place = |name: &Name| slices.binary_search_by(|slice| slice.metadata.name.cmp(&name.1)).ok();
        names.filter_map(place).collect()
    }

    /// Tell what became of a write of a plan.
    ///
    /// # Errors
    ///
    /// An accepted create or update whose object has no name, or is not the one of the write. Nothing is changed then.
    pub fn answer(&mut self, write: &Write, answer: Answer) -> Result<(), Error> {
        let service = service_of(&write.slice);
        let name: Name = (service.0.clone(), write.slice.metadata.name.clone());
        match answer {
            Answer::Accepted(object) if write.verb != Verb::Delete => {
                let Some(object) = object else {
                    self.wait(&service, &name.1);
                    return Ok(());
                };
                let found = (object.metadata.namespace.clone(), object.metadata.name.clone());
                if found.1.is_empty() || found.0 != name.0 || !(name.1.is_empty() || name.1 == found.1) {
                    let why = format!("is {:?} and not the slice that was written", found.1);
                    return Err(Error::invalid(why).in_field("name").in_field("metadata").in_field("object"));
                }
                let object = Object::EndpointSlice(object);
                if !self.cluster.is_stale(&object) {
                    self.cluster.versions(Kind::EndpointSlice).raise(&found);
                    self.set(Kind::EndpointSlice, &found, Some(&object));
                }
                self.settle(write, &service);
            }
            Answer::Accepted(_) => {
                self.forget(&name);
                self.settle(write, &service);
            }
            Answer::Gone => {
                self.forget(&name);
                if write.verb == Verb::Delete {
                    self.settle(write, &service);
                } else {
                    self.mark(&service);
                }
            }
            Answer::Conflict => self.wait(&service, &name.1),
            // An update or a delete may be sent again as it is, and so may a create whose name is known.
            Answer::Unknown if name.1.is_empty() => self.wait(&service, ""),
            Answer::Unknown => self.mark(&service),
        }
        Ok(())
    }

    /// A write is done. If it was the last one of a plan and nothing else happened, there is nothing to do.
    fn settle(&mut self, write: &Write, service: &Name) {
        let Some(entry) = self.entries.get_mut(service) else { return };
        let Some(sent) = &mut entry.sent else { return };
        sent.left.retain(|(_, slice)| !Arc::ptr_eq(slice, &write.slice));
        if sent.left.is_empty() {
            if sent.epoch == entry.epoch {
                entry.hints = sent.hints.clone();
                entry.changed = Some(BTreeSet::new());
                self.dirty.remove(service);
            }
            entry.sent = None;
        }
    }

    fn wait(&mut self, service: &Name, slice: &str) {
        self.entries.entry(service.clone()).or_default().waits_for.insert(slice.to_owned());
        self.mark(service);
    }

    /// A slice of ours is gone.
    fn forget(&mut self, name: &Name) {
        let version = self.cluster.slice(name).map(|slice| slice.metadata.resource_version.clone());
        self.cluster.versions(Kind::EndpointSlice).bury(name, &version.unwrap_or_default());
        self.set(Kind::EndpointSlice, name, None);
    }

    fn set(&mut self, kind: Kind, name: &Name, object: Option<&Object>) {
        let is_service_gone = kind == Kind::Service && object.is_none();
        let slice = match object {
            Some(Object::EndpointSlice(slice)) => Some(slice.clone()),
            _ => None,
        };
        let concerned = self.cluster.set(kind, name, object);
        for service in &concerned {
            if kind == Kind::EndpointSlice && self.is_as_sent(service, name, slice.as_deref()) {
                self.dirty.insert(service.clone());
            } else {
                self.mark(service);
            }
        }
        if kind == Kind::EndpointSlice {
            self.hear(&concerned, name, slice.as_deref());
        }
        if is_service_gone && let Some(entry) = self.entries.get_mut(name) {
            // What was given from outside stays, for a Service that is made anew.
            entry.hints = HintState::default();
            entry.sent = None;
            entry.waits_for.clear();
        }
    }

    /// News of a slice: whoever waited for it goes on.
    fn hear(&mut self, concerned: &Names, name: &Name, slice: Option<&EndpointSlice>) {
        for service in concerned {
            let Some(entry) = self.entries.get_mut(service) else { continue };
            entry.waits_for.remove(&name.1);
            let made = |(verb, sent): &(Verb, Arc<EndpointSlice>)| {
                *verb == Verb::Create && slice.is_some_and(|slice| says_the_same(sent, slice))
            };
            if entry.sent.as_ref().is_some_and(|sent| sent.left.iter().any(made)) {
                entry.waits_for.remove("");
            }
        }
    }

    /// True if a slice is now what a plan, all that happened since, wanted it to be.
    fn is_as_sent(&self, service: &Name, name: &Name, slice: Option<&EndpointSlice>) -> bool {
        let Some(sent) = self.entries.get(service).and_then(|entry| entry.sent.as_ref()) else { return false };
        sent.left.iter().any(|(verb, wanted)| match slice {
            None => *verb == Verb::Delete && wanted.metadata.name == name.1,
            Some(slice) => {
                let is_it =
                    wanted.metadata.name == name.1 || (wanted.metadata.name.is_empty() && *verb == Verb::Create);
                *verb != Verb::Delete && is_it && says_the_same(wanted, slice)
            }
        })
    }

    /// Something happened to a Service.
    fn mark(&mut self, service: &Name) {
        let entry = self.entries.entry(service.clone()).or_default();
        entry.epoch += 1;
        entry.changed = None;
        self.dirty.insert(service.clone());
    }

    /// Endpoints from outside changed, and nothing else.
    fn mark_outside(&mut self, service: &Name, keys: Vec<outside::Key>) {
        if keys.is_empty() {
            return;
        }
        let entry = self.entries.entry(service.clone()).or_default();
        entry.epoch += 1;
        if let Some(changed) = &mut entry.changed {
            changed.extend(keys);
        }
        self.dirty.insert(service.clone());
    }
}

fn service_of(slice: &EndpointSlice) -> Name {
    (slice.metadata.namespace.clone(), slice.metadata.service().to_owned())
}

/// True if two slices differ in nothing but what the API server adds.
fn says_the_same(ours: &EndpointSlice, theirs: &EndpointSlice) -> bool {
    ours.same_group(theirs)
        && ours.endpoints == theirs.endpoints
        && ours.metadata.labels == theirs.metadata.labels
        && ours.metadata.annotations == theirs.metadata.annotations
}
