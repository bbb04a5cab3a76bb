//! Which events are older than what is known already.

use std::collections::VecDeque;

use hashbrown::{Equivalent, HashMap};

use crate::model::version_number as number;

/// Deletions that are remembered, so that a late event does not bring an object back.
const MOST_TOMBSTONES: usize = 10_000;

/// Namespace and name.
pub(super) type Name = (String, String);

/// A [`Name`] of texts that are elsewhere, to look it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NameRef<'a>(pub(super) &'a str, pub(super) &'a str);

impl NameRef<'_> {
    pub(super) fn owned(self) -> Name {
        (self.0.to_owned(), self.1.to_owned())
    }
}

impl Equivalent<Name> for NameRef<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        *self == NameRef(&name.0, &name.1)
    }
}

/// What is known of versions beyond the objects that are there.
#[derive(Clone, Debug, Default)]
pub(super) struct Versions {
    /// The newest that was seen.
    pub(super) newest: String,
    /// That of the last list: what it does not name was gone then.
    pub(super) list: String,
    tombstones: HashMap<Name, Tombstone>,
    /// Oldest first; also of some that are there again.
    order: VecDeque<(u64, Name)>,
    buried: u64,
}

#[derive(Clone, Debug)]
struct Tombstone {
    version: String,
    number: u64,
}

/// True if both are numbers, and the first one is the lower.
pub(super) fn is_older(version: &str, than: &str) -> bool {
    number(version).zip(number(than)).is_some_and(|(version, than)| version < than)
}

impl Versions {
    /// Note a version that was seen. Of those that are no numbers the last one is taken for the newest.
    pub(super) fn see(&mut self, version: &str) {
        if !version.is_empty() && !is_older(version, &self.newest) {
            version.clone_into(&mut self.newest);
        }
    }

    /// Note a whole list of that version.
    pub(super) fn see_list(&mut self, version: &str) {
        version.clone_into(&mut self.list);
        version.clone_into(&mut self.newest);
        self.tombstones.clear();
        self.order.clear();
    }

    /// True if a version of an object is older than what is known: than the one that is held, or than its deletion.
    pub(super) fn is_stale(&self, name: &Name, version: &str, held: Option<&str>) -> bool {
        if let Some(held) = held {
            return is_older(version, held);
        }
        let gone = self.tombstones.get(name).map_or(&self.list, |tombstone| &tombstone.version);
        number(version).zip(number(gone)).is_some_and(|(version, gone)| version <= gone)
    }

    /// Note that an object is gone.
    pub(super) fn bury(&mut self, name: &Name, version: &str) {
        if number(version).is_none() {
            return;
        }
        self.buried += 1;
        self.tombstones.insert(name.clone(), Tombstone { version: version.to_owned(), number: self.buried });
        self.order.push_back((self.buried, name.clone()));
        while self.order.len() > MOST_TOMBSTONES {
            let Some((number, oldest)) = self.order.pop_front() else { return };
            if self.tombstones.get(&oldest).is_some_and(|tombstone| tombstone.number == number) {
                self.tombstones.remove(&oldest);
            }
        }
    }

    /// An object is there again.
    pub(super) fn raise(&mut self, name: &Name) {
        if !self.tombstones.is_empty() {
            self.tombstones.remove(name);
        }
    }
}
