//! What news of an object mean for the Services that it concerns.

use std::sync::Arc;

use crate::engine::packer::cluster::Names;
use crate::engine::packer::{Kind, Object, Packer, entry_of};
use crate::engine::versions::Name;
use crate::kube::Pod;
use crate::model::EndpointSlice;
use crate::pack::Write;

impl Packer {
    /// Make an object so, `None` if it is not there.
    pub(super) fn set(&mut self, kind: Kind, name: &Name, object: Option<&Object>) {
        match kind {
            Kind::EndpointSlice => self.set_slice(name, object.and_then(Object::as_slice), None),
            Kind::Service => {
                let concerned = self.cluster.set_service(name, object.and_then(Object::as_service));
                self.mark_all(&concerned);
                if object.is_none()
                    && let Some(entry) = self.entries.get_mut(name)
                {
                    entry.forget();
                }
            }
            Kind::Pod => {
                let (before, after) = (self.cluster.pod(name).cloned(), object.and_then(Object::as_pod));
                for service in self.cluster.set_pod(name, after) {
                    self.mark_pods(&service, [before.as_ref(), after]);
                }
            }
            Kind::Node => {
                let concerned = self.cluster.set_node(&name.1, object.and_then(Object::as_node));
                self.mark_all(&concerned);
            }
        }
    }

    /// Make a slice so, `None` if it is not there; `answered` is the write that made it so, where that is known.
    pub(super) fn set_slice(&mut self, name: &Name, slice: Option<&Arc<EndpointSlice>>, answered: Option<&Write>) {
        let concerned = self.cluster.set_slice(name, slice);
        for of in concerned.iter().flatten() {
            let service = self.named(&name.0, of.metadata.service());
            self.take_slice(&service, &name.1, slice.map(|slice| &**slice), answered);
            self.room.push(service);
        }
        if let ([None, None], Some(slice)) = (concerned, slice) {
            self.hear_again(name, slice);
        }
        if !self.conflicts.is_empty() {
            self.hear_of_conflict(name, slice.map(|slice| &**slice));
        }
    }

    /// News of a slice whose name a create of another Service may have been refused for.
    fn hear_of_conflict(&mut self, name: &Name, slice: Option<&EndpointSlice>) {
        let Some(service) = self.conflicts.remove(name) else { return };
        if self.entries.get_mut(&service).is_some_and(|entry| entry.hear(&name.1, slice)) {
            self.note(&service);
        }
    }

    /// A slice is as it was, which is news only for who waits for it.
    fn hear_again(&mut self, name: &Name, slice: &EndpointSlice) {
        let service = self.named(&name.0, slice.metadata.service());
        if self.entries.get_mut(&service).is_some_and(|entry| entry.hear(&name.1, Some(slice))) {
            self.note(&service);
        }
        self.room.push(service);
    }

    /// A name, in room that a call before has left.
    pub(super) fn named(&mut self, namespace: &str, name: &str) -> Name {
        let mut room = self.room.pop().unwrap_or_default();
        namespace.clone_into(&mut room.0);
        name.clone_into(&mut room.1);
        room
    }

    /// News of a slice.
    fn take_slice(&mut self, service: &Name, name: &str, slice: Option<&EndpointSlice>, answered: Option<&Write>) {
        let entry = entry_of(&mut self.entries, service);
        if !entry.wanted(name, slice, answered) {
            entry.mark();
        }
        entry.hear(name, slice);
        self.note(service);
    }

    /// There is something to look at.
    pub(super) fn note(&mut self, service: &Name) {
        let entry = entry_of(&mut self.entries, service);
        if std::mem::replace(&mut entry.is_noted, true) {
            return;
        }
        for names in [&mut self.dirty, &mut self.news] {
            if !names.contains(service) {
                names.insert(service.clone());
            }
        }
    }

    /// Something happened to a Service.
    pub(super) fn mark(&mut self, service: &Name) {
        entry_of(&mut self.entries, service).mark();
        self.note(service);
    }

    fn mark_all(&mut self, services: &Names) {
        for service in services {
            self.mark(service);
        }
    }

    /// A Pod changed, and nothing else; as it was and as it is.
    fn mark_pods(&mut self, service: &Name, pods: [Option<&Arc<Pod>>; 2]) {
        let entry = entry_of(&mut self.entries, service);
        entry.mark_part(|changes| pods.into_iter().flatten().for_each(|pod| changes.add_pod(pod)));
        self.note(service);
    }
}
