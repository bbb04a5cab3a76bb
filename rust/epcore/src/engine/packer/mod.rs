//! The writer's state: what should be and what is, of many Services.

mod address;
mod answer;
mod cluster;
mod direct;
mod entry;
mod extract;
mod news;
mod object;
mod outside;
mod part;
mod plan;
mod slices;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::Error;
use crate::engine::versions::Name;
use crate::kube::{self, Published, check_managed_by};
use crate::model::EndpointSlice;
use crate::pack::{self, Plan};
use cluster::{Cluster, Names};
use direct::Direct;
use entry::Entry;
use outside::Outside;

pub use answer::Answer;
pub use object::{Kind, Object, ObjectEvent};

/// Options of a [`Packer`].
///
/// By default they are those of [`reconcile`](crate::kube::reconcile) and [`publish`](crate::kube::publish), and slices whose endpoints come from
/// outside are managed by `epcore`.
#[derive(Clone, Debug, PartialEq)]
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

impl Default for PackerOptions {
    fn default() -> Self {
        let kube::Options { controller, pack: reconcile, .. } = kube::Options::default();
        Self { controller, managed_by: "epcore".to_owned(), reconcile, publish: pack::Options::default() }
    }
}

/// The state of a controller that writes slices: feed it what watches say, endpoints from outside, and what became of its own writes; it
/// tells which Services need writes, and the plan of each: that of [`reconcile`](crate::kube::reconcile) or [`publish`](crate::kube::publish) from the same state.
///
/// A plan is a question and changes nothing that counts: it may be asked for again, also after a restart from lists. What was written counts
/// once it was answered or seen. Nothing is planned for a Service after an answer that leaves its state open, until there are news.
///
/// # Examples
///
/// The endpoints of a Service come from outside. The answer to a create is lost, and a watch tells what became of it.
///
/// ```
/// use std::sync::Arc;
///
/// use epcore::engine::{Answer, Kind, Object, ObjectEvent, Packer, PackerOptions};
/// use epcore::{model::EndpointSlice, wire::json};
///
/// let mut packer = Packer::new(PackerOptions::default())?;
/// let services = br#"{"kind": "ServiceList", "items": [
///     {"metadata": {"name": "db", "namespace": "shop"}, "spec": {"ports": [{"port": 5432}]}}]}"#;
/// let (kind, services) = json::read_objects(services, None)?;
/// packer.replace(kind, services, "7")?;
/// packer.replace(Kind::EndpointSlice, Vec::new(), "7")?;
/// let db = ("shop".to_owned(), "db".to_owned());
/// packer.publish(&db, &json::read_published(br#"["10.0.0.5"]"#)?)?;
/// assert_eq!(packer.dirty(), [&db]);
///
/// let plan = packer.plan(&db, None)?;
/// let write = &plan.writes()[0];
/// let _body = json::write_slice(&write.slice);
/// packer.answer(write, Answer::Unknown)?;
/// assert_eq!(packer.waiting(), [&db]);
///
/// let mut made = EndpointSlice::clone(&write.slice);
/// made.metadata.name = "db-x7k2p".to_owned();
/// packer.feed(ObjectEvent::Present(Object::EndpointSlice(Arc::new(made))));
/// assert!(packer.plan(&db, None)?.writes().is_empty());
/// assert!(packer.dirty().is_empty() && packer.waiting().is_empty());
/// # Ok::<(), epcore::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Packer {
    options: PackerOptions,
    cluster: Cluster,
    entries: HashMap<Name, Entry>,
    dirty: Names,
    /// Services that something happened to since somebody asked.
    news: Names,
    /// Services by the name of a slice that is said to be there already, of whatever Service it may be.
    conflicts: BTreeMap<Name, Name>,
    expired: BTreeSet<Kind>,
    /// Names that are nobody's, of which no more are made than one call needs.
    room: Vec<Name>,
}

impl Packer {
    /// A packer that knows nothing.
    ///
    /// # Errors
    ///
    /// Options that no plan could be made with; a `managed_by` that [`publish`](crate::kube::publish) refuses.
    pub fn new(options: PackerOptions) -> Result<Self, Error> {
        options.reconcile.check()?;
        options.publish.check()?;
        check_managed_by(&options.managed_by)?;
        Ok(Self {
            options,
            cluster: Cluster::default(),
            entries: HashMap::new(),
            dirty: Names::new(),
            news: Names::new(),
            conflicts: BTreeMap::new(),
            expired: BTreeSet::new(),
            room: Vec::new(),
        })
    }

    /// Take in what a watch says.
    pub fn feed(&mut self, event: ObjectEvent) {
        match event {
            ObjectEvent::Present(object) => self.take(&object, true),
            ObjectEvent::Deleted(object) => self.take(&object, false),
            ObjectEvent::Bookmark(kind, version) => self.cluster.versions(kind).see(&version),
            ObjectEvent::Expired(kind) => drop(self.expired.insert(kind)),
        }
    }

    /// Take an object for what it is, or was when it was deleted.
    fn take(&mut self, object: &Object, is_there: bool) {
        let (kind, name) = (object.kind(), object.name());
        if self.cluster.is_stale(&name, object) {
            return;
        }
        let versions = self.cluster.versions(kind);
        versions.see(object.resource_version());
        if is_there {
            versions.raise(&name);
        } else {
            versions.bury(&name, object.resource_version());
        }
        self.set(kind, &name, is_there.then_some(object));
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
            self.conflicts.clear();
            let were_waiting = self.entries.iter_mut().filter_map(|(name, entry)| entry.hear_all().then_some(name));
            self.news.extend(were_waiting.cloned());
        }
        Ok(())
    }

    /// Make `endpoints` all that a Service has from outside.
    ///
    /// # Errors
    ///
    /// An endpoint that the API would refuse, with its place, as [`publish`](crate::kube::publish) does; or more text than one list can hold.
    /// Nothing is changed then. What is wrong with the ports of an endpoint is told by the plan, since that depends on the Service.
    pub fn publish(&mut self, service: &Name, endpoints: &Published) -> Result<(), Error> {
        if let Some(known) = self.outside(service)
            && let Some((news, gone)) = known.changes(endpoints)?
        {
            let entry = entry_of(&mut self.entries, service);
            // Both happen, whatever the first one comes to.
            if entry.tell(news) | entry.take_away(gone) {
                self.note(service);
            }
            return Ok(());
        }
        let outside: Outside = outside::news(None, endpoints)?.into_iter().collect();
        let entry = entry_of(&mut self.entries, service);
        if entry.outside.as_deref() != Some(&outside) {
            entry.outside = Some(Box::new(outside));
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
        let alone = outside::alone(endpoints)?;
        let news = if alone.is_none() { outside::news(self.outside(service), endpoints)? } else { Vec::new() };
        let news = alone.into_iter().chain(news);
        // Nearly always there is one, and its name is looked up once.
        let is_unheard_of = match self.entries.get_mut(service) {
            Some(entry) => entry.tell(news) && !entry.is_noted,
            None => entry_of(&mut self.entries, service).tell(news),
        };
        if is_unheard_of {
            self.note(service);
        }
        Ok(())
    }

    /// Take endpoints from outside away, by their addresses and ports; those that are not there are passed over.
    pub fn remove(&mut self, service: &Name, endpoints: &Published) {
        let gone = outside::keys(endpoints).map(|(key, _)| key).collect();
        if self.entries.get_mut(service).is_some_and(|entry| entry.take_away(gone)) {
            self.note(service);
        }
    }

    /// Forget the endpoints from outside of a Service, as if none had ever been given: its slices are left alone from now on. Nothing is kept of a
    /// Service that is gone.
    pub fn forget(&mut self, service: &Name) {
        let Some(entry) = self.entries.get_mut(service) else { return };
        if entry.outside.take().is_some() {
            self.mark(service);
        }
        if !self.cluster.knows(service) {
            self.is_clean(service);
        }
    }

    /// How many endpoints from outside are known of a Service.
    #[must_use]
    pub fn count_outside(&self, service: &Name) -> usize {
        self.outside(service).map_or(0, Outside::len)
    }

    /// The endpoints from outside that are known of a Service.
    fn outside(&self, service: &Name) -> Option<&Outside> {
        self.entries.get(service)?.outside.as_deref()
    }

    /// Services that may need writes and do not wait for news, in order.
    #[must_use]
    pub fn dirty(&self) -> Vec<&Name> {
        self.dirty.iter().filter(|name| !self.is_waiting(name)).collect()
    }

    /// Take the dirty Services that something happened to since the last call, in order: what a queue is fed with, at the cost of what
    /// changed. One that was told and is still dirty is not told again without news.
    pub fn take_news(&mut self) -> Vec<Name> {
        let news = std::mem::take(&mut self.news);
        for name in &news {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.is_noted = false;
            }
        }
        news.into_iter().filter(|name| self.dirty.contains(name) && !self.is_waiting(name)).collect()
    }

    /// Services of which news must come before anything is planned, in order: of writes that were refused, or whose answer was lost.
    #[must_use]
    pub fn waiting(&self) -> Vec<&Name> {
        let mut waiting: Vec<&Name> = self.entries.keys().filter(|name| self.is_waiting(name)).collect();
        waiting.sort();
        waiting
    }

    fn is_waiting(&self, service: &Name) -> bool {
        self.entries.get(service).is_some_and(Entry::is_waiting)
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
    /// As [`publish`](crate::kube::publish) and [`reconcile`](crate::kube::reconcile).
    pub fn plan(&mut self, service: &Name, trigger_time: Option<&str>) -> Result<Plan, Error> {
        if let Some(plan) = self.plan_in_place(service, trigger_time, usize::MAX) {
            return Ok(plan);
        }
        let plan = self.planned(service, trigger_time)?;
        if self.entries.get_mut(service).is_some_and(|entry| entry.send(&plan)) {
            self.is_clean(service);
        }
        Ok(plan)
    }

    /// The same where up to `most` endpoints changed in place, without a look at any other. `None` where more is to be looked at.
    pub fn plan_in_place(&mut self, service: &Name, trigger_time: Option<&str>, most: usize) -> Option<Plan> {
        let entry = self.entries.get_mut(service)?;
        if entry.changes.as_ref()?.addresses.len() > most {
            return None;
        }
        let plan = Direct::of(&self.cluster, &self.options, service, entry)?.plan(trigger_time)?;
        if entry.send(&plan) {
            self.is_clean(service);
        }
        Some(plan)
    }

    /// Nothing is to be done for a Service. Of one that is gone nothing is kept.
    fn is_clean(&mut self, service: &Name) {
        self.dirty.remove(service);
        self.news.remove(service);
        let Some(entry) = self.entries.get_mut(service) else { return };
        entry.is_noted = false;
        if entry.is_empty() && !self.cluster.knows(service) {
            self.entries.remove(service);
        }
    }
}

/// What is known of a Service; its name is copied only if there is nothing yet.
fn entry_of<'a>(entries: &'a mut HashMap<Name, Entry>, service: &Name) -> &'a mut Entry {
    if !entries.contains_key(service) {
        entries.insert(service.clone(), Entry::default());
    }
    entries.get_mut(service).unwrap_or_else(|| unreachable!("it was put there"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    #[test]
    fn nothing_is_kept_of_services_that_are_gone() {
        let mut packer = Packer::new(PackerOptions::default()).expect("options");
        for number in 0..100 {
            let text = format!(
                r#"{{"metadata":{{"name":"web-{number}","namespace":"shop"}},"spec":{{"selector":{{"app":"web"}},"clusterIP":"10.96.0.1","ports":[{{"port":80}}]}}}}"#
            );
            let service = Arc::new(json::read_service(text.as_bytes()).expect("a Service"));
            let name = ("shop".to_owned(), format!("web-{number}"));
            packer.feed(ObjectEvent::Present(Object::Service(service.clone())));
            let made: Vec<_> = packer.plan(&name, None).expect("a plan").writes().to_vec();
            assert_eq!(made.len(), 1, "a placeholder");
            let mut slice = EndpointSlice::clone(&made[0].slice);
            slice.metadata.name = format!("web-{number}-x");
            let slice = Arc::new(slice);
            packer.answer(&made[0], Answer::Accepted(Some(slice.clone()))).expect("its slice");
            packer.feed(ObjectEvent::Deleted(Object::Service(service)));
            assert!(packer.plan(&name, None).expect("a plan").writes().is_empty());
            assert!(packer.entries.contains_key(&name), "its slice is there");
            packer.feed(ObjectEvent::Deleted(Object::EndpointSlice(slice)));
            assert_eq!(packer.dirty(), [&name]);
            assert!(packer.plan(&name, None).expect("a plan").writes().is_empty());
        }
        let given = Published::from(crate::model::EndpointList::default());
        let name = ("shop".to_owned(), "db".to_owned());
        packer.publish(&name, &given).expect("no endpoints");
        assert_eq!(packer.dirty(), [&name]);
        packer.forget(&name);
        assert!(packer.entries.is_empty() && packer.dirty.is_empty() && packer.news.is_empty());
    }
}
