//! All or nothing.

use std::sync::Arc;

use crate::engine::versions::Name;
use crate::engine::view::View;
use crate::interrupt::point;
use crate::model::EndpointSlice;

/// Many slices set at once. Where the work is interrupted, all are as they were before.
pub(super) struct Attempt<'a> {
    view: &'a mut View,
    /// Each slice that was set, and whether it was pending already.
    undo: Vec<(Name, Option<Arc<EndpointSlice>>, bool)>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(view: &'a mut View) -> Self {
        Self { view, undo: Vec::new() }
    }

    pub(super) fn set(&mut self, name: Name, slice: Option<&Arc<EndpointSlice>>) {
        point();
        let old = self.view.slices.get(&name).cloned();
        let was_pending = self.view.pending.contains_key(&name);
        self.view.set(name.clone(), slice);
        self.undo.push((name, old, was_pending));
    }

    pub(super) fn succeed(mut self) {
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
