//! What became of writes.

use std::sync::Arc;

use crate::Error;
use crate::engine::packer::entry::says_the_same;
use crate::engine::packer::{Kind, Object, Packer, entry_of};
use crate::engine::versions::{Name, is_older};
use crate::model::EndpointSlice;
use crate::pack::{Verb, Write};

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

impl Packer {
    /// Tell what became of a write of a plan.
    ///
    /// # Errors
    ///
    /// An accepted create or update whose object has no name, or is not the one of the write. Nothing is changed then.
    pub fn answer(&mut self, write: &Write, answer: Answer) -> Result<(), Error> {
        let metadata = write.slice.metadata();
        let service = self.named(&metadata.namespace, metadata.service());
        let name = self.named(&metadata.namespace, &metadata.name);
        let outcome = self.take_answer(&service, &name, write, answer);
        self.room.extend([service, name]);
        outcome
    }

    /// The same for a Service and a slice of these names.
    fn take_answer(&mut self, service: &Name, name: &Name, write: &Write, answer: Answer) -> Result<(), Error> {
        match answer {
            Answer::Accepted(Some(object)) if write.verb != Verb::Delete => {
                self.take_written(service, name, object, write)?;
                self.settle(write, service);
            }
            Answer::Accepted(None) if write.verb != Verb::Delete => self.wait(service, name, write),
            Answer::Accepted(_) => {
                self.take_gone(name, write);
                self.settle(write, service);
            }
            Answer::Gone => {
                self.take_gone(name, write);
                if write.verb == Verb::Delete {
                    self.settle(write, service);
                } else {
                    self.mark(service);
                }
            }
            // The name that the API server made was taken: the next is another one.
            Answer::Conflict if name.1.is_empty() => self.mark(service),
            Answer::Conflict => self.wait(service, name, write),
            // An update or a delete may be sent again as it is, and so may a create whose name is known.
            Answer::Unknown if name.1.is_empty() => self.wait(service, name, write),
            Answer::Unknown => self.mark(service),
        }
        Ok(())
    }

    /// Take a slice for what the API server made of one that was written, under this name or under none.
    fn take_written(
        &mut self,
        service: &Name,
        written: &Name,
        slice: Arc<EndpointSlice>,
        write: &Write,
    ) -> Result<(), Error> {
        let (namespace, name) = (&slice.metadata.namespace, &slice.metadata.name);
        let is_other_name = name.is_empty() || !(written.1.is_empty() || written.1 == *name);
        let others = [("namespace", namespace, *namespace != written.0), ("name", name, is_other_name)];
        if let Some((field, found, _)) = others.into_iter().find(|(_, _, is_other)| *is_other) {
            let why = format!("is {found:?} and not that of the slice that was written");
            return Err(Error::invalid(why).in_field(field).in_field("metadata").in_field("object"));
        }
        let name = self.named(namespace, name);
        let is_of_service = |slice: &Arc<EndpointSlice>| slice.metadata.service() == service.1;
        let object = Object::EndpointSlice(slice);
        let is_its = if self.cluster.is_stale(&name, &object) {
            self.cluster.slice(&name).is_some_and(is_of_service)
        } else {
            self.cluster.versions(Kind::EndpointSlice).raise(&name);
            self.set_slice(&name, object.as_slice(), Some(write));
            object.as_slice().is_some_and(is_of_service)
        };
        if !is_its {
            // That it is gone again, or of another Service, was no news where nobody had heard of it yet.
            self.mark(service);
        }
        self.room.push(name);
        Ok(())
    }

    fn settle(&mut self, write: &Write, service: &Name) {
        if !self.entries.get_mut(service).is_some_and(|entry| entry.settle(write)) {
            return;
        }
        // One plan may not be all of a compaction: the last one writes nothing.
        if [&self.options.reconcile, &self.options.publish].iter().any(|options| options.compaction.is_some()) {
            self.note(service);
        } else {
            self.is_clean(service);
        }
    }

    /// Wait for news of the slice of a write, unless they came before the answer.
    fn wait(&mut self, service: &Name, name: &Name, write: &Write) {
        if !self.is_heard_of(service, name, write) {
            entry_of(&mut self.entries, service).wait(write);
            if write.verb == Verb::Create && !name.1.is_empty() {
                self.conflicts.insert(name.clone(), service.clone());
            }
        }
        self.mark(service);
    }

    /// True if something was heard of the slice of a write since that was planned.
    fn is_heard_of(&self, service: &Name, name: &Name, write: &Write) -> bool {
        let known = self.cluster.slice(name);
        match write.verb {
            Verb::Create if self.entries.get(service).is_some_and(|entry| entry.has_heard_of(write)) => true,
            Verb::Create if name.1.is_empty() => {
                self.cluster.slices_of(service).iter().any(|slice| says_the_same(&write.slice, slice))
            }
            Verb::Create => known.is_some(),
            _ => known.is_none_or(|known| known.metadata.resource_version != write.slice.metadata().resource_version),
        }
    }

    /// The slice that was written is gone. One of its name that was made since is another one.
    fn take_gone(&mut self, name: &Name, write: &Write) {
        let known = self.cluster.slice(name).map(|slice| slice.metadata.resource_version.clone());
        let version = known.unwrap_or_default();
        if is_older(&write.slice.metadata().resource_version, &version) {
            return;
        }
        self.cluster.versions(Kind::EndpointSlice).bury(name, &version);
        self.set_slice(name, None, Some(write));
    }
}
